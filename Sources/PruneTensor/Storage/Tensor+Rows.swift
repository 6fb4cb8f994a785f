extension Tensor {
  /// The rows of the outermost axis at `indices`, in that order, copied.
  /// - Throws: `.invalidArgument` for an index outside 0..<shape[0].
  package func gatheringRows(_ indices: some Collection<Int>) throws(PruneError) -> Tensor {
    guard shape.rank > 0, dtype.bitWidth % 8 == 0, dtype.bitWidth > 0 else {
      throw PruneError(.invalidArgument, "a \(dtype.name) \(shape) tensor has no rows to gather")
    }
    let rowBytes = shape[0] == 0 ? 0 : byteCount / shape[0]
    let result = try Tensor(unfilled: dtype, try Shape([indices.count] + shape.dims.dropFirst()))
    for (position, index) in indices.enumerated() {
      guard index >= 0, index < shape[0] else {
        throw PruneError(.invalidArgument, "row \(index) does not exist: there are \(shape[0])")
      }
      // Safe: both offsets lie within their storages, since position and index are rows of them.
      result.storage.base.advanced(by: position * rowBytes).copyMemory(
        from: storage.base.advanced(by: byteOffset + index * rowBytes), byteCount: rowBytes)
    }
    return result
  }
}
