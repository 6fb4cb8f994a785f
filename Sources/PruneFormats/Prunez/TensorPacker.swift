import PruneTensor

/// One tensor's payload, in whichever of the forms of prunez.h is small: a palette where few different values occur,
/// else the bytes of an element one by one, with flags for zeros where there are many.
struct TensorPacker {
  /// A packed tensor, as the directory lists it.
  struct Packed {
    let codec: Int
    let width: Int
    let palette: Int
    let payload: [UInt8]
  }

  private let bytes: [UInt8]
  private let width: Int
  private let count: Int
  /// Elements from one to that above it.
  private let row: Int
  private let dtype: DType

  static func pack(_ tensor: Tensor) -> Packed {
    let packer = TensorPacker(tensor)
    let plain = Packed(codec: 0, width: packer.width, palette: 0, payload: packer.bytes)
    return packer.candidates().reduce(plain) { $1.payload.count < $0.payload.count ? $1 : $0 }
  }

  private init(_ tensor: Tensor) {
    bytes = tensor.bytes.array
    dtype = tensor.dtype
    width = [16, 32, 64].contains(tensor.dtype.bitWidth) ? tensor.dtype.bitWidth / 8 : 1
    count = bytes.count / width
    row = tensor.shape.rank > 1 && tensor.shape[0] > 0 ? count / tensor.shape[0] : 0
  }

  private func candidates() -> [Packed] {
    var zeros = 0
    for index in 0..<count where pattern(index) == 0 { zeros += 1 }
    let share = Double(zeros) / Double(max(count, 1))
    if let palette = palette() {
      // Small tensors are tried both ways.
      let flags = share == 0 ? [false] : count < 1 << 18 ? [false, true] : [share > 0.3]
      return flags.map { coded(palette: $0 ? palette.filter { $0 != 0 } : palette, hasFlags: $0) }
    }
    return [coded(palette: [], hasFlags: share > 0.02)]
  }

  /// The bits of an element.
  @inline(__always) private func pattern(_ index: Int) -> UInt64 {
    var result: UInt64 = 0
    for place in stride(from: width - 1, through: 0, by: -1) {
      result = result << 8 | UInt64(bytes[index * width + place])
    }
    return result
  }

  /// The different elements in the order of their values, nil when there are more than 256.
  private func palette() -> [UInt64]? {
    var patterns: Set<UInt64> = []
    var last: UInt64?
    for index in 0..<count {
      let pattern = pattern(index)
      if pattern == last { continue }
      last = pattern
      if patterns.insert(pattern).inserted, patterns.count > 256 { return nil }
    }
    let sign: UInt64 = 1 << UInt64(width * 8 - 1)
    func order(_ pattern: UInt64) -> Int64 {
      let isNegative = pattern & sign != 0
      if dtype.isFloatingPoint { return isNegative ? -Int64(bitPattern: pattern & ~sign) : Int64(bitPattern: pattern) }
      if [.int8, .int16, .int32, .int64].contains(dtype) {
        return Int64(bitPattern: isNegative ? pattern | ~(sign - 1) : pattern)
      }
      return Int64(bitPattern: pattern & UInt64(Int64.max))
    }
    return patterns.sorted { (order($0), $0) < (order($1), $1) }
  }

  private func coded(palette: [UInt64], hasFlags: Bool) -> Packed {
    var encoder = RangeEncoder()
    var flags = [UInt32](repeating: RangeEncoder.fresh, count: 72)
    var trees = [UInt32](repeating: RangeEncoder.fresh, count: 8 * 256)
    let symbols = Dictionary(uniqueKeysWithValues: palette.enumerated().map { ($1, $0) })
    var depth = 0
    while 1 << depth < palette.count { depth += 1 }
    let middle = palette.count / 2
    var before = 0
    let plain = palette.isEmpty ? plainPlanes(skippingZeros: hasFlags) : []
    var codec = hasFlags ? 3 : 1
    for plane in plain { codec |= 1 << (8 + plane) }
    var rest: [UInt8] = []
    var isZero = [Bool](repeating: false, count: hasFlags ? count : 0)
    for index in 0..<count {
      let value = pattern(index)
      if hasFlags {
        isZero[index] = value == 0
        encoder.encode(value != 0, &flags[neighbours(isZero, index)])
        if value == 0 { continue }
      }
      if let symbol = symbols[value] {
        encoder.encode(symbol, depth: depth, &trees, first: before * 256)
        let far = abs(symbol - middle)
        before = far * 8 < palette.count ? 0 : far * 4 < palette.count ? 1 : 2
        continue
      }
      for plane in stride(from: width - 1, through: 0, by: -1) {
        let byte = UInt8(truncatingIfNeeded: value >> UInt64(plane * 8))
        if codec >> (8 + plane) & 1 == 1 {
          rest.append(byte)
        } else {
          encoder.encode(Int(byte), depth: 8, &trees, first: plane * 256)
        }
      }
    }
    let stream = encoder.finish()
    var payload: [UInt8] = []
    for value in palette {
      for place in 0..<width { payload.append(UInt8(truncatingIfNeeded: value >> UInt64(place * 8))) }
    }
    payload.appendVarint(stream.count)
    payload += stream
    payload += rest
    return Packed(codec: codec, width: width, palette: palette.count, payload: payload)
  }

  private func neighbours(_ isZero: [Bool], _ index: Int) -> Int {
    var left = 0, above = 0
    for back in stride(from: 1, through: min(8, index), by: 1) where !isZero[index - back] { left += 1 }
    if row > 0 {
      for back in stride(from: 1, through: min(8, index / row), by: 1) where !isZero[index - back * row] { above += 1 }
    }
    let last = index > 0 && !isZero[index - 1] ? 1 : 0
    return (last * 6 + min(left, 5)) * 6 + min(above, 5)
  }

  /// The bytes of an element that are as good as random: the low ones of floats.
  private func plainPlanes(skippingZeros: Bool) -> [Int] {
    (0..<width).filter { plane in
      var counts = [Int](repeating: 0, count: 256)
      var total = 0
      for index in 0..<count where !skippingZeros || pattern(index) != 0 {
        counts[Int(bytes[index * width + plane])] += 1
        total += 1
      }
      let bits = counts.reduce(0.0) { sum, count in
        count == 0 ? sum : sum - Double(count) * logarithm(Double(count) / Double(total)) / logarithm(2)
      }
      // A table of 255 probabilities takes some 1000 bits to learn.
      return bits + 1000 > Double(total) * 7.95
    }
  }
}

extension [UInt8] {
  /// 7 bits a byte, low ones first.
  mutating func appendVarint(_ value: Int) {
    var rest = UInt64(value)
    while rest > 127 {
      append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }
}
