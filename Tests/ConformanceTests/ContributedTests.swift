import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Operators of ONNX Runtime's own domain, against what ONNX Runtime 1.32 computes.
@Suite struct ContributedTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let node: Node
    let inputs: [Tensor]
    let output: Int
    let expected: Tensor
    var testDescription: String { "\(node.opType) \(node.attributes.map(\.name))" }

    init(
      _ op: String, _ inputs: [Tensor], _ attributes: [(String, AttributeValue)] = [], output: Int = 0,
      gives expected: Tensor
    ) {
      // Outputs before the one wanted are left out.
      node = Node(
        op, domain: op == "SimplifiedLayerNormalization" ? "" : "com.microsoft", name: "n",
        inputs: inputs.indices.map { "i\($0)" },
        outputs: ["first"] + (output > 0 ? [String](repeating: "", count: output - 1) + ["o"] : []),
        attributes: attributes.map { Attribute($0.0, $0.1) })
      (self.inputs, self.output, self.expected) = (inputs, output, expected)
    }
  }

  static let cases: [Case] = (try? makeCases()) ?? []

  @Test func theTableIsWhole() { #expect(Self.cases.count > 25) }

  @Test(arguments: cases)
  func givesWhatONNXRuntimeGives(example: Case) throws {
    let names = example.inputs.indices.map { "i\($0)" }
    let types = example.inputs.map { TensorType($0.dtype, $0.shape) }
    let graph = makeGraph(
      [example.node], inputs: Array(zip(names, types)), outputs: [example.output == 0 ? "first" : "o"])
    var model = Model(graph: graph)
    model.opsets.append(OpsetImport(domain: "com.microsoft", version: 1))
    let results = try runBoth(model, Dictionary(uniqueKeysWithValues: zip(names, example.inputs)))
    let result = try #require(results.values.first)
    if result.dtype.isInteger {
      // ONNX Runtime looks some of these up in tables; a tie may fall either way.
      #expect(zip(try result.integers(), try example.expected.integers()).allSatisfy { abs($0 - $1) <= 1 })
    } else {
      #expect(try difference(result, example.expected) == nil)
    }
    let found = try ShapeInference.run(model).types
    #expect(found[graph.outputs[0].name] == TensorType(result.dtype, result.shape))
    #expect(found.keys.allSatisfy { !$0.contains("//") })
  }

  private static func number(_ value: Float) throws -> Tensor { try Tensor(scalar: value) }
  private static func bytes(_ values: [UInt8], _ dims: Int...) throws -> Tensor {
    try Tensor(values, Shape(dims.isEmpty ? [values.count] : dims))
  }
  private static func codes(_ values: [Int8], _ dims: Int...) throws -> Tensor {
    try Tensor(values, Shape(dims.isEmpty ? [values.count] : dims))
  }

  private static func makeCases() throws -> [Case] {
    let x = try floats([0.125, -0.125, 0.625, 0.125, -0.5, 0.375, 1.25, 1], 2, 4)
    let y = try floats([-0.75, -1.25, -0.625, 0, -2.375, -0.25, -1.25, -0.75], 2, 4)
    let b = try floats([-0.5, -0.375, 0.375, 1])
    let g = try floats([0.875, 2.375, 0.375, 1.375])
    let u = try bytes([223, 34, 147, 183, 215, 133, 95, 79], 2, 4)
    let v = try bytes([107, 123, 183, 226, 18, 238, 135, 91], 2, 4)
    let image = try floats([-1.25, 1.5, 1.375, 0.75, 0.25, -0.375, 1.5, 2, 1.75], 1, 1, 3, 3)
    let kernel = try floats([1.375, 0.375, -1.25, -0], 1, 1, 2, 2)
    return [
      Case(
        "Gelu", [x],
        gives: try floats([0.0687173, -0.0562827, 0.458759, 0.0687173, -0.154269, 0.242314, 1.11794, 0.841345], 2, 4)),
      Case(
        "FastGelu", [x],
        gives: try floats([0.0687172, -0.0562828, 0.458721, 0.0687172, -0.154286, 0.242308, 1.11771, 0.841192], 2, 4)),
      Case(
        "FastGelu", [x, b],
        gives: try floats([-0.132692, -0.154286, 0.841192, 0.978225, -0.158808, 0, 1.54019, 1.9546], 2, 4)),
      Case(
        "BiasGelu", [x, b],
        gives: try floats([-0.132686, -0.154269, 0.841345, 0.978419, -0.158655, 0, 1.54037, 1.9545], 2, 4)),
      Case(
        "QuickGelu", [x], [("alpha", .float(1.5))],
        gives: try floats([0.0683423, -0.0566577, 0.449121, 0.0683423, -0.160411, 0.238887, 1.08379, 0.817574], 2, 4)),
      Case(
        "SkipLayerNormalization", [x, y, g, b], [("epsilon", .float(1e-05))],
        gives: try floats([-0.729625, -3.98995, 0.670232, 2.37119, -2.01204, 0.99304, 0.555005, 1.92403], 2, 4)),
      Case(
        "SkipLayerNormalization", [x, y, g, b, b],
        gives: try floats([-1.09602, -3.28701, 0.610004, 2.76083, -1.94303, -0.0344086, 0.563222, 2.38029], 2, 4)),
      Case(
        "SkipLayerNormalization", [x, y, g, b, b], output: 3,
        gives: try floats([-1.125, -1.75, 0.375, 1.125, -3.375, -0.25, 0.375, 1.25], 2, 4)),
      Case(
        "SimplifiedLayerNormalization", [x, g], [("axis", .int(-1)), ("epsilon", .float(1e-05))],
        gives: try floats([0.330704, -0.897625, 0.708651, 0.519677, -0.509172, 1.03653, 0.545541, 1.60025], 2, 4)),
      Case(
        "SkipSimplifiedLayerNormalization", [x, y, g], [("epsilon", .float(1e-05))],
        gives: try floats([-0.721682, -4.30947, 0, 0.226814, -1.74178, 0.205552, 0, 0.238008], 2, 4)),
      Case(
        "SkipSimplifiedLayerNormalization", [x, y, g], [("epsilon", .float(1e-05))], output: 3,
        gives: try floats([-0.625, -1.375, 0, 0.125, -2.875, 0.125, 0, 0.25], 2, 4)),
      Case(
        "FusedMatMul", [x, y], [("transB", .int(1)), ("alpha", .float(0.5))],
        gives: try floats([-0.164062, -0.570312, -0.4375, -0.609375], 2, 2)),
      Case(
        "FusedMatMul", [x, y], [("transA", .int(1))],
        gives: try floats(
          [
            1.09375, -0.03125, 0.546875, 0.375, -0.796875, 0.0625, -0.390625, -0.28125, -3.4375, -1.09375, -1.95312,
            -0.9375, -2.46875, -0.40625, -1.32812, -0.75,
          ], 4, 4)),
      Case(
        "FusedMatMul", [x, try floats([0.875, 0.125, -0.75, -0.875, -0.5, 0.25, -1, -0.25], 4, 2)],
        [("alpha", .float(2.0))], gives: try floats([-0.46875, 0.5, -4.6875, -0.65625], 2, 2)),
      Case(
        "QLinearAdd",
        [
          u, try number(0.5), try bytes([100]).reshaped(.scalar), v, try number(0.25), try bytes([3]).reshaped(.scalar),
          try number(0.75), try bytes([60]).reshaped(.scalar),
        ], gives: try bytes([177, 56, 151, 190, 142, 160, 101, 75], 2, 4)),
      Case(
        "QLinearMul",
        [
          u, try number(0.5), try bytes([100]).reshaped(.scalar), v, try number(0.25), try bytes([3]).reshaped(.scalar),
          try number(30), try bytes([128]).reshaped(.scalar),
        ], gives: try bytes([181, 95, 163, 205, 135, 160, 125, 120], 2, 4)),
      Case(
        "QLinearSigmoid",
        [
          u, try number(0.05), try bytes([100]).reshaped(.scalar), try number(0.00390625),
          try bytes([0]).reshaped(.scalar),
        ], gives: try bytes([255, 9, 234, 252, 255, 215, 112, 66], 2, 4)),
      Case(
        "QLinearLeakyRelu",
        [u, try number(0.05), try bytes([100]).reshaped(.scalar), try number(0.05), try bytes([50]).reshaped(.scalar)],
        [("alpha", .float(0.5))], gives: try bytes([173, 17, 97, 133, 165, 83, 48, 39], 2, 4)),
      Case(
        "QLinearConcat",
        [
          try number(0.5), try bytes([10]).reshaped(.scalar), u, try number(0.5), try bytes([100]).reshaped(.scalar), v,
          try number(0.25), try bytes([3]).reshaped(.scalar),
        ], [("axis", .int(1))],
        gives: try bytes([133, 0, 57, 93, 62, 70, 100, 122, 125, 43, 5, 0, 18, 128, 76, 54], 2, 8)),
      Case(
        "QLinearGlobalAveragePool",
        [
          try bytes([223, 34, 147, 183, 215, 133, 95, 79], 1, 2, 2, 2), try number(0.5),
          try bytes([100]).reshaped(.scalar), try number(0.25), try bytes([3]).reshaped(.scalar),
        ], [("channels_last", .int(0))], gives: try bytes([97, 64], 1, 2, 1, 1)),
      Case(
        "QuantizeLinear", [x, try number(0.25), try codes([3]).reshaped(.scalar)],
        gives: try codes([3, 3, 5, 3, 1, 5, 8, 7], 2, 4)),
      Case(
        "DequantizeLinear", [u, try number(0.25), try bytes([3]).reshaped(.scalar)],
        gives: try floats([55, 7.75, 36, 45, 53, 32.5, 23, 19], 2, 4)),
      Case(
        "MatMulIntegerToFloat",
        [
          u, try bytes([107, 18, 123, 238, 183, 135, 226, 91], 4, 2), try number(0.5), try number(0.25),
          try bytes([100]).reshaped(.scalar), try bytes([3]).reshaped(.scalar),
        ], gives: try floats([3980.12, -19.625, 1292.12, 871.5], 2, 2)),
      Case(
        "QGemm",
        [
          u, try number(0.5), try bytes([100]).reshaped(.scalar), try codes([10, -7, 3, 20, -30, 15, 8, -2], 4, 2),
          try floats([0.25, 0.5]), try codes([0, 0]), try Tensor([100, -200] as [Int32]),
        ], gives: try floats([48.25, -460.5, 166.375, -94.5], 2, 2)),
      Case(
        "QGemm",
        [
          u, try number(0.5), try bytes([100]).reshaped(.scalar), try codes([10, 3, -30, 8, -7, 20, 15, -2], 2, 4),
          try floats([0.25, 0.5]), try codes([0, 0]), try Tensor([100, -200] as [Int32]), try number(4),
          try bytes([30]).reshaped(.scalar),
        ], [("transB", .int(1))], gives: try bytes([42, 0, 72, 6], 2, 2)),
      Case(
        "QLinearAveragePool",
        [
          try bytes([223, 34, 147, 183, 215, 133, 95, 79, 12], 1, 1, 3, 3), try number(0.5),
          try bytes([100]).reshaped(.scalar), try number(0.25), try bytes([3]).reshaped(.scalar),
        ], [("kernel_shape", .ints([2, 2])), ("strides", .ints([1, 1]))],
        gives: try bytes([130, 68, 89, 22], 1, 1, 2, 2)),
      Case(
        "DynamicQuantizeMatMul",
        [
          x, try bytes([107, 18, 123, 238, 183, 135, 226, 91], 4, 2), try number(0.25),
          try bytes([3]).reshaped(.scalar),
        ], gives: try floats([34.4956, 16.5324, 110.363, 83.5574], 2, 2)),
      Case(
        "FusedConv", [image, kernel], [("activation", .text("Relu"))],
        gives: try floats([0, 2.26562, 0, 0], 1, 1, 2, 2)),
      Case(
        "FusedConv", [image, kernel, try floats([1]), try floats([0.625, -1.25, 0.375, 0.375], 1, 1, 2, 2)],
        [("activation", .text("Relu"))], gives: try floats([0, 2.01562, 0.625, 0], 1, 1, 2, 2)),
      Case(
        "FusedConv", [image, kernel], [("activation", .text("Clip")), ("activation_params", .floats([-0.5, 0.5]))],
        gives: try floats([-0.5, 0.5, -0.5, -0.5], 1, 1, 2, 2)),
      Case(
        "FusedGemm",
        [x, try floats([-0.75, -2.375, -1.25, -0.25, -0.625, -1.25, 0, -0.75], 4, 2), try floats([1, 1])],
        [("activation", .text("LeakyRelu")), ("activation_alpha", .float(0.5))],
        gives: try floats([0.671875, -0.0703125, 0.125, -0.109375], 2, 2)),
      Case(
        "FusedGemm",
        [x, try floats([-0.75, -2.375, -1.25, -0.25, -0.625, -1.25, 0, -0.75], 4, 2), try floats([1, 1])],
        [("activation", .text("Relu"))], gives: try floats([0.671875, 0, 0.125, 0], 2, 2)),
      Case(
        "MultiHeadAttention",
        [
          try floats([0.75, -1.125, -0.625, -0.375, -1.125, 1.75, -0.5, 0.375], 1, 2, 4),
          try floats([-0.25, 1.625, 1.375, 0.625, -2.25, 0, 0.625, 1, -0.625, 1.875, -1.375, -0.625], 1, 3, 4),
          try floats([0.875, 0, 2, 0.25, -0.625, -0.375, -1.125, -1.25, 0.625, 0.625, 1.25, -0.75], 1, 3, 4),
        ], [("num_heads", .int(2))],
        gives: try floats(
          [0.172753, -0.0180821, 0.927297, -0.696903, 0.461419, 0.257969, 0.634537, -0.685447], 1, 2, 4)),
      Case(
        "RotaryEmbedding",
        [
          try floats(
            [1.75, -0.25, 1.625, -0.375, -0.75, 0.25, 1, 0.125, -0.625, -1.375, -1.375, 0.5, 1, -0.125, -1.125, 0.875],
            1, 2, 2, 4), try longs([1, 0], 1, 2), try floats([-1.25, -0.75, 0.625, -2.25, 0.375, -0.625], 3, 2),
          try floats([0.125, -0.125, 0.25, 0.75, -0.75, 1.375], 3, 2),
        ],
        gives: try floats(
          [
            0.6875, 0.84375, 1.45312, 0.65625, 0.8125, -0.171875, -1.34375, -0.125, -0.046875, 2.71875, -1.01562,
            -2.15625, -1.10938, 0.203125, 1.53125, -0.640625,
          ], 1, 2, 2, 4)),
    ]
  }
}
