import PruneGraph
import PruneTensor
import PruneTraining
import Testing

private func int(_ name: String, _ value: Int64) -> Attribute { Attribute(name, .int(value)) }
private func ints(_ name: String, _ values: [Int]) -> Attribute { Attribute(name, .integers(values)) }
private func float(_ name: String, _ value: Float) -> Attribute { Attribute(name, .float(value)) }
private func text(_ name: String, _ value: String) -> Attribute { Attribute(name, .text(value)) }
// Tensors in this file are never too large to allocate.
private func list(_ values: [Int64], _ dims: [Int]? = nil) -> Tensor {
  try! Tensor(values, try! Shape(dims ?? [values.count]))
}
private func numbers(_ values: [Float]) -> Tensor { try! Tensor(values) }
private func table(_ values: [Float], _ dims: [Int]) -> Tensor { try! Tensor(values, try! Shape(dims)) }
private func number(_ value: Float) -> Tensor { try! Tensor(scalar: value) }
private let nothing = try! Tensor([Float]())

/// Operators beside the common ones against finite differences.
@Suite struct OperatorGradientTests {
  @Test(arguments: functions) func functionsOfOneNumber(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: normalizations + pools) func normalizationsAndPools(example: GradientCase) throws {
    for seed in 1...3 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: placements + resamplings) func placementsAndResampling(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: reductions + equations) func reductionsAndEquations(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }
  @Test(arguments: recurrent) func recurrentOperators(example: GradientCase) throws {
    for seed in 1...2 { try example.check(seed: UInt64(seed)) }
  }

  /// From -0.65 to 0.65, where all of them are defined.
  private static func scaled(_ opType: String, by factor: Float, plus shift: Float = 0, _ attributes: [Attribute] = [])
    -> GradientCase
  {
    GradientCase(
      opType,
      [
        Node("Mul", inputs: ["a", "factor"], outputs: ["m"]), Node("Add", inputs: ["m", "shift"], outputs: ["s"]),
        Node(opType, name: "node", inputs: ["s"], outputs: ["y"], attributes: attributes),
      ], [("a", [3, 6], .spaced)], constants: [("factor", number(factor)), ("shift", number(shift))])
  }

  static let functions: [GradientCase] = [
    scaled("Tan", by: 1), scaled("Sinh", by: 1), scaled("Cosh", by: 1), scaled("Asin", by: 1), scaled("Acos", by: 1),
    scaled("Atan", by: 3), scaled("Asinh", by: 3), scaled("Acosh", by: 0.5, plus: 2), scaled("Atanh", by: 1),
    scaled("Celu", by: 3, [float("alpha", 0.7)]), scaled("Celu", by: 2),
    scaled("ThresholdedRelu", by: 3, [float("alpha", 0.4)]),
    GradientCase("Swish", [[3, 6]], .spaced, opset: 24),
    GradientCase("Swish", [[3, 6]], attributes: [float("alpha", 1.7)], opset: 24),
    scaled("Shrink", by: 3, [float("lambd", 0.6), float("bias", 0.2)]),
  ]

  static let normalizations: [GradientCase] = [
    GradientCase("InstanceNormalization", [[2, 3, 5], [3], [3]]),
    GradientCase("InstanceNormalization", [[2, 3, 4, 5], [3], [3]], attributes: [float("epsilon", 1e-2)]),
    GradientCase("GroupNormalization", [[2, 6, 4], [3], [3]], attributes: [int("num_groups", 3)], opset: 18),
    GradientCase(
      "GroupNormalization", [[2, 4, 3, 3], [2], [2]], attributes: [int("num_groups", 2), float("epsilon", 1e-3)],
      opset: 18),
    GradientCase("GroupNormalization", [[2, 6, 4], [6], [6]], attributes: [int("num_groups", 2)], opset: 21),
    GradientCase("RMSNormalization", [[2, 3, 4], [4]], opset: 23),
    GradientCase(
      "RMSNormalization", [[2, 3, 4], [3, 4]], attributes: [int("axis", 1), float("epsilon", 1e-2)], opset: 23),
    GradientCase(
      "LRN", [[2, 6, 3, 2]], attributes: [int("size", 3), float("alpha", 0.5), float("beta", 0.6), float("bias", 1.5)]),
    GradientCase("LRN", [[1, 5, 4]], attributes: [int("size", 4), float("alpha", 0.9), float("bias", 1)]),
    GradientCase("LpNormalization", [[3, 5]], .positive),
    GradientCase("LpNormalization", [[3, 2, 4]], attributes: [int("axis", 1)]),
    GradientCase("LpNormalization", [[4, 5]], .spaced, attributes: [int("p", 1), int("axis", 0)]),
  ]

  static let pools: [GradientCase] = [
    GradientCase(
      "MaxPool", [[1, 2, 9, 9]], .spaced, attributes: [ints("kernel_shape", [3, 2]), ints("dilations", [2, 3])]),
    GradientCase("MaxPool", [[2, 2, 9]], .spaced, attributes: [ints("kernel_shape", [3]), ints("strides", [2])]),
    GradientCase("AveragePool", [[2, 2, 4, 4, 4]], attributes: [ints("kernel_shape", [2, 2, 2])]),
    GradientCase(
      "AveragePool", [[1, 2, 7, 7]],
      attributes: [
        ints("kernel_shape", [3, 3]), ints("strides", [2, 2]), int("ceil_mode", 1), ints("pads", [0, 1, 1, 0]),
      ]),
    GradientCase(
      "LpPool", [[2, 2, 6, 6]], .spaced, attributes: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])]),
    GradientCase(
      "LpPool", [[1, 2, 5, 5]], .spaced,
      attributes: [ints("kernel_shape", [3, 3]), ints("pads", [1, 1, 1, 1]), int("p", 3)]),
    GradientCase("GlobalLpPool", [[2, 3, 4]], .spaced),
    GradientCase("GlobalLpPool", [[2, 2, 3, 3]], .spaced, attributes: [int("p", 3)]),
    GradientCase(
      "ConvTranspose", [[1, 2, 5], [2, 3, 4], [3]], attributes: [ints("strides", [3]), ints("pads", [1, 2])]),
    GradientCase(
      "ConvTranspose", [[1, 2, 4, 3], [2, 2, 3, 3]],
      attributes: [ints("dilations", [2, 1]), text("auto_pad", "SAME_UPPER"), ints("strides", [2, 2])]),
  ]

  static let placements: [GradientCase] = [
    GradientCase("GatherElements", [[3, 4]], constants: [list([0, 2, 1, 0, -1, 1], [2, 3])]),
    GradientCase(
      "GatherElements", [[3, 4]], constants: [list([3, 3, 0, 1, 2, -4], [3, 2])], attributes: [int("axis", 1)]),
    GradientCase("GatherND", [[3, 4, 2]], constants: [list([0, 1, 2, 3, 0, 1], [3, 2])]),
    GradientCase("GatherND", [[2, 3, 2]], constants: [list([1, -1], [2, 1])], attributes: [int("batch_dims", 1)]),
    GradientCase(
      "ScatterElements",
      [Node("ScatterElements", inputs: ["a", "i", "b"], outputs: ["y"], attributes: [int("axis", 1)])],
      [("a", [2, 5], .normal), ("b", [2, 2], .normal)], constants: [("i", list([0, 3, 4, 1], [2, 2]))]),
    GradientCase(
      "ScatterND", [Node("ScatterND", inputs: ["a", "i", "b"], outputs: ["y"])],
      [("a", [4, 3], .normal), ("b", [2, 3], .normal)], constants: [("i", list([2, 0], [2, 1]))]),
    GradientCase(
      "ScatterND, added",
      [Node("ScatterND", inputs: ["a", "i", "b"], outputs: ["y"], attributes: [text("reduction", "add")])],
      [("a", [4, 3], .normal), ("b", [2, 3], .normal)], constants: [("i", list([2, 2], [2, 1]))]),
    GradientCase(
      "TopK", [Node("TopK", inputs: ["a", "k"], outputs: ["y", "places"])], [("a", [3, 6], .spaced)],
      constants: [("k", list([2]))]),
    GradientCase("Trilu", [[2, 4, 4]], attributes: [int("upper", 0)]),
    GradientCase("Trilu", [[3, 5]], constants: [try! Tensor(scalar: Int64(1))]),
    GradientCase("CumSum", [[3, 4]], constants: [try! Tensor(scalar: Int64(1))]),
    GradientCase(
      "CumSum", [[3, 4]], constants: [try! Tensor(scalar: Int64(0))],
      attributes: [int("exclusive", 1), int("reverse", 1)]),
    GradientCase("ReverseSequence", [[4, 3, 2]], constants: [list([2, 4, 3])]),
    GradientCase("DepthToSpace", [[2, 8, 2, 3]], attributes: [int("blocksize", 2)]),
    GradientCase("DepthToSpace", [[1, 12, 2, 2]], attributes: [int("blocksize", 2), text("mode", "CRD")]),
    GradientCase("SpaceToDepth", [[2, 3, 4, 6]], attributes: [int("blocksize", 2)]),
    GradientCase("Pad", [[4, 5]], constants: [list([1, 2, 2, 0])], attributes: [text("mode", "reflect")]),
    GradientCase("Pad", [[3, 4]], constants: [list([0, 2, 1, 3])], attributes: [text("mode", "edge")]),
    GradientCase("Pad", [[2, 3, 4]], attributes: [ints("pads", [0, 1, 1, 0, 1, 2]), text("mode", "edge")], opset: 9),
  ]

  private static func resize(_ shape: [Int], scales: [Float]? = nil, sizes: [Int64]? = nil, _ attributes: [Attribute])
    -> GradientCase
  {
    let constants = sizes.map { [nothing, nothing, list($0)] } ?? [nothing, numbers(scales ?? [])]
    return GradientCase(
      "Resize", [shape], constants: constants, attributes: attributes,
      attributes.compactMap { "\($0.name)" }.joined(separator: " "))
  }

  static let resamplings: [GradientCase] = [
    resize([1, 2, 3, 4], scales: [1, 1, 2, 2], [text("mode", "nearest")]),
    resize(
      [1, 2, 4, 6], scales: [1, 1, 0.5, 1.5],
      [text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")]),
    resize([2, 1, 3, 4], scales: [1, 1, 2, 2.5], [text("mode", "linear")]),
    resize(
      [1, 2, 5, 4], sizes: [1, 2, 8, 3],
      [text("mode", "linear"), text("coordinate_transformation_mode", "align_corners")]),
    resize(
      [1, 1, 4, 4], sizes: [1, 1, 7, 7],
      [text("mode", "cubic"), text("coordinate_transformation_mode", "pytorch_half_pixel")]),
    resize([2, 3, 5], scales: [1, 1, 3], [text("mode", "linear")]),
    GradientCase(
      "Resize", [[1, 2, 3, 3]], constants: [numbers([1, 1, 2, 2])], attributes: [text("mode", "nearest")], opset: 10,
      "opset 10"),
    GradientCase(
      "Upsample", [[1, 2, 3, 3]], constants: [numbers([1, 1, 2, 3])], attributes: [text("mode", "linear")], opset: 9),
  ]

  static let reductions: [GradientCase] = [
    GradientCase("ReduceMax", [[3, 4, 2]], .spaced, attributes: [ints("axes", [1])]),
    GradientCase("ReduceMin", [[3, 4]], .spaced, attributes: [ints("axes", [0]), int("keepdims", 0)]),
    GradientCase("ReduceMax", [[3, 4]], .spaced),
    GradientCase("ReduceL1", [[3, 4]], .spaced, attributes: [ints("axes", [1])]),
    GradientCase("ReduceLogSum", [[3, 4]], .positive, attributes: [ints("axes", [1]), int("keepdims", 0)]),
    GradientCase("ReduceLogSumExp", [[2, 3, 4]], attributes: [ints("axes", [0, 2])]),
    GradientCase("ReduceLogSumExp", [[3, 4]], attributes: [int("keepdims", 0)]),
  ]

  private static func einsum(_ equation: String, _ shapes: [[Int]]) -> GradientCase {
    GradientCase("Einsum", shapes, attributes: [text("equation", equation)], equation)
  }

  static let equations: [GradientCase] = [
    einsum("ij,jk->ik", [[3, 4], [4, 2]]), einsum("bij,bkj->bik", [[2, 3, 4], [2, 5, 4]]),
    einsum("bhqd,bhkd->bhqk", [[2, 2, 3, 4], [2, 2, 5, 4]]),
    einsum("ij->ji", [[3, 4]]), einsum("ijk->ik", [[2, 3, 4]]), einsum("ij,jk", [[3, 4], [4, 2]]),
    einsum("i,j->ij", [[3], [4]]),
    einsum("ij,kl->jl", [[2, 3], [2, 4]]), einsum("bi,bi->b", [[3, 4], [3, 4]]),
    // An ellipsis on one side, on both, of different ranks, stretched, summed, at the end, and in what has no arrow.
    einsum("...i,ij->...j", [[2, 3, 4], [4, 2]]), einsum("...ij,...jk->...ik", [[2, 3, 4], [2, 4, 2]]),
    einsum("...ij,...jk->...ik", [[2, 2, 3, 4], [4, 2]]), einsum("...ij,...jk->...ik", [[1, 3, 4], [5, 4, 2]]),
    einsum("b...,b...->b", [[2, 3, 2], [2, 3, 2]]), einsum("i...->...", [[3, 2, 2]]),
    einsum("...i,...i", [[2, 3], [1, 3]]),
    einsum("...ab,...b->a...", [[2, 3, 4], [2, 4]]), einsum("...,...->...", [[3, 1], [1, 4]]),
    einsum("ij,jk,kl->il", [[2, 3], [3, 2], [2, 3]]),
  ]

  /// T steps, N samples, I inputs, H units; the states that the node gives are multiplied in so that their gradients
  /// count.
  private static func recurrent(
    _ opType: String, steps: Int = 4, direction: String = "forward", bias: Bool = true, states: Bool = false,
    lengths: [Int32]? = nil,
    peepholes: Bool = false, layout: Int64 = 0, _ attributes: [Attribute] = []
  ) -> GradientCase {
    let (n, i, h) = (2, 3, 3)
    let gates = opType == "LSTM" ? 4 : opType == "GRU" ? 3 : 1
    let d = direction == "bidirectional" ? 2 : 1
    let x = layout == 1 ? [n, steps, i] : [steps, n, i]
    let state = layout == 1 ? [n, d, h] : [d, n, h]
    var parameters: [(String, [Int], GradientCase.Values)] = [
      ("x", x, .normal), ("w", [d, gates * h, i], .normal), ("r", [d, gates * h, h], .normal),
    ]
    var inputs = ["x", "w", "r", "", "", "", "", ""]
    if bias {
      parameters.append(("b", [d, 2 * gates * h], .normal))
      inputs[3] = "b"
    }
    var constants: [(String, Tensor)] = []
    if let lengths {
      constants.append(("lengths", try! Tensor(lengths)))
      inputs[4] = "lengths"
    }
    if states {
      parameters.append(("h0", state, .normal))
      inputs[5] = "h0"
      if gates == 4 {
        parameters.append(("c0", state, .normal))
        inputs[6] = "c0"
      }
    }
    if peepholes {
      parameters.append(("p", [d, 3 * h], .normal))
      inputs[7] = "p"
    }
    while inputs.last == "" { inputs.removeLast() }
    let all = [text("direction", direction), int("hidden_size", Int64(h)), int("layout", layout)] + attributes
    let outputs = gates == 4 ? ["s", "last", "cell"] : ["s", "last"]
    var nodes = [Node(opType, name: "node", inputs: inputs, outputs: outputs, attributes: all)]
    // s + the sum of the last states.
    let sums = ["last", "cell"].prefix(outputs.count - 1)
    for name in sums {
      nodes.append(Node("ReduceSum", inputs: [name], outputs: ["\(name).sum"], attributes: [int("keepdims", 0)]))
    }
    nodes.append(Node("Sum", inputs: ["s"] + sums.map { "\($0).sum" }, outputs: ["y"]))
    let note =
      "\(opType) \(direction) layout \(layout) \(attributes.map(\.name)) \(states ? "states" : "") \(lengths == nil ? "" : "lengths") \(peepholes ? "peepholes" : "")"
    return GradientCase(note, nodes, parameters, constants: constants)
  }

  static let recurrent: [GradientCase] = [
    recurrent("RNN"), recurrent("RNN", direction: "reverse", states: true),
    recurrent("RNN", steps: 1, bias: false, states: true),
    recurrent("LSTM"), recurrent("LSTM", direction: "reverse", states: true),
    recurrent("LSTM", direction: "bidirectional", bias: false),
    recurrent("LSTM", direction: "bidirectional", states: true, lengths: [4, 2]),
    recurrent("LSTM", states: true, peepholes: true),
    recurrent("LSTM", lengths: [1, 3], peepholes: true), recurrent("LSTM", states: true, layout: 1),
    recurrent("LSTM", states: true, [int("input_forget", 1)]), recurrent("LSTM", [float("clip", 5)]),
    recurrent("GRU"), recurrent("GRU", direction: "bidirectional", states: true, lengths: [3, 4]),
    recurrent("GRU", bias: false),
    recurrent("GRU", [int("linear_before_reset", 1)]),
    recurrent("GRU", direction: "reverse", states: true, [int("linear_before_reset", 1)]),
    recurrent("GRU", layout: 1, [int("linear_before_reset", 1)]),
    recurrent("GRU", bias: false, [int("linear_before_reset", 1)]),
  ]

  /// What keeps a gradient from a node is said.
  @Test(
    arguments: [
      ("Einsum", [[3, 3]], [text("equation", "ii->i")], "twice"),
      (
        "LpPool", [[1, 1, 5, 5]], [ints("kernel_shape", [2, 2]), ints("strides", [2, 2]), int("ceil_mode", 1)],
        "ceil_mode"
      ),
      (
        "LSTM", [[3, 2, 2], [1, 8, 2], [1, 8, 2]],
        [int("hidden_size", 2), Attribute("activation_alpha", .floats([0.5]))], "parameters"
      ),
    ] as [(String, [[Int]], [Attribute], String)])
  func refusalsSayWhy(opType: String, shapes: [[Int]], attributes: [Attribute], reason: String) throws {
    let example = GradientCase(opType, shapes, attributes: attributes, opset: 18)
    let names = example.parameters.map(\.name)
    var special = try Specialization(example.model(seed: 1), inputs: [:], variables: Set(names))
    special.model.graph.setInitializer("seed", try Tensor(zeros: .float32, #require(special.types.shape("y"))))
    let derived = try Autodiff.differentiate(special.model, types: special.types, seeds: ["y": "seed"], wrt: names)
    #expect(derived.gradients.isEmpty && derived.blocked.count == 1)
    #expect(try #require(derived.blocked.first).reason.contains(reason))
  }
}
