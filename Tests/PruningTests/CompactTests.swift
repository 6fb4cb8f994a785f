import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Layers that are dead as a whole.
@Suite struct CompactTests {
  /// x [N, 1] -> Gemm -> Relu -> Gemm -> y [N, 1], two units between, `weights` being their columns in and rows out.
  private func network(_ weights: [Float], _ biases: [Float], _ readers: [Float], isColumnMajor: Bool = false) throws
    -> Model
  {
    var model = try SmallGraph.model(
      [.named("N"), .fixed(1)], weights: [],
      constants: [
        ("w1", try Tensor(weights, Shape([weights.count, 1]))), ("b1", try Tensor(biases)),
        ("w2", try Tensor(readers, Shape(isColumnMajor ? [readers.count, 1] : [1, readers.count]))),
        ("b2", try Tensor([-1] as [Float])),
      ],
      [
        Node(
          "Gemm", name: "first", inputs: ["x", "w1", "b1"], outputs: ["h"], attributes: [Attribute("transB", .int(1))]),
        Node("Relu", name: "relu", inputs: ["h"], outputs: ["r"]),
        Node(
          "Gemm", name: "second", inputs: ["r", "w2", "b2"], outputs: ["y"],
          attributes: [Attribute("transB", .int(isColumnMajor ? 0 : 1))]),
      ])
    model.graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(1)]))]
    return model
  }

  /// Constant units, unread ones, and both in any order: one stays, and gives what it gave once.
  @Test(
    arguments: [
      ([0, 1.5], [0.25, -0.5], [1.5, 0]), ([1.5, 0], [-0.5, 0.25], [0, 1.5]), ([0, 0], [0.25, 0.75], [1.5, -2]),
      ([0, 0, 0], [0.25, -1, 2], [1, 1, 1]), ([2, 3], [1, 1], [0, 0]), ([0, 1, 0], [0.5, 1, 0.5], [1, 0, -3]),
    ] as [([Float], [Float], [Float])], [false, true])
  func aLayerThatIsDeadKeepsOneUnit(layer: ([Float], [Float], [Float]), isColumnMajor: Bool) throws {
    let model = try network(layer.0, layer.1, layer.2, isColumnMajor: isColumnMajor)
    let (small, report) = try compact(model)
    #expect(try #require(report["certificate"]?.number) < 1e-6)
    #expect(small.graph.initializer("w1")?.shape.dims == [1, 1])
    #expect(report["removed"]?.integer == layer.0.count - 1)
  }

  /// Almost nothing is left of a network that was trained, and what is left computes the same.
  @Test func almostAllOfATrainedNetworkIsDead() throws {
    let data = try Dataset.digits().take(256)
    for kind in ["mlp", "lenet5"] {
      var options = ZooOptions()
      options.input = [1, 8, 8]
      var model = try Zoo.make(kind, options)
      var training = FitOptions()
      training.epochs = 1
      _ = try fit(&model, data, training)
      for amount in [0.95, 0.998] {
        var settings = PruneOptions()
        (settings.strategy, settings.amount) = ("local", amount)
        let pruned = try prune(model, settings).model
        let (small, report) = try compact(pruned)
        #expect(try report["certificate"].map { try #require($0.number) } ?? 0 <= 1e-4, "\(kind) \(amount)")
        #expect(try ModelStats.of(small).params <= ModelStats.of(pruned).params)
      }
    }
  }
}
