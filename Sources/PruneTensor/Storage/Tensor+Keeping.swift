import CPruneSupport

extension Tensor {
  /// The elements at the given positions of each axis, in that order; nil takes a whole axis.
  /// - Throws: `.invalidArgument` for a position outside its axis, `.unsupported` for types without whole bytes.
  package func keeping(_ positions: [[Int]?]) throws(PruneError) -> Tensor {
    guard positions.count == shape.rank, dtype.bitWidth >= 8 else {
      throw PruneError(.unsupported, "cannot take positions of \(positions.count) axes from \(dtype.name) \(shape)")
    }
    for (axis, list) in positions.enumerated() {
      if let bad = list?.first(where: { $0 < 0 || $0 >= shape[axis] }) {
        throw PruneError(.invalidArgument, "position \(bad) is outside axis \(axis) of \(shape)")
      }
    }
    let result = try Tensor(unfilled: dtype, try Shape(positions.enumerated().map { $1?.count ?? shape[$0] }))
    guard result.count > 0 else { return result }
    // What lies behind the last axis that loses something moves as one.
    let last = positions.lastIndex { $0 != nil } ?? -1
    let strides = shape.strides
    let block = (last >= 0 ? strides[last] : count) * dtype.bitWidth / 8
    var offsets = [0]
    for axis in 0..<max(last, 0) {
      let step = strides[axis] * dtype.bitWidth / 8
      let along = positions[axis] ?? Array(0..<shape[axis])
      offsets = offsets.flatMap { offset in along.map { offset + $0 * step } }
    }
    let inner = last >= 0 ? (positions[last] ?? [0]).map { Int64($0 * block) } : [0]
    let source = storage.base.advanced(by: byteOffset), target = result.storage.base.advanced(by: result.byteOffset)
    let rows = offsets, width = inner.count * block
    // Safe: every offset is that of an element inside the tensor, checked above, and each range of rows writes its own
    // part of a result that nobody else has yet.
    nonisolated(unsafe) let from = source, to = target
    inner.withUnsafeBufferPointer { inner in
      nonisolated(unsafe) let columns = inner
      Parallel.forEach(rows.count, grain: max(1, (1 << 16) / max(width, 1))) { range in
        for row in range {
          ps_gather_blocks(
            to + row * width, from + rows[row], columns.baseAddress, Int64(columns.count), Int64(block))
        }
      }
    }
    return result
  }
}

extension Tensor {
  /// The sum of absolute values, or of squares, of each slice along an axis of a float32 tensor.
  package func sliceSums(axis: Int, squares: Bool) throws(PruneError) -> [Double] {
    guard let place = shape.axis(axis) else { throw PruneError(.invalidArgument, "\(shape) has no axis \(axis)") }
    var sums = [Double](repeating: 0, count: shape[place])
    let outer = shape.dims[..<place].reduce(1, *), inner = shape.dims[(place + 1)...].reduce(1, *)
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: outer * sums.count * inner is the span's count.
      span.withUnsafeBufferPointer { values in
        if let base = values.baseAddress, !values.isEmpty {
          ps_slice_sums(base, Int64(outer), Int64(sums.count), Int64(inner), squares ? 1 : 0, &sums)
        }
      }
    }
    return sums
  }
}
