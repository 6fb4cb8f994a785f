import PruneData
import PruneGraph
import PruneTensor
import PruneTraining

/// Small models that tests prune.
enum Networks {
  static func mlp(_ hidden: [Int] = [32, 16], seed: UInt64 = 1) throws -> Model {
    var options = ZooOptions()
    options.input = [1, 8, 8]
    options.hidden = hidden
    options.seed = seed
    return try Zoo.make("mlp", options)
  }

  /// x[N,4] -> MatMul(a) -> Add -> Gemm(transposed b) -> MatMul(c behind Transpose) -> MatMul(a constant node) -> y.
  static func mixed() throws -> Model {
    var graph = Graph(name: "mixed")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    func matrix(_ seed: UInt64) throws -> Tensor {
      var random = RandomSource(seed: seed)
      return try Tensor((0..<16).map { _ in Float(random.normal()) }, Shape([4, 4]))
    }
    graph.setInitializer("a", try matrix(1))
    graph.setInitializer("bias", try Tensor([1, 2, 3, 4] as [Float]))
    graph.setInitializer("b", try matrix(2))
    graph.setInitializer("c", try matrix(3))
    graph.nodes = [
      Node("MatMul", name: "first", inputs: ["x", "a"], outputs: ["x1"]),
      Node("Add", name: "add", inputs: ["x1", "bias"], outputs: ["x2"]),
      Node(
        "Gemm", name: "second", inputs: ["x2", "b", "bias"], outputs: ["x3"], attributes: [Attribute("transB", .int(1))]
      ),
      Node("Transpose", name: "turn", inputs: ["c"], outputs: ["ct"]),
      Node("MatMul", name: "third", inputs: ["x3", "ct"], outputs: ["x4"]),
      Node(
        "Constant", name: "made", inputs: [], outputs: ["d"],
        attributes: [
          Attribute("value", .tensor(TensorValue(name: "", tensor: try matrix(4))))
        ]),
      Node("MatMul", name: "fourth", inputs: ["x4", "d"], outputs: ["x5"]),
      Node("MatMul", name: "fifth", inputs: ["x5", "a"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  static func values(_ model: Model, _ name: String) throws -> [Float] {
    try model.graph.initializer(name)?.array(of: Float.self) ?? []
  }

  /// Zeros of the given initializers.
  static func zeros(_ model: Model, _ names: [String]) throws -> Int {
    try names.reduce(0) { $0 + (try values(model, $1)).count { $0 == 0 } }
  }
}

extension Networks {
  /// x -> Conv(w) -> y, square images and kernels.
  static func convolution(
    channels: Int, outputs: Int, groups: Int, kernel: Int, stride: Int, pad: Int, size: Int
  ) throws -> Model {
    var graph = Graph(name: "convolution")
    graph.inputs = [
      ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(channels), .fixed(size), .fixed(size)]))
    ]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    let shape = try Shape([outputs, channels / groups, kernel, kernel])
    var random = RandomSource(seed: 9)
    graph.setInitializer("w", try Tensor((0..<shape.count).map { _ in Float(random.normal()) }, shape))
    graph.nodes = [
      Node(
        "Conv", name: "conv", inputs: ["x", "w"], outputs: ["y"],
        attributes: [
          Attribute("group", .int(Int64(groups))), Attribute("strides", .ints([Int64(stride), Int64(stride)])),
          Attribute("pads", .ints([Int64](repeating: Int64(pad), count: 4))),
        ])
    ]
    return Model(graph: graph)
  }
}

extension Networks {
  /// x[N,4,6,6] -> Conv(w1) -> Relu -> Conv(w2, two groups) -> Relu -> rows of positions -> MatMul(w3) -> mean over
  /// positions -> MatMul(w4) -> y[N,3].
  static func sampled() throws -> Model {
    var graph = Graph(name: "sampled")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(4), .fixed(6), .fixed(6)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(3)]))]
    var random = RandomSource(seed: 21)
    for (name, dims) in [("w1", [8, 4, 3, 3]), ("w2", [8, 4, 3, 3]), ("w3", [8, 6]), ("w4", [6, 3])] {
      let shape = try Shape(dims)
      graph.setInitializer(name, try Tensor((0..<shape.count).map { _ in Float(random.normal()) * 0.3 }, shape))
    }
    graph.setInitializer("rows", try Tensor([0, 8, 36] as [Int64]))
    let pads = Attribute("pads", .ints([1, 1, 1, 1]))
    graph.nodes = [
      Node("Conv", name: "c1", inputs: ["x", "w1"], outputs: ["a"], attributes: [pads]),
      Node("Relu", name: "r1", inputs: ["a"], outputs: ["b"]),
      Node("Conv", name: "c2", inputs: ["b", "w2"], outputs: ["c"], attributes: [pads, Attribute("group", .int(2))]),
      Node("Relu", name: "r2", inputs: ["c"], outputs: ["d"]),
      Node("Reshape", name: "flat", inputs: ["d", "rows"], outputs: ["e"]),
      Node(
        "Transpose", name: "turn", inputs: ["e"], outputs: ["f"], attributes: [Attribute("perm", .ints([0, 2, 1]))]),
      Node("MatMul", name: "m3", inputs: ["f", "w3"], outputs: ["g"]),
      Node("Relu", name: "r3", inputs: ["g"], outputs: ["h"]),
      Node(
        "ReduceMean", name: "mean", inputs: ["h"], outputs: ["i"],
        attributes: [Attribute("axes", .ints([1])), Attribute("keepdims", .int(0))]),
      Node("MatMul", name: "m4", inputs: ["i", "w4"], outputs: ["y"]),
    ]
    var model = Model(graph: graph)
    model.opsets = [OpsetImport(domain: "", version: 13)]
    return model
  }

  /// Samples for it, of three classes.
  static func samples(_ count: Int) throws -> Dataset {
    var random = RandomSource(seed: 22)
    let x = try Tensor((0..<count * 144).map { _ in Float(random.normal()) }, Shape([count, 4, 6, 6]))
    return try Dataset.tensors(x, try Tensor((0..<count).map { Int64($0 % 3) }))
  }
}
