import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// Augmentation in a fit, and recomputation.
@Suite struct FitDataTests {
  /// Conv, batch normalization, Relu and a pool, three times over, then a layer of classes.
  private func network() throws -> Model {
    var random = RandomSource(seed: 5)
    var graph = Graph(name: "net")
    func weight(_ name: String, _ shape: [Int], _ deviation: Double) throws {
      let count = shape.reduce(1, *)
      graph.setInitializer(name, try Tensor((0..<count).map { _ in Float(deviation * random.normal()) }, Shape(shape)))
    }
    var (value, channels) = ("x", 1)
    for block in 1...6 {
      try weight("conv\(block).weight", [16, channels, 3, 3], (2.0 / Double(9 * channels)).squareRoot())
      for (name, start) in [("scale", 1), ("bias", 0), ("mean", 0), ("var", 1)] as [(String, Float)] {
        graph.setInitializer("bn\(block).\(name)", try Tensor([Float](repeating: start, count: 16)))
      }
      graph.nodes += [
        Node(
          "Conv", name: "conv\(block)", inputs: [value, "conv\(block).weight"], outputs: ["c\(block)"],
          attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]),
        Node(
          "BatchNormalization", name: "bn\(block)",
          inputs: ["c\(block)"] + ["scale", "bias", "mean", "var"].map { "bn\(block).\($0)" }, outputs: ["b\(block)"]),
        Node("Relu", name: "relu\(block)", inputs: ["b\(block)"], outputs: ["r\(block)"]),
      ]
      (value, channels) = ("r\(block)", 16)
      if block == 3 {
        graph.nodes.append(
          Node(
            "MaxPool", inputs: [value], outputs: ["p"],
            attributes: [Attribute("kernel_shape", .integers([2, 2])), Attribute("strides", .integers([2, 2]))]))
        value = "p"
      }
    }
    try weight("fc.weight", [10, 16], 0.2)
    graph.nodes += [
      Node("GlobalAveragePool", inputs: [value], outputs: ["g"]), Node("Flatten", inputs: ["g"], outputs: ["f"]),
      Node("Gemm", name: "fc", inputs: ["f", "fc.weight"], outputs: ["y"], attributes: [Attribute("transB", .int(1))]),
    ]
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(1), .fixed(8), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(10)]))]
    return Model(graph: graph)
  }

  @Test func rowsOfProbabilitiesWarnOfTheChosenLoss() throws {
    func warning(_ loss: String?, smoothed: Float) throws -> String? {
      let digits = try Fixture.digits(64), labels = try #require(digits.y).array(of: Int64.self)
      var rows = [Float](repeating: smoothed / 9, count: 640)
      for (row, label) in labels.enumerated() { rows[row * 10 + Int(label)] = 1 - smoothed }
      let data = try Dataset.tensors(digits.x, try Tensor(rows, Shape([64, 10])))
      var model = try network()
      var options = FitOptions()
      options.loss = loss
      guard case .text(let text)? = try fit(&model, data, options)["warnings.0"] else { return nil }
      return text
    }
    #expect(try warning(nil, smoothed: 0.2)?.contains("loss = \"cross_entropy\"") == true)
    #expect(
      try warning("cross_entropy", smoothed: 0.2) == nil && warning("mse", smoothed: 0.2) == nil
        && warning(nil, smoothed: 0) == nil)
  }

  @Test func recomputationSavesMemoryAndChangesNothing() throws {
    func trained(_ recomputes: Bool) throws -> (weights: [String: [Float]], bytes: Double, loss: Double) {
      var model = try network()
      var options = FitOptions()
      options.batchSize = 64
      options.epochs = 2
      options.recomputes = recomputes
      options.dropout = 0.1
      let history = try fit(&model, Fixture.digits(192), options)
      return (
        try Fixture.weights(model), try #require(history["working_bytes"]?.number),
        try #require(history["epochs.1.loss"]?.number)
      )
    }
    let (plain, again) = (try trained(false), try trained(true))
    #expect(again.bytes < 0.8 * plain.bytes, "\(again.bytes) of \(plain.bytes)")
    #expect(abs(again.loss - plain.loss) < 1e-4)
    for (name, values) in plain.weights {
      let other = try #require(again.weights[name])
      #expect(zip(values, other).allSatisfy { abs($0 - $1) < 2e-3 }, "\(name)")
    }
  }

  @Test func augmentedFitsAreDeterministicAndLearn() throws {
    func losses(_ seed: UInt64) throws -> [Double] {
      var model = try network()
      var options = FitOptions()
      options.batchSize = 32
      options.epochs = 3
      options.lr = 4e-3
      options.seed = seed
      var augmentation = Augmentation()
      (augmentation.crop, augmentation.cutout, augmentation.mixup) = (1, 2, 0.2)
      options.augmentation = augmentation
      options.validation = try Fixture.digits(64)
      let history = try fit(&model, Fixture.digits(256), options)
      #expect(history["epochs.2.accuracy"] != nil && history["epochs.2.validation_accuracy"] != nil)
      return (0..<3).compactMap { history["epochs.\($0).loss"]?.number }
    }
    let first = try losses(1)
    #expect(first[2] < first[0])
    #expect(try losses(1) == first)
    #expect(try losses(2) != first)
  }
}
