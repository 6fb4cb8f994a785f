import PruneData
import PruneGraph
import PruneTensor
import PruneTraining

/// Small models that tests quantize.
enum Networks {
  static func random(_ dims: [Int], seed: UInt64, scale: Float = 0.3) throws -> Tensor {
    var random = RandomSource(seed: seed)
    let shape = try Shape(dims)
    return try Tensor((0..<shape.count).map { _ in Float(random.normal()) * scale }, shape)
  }

  /// x[N,3,8,8] -> Conv -> BatchNormalization -> Relu -> Conv -> Add with the first Relu -> Relu -> MaxPool -> Flatten
  /// -> Gemm.
  static func residual(opset: Int64 = 17) throws -> Model {
    var graph = Graph(name: "residual")
    graph.inputs = [
      ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .fixed(8), .fixed(8)]))
    ]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(5)]))]
    graph.setInitializer("w1", try random([4, 3, 3, 3], seed: 1))
    graph.setInitializer("w2", try random([4, 4, 3, 3], seed: 2))
    graph.setInitializer("b2", try random([4], seed: 3))
    graph.setInitializer("w3", try random([64, 5], seed: 4))
    graph.setInitializer("b3", try random([5], seed: 5))
    graph.setInitializer("gamma", try Tensor([1, -0.5, 2, 1.5] as [Float]))
    graph.setInitializer("beta", try Tensor([0.1, 0.2, -0.3, 0] as [Float]))
    graph.setInitializer("mean", try Tensor([0.05, 0, -0.1, 0.2] as [Float]))
    graph.setInitializer("var", try Tensor([1, 0.5, 2, 1] as [Float]))
    let pads = [Attribute("pads", .integers([1, 1, 1, 1])), Attribute("kernel_shape", .integers([3, 3]))]
    graph.nodes = [
      Node("Conv", name: "conv1", inputs: ["x", "w1"], outputs: ["c1"], attributes: pads),
      Node("BatchNormalization", name: "norm", inputs: ["c1", "gamma", "beta", "mean", "var"], outputs: ["n1"]),
      Node("Relu", name: "relu1", inputs: ["n1"], outputs: ["r1"]),
      Node("Conv", name: "conv2", inputs: ["r1", "w2", "b2"], outputs: ["c2"], attributes: pads),
      Node("Add", name: "add", inputs: ["c2", "r1"], outputs: ["s"]),
      Node("Relu", name: "relu2", inputs: ["s"], outputs: ["r2"]),
      Node(
        "MaxPool", name: "pool", inputs: ["r2"], outputs: ["p"],
        attributes: [Attribute("kernel_shape", .integers([2, 2])), Attribute("strides", .integers([2, 2]))]),
      Node("Flatten", name: "flatten", inputs: ["p"], outputs: ["f"]),
      Node("Gemm", name: "fc", inputs: ["f", "w3", "b3"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: opset)
  }

  /// Images that fit `residual`.
  static func images(_ count: Int, seed: UInt64 = 11) throws -> Dataset {
    try Dataset.tensors(random([count, 3, 8, 8], seed: seed, scale: 1), nil)
  }

  static func codes(_ model: Model, _ name: String) throws -> [Int8] {
    try model.graph.initializer(name)?.array(of: Int8.self) ?? []
  }
}
