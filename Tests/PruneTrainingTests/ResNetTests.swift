import PruneData
import PruneFormats
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// The models and data beside the repository.
enum Shared {
  static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/") + "/shared"
  }()
  static let isPresent = FileReader.exists(folder + "/SOURCES.md")

  static func resnet20() throws -> Model {
    try ModelFormats.load(path: folder + "/models/resnet_cifar/resnet20_cifar10.onnx")
  }

  static func cifar(_ count: Int) throws -> Dataset {
    try Dataset.cifar10(paths: [folder + "/data/cifar10/test_first1000.bin.gz"]).take(count)
      .normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
  }
}

/// A network that others trained and exported: shortcuts of Slice and Pad whose pads are computed, a tail of Shape,
/// Gather, Concat and Reshape.
@Suite(.enabled(if: Shared.isPresent, "needs ../shared beside the repository")) struct ResNetTests {
  @Test func gradientsAgreeWithDifferences() throws {
    let model = try Shared.resnet20()
    let batch = try Shared.cifar(8).rows(0, 8)
    let labels = try #require(batch.y)
    let gradients = try LossGradients(model, targets: .int64)
    let results = try gradients.run(batch.x, labels).gradients
    #expect(gradients.blocked.isEmpty)
    let names = gradients.parameters
    #expect(results.count == names.count && names.count >= 40)
    for name in [names[0], names[1], names[names.count / 2], names[names.count - 2], names[names.count - 1]] {
      let values = try #require(results[name]).array(of: Float.self)
      // The largest entry: a ratio of small numbers says nothing in single precision.
      let index = try #require(values.indices.max { abs(values[$0]) < abs(values[$1]) })
      func loss(_ by: Float) throws -> Double {
        var moved = model
        var weight = try #require(model.graph.initializer(name))
        try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += by }
        moved.graph.setInitializer(name, weight)
        return try LossGradients(moved, targets: .int64, parameters: [name]).run(batch.x, labels).loss
      }
      let numeric = (try loss(2e-3) - loss(-2e-3)) / 4e-3
      #expect(
        abs(Double(values[index]) - numeric) < 0.03 * abs(numeric) + 1e-3, "\(name): \(values[index]), \(numeric)")
    }
  }

  /// One step of plain gradient descent moves every weight by lr times its gradient.
  @Test func aStepFollowsTheGradient() throws {
    let before = try Shared.resnet20()
    let data = try Shared.cifar(8)
    var options = FitOptions()
    options.optimizer = "sgd"
    options.lr = 0.5
    options.batchSize = 8
    options.frozen = before.graph.nodes.contains { $0.opType == "BatchNormalization" } ? ["*bn*"] : []
    var model = before
    _ = try fit(&model, data, options)
    let batch = try data.rows(0, 8)
    let gradients = try LossGradients(before, targets: .int64).run(batch.x, #require(batch.y)).gradients
    var (error, norm) = (0.0, 0.0)
    for name in try TrainableParameters.names(in: before, frozen: options.frozen) {
      let old = try #require(before.graph.initializer(name)).array(of: Float.self)
      let new = try #require(model.graph.initializer(name)).array(of: Float.self)
      let gradient = try #require(gradients[name]).array(of: Float.self)
      for index in old.indices {
        let moved = Double(old[index] - new[index]) / 0.5
        error += (moved - Double(gradient[index])) * (moved - Double(gradient[index]))
        norm += Double(gradient[index]) * Double(gradient[index])
      }
    }
    #expect((error / norm).squareRoot() < 1e-3)
  }

  @Test func fineTuningLowersTheLoss() throws {
    var model = try Shared.resnet20()
    var options = FitOptions()
    options.optimizer = "sgd"
    options.lr = 0.001
    options.momentum = 0.9
    options.batchSize = 64
    options.epochs = 3
    let history = try fit(&model, Shared.cifar(256), options)
    let losses = (0..<3).compactMap { history["epochs.\($0).loss"]?.number }
    #expect(losses.count == 3 && losses[2] < 0.8 * losses[0], "\(losses)")
  }
}
