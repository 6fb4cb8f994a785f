import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// Graphs as other tools write them.
@Suite struct FitGraphTests {
  /// conv -> batch normalization -> relu -> reshape -> gemm.
  private func network(batch: Dim, reshape: [Int64], seed: UInt64 = 5) throws -> Model {
    var random = RandomSource(seed: seed)
    var graph = Graph(name: "net")
    func weight(_ name: String, _ shape: [Int], _ deviation: Double) throws {
      let count = shape.reduce(1, *)
      graph.setInitializer(name, try Tensor((0..<count).map { _ in Float(deviation * random.normal()) }, Shape(shape)))
    }
    try weight("conv.weight", [8, 1, 3, 3], 0.4)
    try weight("fc.weight", [10, 512], 0.05)
    try weight("fc.bias", [10], 0)
    for (name, value) in [("bn.scale", 1), ("bn.bias", 0), ("bn.mean", 0), ("bn.var", 1)] as [(String, Float)] {
      graph.setInitializer(name, try Tensor([Float](repeating: value, count: 8)))
    }
    graph.setInitializer("flat", try Tensor(reshape))
    graph.nodes = [
      Node(
        "Conv", name: "conv", inputs: ["x", "conv.weight"], outputs: ["c"],
        attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]),
      Node(
        "BatchNormalization", name: "bn", inputs: ["c", "bn.scale", "bn.bias", "bn.mean", "bn.var"], outputs: ["b"]),
      Node("Relu", name: "relu", inputs: ["b"], outputs: ["r"]),
      Node("Reshape", name: "flatten", inputs: ["r", "flat"], outputs: ["f"]),
      Node(
        "Gemm", name: "fc", inputs: ["f", "fc.weight", "fc.bias"], outputs: ["y"],
        attributes: [Attribute("transB", .int(1))]),
    ]
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [batch, .fixed(1), .fixed(8), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [batch, .fixed(10)]))]
    return Model(graph: graph)
  }

  @Test func runningStatisticsMoveWithTheData() throws {
    var model = try network(batch: .named("N"), reshape: [0, -1])
    var options = FitOptions()
    options.epochs = 4
    options.lr = 3e-3
    options.validationSplit = 0.2
    let history = try fit(&model, Fixture.digits(325), options)
    #expect(try #require(history["epochs.3.loss"]?.number) < 1.2)
    #expect(history["epochs.3.validation_accuracy"]?.number ?? 0 > 0.7)
    let weights = try Fixture.weights(model)
    #expect(try #require(weights["bn.mean"]).contains { abs($0) > 1e-3 })
    #expect(try #require(weights["bn.var"]).allSatisfy { $0 > 0 && $0 != 1 })
  }

  @Test func frozenNormalizationsKeepTheirStatistics() throws {
    var model = try network(batch: .named("N"), reshape: [0, -1])
    var options = FitOptions()
    options.frozen = ["bn.*"]
    _ = try fit(&model, Fixture.digits(), options)
    let weights = try Fixture.weights(model)
    #expect(weights["bn.mean"] == [Float](repeating: 0, count: 8))
    #expect(weights["bn.var"] == [Float](repeating: 1, count: 8))
  }

  /// A fixed batch that only the input mentions gives way to the one asked for; one that constants repeat stays.
  @Test(arguments: [([0, -1] as [Int64], 10), ([4, 512], 80)])
  func fixedBatches(reshape: [Int64], steps: Int) throws {
    var model = try network(batch: .fixed(4), reshape: reshape)
    let history = try fit(&model, Fixture.digits(320), FitOptions())
    #expect(history["steps"]?.number == Double(steps))
    #expect(model.graph.inputs[0].type?.dims?[0] == .fixed(4))
  }

  @Test func aTiedWeightGetsBothGradients() throws {
    var graph = Graph(name: "tied")
    graph.setInitializer("w", try Tensor((0..<16).map { Float($0) * 0.01 }, Shape([4, 4])))
    graph.nodes = [
      Node("MatMul", inputs: ["x", "w"], outputs: ["h"]), Node("Tanh", inputs: ["h"], outputs: ["t"]),
      Node("MatMul", inputs: ["t", "w"], outputs: ["y"]),
    ]
    let type = TensorType(.float32, [.named("N"), .fixed(4)])
    graph.inputs = [ValueInfo(name: "x", type: type)]
    graph.outputs = [ValueInfo(name: "y", type: type)]
    let x = try Tensor([1, 2, 3, 4] as [Float], Shape([1, 4]))
    let y = try Tensor([0, 0, 0, 0] as [Float], Shape([1, 4]))
    var model = Model(graph: graph)
    let analytic = try #require(try LossGradients(model, targets: .float32).run(x, y).gradients["w"]).array(
      of: Float.self)
    for index in [0, 5, 15] {
      func loss(_ by: Float) throws -> Double {
        var weight = try #require(graph.initializer("w"))
        try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += by }
        model.graph.setInitializer("w", weight)
        return try LossGradients(model, targets: .float32).run(x, y).loss
      }
      let numeric = (try loss(0.01) - loss(-0.01)) / 0.02
      #expect(abs(Double(analytic[index]) - numeric) < 2e-3)
    }
  }

  @Test func constantsOfTheArithmeticAreNotTrained() throws {
    var model = try network(batch: .named("N"), reshape: [0, -1])
    model.graph.setInitializer("mean", try Tensor([0.3] as [Float]))
    model.graph.nodes[0].inputs[0] = "centred"
    model.graph.nodes.insert(Node("Sub", inputs: ["x", "mean"], outputs: ["centred"]), at: 0)
    #expect(TrainableParameters.names(in: model) == ["conv.weight", "fc.weight", "fc.bias", "bn.scale", "bn.bias"])
  }
}
