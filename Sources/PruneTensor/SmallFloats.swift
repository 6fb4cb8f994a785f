/// Float16 (IEEE binary16) and bfloat16 as bit patterns; conversions round to nearest, ties to even.
package enum HalfFloat {
  package static func float(fromFloat16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      // Subnormal: fraction * 2^-24 is exact in float32.
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: magnitude.bitPattern | sign)
    case 31: return Float(bitPattern: sign | 0x7F80_0000 | (fraction << 13))
    default: return Float(bitPattern: sign | ((exponent + 112) << 23) | (fraction << 13))
    }
  }

  package static func float16(from value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16((bits >> 16) & 0x8000)
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
    if magnitude < 0x3880_0000 {
      // Subnormal: adding 0.5 puts the wanted bits, rounded by the hardware, at the bottom of the fraction.
      let shifted = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- Float(0.5).bitPattern)
    }
    let rounded = magnitude &+ 0xFFF &+ ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded >> 13) &- (112 << 10))
  }

  package static func float(fromBFloat16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  package static func bfloat16(from value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}

/// An 8-bit float format (OCP FP8 and its `fnuz` variants): layout and special values, from the ONNX type table.
package struct SmallFloat: Sendable {
  private let fractionBits: Int
  private let bias: Int
  private let hasInfinity: Bool
  /// The only NaN is the pattern 0x80, and there is no negative zero.
  private let isUnsignedZero: Bool

  package init?(_ dtype: DType) {
    switch dtype {
    case .float8e4m3fn: (fractionBits, bias, hasInfinity, isUnsignedZero) = (3, 7, false, false)
    case .float8e4m3fnuz: (fractionBits, bias, hasInfinity, isUnsignedZero) = (3, 8, false, true)
    case .float8e5m2: (fractionBits, bias, hasInfinity, isUnsignedZero) = (2, 15, true, false)
    case .float8e5m2fnuz: (fractionBits, bias, hasInfinity, isUnsignedZero) = (2, 16, false, true)
    default: return nil
    }
  }

  package func decode(_ byte: UInt8) -> Float {
    let magnitude = Int(byte & 0x7F)
    if isUnsignedZero, byte == 0x80 { return .nan }
    if hasInfinity, magnitude >= 0x7C {
      return magnitude > 0x7C ? .nan : (byte < 0x80 ? .infinity : -.infinity)
    }
    if !hasInfinity, !isUnsignedZero, magnitude == 0x7F { return .nan }
    let value = self.magnitude(magnitude)
    return byte < 0x80 ? value : -value
  }

  /// The nearest value, ties to the even pattern; beyond the largest it is that one (saturating) or NaN or infinity.
  package func encode(_ value: Float, saturating: Bool) -> UInt8 {
    let sign: UInt8 = value.sign == .minus ? 0x80 : 0
    let nan: UInt8 = isUnsignedZero ? 0x80 : (sign | 0x7F)
    if value.isNaN { return nan }
    let top = hasInfinity ? 0x7B : (isUnsignedZero ? 0x7F : 0x7E)
    let target = value.magnitude
    // Patterns grow with the value, so that the nearest one is found by bisection.
    var low = 0
    var high = top
    if target > magnitude(top) {
      let half = (magnitude(top) - magnitude(top - 1)) / 2
      if target.isInfinite || target >= magnitude(top) + half {
        let overflow: UInt8 = hasInfinity ? (sign | 0x7C) : nan
        return saturating ? sign | UInt8(top) : overflow
      }
      return sign | UInt8(top)
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if magnitude(middle) <= target { low = middle } else { high = middle }
    }
    let below = target - magnitude(low)
    let above = magnitude(high) - target
    let pick = below < above || (below == above && low % 2 == 0) ? low : high
    if isUnsignedZero, pick == 0 { return 0 }
    return sign | UInt8(pick)
  }

  private func magnitude(_ pattern: Int) -> Float {
    let exponent = pattern >> fractionBits
    let fraction = pattern & ((1 << fractionBits) - 1)
    let step = Float(sign: .plus, exponent: max(exponent, 1) - bias - fractionBits, significand: 1)
    return Float(exponent == 0 ? fraction : fraction + (1 << fractionBits)) * step
  }
}
