import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// One evaluation of one operator with its expected first output.
struct OperatorCase: Sendable, CustomTestStringConvertible {
  let node: Node
  let inputs: [Tensor?]
  let opset: Int64
  let expected: Tensor
  var testDescription: String { "\(node.opType)-\(opset) \(node.attributes.map(\.name))" }

  init(
    _ op: String, _ inputs: [Tensor?], _ attributes: [(String, AttributeValue)] = [],
    opset: Int64 = 21, outputs: Int = 1,
    gives expected: Tensor
  ) {
    node = Node(
      op, inputs: inputs.indices.map { inputs[$0] == nil ? "" : "i\($0)" },
      outputs: (0..<outputs).map { "o\($0)" },
      attributes: attributes.map { Attribute($0.0, $0.1) })
    self.inputs = inputs
    self.opset = opset
    self.expected = expected
  }
}

func floats(_ values: [Float], _ dims: Int...) throws -> Tensor {
  try Tensor(values, Shape(dims.isEmpty ? [values.count] : dims))
}
func longs(_ values: [Int64], _ dims: Int...) throws -> Tensor {
  try Tensor(values, Shape(dims.isEmpty ? [values.count] : dims))
}

/// What the stored node tests do not cover: operators and versions after opset 17, and older versions.
@Suite struct OperatorTests {
  static let cases: [OperatorCase] = {
    (try? [newer(), deformable(), reductions(), quantization(), older()].joined().map { $0 }) ?? []
  }()

  private static func newer() throws -> [OperatorCase] {
    let ramp = try floats([0, 1, 2, 3, 4, 5], 2, 3)
    return [
      OperatorCase(
        "BitwiseAnd", [try longs([12, -1]), try longs([10, 7])], gives: try longs([8, 7])),
      OperatorCase(
        "BitwiseXor", [try Tensor([12, 255] as [UInt8]), try Tensor([10, 1] as [UInt8])],
        gives: try Tensor([6, 254] as [UInt8])),
      OperatorCase(
        "BitwiseNot", [try Tensor([0, -1] as [Int32])], gives: try Tensor([-1, 0] as [Int32])),
      OperatorCase(
        "Mish", [try floats([0, 1, -1])], gives: try floats([0, 0.8650984, -0.3034015])),
      OperatorCase(
        "Gelu", [try floats([0, 1, -1])], gives: try floats([0, 0.8413447, -0.1586553])),
      OperatorCase(
        "Gelu", [try floats([1])], [("approximate", .text("tanh"))], gives: try floats([0.841192])),
      OperatorCase("Swish", [try floats([1])], opset: 24, gives: try floats([0.7310586])),
      OperatorCase(
        "Split", [try longs([1, 2, 3, 4, 5])], [("num_outputs", .int(2))], outputs: 2,
        gives: try longs([1, 2, 3])),
      OperatorCase(
        "Pad", [ramp, try longs([1, 1]), nil, try longs([1])], [("mode", .text("wrap"))],
        gives: try floats([2, 0, 1, 2, 0, 5, 3, 4, 5, 3], 2, 5)),
      OperatorCase(
        "Pad", [ramp, try longs([0, -1, 0, 0])], gives: try floats([1, 2, 4, 5], 2, 2)),
      OperatorCase(
        "CenterCropPad", [ramp, try longs([4, 1])], gives: try floats([0, 1, 4, 0], 4, 1)),
      OperatorCase(
        "ScatterElements", [try floats([1, 2, 3]), try longs([1, 1]), try floats([5, 4])],
        [("reduction", .text("max"))], gives: try floats([1, 5, 3])),
      OperatorCase(
        "Col2Im",
        [try floats([1, 2, 3, 4, 5, 6, 7, 8], 1, 4, 2), try longs([2, 3]), try longs([2, 2])],
        gives: try floats([1, 5, 4, 5, 13, 8], 1, 1, 2, 3)),
      OperatorCase(
        "AffineGrid", [try floats([1, 0, 0, 0, 1, 0], 1, 2, 3), try longs([1, 1, 2, 2])],
        gives: try floats([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5], 1, 2, 2, 2)),
      OperatorCase(
        "GridSample", [try floats([1, 2, 3, 4], 1, 1, 2, 2), try floats([0, 0], 1, 1, 1, 2)],
        [("mode", .text("linear"))], gives: try floats([2.5], 1, 1, 1, 1)),
      OperatorCase(
        "AveragePool", [try floats([1, 2, 3, 4, 5], 1, 1, 5)],
        [("kernel_shape", .ints([2])), ("dilations", .ints([2]))],
        gives: try floats([2, 3, 4], 1, 1, 3)),
      OperatorCase(
        "LpPool", [try floats([3, 4, 0], 1, 1, 3)], [("kernel_shape", .ints([2]))],
        gives: try floats([5, 4], 1, 1, 2)),
      OperatorCase(
        "MaxRoiPool",
        [try floats((0..<16).map(Float.init), 1, 1, 4, 4), try floats([0, 0, 0, 3, 3, 0, 1, 1, 2, 3], 2, 5)],
        [("pooled_shape", .ints([2, 1]))], gives: try floats([7, 15, 10, 14], 2, 1, 2, 1)),
      OperatorCase("GlobalLpPool", [try floats([3, 4], 1, 1, 2)], gives: try floats([5], 1, 1, 1)),
      OperatorCase(
        "GroupNormalization",
        [try floats([1, 3, 2, 6], 1, 4, 1), try floats([1, 1, 2, 2]), try floats([0, 0, 1, 1])],
        [("num_groups", .int(2)), ("epsilon", .float(0))],
        gives: try floats([-1, 1, -1, 3], 1, 4, 1)),
      OperatorCase(
        "RMSNormalization", [try floats([3, 4]), try floats([2, 1])], [("epsilon", .float(0))],
        opset: 23, gives: try floats([1.6970563, 1.1313709])),
      OperatorCase(
        "DFT", [try floats([1, 0, 0, 0], 1, 4, 1), nil, try longs([1], 1)], [("onesided", .int(1))],
        opset: 20, gives: try floats([1, 0, 1, 0, 1, 0], 1, 3, 2)),
      OperatorCase(
        "Resize", [try floats([1, 2, 3, 4], 1, 1, 4), nil, try floats([0.5]), nil],
        [("axes", .ints([2])), ("mode", .text("linear")), ("antialias", .int(1))],
        gives: try floats([1.625, 3.375], 1, 1, 2)),
      OperatorCase(
        "Unique", [try longs([2, 1, 1, 3])], [("sorted", .int(0))], gives: try longs([2, 1, 3])),
    ]
  }

  private static func deformable() throws -> [OperatorCase] {
    let image = try floats([0, 1, 2, 3, 4, 5, 6, 7, 8], 1, 1, 3, 3)
    let ones = try floats([1, 1, 1, 1], 1, 1, 2, 2)
    var offsets = [Float](repeating: 0, count: 32)
    let still = try floats(offsets, 1, 8, 2, 2)
    // Half a pixel down for the first tap of the first output, and out of the image for the last tap of the last.
    offsets[0] = 0.5
    offsets[31] = 9
    let mask = try floats([Float](repeating: 0.5, count: 16), 1, 4, 2, 2)
    return [
      OperatorCase(
        "DeformConv", [image, ones, still], gives: try floats([8, 12, 20, 24], 1, 1, 2, 2)),
      OperatorCase(
        "DeformConv", [image, ones, try floats(offsets, 1, 8, 2, 2), try floats([1]), mask],
        gives: try floats([5.75, 7, 11, 9], 1, 1, 2, 2)),
    ]
  }

  private static func reductions() throws -> [OperatorCase] {
    let ramp = try floats([0, 1, 2, 3, 4, 5], 2, 3)
    return [
      OperatorCase("ReduceMax", [ramp, try longs([1])], gives: try floats([2, 5], 2, 1)),
      OperatorCase(
        "ReduceMean", [ramp, try longs([-2])], [("keepdims", .int(0))],
        gives: try floats([1.5, 2.5, 3.5])),
      OperatorCase("ReduceSum", [ramp], [("noop_with_empty_axes", .int(1))], gives: ramp),
      OperatorCase(
        "ReduceSum", [ramp], [("axes", .ints([0])), ("keepdims", .int(0))], opset: 11,
        gives: try floats([3, 5, 7])),
      OperatorCase(
        "ReduceProd", [try Tensor(zeros: .int32, Shape([0, 2])), try longs([0])],
        [("keepdims", .int(0))], gives: try Tensor([1, 1] as [Int32])),
      OperatorCase(
        "ReduceMax", [try Tensor([0, 1] as [UInt8]).cast(to: .bool)], [("keepdims", .int(0))],
        opset: 20, gives: try Tensor(scalar: UInt8(1)).cast(to: .bool)),
      OperatorCase(
        "ReduceSum", [try Tensor([Int64.max, 1])], [("keepdims", .int(0))],
        gives: try Tensor(scalar: Int64.min)),
    ]
  }

  private static func quantization() throws -> [OperatorCase] {
    [
      OperatorCase(
        "QuantizeLinear",
        [
          try floats([0, 2, 3, 1000, -254]), try floats([2], 1).reshaped(.scalar),
          try Tensor(scalar: UInt8(128)),
        ], gives: try Tensor([128, 129, 130, 255, 1] as [UInt8])),
      OperatorCase(
        "DequantizeLinear",
        [
          try Tensor([1, 2, 3, 4] as [Int8], Shape([2, 2])), try floats([1, 10]),
          try Tensor([0, 1] as [Int8]),
        ], [("axis", .int(0))], gives: try floats([1, 2, 20, 30], 2, 2)),
      OperatorCase(
        "DequantizeLinear",
        [try Tensor([1, 2, 3, 4] as [Int8], Shape([1, 4])), try floats([1, 10], 1, 2)],
        [("block_size", .int(2))], gives: try floats([1, 2, 30, 40], 1, 4)),
      OperatorCase(
        "DequantizeLinear",
        [try Tensor([-8, 7, 3] as [Int8]).cast(to: .int4), try floats([2], 1).reshaped(.scalar)],
        gives: try floats([-16, 14, 6])),
      OperatorCase(
        "Cast", [try floats([1, 448, 1000, 0.3])], [("to", .int(17))],
        gives: try Tensor([0x38, 0x7E, 0x7E, 0x2A] as [UInt8]).viewed(as: .float8e4m3fn)),
    ]
  }

  private static func older() throws -> [OperatorCase] {
    let ramp = try floats([0, 1, 2, 3, 4, 5], 2, 3)
    return [
      OperatorCase(
        "Clip", [ramp], [("min", .float(1)), ("max", .float(3))], opset: 6,
        gives: try floats([1, 1, 2, 3, 3, 3], 2, 3)),
      OperatorCase(
        "Slice", [ramp], [("starts", .ints([-2])), ("ends", .ints([.max])), ("axes", .ints([1]))],
        opset: 1, gives: try floats([1, 2, 4, 5], 2, 2)),
      OperatorCase(
        "Pad", [try floats([1])], [("pads", .ints([1, 1])), ("value", .float(7))], opset: 2,
        gives: try floats([7, 1, 7])),
      OperatorCase(
        "Softmax", [try floats([0, 0, 0, 0], 1, 2, 2)], opset: 11,
        gives: try floats([0.25, 0.25, 0.25, 0.25], 1, 2, 2)),
      OperatorCase(
        "Softmax", [try floats([0, 0, 0, 0], 1, 2, 2)], opset: 13,
        gives: try floats([0.5, 0.5, 0.5, 0.5], 1, 2, 2)),
      OperatorCase(
        "Add", [ramp, try floats([10, 20])], [("broadcast", .int(1)), ("axis", .int(0))], opset: 6,
        gives: try floats([10, 11, 12, 23, 24, 25], 2, 3)),
      OperatorCase(
        "Upsample", [try floats([1, 2], 1, 1, 1, 2)], [("scales", .floats([1, 1, 1, 2]))], opset: 7,
        gives: try floats([1, 1, 2, 2], 1, 1, 1, 4)),
      OperatorCase(
        "Unsqueeze", [try floats([1])], [("axes", .ints([0]))], opset: 11,
        gives: try floats([1], 1, 1)),
      OperatorCase(
        "TopK", [ramp], [("k", .int(1))], opset: 1, outputs: 2, gives: try floats([2, 5], 2, 1)),
      OperatorCase(
        "Conv", [try floats([1, 2, 3, 4], 1, 1, 2, 2), try floats([1, 1, 1, 1], 1, 1, 2, 2)],
        [("auto_pad", .text("SAME_UPPER"))], opset: 11,
        gives: try floats([10, 6, 7, 4], 1, 1, 2, 2)),
    ]
  }

  @Test func theTableIsWhole() { #expect(Self.cases.count > 40) }

  @Test(arguments: cases)
  func givesTheExpectedTensor(example: OperatorCase) throws {
    let kernel = try #require(ReferenceKernels.kernel(for: example.node, opset: example.opset))
    let results = try kernel(example.node, example.inputs, example.opset)
    #expect(try difference(results[0], example.expected) == nil)
  }

  /// Everything that has a kernel has a rule that its kernel can ask.
  @Test func everyKernelHasARule() {
    let rules = Set(InferenceRules.operators)
    for name in ReferenceKernels.operators {
      #expect(rules.contains(name), "\(name) has no inference rule")
    }
  }

  @Test(arguments: [
    ("Gather", [1, 5] as [Int64]), ("Gather", [-4]), ("GatherElements", [9]),
    ("Reshape", [-1, -1]), ("Reshape", [1 << 40, 1 << 40]),
    ("Expand", [1 << 47, 3]), ("Tile", [1 << 60]), ("Tile", [-1]), ("Slice", [0]), ("TopK", [4]),
    ("TopK", [-1]),
    ("Squeeze", [0]), ("Unsqueeze", [7]), ("Pad", [.max, .max]), ("Pad", [-9, -9]),
    ("Div", [0, 0, 0]), ("Mod", [0, 1, 2]),
    ("CumSum", [3]), ("OneHot", [-1]),
  ])
  func hostileIndicesAreErrors(op: String, values: [Int64]) throws {
    let isInteger = op == "Div" || op == "Mod"
    let data = isInteger ? try longs([1, 2, 3]) : try floats([1, 2, 3])
    let argument = try longs(values)
    let node = Node(op, inputs: ["a", "b"], outputs: ["y"])
    let kernel = try #require(ReferenceKernels.kernel(for: node, opset: 17))
    #expect(throws: PruneError.self) { try kernel(node, [data, argument], 17) }
  }

  @Test func halvesAreComputedInFloat32() throws {
    let x = try floats([1, 2, 3, 4], 2, 2).cast(to: .float16)
    let node = Node("MatMul", inputs: ["a", "b"], outputs: ["y"])
    let kernel = try #require(ReferenceKernels.kernel(for: node, opset: 17))
    let result = try kernel(node, [x, x], 17)[0]
    #expect(result.dtype == .float16)
    #expect(try result.doubles() == [7, 10, 15, 22])
  }
}

extension Tensor {
  /// The same bytes under another dtype of the same width.
  fileprivate func viewed(as dtype: DType) throws -> Tensor {
    try Tensor(dtype, shape, over: bytes)
  }
}
