/// Conversions between dtypes, in chunks that stay in the cache: floats go through Double, integers through Int64.
extension Tensor {
  /// The elements as another dtype.
  ///
  /// Floats become integers by truncation towards zero (NaN as 0, saturated to 64 bits), wider integers become narrower
  /// ones by dropping high bits, anything becomes a bool by `!= 0`.
  /// - Throws: `.unsupported` for strings, complex numbers and types under 8 bits as a target.
  package func cast(to target: DType) throws(PruneError) -> Tensor {
    if target == dtype { return self }
    // Not chunk by chunk: a file's bytes may lie anywhere.
    let source = try aligned(to: UInt(max(dtype.bitWidth / 8, 1)))
    var result = try Tensor(zeros: target, shape)
    let count = self.count
    if dtype.isFloatingPoint || (dtype == .uint64 && target.isFloatingPoint) {
      var chunk = [Double](repeating: 0, count: min(count, Self.chunkCount))
      for first in stride(from: 0, to: count, by: Self.chunkCount) {
        let last = min(first + Self.chunkCount, count)
        try source.readDoubles(first, last, &chunk)
        try result.writeDoubles(first, last, chunk)
      }
    } else {
      var chunk = [Int64](repeating: 0, count: min(count, Self.chunkCount))
      for first in stride(from: 0, to: count, by: Self.chunkCount) {
        let last = min(first + Self.chunkCount, count)
        try source.readInts(first, last, &chunk)
        try result.writeInts(first, last, chunk)
      }
    }
    return result
  }

  /// Every element as a Double.
  package func doubles() throws(PruneError) -> [Double] {
    try cast(to: .float64).array(of: Double.self)
  }

  /// Every element as an Int, for shapes, axes and indices.
  /// - Throws: `.mismatch` when the dtype is not an integer type or bool.
  package func integers() throws(PruneError) -> [Int] {
    guard dtype.isInteger || dtype == .bool else {
      throw PruneError(.mismatch, "expected integers, got \(dtype.name) \(shape)")
    }
    return try cast(to: .int64).array(of: Int64.self).map { Int($0) }
  }

  private static var chunkCount: Int { 4096 }

  private func readDoubles(_ first: Int, _ last: Int, _ chunk: inout [Double]) throws(PruneError) {
    switch dtype {
    case .float32: try read(first, last, &chunk) { (x: Float) in Double(x) }
    case .float64: try read(first, last, &chunk) { (x: Double) in x }
    case .float16:
      try read(first, last, &chunk) { (x: UInt16) in Double(HalfFloat.float(fromFloat16: x)) }
    case .bfloat16:
      try read(first, last, &chunk) { (x: UInt16) in Double(HalfFloat.float(fromBFloat16: x)) }
    case .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz:
      guard let format = SmallFloat(dtype) else { throw unconvertible(dtype) }
      try read(first, last, &chunk) { (x: UInt8) in Double(format.decode(x)) }
    case .uint64: try read(first, last, &chunk) { (x: UInt64) in Double(x) }
    default: throw unconvertible(dtype)
    }
  }

  private func readInts(_ first: Int, _ last: Int, _ chunk: inout [Int64]) throws(PruneError) {
    switch dtype {
    case .int64: try read(first, last, &chunk) { (x: Int64) in x }
    case .int32: try read(first, last, &chunk) { (x: Int32) in Int64(x) }
    case .int16: try read(first, last, &chunk) { (x: Int16) in Int64(x) }
    case .int8: try read(first, last, &chunk) { (x: Int8) in Int64(x) }
    case .uint64: try read(first, last, &chunk) { (x: UInt64) in Int64(bitPattern: x) }
    case .uint32: try read(first, last, &chunk) { (x: UInt32) in Int64(x) }
    case .uint16: try read(first, last, &chunk) { (x: UInt16) in Int64(x) }
    case .uint8: try read(first, last, &chunk) { (x: UInt8) in Int64(x) }
    case .bool: try read(first, last, &chunk) { (x: UInt8) in x == 0 ? 0 : 1 }
    case .int4, .uint4:
      let isSigned = dtype == .int4
      try withSpan(of: UInt8.self) { span in
        for index in first..<last {
          let nibble = (span[index / 2] >> (index % 2 == 0 ? 0 : 4)) & 0xF
          chunk[index - first] = isSigned && nibble >= 8 ? Int64(nibble) - 16 : Int64(nibble)
        }
      }
    default: throw unconvertible(dtype)
    }
  }

  private mutating func writeDoubles(_ first: Int, _ last: Int, _ chunk: [Double])
    throws(PruneError)
  {
    switch dtype {
    case .float32: try write(first, last, chunk) { Float($0) }
    case .float64: try write(first, last, chunk) { $0 }
    case .float16: try write(first, last, chunk) { HalfFloat.float16(from: Float($0)) }
    case .bfloat16: try write(first, last, chunk) { HalfFloat.bfloat16(from: Float($0)) }
    case .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz:
      guard let format = SmallFloat(dtype) else { throw unconvertible(dtype) }
      try write(first, last, chunk) { format.encode(Float($0), saturating: true) }
    case .bool: try write(first, last, chunk) { $0 == 0 ? UInt8(0) : 1 }
    case .uint64:
      try write(first, last, chunk) { x in
        x >= 0x1p63 ? (x >= 0x1p64 ? UInt64.max : UInt64(x)) : UInt64(bitPattern: Self.truncated(x))
      }
    default: try writeInts(first, last, chunk.map(Self.truncated))
    }
  }

  private mutating func writeInts(_ first: Int, _ last: Int, _ chunk: [Int64]) throws(PruneError) {
    switch dtype {
    case .int64: try write(first, last, chunk) { $0 }
    case .int32: try write(first, last, chunk) { Int32(truncatingIfNeeded: $0) }
    case .int16: try write(first, last, chunk) { Int16(truncatingIfNeeded: $0) }
    case .int8: try write(first, last, chunk) { Int8(truncatingIfNeeded: $0) }
    case .uint64: try write(first, last, chunk) { UInt64(bitPattern: $0) }
    case .uint32: try write(first, last, chunk) { UInt32(truncatingIfNeeded: $0) }
    case .uint16: try write(first, last, chunk) { UInt16(truncatingIfNeeded: $0) }
    case .uint8: try write(first, last, chunk) { UInt8(truncatingIfNeeded: $0) }
    case .bool: try write(first, last, chunk) { $0 == 0 ? UInt8(0) : 1 }
    case .int4, .uint4:
      try withMutableSpan(of: UInt8.self) { span in
        for index in first..<last {
          let nibble = UInt8(truncatingIfNeeded: chunk[index - first]) & 0xF
          let shift = index % 2 == 0 ? 0 : 4
          span[index / 2] = (span[index / 2] & ~(0xF << shift)) | (nibble << shift)
        }
      }
    case .float32, .float64, .float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2,
      .float8e5m2fnuz:
      try writeDoubles(first, last, chunk.map { Double($0) })
    default: throw unconvertible(dtype)
    }
  }

  private static func truncated(_ x: Double) -> Int64 {
    if x.isNaN { return 0 }
    return x >= 0x1p63 ? .max : x <= -0x1p63 ? .min : Int64(x)
  }

  private func unconvertible(_ dtype: DType) -> PruneError {
    PruneError(.unsupported, "elements of type \(dtype.name) cannot be converted")
  }

  @inline(__always)
  private func read<S: TensorElement, W>(
    _ first: Int, _ last: Int, _ chunk: inout [W], _ convert: (S) -> W
  ) throws(PruneError) {
    try withSpan(of: S.self) { span in
      for index in first..<last { chunk[index - first] = convert(span[index]) }
    }
  }

  @inline(__always)
  private mutating func write<W, D: TensorElement>(
    _ first: Int, _ last: Int, _ chunk: [W], _ convert: (W) -> D
  ) throws(PruneError) {
    try withMutableSpan(of: D.self) { span in
      for index in first..<last { span[index] = convert(chunk[index - first]) }
    }
  }
}
