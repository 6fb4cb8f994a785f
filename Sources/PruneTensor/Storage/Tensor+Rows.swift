extension Tensor {
  /// The rows of the outermost axis at `indices`, in that order, copied.
  /// - Throws: `.invalidArgument` for an index outside 0..<shape[0].
  package func gatheringRows(_ indices: some Collection<Int>) throws(PruneError) -> Tensor {
    guard shape.rank > 0, dtype.bitWidth % 8 == 0, dtype.bitWidth > 0 else {
      throw PruneError(.invalidArgument, "a \(dtype.name) \(shape) tensor has no rows to gather")
    }
    let rowBytes = shape[0] == 0 ? 0 : byteCount / shape[0]
    let result = try Tensor(unfilled: dtype, try Shape([indices.count] + shape.dims.dropFirst()))
    let list = Array(indices)
    if let missing = list.first(where: { $0 < 0 || $0 >= shape[0] }) {
      throw PruneError(.invalidArgument, "row \(missing) does not exist: there are \(shape[0])")
    }
    // Rows at random places wait for memory, several threads for several of them.
    Parallel.forEach(list.count, grain: max(1, (1 << 16) / max(rowBytes, 1))) { positions in
      for position in positions {
        // Safe: both offsets lie within their storages, since position and index are rows of them.
        result.storage.base.advanced(by: position * rowBytes).copyMemory(
          from: storage.base.advanced(by: byteOffset + list[position] * rowBytes), byteCount: rowBytes)
      }
    }
    return result
  }

  /// The rows of tensors that are alike but for how many they have, one behind the other.
  /// - Throws: `.mismatch` for other kinds of rows.
  package init(joiningRowsOf parts: [Tensor]) throws(PruneError) {
    guard let first = parts.first, first.shape.rank > 0, first.dtype.bitWidth % 8 == 0,
      parts.allSatisfy({ $0.dtype == first.dtype && $0.shape.dims.dropFirst() == first.shape.dims.dropFirst() })
    else {
      throw PruneError(
        .mismatch,
        "rows of \(parts.prefix(3).map { "\($0.dtype.name) \($0.shape)" }.joined(separator: ", ")) do not join")
    }
    guard parts.count > 1 else {
      self = first
      return
    }
    let rows = try Shape([parts.reduce(0) { $0 + $1.shape[0] }] + first.shape.dims.dropFirst())
    try self.init(zeros: first.dtype, rows)
    var end = 0
    for part in parts {
      // Safe: the parts' bytes add up to the result's, which has no other owner yet.
      storage.base.advanced(by: end).copyMemory(
        from: part.storage.base.advanced(by: part.byteOffset), byteCount: part.byteCount)
      end += part.byteCount
    }
  }
}
