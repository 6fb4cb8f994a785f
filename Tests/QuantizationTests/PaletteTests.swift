import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Quantization
import Testing

@Suite struct PaletteTests {
  @Test(arguments: [2, 4, 8])
  func palettesHaveFewValuesAndKeepZeros(bits: Int) throws {
    var pruning = PruneOptions()
    pruning.amount = 0.5
    let model = try prune(try Networks.residual(), pruning).model
    var options = QuantizeOptions()
    (options.scheme, options.bits) = ("palette", bits)
    let (few, report) = try quantize(model, options)
    var noise = 0.0
    for name in ["w1", "w2", "w3"] {
      let old = try #require(model.graph.initializer(name)).array(of: Float.self)
      let new = try #require(few.graph.initializer(name)).array(of: Float.self)
      #expect(Set(new).count <= 1 << bits)
      #expect(zip(old, new).allSatisfy { ($0 == 0) == ($1 == 0) })
      noise += zip(old, new).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    }
    #expect(noise < [2: 6, 4: 0.4, 8: 0.01][bits] ?? 0)
    #expect(few.maskedParameters == model.maskedParameters)
    #expect(report["layers"]?.list?.count == 3)
    if bits == 2 {
      options.groupSize = 1
      let finer = try quantize(model, options).model
      func noise(_ other: Model) throws -> Float {
        let old = try #require(model.graph.initializer("w2")).array(of: Float.self)
        let new = try #require(other.graph.initializer("w2")).array(of: Float.self)
        return zip(old, new).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      #expect(try noise(finer) < noise(few))
    }
  }

  @Test func fisherSparesWhatTheLossDependsOn() throws {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make("mlp", zoo)
    var fitting = FitOptions()
    fitting.epochs = 6
    fitting.batchSize = 64
    _ = try fit(&model, train, fitting)
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.validate) = ("palette", 2, test)
    let plain = try quantize(model, options).report["after.loss"]?.number ?? 0
    options.calibration = train
    options.fisher = true
    let weighted = try quantize(model, options).report["after.loss"]?.number ?? .infinity
    #expect(weighted < plain, "\(plain) -> \(weighted)")
  }

  // MARK: - Training

  private static func palettized(_ model: Model, bits: Int, groupSize: Int = 0) throws -> Model {
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.groupSize) = ("palette", bits, groupSize)
    return try quantize(model, options).model
  }

  /// Which elements of a weight share a value.
  private static func sharing(_ tensor: Tensor) throws -> [Int] {
    var known: [Float: Int] = [:]
    return try tensor.array(of: Float.self).map { value in
      known[value] = known[value] ?? known.count
      return known[value] ?? 0
    }
  }

  @Test(arguments: ["mlp", "lenet5"], ["adam", "sgd"])
  func trainingSharedValuesRecoversWhatTwoBitsLost(network: String, optimizer: String) throws {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make(network, zoo)
    var fitting = FitOptions()
    (fitting.epochs, fitting.batchSize) = (6, 64)
    _ = try fit(&model, train, fitting)
    var pruning = PruneOptions()
    pruning.amount = 0.5
    model = try prune(model, pruning).model
    let few = try Self.palettized(model, bits: 2)
    var trained = few
    fitting.palettes = true
    if optimizer == "sgd" { (fitting.optimizer, fitting.lr, fitting.clipNorm) = ("sgd", 0.02, 1) }
    let report = try fit(&trained, train, fitting)
    let losses = try #require(report["epochs"]?.list).compactMap { $0.report?["loss"]?.number }
    #expect(try #require(losses.last) < losses[0])
    #expect(trained.graph.nodes.map(\.inputs) == few.graph.nodes.map(\.inputs))
    #expect(trained.maskedParameters == few.maskedParameters)
    #expect(trained.graph.initializers.map(\.name) == few.graph.initializers.map(\.name))
    for (name, old) in few.graph.initializers.map({ ($0.name, $0.tensor) }) where old.shape.rank > 1 {
      let new = try #require(trained.graph.initializer(name))
      #expect(try Self.sharing(new) == Self.sharing(old))
      let (before, after) = (try old.array(of: Float.self), try new.array(of: Float.self))
      #expect(before != after && Set(after).count <= 4)
      #expect(zip(before, after).allSatisfy { ($0 == 0) == ($1 == 0) })
    }
    func accuracy(_ model: Model) throws -> Double {
      try #require(try evaluate(model, test, EvaluateOptions())["accuracy"]?.number)
    }
    let (dense, lost, back) = (try accuracy(model), try accuracy(few), try accuracy(trained))
    #expect(back > (optimizer == "adam" ? dense - 0.03 : (lost + dense) / 2), "\(dense) -> \(lost) -> \(back)")
    // What was trained goes on from its state.
    fitting.resume = .optimizer
    fitting.epochs = 1
    _ = try fit(&trained, train, fitting)
  }

  @Test(arguments: [0, 1, 2])
  func aSharedValueMovesByTheSumOfItsWeightsGradients(groupSize: Int) throws {
    let few = try Self.palettized(try Networks.residual(), bits: 2, groupSize: groupSize)
    let data = try Dataset.tensors(Networks.images(16).x, Tensor((0..<16).map { Int64($0 % 5) }))
    let gradients = try LossGradients(few, targets: .int64, parameters: ["w1", "w2", "w3"])
      .run(["x": data.x], #require(data.y)).gradients
    var fitting = FitOptions()
    (fitting.optimizer, fitting.lr, fitting.batchSize, fitting.palettes) = ("sgd", 1e-2, 16, true)
    // The scale and bias of the normalization stay, and so do its statistics.
    fitting.frozen = ["gamma", "beta"]
    var trained = few
    _ = try fit(&trained, data, fitting)
    for name in ["w1", "w2", "w3"] {
      let old = try #require(few.graph.initializer(name)),
        new = try #require(trained.graph.initializer(name)).array(of: Float.self)
      let parts = try #require(gradients[name]).array(of: Float.self)
      let places = try Self.sharing(old), values = try old.array(of: Float.self)
      var sums = [Double](repeating: 0, count: (places.max() ?? 0) + 1)
      for (place, part) in zip(places, parts) { sums[place] += Double(part) }
      for index in values.indices {
        let moved = Double(values[index] - new[index]) / 1e-2, wanted = sums[places[index]]
        #expect(abs(moved - wanted) < 1e-3 * max(1, abs(wanted)), "\(name)[\(index)]")
      }
    }
  }

  @Test func weightsWithoutPalettesAreRefused() throws {
    var model = try Networks.residual()
    let data = try Dataset.tensors(Networks.images(8).x, Tensor((0..<8).map { Int64($0 % 5) }))
    var fitting = FitOptions()
    fitting.palettes = true
    let error = #expect(throws: PruneError.self) { try fit(&model, data, fitting) }
    #expect(error?.status == .invalidArgument && error?.hint.contains("palette") == true)
  }
}
