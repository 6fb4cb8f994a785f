import PruneGraph
import PruneTensor
import PruneTraining
import Testing

private func int(_ name: String, _ value: Int64) -> Attribute { Attribute(name, .int(value)) }
private func ints(_ name: String, _ values: [Int]) -> Attribute { Attribute(name, .integers(values)) }
private func float(_ name: String, _ value: Float) -> Attribute { Attribute(name, .float(value)) }
// Tensors in this file are never too large to allocate.
private func list(_ values: [Int64]) -> Tensor { try! Tensor(values) }
private func numbers(_ values: [Float]) -> Tensor { try! Tensor(values) }
private func number(_ value: Float) -> Tensor { try! Tensor(scalar: value) }

/// Every rule against finite differences of the forward pass.
@Suite struct GradientTests {
  @Test(arguments: activations + elementwise) func elementwiseOperators(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: matrices) func products(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: windows) func convolutionsAndPools(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: layouts + reductions) func rearrangementsAndReductions(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: normalizations) func normalizing(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: graphs) func compositions(example: GradientCase) throws {
    for seed in 1...3 { try example.check(seed: UInt64(seed)) }
  }

  static let activations: [GradientCase] =
    [
      "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Erf", "HardSwish",
    ].map { GradientCase($0, [[3, 17]], .spaced) } + [
      GradientCase("HardSigmoid", [[3, 17]], .spaced, attributes: [float("alpha", 0.3), float("beta", 0.4)]),
      GradientCase("LeakyRelu", [[40]], .spaced, attributes: [float("alpha", 0.2)]),
      GradientCase("Mish", [[3, 17]], .spaced, opset: 18),
      GradientCase("Gelu", [[3, 17]], .spaced, opset: 20),
      GradientCase("Gelu", [[3, 17]], .spaced, attributes: [Attribute("approximate", .text("tanh"))], opset: 20),
      GradientCase("Clip", [[40]], .spaced, constants: [number(-0.5), number(0.77)]),
      GradientCase("Clip", [[40]], .spaced, constants: [nil, number(0.77)]),
      GradientCase("Clip", [[40]], .spaced, attributes: [float("min", -0.5), float("max", 0.77)], opset: 6),
      GradientCase("Softmax", [[4, 7]]), GradientCase("Softmax", [[2, 5, 3]], attributes: [int("axis", 1)]),
      GradientCase("Softmax", [[2, 3, 4]], attributes: [int("axis", 1)], opset: 11, "flattened"),
      GradientCase("LogSoftmax", [[4, 7]]), GradientCase("LogSoftmax", [[2, 3, 4]], attributes: [int("axis", 0)]),
    ]

  static let elementwise: [GradientCase] =
    ["Add", "Sub", "Mul"].flatMap { name in
      [[[3, 4], [3, 4]], [[2, 3, 4], [4]], [[3, 1], [1, 5]], [[1], [2, 2]], [[2, 1, 3], [4, 1]]].map {
        GradientCase(name, $0)
      }
    } + [
      GradientCase("Div", [[3, 4], [3, 4]], .positive), GradientCase("Div", [[2, 3], [3]], .positive),
      GradientCase("Div", [[1, 3], [2, 1]], .positive),
      GradientCase("Pow", [[3, 4]], .normal, constants: [number(2)]),
      GradientCase("Pow", [[3, 4]], .positive, constants: [number(-0.5)]),
      GradientCase("Pow", [[3, 4], [4]], .positive),
      GradientCase("Sum", [[3, 4], [4], [1, 1]]), GradientCase("Mean", [[3, 4], [3, 1]]),
      GradientCase("Max", [[5, 4]], .spaced, constants: [number(0.01)]),
      GradientCase("Min", [[5, 4]], .spaced, constants: [numbers([0, 0.5, -0.5, 2])]),
      GradientCase("PRelu", [[2, 3, 4], [3, 1]], .spaced),
      GradientCase("Sqrt", [[12]], .positive), GradientCase("Exp", [[12]]), GradientCase("Log", [[12]], .positive),
      GradientCase("Neg", [[12]]), GradientCase("Abs", [[12]], .spaced), GradientCase("Reciprocal", [[12]], .positive),
      GradientCase("Sin", [[12]]), GradientCase("Cos", [[12]]), GradientCase("Identity", [[12]]),
      GradientCase("Cast", [[12]], attributes: [int("to", 1)]), GradientCase("Dropout", [[12]]),
    ]

  static let matrices: [GradientCase] =
    [
      [[3, 4], [4, 5]], [[2, 3, 4], [4, 5]], [[2, 3, 4], [2, 4, 5]], [[6, 1, 3, 4], [2, 4, 5]],
      [[1, 3, 4], [5, 4, 2]],
      [[4], [4]], [[4], [4, 5]], [[3, 4], [4]], [[4], [2, 4, 5]], [[2, 3, 4], [4]],
    ].map { GradientCase("MatMul", $0) } + [
      GradientCase("Gemm", [[3, 4], [4, 5]]),
      GradientCase("Gemm", [[3, 4], [5, 4], [5]], attributes: [int("transB", 1)]),
      GradientCase("Gemm", [[4, 3], [4, 5], [3, 1]], attributes: [int("transA", 1), float("beta", 0.5)]),
      GradientCase(
        "Gemm", [[4, 3], [5, 4], [1]], attributes: [int("transA", 1), int("transB", 1), float("alpha", 1.5)]),
    ]

  static let windows: [GradientCase] = [
    GradientCase("Conv", [[2, 3, 7, 6], [4, 3, 3, 3], [4]]),
    GradientCase(
      "Conv", [[2, 3, 7, 6], [4, 3, 3, 2], [4]], attributes: [ints("strides", [2, 3]), ints("pads", [1, 0, 2, 1])]),
    GradientCase("Conv", [[2, 4, 8, 8], [6, 2, 3, 3]], attributes: [int("group", 2), ints("dilations", [2, 2])]),
    GradientCase(
      "Conv", [[1, 4, 6, 6], [4, 1, 3, 3], [4]], attributes: [int("group", 4), ints("pads", [1, 1, 1, 1])]),
    GradientCase(
      "Conv", [[2, 3, 7, 7], [2, 3, 3, 3]],
      attributes: [Attribute("auto_pad", .text("SAME_UPPER")), ints("strides", [2, 2])]),
    GradientCase("Conv", [[2, 3, 9], [4, 3, 3], [4]], attributes: [ints("pads", [1, 1])]),
    GradientCase("Conv", [[1, 2, 4, 4, 4], [3, 2, 2, 2, 2], [3]]),
    GradientCase("ConvTranspose", [[2, 3, 4, 5], [3, 2, 3, 3], [2]]),
    GradientCase(
      "ConvTranspose", [[2, 4, 4, 4], [4, 3, 3, 3], [6]],
      attributes: [
        int("group", 2), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1]), ints("output_padding", [1, 1]),
      ]),
    GradientCase(
      "MaxPool", [[2, 3, 6, 6]], .spaced, attributes: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]),
    GradientCase(
      "MaxPool", [[1, 2, 7, 7]], .spaced,
      attributes: [ints("kernel_shape", [3, 3]), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])]),
    GradientCase(
      "MaxPool", [[1, 2, 7, 7]], .spaced,
      attributes: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2]), int("ceil_mode", 1)]),
    GradientCase(
      "AveragePool", [[2, 3, 6, 6]], attributes: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]),
    GradientCase(
      "AveragePool", [[1, 2, 7, 7]],
      attributes: [ints("kernel_shape", [3, 3]), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])]),
    GradientCase(
      "AveragePool", [[1, 2, 7, 7]],
      attributes: [
        ints("kernel_shape", [3, 3]), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1]), int("count_include_pad", 1),
      ]),
    GradientCase("GlobalAveragePool", [[2, 3, 4, 5]]), GradientCase("GlobalMaxPool", [[2, 3, 4, 5]], .spaced),
  ]

  static let layouts: [GradientCase] = [
    GradientCase("Reshape", [[2, 3, 4]], constants: [list([4, -1])]),
    GradientCase("Flatten", [[2, 3, 4]], attributes: [int("axis", 2)]),
    GradientCase("Squeeze", [[2, 1, 4]], constants: [list([1])]),
    GradientCase("Unsqueeze", [[2, 4]], constants: [list([0, 3])]),
    GradientCase("Transpose", [[2, 3, 4]]),
    GradientCase("Transpose", [[2, 3, 4]], attributes: [ints("perm", [1, 2, 0])]),
    GradientCase("Expand", [[3, 1]], constants: [list([2, 3, 4])]),
    GradientCase("Tile", [[2, 3]], constants: [list([2, 2])]),
    GradientCase("Concat", [[2, 3], [2, 1], [2, 4]], attributes: [int("axis", -1)]),
    GradientCase("Concat", [[2, 3], [2, 1]], attributes: [int("axis", 1)], opset: 11),
    GradientCase(
      "Split, one part used",
      [
        Node("Split", inputs: ["a", "n"], outputs: ["p", "q", "r"], attributes: [int("axis", 1)]),
        Node("Mul", inputs: ["p", "r"], outputs: ["y"]),
      ],
      [("a", [2, 5], .normal)], constants: [("n", list([2, 1, 2]))]),
    GradientCase("Slice", [[4, 6]], constants: [list([1, -4]), list([3, 100]), list([0, 1])]),
    GradientCase("Slice", [[7, 6]], constants: [list([5, 1]), list([0, 6]), list([0, 1]), list([-2, 3])]),
    GradientCase(
      "Slice", [[4, 6]], attributes: [ints("starts", [1]), ints("ends", [-1]), ints("axes", [1])], opset: 9),
    GradientCase("Pad", [[2, 3]], constants: [list([1, 0, 2, 1])]),
    GradientCase("Pad", [[4, 5]], constants: [list([-1, 1, 0, -2])]),
    GradientCase("Gather", [[5, 3]], constants: [list([0, 4, 0, -1])]),
    GradientCase("Gather", [[2, 5, 3]], constants: [list([1, 1])], attributes: [int("axis", 1)]),
    GradientCase(
      "Where", [Node("Where", inputs: ["m", "a", "b"], outputs: ["y"])],
      [("a", [2, 3], .normal), ("b", [3], .normal)],
      constants: [("m", mask)]),
  ]

  static let mask = try! Tensor([1, 0, 1, 0, 0, 1] as [UInt8], Shape(known: 2, 3)).cast(to: .bool)

  static let reductions: [GradientCase] = [
    GradientCase("ReduceSum", [[2, 3, 4]], constants: [list([1])], attributes: [int("keepdims", 0)]),
    GradientCase("ReduceSum", [[2, 3, 4]]),
    GradientCase("ReduceMean", [[2, 3, 4]], attributes: [ints("axes", [-1, 0])]),
    GradientCase("ReduceMean", [[2, 3, 4, 5]], attributes: [ints("axes", [2, 3]), int("keepdims", 0)]),
    GradientCase("ReduceSumSquare", [[2, 3]], attributes: [ints("axes", [1])]),
    GradientCase("ReduceL2", [[2, 3]], .positive, attributes: [ints("axes", [1]), int("keepdims", 0)]),
  ]

  static let normalizations: [GradientCase] = [
    GradientCase(
      "BatchNormalization", [[2, 3, 4, 4], [3], [3]], constants: [numbers([0.1, -0.2, 0.3]), numbers([0.5, 1, 2])],
      attributes: [float("epsilon", 1e-3)]),
    GradientCase(
      "BatchNormalization", [[4, 3], [3], [3]], constants: [numbers([0.1, -0.2, 0.3]), numbers([0.5, 1, 2])]),
    GradientCase(
      "BatchNormTrain",
      [
        Node(
          "BatchNormTrain", domain: "ai.libprune", inputs: ["a", "b", "c", "m", "v"],
          outputs: ["y", "s", "t", "u", "w"])
      ],
      [("a", [3, 2, 4, 3], .normal), ("b", [2], .normal), ("c", [2], .normal)],
      constants: [("m", numbers([0, 0])), ("v", numbers([1, 1]))]),
    GradientCase("LayerNormalization", [[3, 8], [8], [8]]),
    GradientCase("LayerNormalization", [[2, 3, 5], [3, 5], [3, 5]], attributes: [int("axis", 1)]),
    GradientCase("LayerNormalization", [[3, 8], [8]]),
  ]

  static let graphs: [GradientCase] = [
    GradientCase(
      "a value used twice",
      [Node("Mul", inputs: ["a", "a"], outputs: ["s"]), Node("Add", inputs: ["s", "a"], outputs: ["y"])],
      [("a", [5], .normal)]),
    GradientCase(
      "attention",
      [
        Node("Transpose", inputs: ["k"], outputs: ["kt"], attributes: [ints("perm", [0, 2, 1])]),
        Node("MatMul", inputs: ["q", "kt"], outputs: ["scores"]),
        Node("Div", inputs: ["scores", "scale"], outputs: ["scaled"]),
        Node("Softmax", inputs: ["scaled"], outputs: ["weights"]),
        Node("MatMul", inputs: ["weights", "v"], outputs: ["y"]),
      ], [("q", [2, 3, 4], .normal), ("k", [2, 5, 4], .normal), ("v", [2, 5, 4], .normal)],
      constants: [("scale", number(2))]),
    GradientCase(
      "a shape computed by nodes",
      [
        Node("Shape", inputs: ["a"], outputs: ["shape"]), Node("Gather", inputs: ["shape", "zero"], outputs: ["n"]),
        Node("Unsqueeze", inputs: ["n", "axes"], outputs: ["n1"]),
        Node("Concat", inputs: ["n1", "rest"], outputs: ["target"], attributes: [int("axis", 0)]),
        Node("Reshape", inputs: ["a", "target"], outputs: ["flat"]),
        Node("MatMul", inputs: ["flat", "b"], outputs: ["y"]),
      ], [("a", [3, 2, 2], .normal), ("b", [4, 2], .normal)],
      constants: [("zero", try! Tensor(scalar: Int64(0))), ("axes", list([0])), ("rest", list([-1]))]),
  ]
}

@Suite struct BlockedGradientTests {
  /// y = round(a * b) * c + d: only c and d can be trained.
  @Test func parametersBehindARoundStayFrozen() throws {
    let example = GradientCase(
      "round",
      [
        Node("Mul", inputs: ["a", "b"], outputs: ["p"]), Node("Round", name: "quantize", inputs: ["p"], outputs: ["r"]),
        Node("Mul", inputs: ["r", "c"], outputs: ["q"]), Node("Add", inputs: ["q", "d"], outputs: ["y"]),
      ], ["a", "b", "c", "d"].map { ($0, [3], .normal) })
    var special = try Specialization(example.model(seed: 1), inputs: [:], variables: ["a", "b", "c", "d"])
    special.model.graph.setInitializer("seed", try Tensor([1, 1, 1] as [Float]))
    let derived = try Autodiff.differentiate(
      special.model, types: special.types, seeds: ["y": "seed"], wrt: ["a", "b", "c", "d"])
    #expect(derived.gradients.keys.sorted() == ["c", "d"])
    #expect(derived.blocked.map(\.node) == ["Round 'quantize'"])
    #expect(derived.blocked.map(\.parameters) == [["a", "b"]])
  }
}
