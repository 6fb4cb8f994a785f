import PruneTensor

/// The element types of GGML: plain ones, and blocks of quantized values with their scales (ggml-common.h).
enum GGUFBlock: String, CaseIterable {
  case f32 = "F32", f16 = "F16", bf16 = "BF16", f64 = "F64", i8 = "I8", i16 = "I16", i32 = "I32", i64 = "I64"
  case q4_0 = "Q4_0", q4_1 = "Q4_1", q5_0 = "Q5_0", q5_1 = "Q5_1", q8_0 = "Q8_0", q8_1 = "Q8_1"
  case q2_K = "Q2_K", q3_K = "Q3_K", q4_K = "Q4_K", q5_K = "Q5_K", q6_K = "Q6_K", q8_K = "Q8_K"
  case iq4_nl = "IQ4_NL", iq4_xs = "IQ4_XS"

  /// The names of types by `ggml_type`.
  private static let names = [
    "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
    "Q6_K", "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64",
    "IQ1_M", "BF16",
    "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0",
  ]

  init?(type: Int) { self.init(rawValue: Self.name(of: type)) }

  static func name(of type: Int) -> String { names.indices.contains(type) ? names[type] : "\(type)" }

  /// The dtype of elements that stand for themselves.
  var plain: DType? {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .f64: .float64
    case .i8: .int8
    case .i16: .int16
    case .i32: .int32
    case .i64: .int64
    default: nil
    }
  }

  /// Elements of a block.
  var elements: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q8_1, .iq4_nl: 32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_K, .iq4_xs: 256
    default: 1
    }
  }

  /// Bytes of a block.
  var bytes: Int {
    switch self {
    case .q4_0, .iq4_nl: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q8_1: 36
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .q8_K: 292
    case .iq4_xs: 136
    default: (plain?.bitWidth ?? 8) / 8
    }
  }

  /// The elements of blocks as float32.
  func decoded(_ source: Bytes, _ shape: Shape) throws(PruneError) -> Tensor {
    let count = min(shape.count / elements, source.count / bytes)
    var result = try Tensor(zeros: .float32, shape), block = GGUFBytes(bytes)
    try source.withSpan { (span: Span<UInt8>) throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { out throws(PruneError) in
        for index in 0..<count {
          block.fill(from: span, at: index * bytes)
          decode(block, &out, index * elements)
        }
      }
    }
    return result
  }

  private func decode(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1: decodeSmall(block, &out, at)
    case .q8_0, .q8_1:
      let scale = block.half(0), first = self == .q8_0 ? 2 : 4
      for j in 0..<32 { out[at + j] = scale * Float(block.signed(first + j)) }
    case .q8_K:
      let scale = block.float(0)
      for j in 0..<256 { out[at + j] = scale * Float(block.signed(4 + j)) }
    case .q2_K: decodeQ2(block, &out, at)
    case .q3_K: decodeQ3(block, &out, at)
    case .q4_K, .q5_K: decodeQ4Q5(block, &out, at)
    case .q6_K: decodeQ6(block, &out, at)
    case .iq4_nl:
      let scale = block.half(0)
      for j in 0..<16 {
        out[at + j] = scale * Self.nonlinear(block[2 + j] & 15)
        out[at + j + 16] = scale * Self.nonlinear(block[2 + j] >> 4)
      }
    case .iq4_xs: decodeIQ4(block, &out, at)
    default: break
    }
  }

  /// Blocks of 32 of four or five bits, with a scale and, of the second kind, a minimum.
  private func decodeSmall(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let hasMinimum = self == .q4_1 || self == .q5_1, hasHighBits = self == .q5_0 || self == .q5_1
    let scale = block.half(0), minimum = hasMinimum ? block.half(2) : 0
    var first = hasMinimum ? 4 : 2
    let high = hasHighBits ? block.word(first) : 0
    if hasHighBits { first += 4 }
    let middle = hasMinimum ? 0 : hasHighBits ? 16 : 8
    for j in 0..<16 {
      let low = Int(block[first + j] & 15) | Int(high >> UInt32(j) & 1) << 4
      let upper = Int(block[first + j] >> 4) | Int(high >> UInt32(j + 16) & 1) << 4
      out[at + j] = scale * Float(low - middle) + minimum
      out[at + j + 16] = scale * Float(upper - middle) + minimum
    }
  }

  private func decodeQ2(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let scale = block.half(80), minimum = block.half(82)
    for part in 0..<16 {
      // 128 elements share 32 bytes, two bits of each at a time, in runs of 16 with a scale of their own.
      let factors = block[part], bytes = 16 + part / 8 * 32 + part % 2 * 16
      let step = scale * Float(factors & 15), base = minimum * Float(factors >> 4), shift = UInt8(part % 8 / 2 * 2)
      for l in 0..<16 { out[at + part * 16 + l] = step * Float(block[bytes + l] >> shift & 3) - base }
    }
  }

  private func decodeQ3(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let scale = block.half(108)
    for part in 0..<16 {
      let low = part < 8 ? block[96 + part] & 15 : block[96 + part - 8] >> 4
      let high = block[104 + part % 4] >> UInt8(part / 4 * 2) & 3
      let step = scale * Float(Int(low | high << 4) - 32)
      let bytes = 32 + part / 8 * 32 + part % 2 * 16, shift = UInt8(part % 8 / 2 * 2),
        mask = UInt8(1) << UInt8(part / 2)
      for l in 0..<16 {
        let value = Int(block[bytes + l] >> shift & 3) - (block[part % 2 * 16 + l] & mask == 0 ? 4 : 0)
        out[at + part * 16 + l] = step * Float(value)
      }
    }
  }

  /// Eight runs of 32, with scales and minima of six bits.
  private func decodeQ4Q5(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let scale = block.half(0), minimum = block.half(2)
    let hasHighBits = self == .q5_K, first = hasHighBits ? 48 : 16
    for part in 0..<8 {
      let (factor, offset): (UInt8, UInt8) =
        part < 4
        ? (block[4 + part] & 63, block[8 + part] & 63)
        : (block[8 + part] & 15 | (block[part] >> 6) << 4, block[8 + part] >> 4 | (block[4 + part] >> 6) << 4)
      let step = scale * Float(factor), base = minimum * Float(offset), bytes = first + part / 2 * 32
      for l in 0..<32 {
        var value = part % 2 == 0 ? block[bytes + l] & 15 : block[bytes + l] >> 4
        if hasHighBits { value |= (block[16 + l] >> UInt8(part) & 1) << 4 }
        out[at + part * 32 + l] = step * Float(value) - base
      }
    }
  }

  private func decodeQ6(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let scale = block.half(208)
    for half in 0..<2 {
      for quarter in 0..<4 {
        let low = half * 64 + quarter % 2 * 32, high = 128 + half * 32
        for l in 0..<32 {
          let nibble = quarter < 2 ? block[low + l] & 15 : block[low + l] >> 4
          let value = Int(nibble | (block[high + l] >> UInt8(2 * quarter) & 3) << 4) - 32
          let factor = block.signed(192 + half * 8 + quarter * 2 + l / 16)
          out[at + half * 128 + quarter * 32 + l] = scale * Float(factor) * Float(value)
        }
      }
    }
  }

  private func decodeIQ4(_ block: GGUFBytes, _ out: inout MutableSpan<Float>, _ at: Int) {
    let scale = block.half(0), high = UInt16(block[2]) | UInt16(block[3]) << 8
    for part in 0..<8 {
      let low = block[4 + part / 2] >> UInt8(part % 2 * 4) & 15
      let step = scale * Float(Int(low) | Int(high >> UInt16(2 * part) & 3) << 4 - 32)
      for j in 0..<16 {
        let byte = block[8 + part * 16 + j]
        out[at + part * 32 + j] = step * Self.nonlinear(byte & 15)
        out[at + part * 32 + j + 16] = step * Self.nonlinear(byte >> 4)
      }
    }
  }

  private static let nonlinearValues: [Float] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
  ]

  private static func nonlinear(_ nibble: UInt8) -> Float {
    nonlinearValues[Int(nibble & 15)]
  }
}

/// The bytes of a block.
private struct GGUFBytes {
  private var bytes: [UInt8]

  init(_ count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  mutating func fill(from span: Span<UInt8>, at start: Int) {
    for index in bytes.indices { bytes[index] = span[start + index] }
  }

  subscript(_ index: Int) -> UInt8 { bytes[index] }
  func signed(_ index: Int) -> Int8 { Int8(bitPattern: self[index]) }
  func half(_ index: Int) -> Float { HalfFloat.float(fromFloat16: UInt16(self[index]) | UInt16(self[index + 1]) << 8) }
  func word(_ index: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(self[index + $1]) << UInt32(8 * $1) } }
  func float(_ index: Int) -> Float { Float(bitPattern: word(index)) }
}
