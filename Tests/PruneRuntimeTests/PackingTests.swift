import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Weights laid out for kernels when a program is compiled, from wherever a file holds them.
@Suite struct PackingTests {
  /// The same numbers, one byte beside where they would be aligned.
  private func shifted(_ tensor: Tensor) throws -> Tensor {
    var copy = [UInt8](repeating: 0, count: tensor.byteCount + 1)
    try tensor.bytes.withSpan { span throws(PruneError) in for place in 0..<span.count { copy[place + 1] = span[place] } }
    return try Tensor(tensor.dtype, tensor.shape, over: #require(Bytes(copy).slice(1, copy.count)))
  }

  /// Kernels of 3x3 in Winograd's domain: whole blocks of channels and parts of them, one image and several.
  @Test(arguments: [(32, 32, 12), (64, 96, 14), (48, 40, 20), (100, 36, 9), (128, 256, 8), (33, 70, 28)], [1, 3, 8])
  func winograd(_ shape: (inputs: Int, outputs: Int, side: Int), batch: Int) throws {
    var random = RandomSource(seed: UInt64(shape.inputs * 31 + shape.outputs + batch))
    let x = try random.tensor([batch, shape.inputs, shape.side, shape.side])
    let w = try shifted(random.tensor([shape.outputs, shape.inputs, 3, 3])), b = try random.tensor([shape.outputs])
    let node = Node("Conv", inputs: ["x", "w", "b"], outputs: ["y"], attributes: [Attribute("pads", .integers([1, 1, 1, 1]))])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w), ("b", b)]), [("x", x)], tolerance: 2e-5)
  }

  /// Matrices and kernels of more than is copied at a time.
  @Test(arguments: [(1003, 777), (4096, 600), (130, 9000)], [false, true])
  func bigMatrices(_ shape: (rows: Int, columns: Int), isTransposed: Bool) throws {
    var random = RandomSource(seed: UInt64(shape.rows))
    let w = try shifted(random.tensor([shape.rows, shape.columns]))
    let x = try random.tensor([5, isTransposed ? shape.columns : shape.rows])
    let node = Node("Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("transB", .int(isTransposed ? 1 : 0))])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 1e-5)
  }

  @Test(arguments: [(1000, 700, 1), (530, 300, 2), (1100, 130, 3)]) func bigKernels(inputs: Int, outputs: Int, side: Int) throws {
    var random = RandomSource(seed: UInt64(inputs))
    let w = try shifted(random.tensor([outputs, inputs, side, side])), x = try random.tensor([2, inputs, 5, 5])
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("strides", .integers([2, 2]))])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 2e-5)
  }
}
