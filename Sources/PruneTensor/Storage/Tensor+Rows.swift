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
}
