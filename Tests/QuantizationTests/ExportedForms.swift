import PruneData
import PruneGraph
import PruneTensor

/// Small networks in the forms that exporters write, with outliers in some channels as trained ones have.
enum ExportedForms {
  /// The form, the network, and data for it.
  typealias Form = (name: String, model: Model, data: Dataset)

  static let names = ["cnn", "bert", "llama", "lstm", "products", "signals"]

  static func named(_ name: String) throws -> Form {
    switch name {
    case "bert": (name, try bert(), try sequences())
    case "llama": (name, try llama(), try sequences())
    case "lstm": (name, try lstm(), try sequences())
    case "products": (name, try products(), try sequences())
    case "signals": (name, try signals(), try sequences())
    default: (name, try cnn(), try Networks.images(48))
    }
  }

  static let width = 32

  private static func sequences() throws -> Dataset {
    var values = try Networks.random([48, 6, width], seed: 11, scale: 1)
    try values.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices where place % width % 7 == 3 { span[place] *= 12 }
    }
    return try Dataset.tensors(values, nil)
  }

  private static func empty(_ name: String, output: [Dim]) -> Graph {
    var graph = Graph(name: name)
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .named("L"), .fixed(width)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, output))]
    return graph
  }

  /// Conv, Relu, depthwise Conv, Relu, Conv, global pool, Flatten, Gemm.
  private static func cnn() throws -> Model {
    var graph = Graph(name: "cnn")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .fixed(8), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(5)]))]
    var first = try Networks.random([32, 3, 3, 3], seed: 1)
    try first.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices where place / 27 % 5 == 1 { span[place] *= 9 }
    }
    graph.setInitializer("w1", first)
    graph.setInitializer("w2", try Networks.random([32, 1, 3, 3], seed: 2))
    graph.setInitializer("w3", try Networks.random([32, 32, 1, 1], seed: 3))
    graph.setInitializer("w4", try Networks.random([32, 5], seed: 4))
    graph.setInitializer("b4", try Networks.random([5], seed: 5))
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    graph.nodes = [
      Node("Conv", name: "stem", inputs: ["x", "w1"], outputs: ["c1"], attributes: pads),
      Node("Relu", name: "relu1", inputs: ["c1"], outputs: ["r1"]),
      Node(
        "Conv", name: "depthwise", inputs: ["r1", "w2"], outputs: ["c2"],
        attributes: pads + [Attribute("group", .int(32))]),
      Node("Relu", name: "relu2", inputs: ["c2"], outputs: ["r2"]),
      Node("Conv", name: "pointwise", inputs: ["r2", "w3"], outputs: ["c3"]),
      Node("GlobalAveragePool", name: "pool", inputs: ["c3"], outputs: ["p"]),
      Node("Flatten", name: "flatten", inputs: ["p"], outputs: ["f"]),
      Node("Gemm", name: "fc", inputs: ["f", "w4", "b4"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: 17)
  }

  /// LayerNormalization, a product with an Add, Erf's GELU, another, a residual sum around them, LayerNormalization, a
  /// head.
  private static func bert() throws -> Model {
    var graph = empty("bert", output: [.named("N"), .named("L"), .fixed(4)])
    for (name, dims, seed) in [
      ("w1", [width, 64], 1), ("w2", [64, width], 2), ("w3", [width, 4], 3), ("b1", [64], 4), ("b2", [width], 5),
      ("b3", [4], 6),
    ] {
      graph.setInitializer(name, try Networks.random(dims, seed: UInt64(seed)))
    }
    for name in ["gamma1", "gamma2"] {
      graph.setInitializer(name, try Tensor((0..<width).map { Float($0 % 9 == 4 ? 8 : 0.5) }))
      graph.setInitializer(name + "_shift", try Networks.random([width], seed: 7))
    }
    graph.setInitializer("root", try Tensor(scalar: Float(2).squareRoot()))
    graph.setInitializer("one", try Tensor(scalar: Float(1)))
    graph.setInitializer("half", try Tensor(scalar: Float(0.5)))
    graph.nodes = [
      Node("LayerNormalization", name: "norm1", inputs: ["x", "gamma1", "gamma1_shift"], outputs: ["n1"]),
      Node("MatMul", name: "up", inputs: ["n1", "w1"], outputs: ["m1"]),
      Node("Add", name: "up_bias", inputs: ["b1", "m1"], outputs: ["a1"]),
      Node("Div", name: "gelu1", inputs: ["a1", "root"], outputs: ["g1"]),
      Node("Erf", name: "gelu2", inputs: ["g1"], outputs: ["g2"]),
      Node("Add", name: "gelu3", inputs: ["g2", "one"], outputs: ["g3"]),
      Node("Mul", name: "gelu4", inputs: ["a1", "g3"], outputs: ["g4"]),
      Node("Mul", name: "gelu5", inputs: ["g4", "half"], outputs: ["g5"]),
      Node("MatMul", name: "down", inputs: ["g5", "w2"], outputs: ["m2"]),
      Node("Add", name: "down_bias", inputs: ["m2", "b2"], outputs: ["a2"]),
      Node("Add", name: "residual", inputs: ["a2", "n1"], outputs: ["s"]),
      Node("LayerNormalization", name: "norm2", inputs: ["s", "gamma2", "gamma2_shift"], outputs: ["n2"]),
      Node("MatMul", name: "head", inputs: ["n2", "w3"], outputs: ["m3"]),
      Node("Add", name: "head_bias", inputs: ["m3", "b3"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: 17)
  }

  /// A normalization by root mean squares in single operators, SiLU's gate, a residual sum; no biases.
  private static func llama() throws -> Model {
    var graph = empty("llama", output: [.named("N"), .named("L"), .fixed(width)])
    for (name, dims, seed) in [("w1", [width, 64], 1), ("w2", [width, 64], 2), ("w3", [64, width], 3)] {
      graph.setInitializer(name, try Networks.random(dims, seed: UInt64(seed)))
    }
    graph.setInitializer("gamma", try Tensor((0..<width).map { Float($0 % 9 == 4 ? 8 : 0.5) }))
    graph.setInitializer("two", try Tensor(scalar: Float(2)))
    graph.setInitializer("epsilon", try Tensor(scalar: Float(1e-5)))
    graph.nodes = [
      Node("Pow", name: "square", inputs: ["x", "two"], outputs: ["q"]),
      Node("ReduceMean", name: "mean", inputs: ["q"], outputs: ["v"], attributes: [Attribute("axes", .integers([-1]))]),
      Node("Add", name: "bounded", inputs: ["v", "epsilon"], outputs: ["e"]),
      Node("Sqrt", name: "root", inputs: ["e"], outputs: ["d"]),
      Node("Div", name: "divided", inputs: ["x", "d"], outputs: ["u"]),
      Node("Mul", name: "scaled", inputs: ["u", "gamma"], outputs: ["n"]),
      Node("MatMul", name: "gate", inputs: ["n", "w1"], outputs: ["g"]),
      Node("Sigmoid", name: "sigmoid", inputs: ["g"], outputs: ["s"]),
      Node("Mul", name: "silu", inputs: ["g", "s"], outputs: ["t"]),
      Node("MatMul", name: "up", inputs: ["n", "w2"], outputs: ["p"]),
      Node("Mul", name: "gated", inputs: ["t", "p"], outputs: ["h"]),
      Node("MatMul", name: "down", inputs: ["h", "w3"], outputs: ["o"]),
      Node("Add", name: "residual", inputs: ["o", "x"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: 17)
  }

  /// A bidirectional LSTM whose states a Gemm reads.
  private static func lstm() throws -> Model {
    var graph = empty("lstm", output: [.named("N"), .fixed(4)])
    graph.setInitializer("w", try Networks.random([2, 64, width], seed: 1))
    graph.setInitializer("r", try Networks.random([2, 64, 16], seed: 2))
    graph.setInitializer("b", try Networks.random([2, 128], seed: 3))
    graph.setInitializer("w4", try Networks.random([32, 4], seed: 4))
    graph.setInitializer("b4", try Networks.random([4], seed: 5))
    graph.nodes = [
      Node(
        "Transpose", name: "steps", inputs: ["x"], outputs: ["t"],
        attributes: [Attribute("perm", .integers([1, 0, 2]))]),
      Node(
        "LSTM", name: "lstm", inputs: ["t", "w", "r", "b"], outputs: ["", "h"],
        attributes: [Attribute("hidden_size", .int(16)), Attribute("direction", .string(Array("bidirectional".utf8)))]),
      Node(
        "Transpose", name: "states", inputs: ["h"], outputs: ["hn"],
        attributes: [Attribute("perm", .integers([1, 0, 2]))]),
      Node("Flatten", name: "flatten", inputs: ["hn"], outputs: ["f"]),
      Node("Gemm", name: "fc", inputs: ["f", "w4", "b4"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: 17)
  }

  /// Products in other forms than MatMul with a matrix on the right: Einsum by weights of three axes, a constant on the
  /// left, a stack of matrices, Gemm with factors and a transposed input.
  private static func products() throws -> Model {
    var graph = empty("products", output: [.fixed(10), .fixed(width)])
    for (name, dims, seed) in [
      ("w1", [width, 4, 8], 1), ("w2", [4, 8, width], 2), ("w3", [5, 6], 3), ("w4", [5, width, width], 4),
      ("w5", [5, 10], 5), ("w6", [width, width], 6), ("b6", [1], 7), ("w7", [width, width], 8), ("b7", [10, 1], 9),
    ] {
      graph.setInitializer(name, try Networks.random(dims, seed: UInt64(seed)))
    }
    graph.setInitializer("two", try Tensor([Int64(2)]))
    graph.setInitializer("square", try Tensor([Int64(5), Int64(width)]))
    func einsum(_ name: String, _ equation: String, _ inputs: [String], _ output: String) -> Node {
      Node(
        "Einsum", name: name, inputs: inputs, outputs: [output],
        attributes: [Attribute("equation", .string(Array(equation.utf8)))])
    }
    graph.nodes = [
      einsum("split", "bld,dhe->bhle", ["x", "w1"], "s"), Node("Relu", name: "relu", inputs: ["s"], outputs: ["r"]),
      einsum("merge", "hed,bhle->bld", ["w2", "r"], "m"),
      Node("MatMul", name: "left", inputs: ["w3", "m"], outputs: ["l"]),
      Node(
        "Unsqueeze", name: "column", inputs: ["l", "two"], outputs: ["u"]),
      Node("MatMul", name: "stack", inputs: ["u", "w4"], outputs: ["t"]),
      Node(
        "ReduceMean", name: "mean", inputs: ["t"], outputs: ["a"],
        attributes: [
          Attribute("axes", .integers([0])), Attribute("keepdims", .int(0)),
        ]),
      Node("Reshape", name: "matrix", inputs: ["a", "square"], outputs: ["q"]),
      Node(
        "Gemm", name: "turned", inputs: ["w5", "q"], outputs: ["g"],
        attributes: [
          Attribute("transA", .int(1)), Attribute("alpha", .float(0.5)),
        ]),
      Node(
        "Transpose", name: "columns", inputs: ["g"], outputs: ["c"],
        attributes: [
          Attribute("perm", .integers([1, 0]))
        ]),
      Node(
        "Gemm", name: "factors", inputs: ["c", "w6", "b6"], outputs: ["f"],
        attributes: [
          Attribute("transA", .int(1)), Attribute("alpha", .float(2)), Attribute("beta", .float(0.5)),
        ]),
      Node(
        "Gemm", name: "sum", inputs: ["f", "w7", "b7"], outputs: ["y"],
        attributes: [
          Attribute("transB", .int(1)), Attribute("beta", .float(3)),
        ]),
    ]
    return Model(graph: graph, opset: 17)
  }

  /// Convolutions over one and three axes, and a transposed one.
  private static func signals() throws -> Model {
    var graph = empty("signals", output: [.named("N"), .fixed(4), .fixed(3), .fixed(6), .fixed(2)])
    for (name, dims, seed) in [
      ("w1", [16, 6, 3], 1), ("b1", [16], 2), ("w2", [16, 8, 2], 3), ("w3", [4, 1, 2, 3, 3], 4),
    ] {
      graph.setInitializer(name, try Networks.random(dims, seed: UInt64(seed)))
    }
    graph.setInitializer("volume", try Tensor([Int64(-1), 1, 8, 8, 8]))
    let two = Attribute("strides", .integers([2]))
    graph.nodes = [
      Node(
        "Conv", name: "first", inputs: ["x", "w1", "b1"], outputs: ["c"],
        attributes: [
          Attribute("pads", .integers([1, 1]))
        ]),
      Node("Relu", name: "relu", inputs: ["c"], outputs: ["r"]),
      Node("ConvTranspose", name: "wider", inputs: ["r", "w2"], outputs: ["u"], attributes: [two]),
      Node("Reshape", name: "volume_of", inputs: ["u", "volume"], outputs: ["v"]),
      Node(
        "Conv", name: "third", inputs: ["v", "w3"], outputs: ["y"],
        attributes: [
          Attribute("strides", .integers([3, 1, 3]))
        ]),
    ]
    return Model(graph: graph, opset: 17)
  }
}
