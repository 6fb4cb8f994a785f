import PruneTensor

/// Codes as the tensors that files hold.
extension BlockCodes {
  /// int8, uint8, int4 or uint4, the smallest type with `bits`, in the weight's own order.
  func tensor(_ shape: Shape, bits: Int) throws(PruneError) -> Tensor {
    let bytes = try Tensor(codes, shape)
    if bits > 4 { return zeroPoints.isEmpty ? bytes : try bytes.cast(to: .uint8) }
    return try bytes.cast(to: zeroPoints.isEmpty ? .int4 : .uint4)
  }

  /// The zero points beside them; nil for symmetric codes.
  func zeroTensor(bits: Int) throws(PruneError) -> Tensor? {
    zeroPoints.isEmpty ? nil : try Tensor(zeroPoints, blocks).cast(to: bits > 4 ? .uint8 : .uint4)
  }

  /// uint8 [rows, blocks, block bytes] of codes in fields of 4 or 8 bits, shifted to be positive, the lower half of a byte first; what the last
  /// block has too much stands for zero.
  func packedRows(_ rows: Int, _ columns: Int, size: Int, bits: Int) throws(PruneError) -> Tensor {
    let blocks = (columns + size - 1) / size, blockBytes = size * bits / 8
    let offset = zeroPoints.isEmpty ? 1 << (bits - 1) : 0
    var packed = [UInt8](repeating: 0, count: rows * blocks * blockBytes)
    for row in 0..<rows {
      for column in 0..<blocks * size {
        let block = column / size
        let code =
          column < columns
          ? Int(codes[row * columns + column]) + offset
          : zeroPoints.isEmpty ? offset : Int(zeroPoints[row * blocks + block])
        let byte = UInt8(truncatingIfNeeded: code)
        let place = (row * blocks + block) * blockBytes + column % size * bits / 8
        packed[place] |= bits == 8 ? byte : (byte & 0xF) << (column % 2 == 0 ? 0 : 4)
      }
    }
    return try Tensor(packed, try Shape([rows, blocks, blockBytes]))
  }

  /// uint8 zero points, each row of blocks padded to whole bytes; nil for symmetric codes.
  func packedZeros(_ rows: Int, bits: Int) throws(PruneError) -> Tensor? {
    guard !zeroPoints.isEmpty, rows > 0 else { return nil }
    let blocks = zeroPoints.count / rows, rowBytes = (blocks * bits + 7) / 8
    var packed = [UInt8](repeating: 0, count: rows * rowBytes)
    for row in 0..<rows {
      for block in 0..<blocks {
        let byte = UInt8(truncatingIfNeeded: Int(zeroPoints[row * blocks + block]))
        packed[row * rowBytes + block * bits / 8] |= bits == 8 ? byte : (byte & 0xF) << (block % 2 == 0 ? 0 : 4)
      }
    }
    return try Tensor(packed)
  }
}

extension Tensor {
  /// A float32 matrix with rows and columns exchanged.
  func transposed() throws(PruneError) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    var result = try Tensor(zeros: .float32, try Shape([columns, rows]))
    try withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for row in 0..<rows {
          for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
        }
      }
    }
    return result
  }
}
