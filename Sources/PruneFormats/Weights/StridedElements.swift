import PruneTensor

/// Elements that lie apart by strides, as PyTorch and NumPy have them.
struct StridedElements {
  let dtype: DType
  /// In elements, as the strides are.
  let offset: Int
  let shape: Shape
  let strides: [Int]

  /// The elements out of bytes, in row-major order; without a copy where they already are.
  func tensor(over bytes: Bytes) throws(PruneError) -> Tensor {
    let width = dtype.bitWidth / 8
    guard width > 0 else { throw PruneError(.unsupported, "elements of \(dtype.name) are not read") }
    guard offset >= 0, strides.allSatisfy({ $0 >= 0 }) else { throw outside(bytes) }
    guard shape.count > 0 else { return try Tensor(zeros: dtype, shape) }
    // The last element lies within; nothing before it can lie further.
    var last = offset
    for (extent, stride) in zip(shape.dims, strides) {
      let (step, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (next, carry) = last.addingReportingOverflow(step)
      guard !overflow, !carry else { throw outside(bytes) }
      last = next
    }
    guard last < bytes.count / width else { throw outside(bytes) }
    let isContiguous = zip(zip(shape.dims, strides), shape.strides).allSatisfy { $0.0 == 1 || $0.1 == $1 }
    if isContiguous, let part = bytes.slice(offset * width, (offset + shape.count) * width) {
      return try Tensor(dtype, shape, over: part)
    }
    // Strides of 0 repeat elements: the tensor may take far more than its storage.
    try Storage.checkAvailable(byteCount: shape.count * width)
    return try gathered(bytes, width)
  }

  private func outside(_ bytes: Bytes) -> PruneError {
    PruneError(
      .badFormat,
      "\(dtype.name) \(shape) with strides \(strides) at \(offset) does not lie within its storage of \(bytes.count) bytes",
      hint: "the file was cut short or damaged")
  }

  private func gathered(_ bytes: Bytes, _ width: Int) throws(PruneError) -> Tensor {
    let dims = shape.dims
    var result = [UInt8]()
    result.reserveCapacity(shape.count * width)
    try bytes.withSpan { (source: Span<UInt8>) throws(PruneError) in
      var index = [Int](repeating: 0, count: dims.count)
      var place = offset
      for _ in 0..<shape.count {
        for byte in 0..<width { result.append(source[place * width + byte]) }
        for axis in dims.indices.reversed() {
          index[axis] += 1
          place += strides[axis]
          if index[axis] < dims[axis] { break }
          place -= strides[axis] * dims[axis]
          index[axis] = 0
        }
      }
    }
    return try Tensor(dtype, shape, over: try Bytes(result))
  }
}

extension Tensor {
  /// A matrix with its axes exchanged.
  func transposed() throws(PruneError) -> Tensor {
    guard shape.rank == 2 else { throw PruneError(.mismatch, "\(shape) is no matrix") }
    let view = StridedElements(
      dtype: dtype, offset: 0, shape: try Shape([shape[1], shape[0]]), strides: [1, shape[1]])
    return try view.tensor(over: bytes)
  }
}
