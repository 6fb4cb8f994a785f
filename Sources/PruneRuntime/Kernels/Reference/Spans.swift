import PruneTensor

extension Tensor {
  /// A tensor whose elements `fill` writes, starting from zeros.
  static func filled<T: TensorElement>(
    _ shape: Shape, _ dtype: DType = T.dtype,
    _ fill: (inout MutableSpan<T>) throws(PruneError) -> Void
  ) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: dtype, shape)
    try result.withMutableSpan(of: T.self, fill)
    return result
  }
}

/// Reads two tensors at once.
func reading<A: TensorElement, B: TensorElement, R>(
  _ a: Tensor, _ b: Tensor, _ body: (Span<A>, Span<B>) throws(PruneError) -> R
) throws(PruneError) -> R {
  try a.withSpan(of: A.self) { (x: Span<A>) throws(PruneError) in
    try b.withSpan(of: B.self) { (y: Span<B>) throws(PruneError) in try body(x, y) }
  }
}

/// Reads three tensors at once.
func reading<A: TensorElement, B: TensorElement, C: TensorElement, R>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor, _ body: (Span<A>, Span<B>, Span<C>) throws(PruneError) -> R
) throws(PruneError) -> R {
  try reading(a, b) { (x: Span<A>, y: Span<B>) throws(PruneError) in
    try c.withSpan(of: C.self) { (z: Span<C>) throws(PruneError) in try body(x, y, z) }
  }
}

extension Parallel {
  /// Fills `count` rows of `width` values, each by itself, on all threads; `cost` is the work of a row in operations.
  static func rows(
    _ count: Int, width: Int, cost: Int,
    _ body: @Sendable (_ row: Int, _ values: UnsafeMutableBufferPointer<Double>) -> Void
  ) -> [Double] {
    var values = [Double](repeating: 0, count: count * width)
    values.withUnsafeMutableBufferPointer { buffer in
      guard buffer.count > 0, let base = buffer.baseAddress else { return }
      // Safe: rows do not overlap, and the buffer outlives the loop, which returns only when all rows are done.
      nonisolated(unsafe) let start = base
      Parallel.forEach(count, grain: max(1, 20_000 / max(cost, 1))) { range in
        for row in range {
          body(row, UnsafeMutableBufferPointer(start: start + row * width, count: width))
        }
      }
    }
    return values
  }
}
