import CPruneSupport
import PruneGraph
import PruneTensor

/// Gemm and MatMul with a sparse constant matrix: rows of the other operand lie in the lanes of vectors, turned before
/// and after; of few rows, what the weights of one output multiply is gathered.
enum SparseProduct {
  struct Geometry {
    let m, n, k: Int
    let transposesA, transposesB: Bool

    init?(_ op: Dataflow.Op, _ values: some ValueTable) {
      guard let a = op.input(0), let b = op.input(1), let y = op.output(0) else { return nil }
      let (aDims, bDims) = (values.dims(a), values.dims(b))
      guard let last = aDims.last, bDims.count == 2 else { return nil }
      let isGemm = op.key == "Gemm"
      guard !isGemm || aDims.count == 2 && op.node.float("alpha", default: 1) == 1 else { return nil }
      transposesA = isGemm && op.node.int("transA", default: 0) != 0
      transposesB = isGemm && op.node.int("transB", default: 0) != 0
      k = transposesA ? aDims[0] : last
      m = transposesA ? last : aDims.dropLast().reduce(1, *)
      n = bDims[transposesB ? 0 : 1]
      guard bDims[transposesB ? 1 : 0] == k, values.value(y).shape?.count == m * n, m > 0, n > 0, k > 0, m < 1 << 24,
        m * max(k, n) < 1 << 30
      else { return nil }
    }

    /// From column to column of the turned operand: whole vectors, and no power of two.
    var pitch: Int {
      let whole = (m + 15) / 16 * 16
      return whole % 256 == 0 ? whole + 16 : whole
    }
  }

  /// Fewer rows leave most lanes idle, and are gathered from.
  static let fewestRows = 4

  static func emit(
    _ problem: SparseProblem, _ geometry: Geometry, _ op: Dataflow.Op, _ emitter: any Emitter
  ) throws(PruneError) -> Bool {
    let isFew = geometry.m < fewestRows && (!geometry.transposesA || geometry.m == 1)
    guard let weights = try SparseWeights.packed(problem, isFew: isFew, emitter) else { return false }
    var arguments = ps_sparse_args(problem.tail.activation)
    if isFew {
      (arguments.images, arguments.x_image, arguments.y_image) = (
        Int64(geometry.m), Int64(geometry.k), Int64(geometry.n)
      )
      let source = try emitter.plain(problem.x)
      try SparseStep.emit(arguments, problem, weights, source, op, emitter, run: ps_sparse_vectors)
      return true
    }
    (arguments.images, arguments.places) = (1, Int64(geometry.m))
    (arguments.y_row, arguments.y_place) = (1, Int64(geometry.n))
    (arguments.pitch, arguments.columns) = (Int64(geometry.m), Int64(geometry.m))
    arguments.target = Int32(PS_SPARSE_PLACES.rawValue)
    let source: Int
    let pitch: Int
    if geometry.transposesA {
      (source, pitch) = (try emitter.plain(problem.x), geometry.m)
    } else {
      pitch = geometry.pitch
      arguments.is_padded = 1
      source = try turned(problem.x, geometry, op, emitter)
    }
    let offsets = (0..<geometry.k).map { Int32(clamping: $0 * pitch) }
    try SparseStep.emit(arguments, problem, weights, source, offsets: offsets, op, emitter, run: ps_sparse)
    return true
  }

  /// Operands that lie turned already: several products read the same one.
  private struct Turned: KernelNotes {
    var buffers: [Int: Int] = [:]
  }

  /// The operand with rows in the lanes of vectors.
  private static func turned(
    _ x: Int, _ geometry: Geometry, _ op: Dataflow.Op, _ emitter: any Emitter
  ) throws(PruneError) -> Int {
    if let buffer = emitter[Turned.self].buffers[x] { return buffer }
    let plain = try emitter.plain(x)
    let pitch = geometry.pitch
    let turned = emitter.scratch(4 * geometry.k * pitch)
    let (rows, columns) = (Int64(geometry.m), Int64(geometry.k))
    emitter.emit(op.node.label, reads: [plain], writes: [turned]) { frame in
      frame.step(
        ps_sparse_transpose_args(
          x: UnsafePointer(frame.pointer(plain)), y: frame.pointer(turned), rows: rows, columns: columns,
          x_row: columns, y_row: Int64(pitch)), ps_sparse_transpose)
    }
    emitter[Turned.self].buffers[x] = turned
    return turned
  }
}
