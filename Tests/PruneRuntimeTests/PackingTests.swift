import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Weights laid out for kernels when a program is compiled, from wherever a file holds them.
@Suite struct PackingTests {
  /// Matrices and kernels of more than is copied at a time.
  @Test(arguments: [(1003, 777), (4096, 600), (130, 9000)], [false, true])
  func bigMatrices(_ shape: (rows: Int, columns: Int), isTransposed: Bool) throws {
    var random = RandomSource(seed: UInt64(shape.rows))
    let w = try shifted(random.tensor([shape.rows, shape.columns]))
    let x = try random.tensor([5, isTransposed ? shape.columns : shape.rows])
    let node = Node(
      "Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("transB", .int(isTransposed ? 1 : 0))])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 1e-5)
  }

  @Test(arguments: [(1000, 700, 1), (530, 300, 2), (1100, 130, 3)]) func bigKernels(
    inputs: Int, outputs: Int, side: Int
  ) throws {
    var random = RandomSource(seed: UInt64(inputs))
    let w = try shifted(random.tensor([outputs, inputs, side, side])), x = try random.tensor([2, inputs, 5, 5])
    let node = Node("Conv", inputs: ["x", "w"], outputs: ["y"], attributes: [Attribute("strides", .integers([2, 2]))])
    try expectSame(makeModel([node], inputs: [("x", x)], constants: [("w", w)]), [("x", x)], tolerance: 2e-5)
  }
}
