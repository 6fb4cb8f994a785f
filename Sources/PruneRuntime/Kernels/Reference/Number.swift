import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// What arithmetic kernels are written for: the floats, and the 64-bit integers that narrower ones are widened to.
/// Integers wrap around and never trap.
protocol Number: TensorElement, Comparable {
  static func sum(_ a: Self, _ b: Self) -> Self
  static func difference(_ a: Self, _ b: Self) -> Self
  static func product(_ a: Self, _ b: Self) -> Self
  /// Truncates for integers; kernels refuse a zero divisor before.
  static func quotient(_ a: Self, _ b: Self) -> Self
  /// The remainder with the sign of the divisor (Python) or of the dividend (C's fmod).
  static func remainder(_ a: Self, _ b: Self, likeDividend: Bool) -> Self
  static func power(_ a: Self, _ b: Self) -> Self
  static func maximum(_ a: Self, _ b: Self) -> Self
  static func minimum(_ a: Self, _ b: Self) -> Self
  var isNotANumber: Bool { get }
  init(approximating value: Double)
  var approximation: Double { get }
  static var lowest: Self { get }
  static var highest: Self { get }
}

extension Number where Self: BinaryFloatingPoint {
  static func sum(_ a: Self, _ b: Self) -> Self { a + b }
  static func difference(_ a: Self, _ b: Self) -> Self { a - b }
  static func product(_ a: Self, _ b: Self) -> Self { a * b }
  static func quotient(_ a: Self, _ b: Self) -> Self { a / b }
  static func remainder(_ a: Self, _ b: Self, likeDividend: Bool) -> Self {
    let rest = Self(fmod(Double(a), Double(b)))
    return likeDividend || rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b
  }
  static func power(_ a: Self, _ b: Self) -> Self { Self(pow(Double(a), Double(b))) }
  static func maximum(_ a: Self, _ b: Self) -> Self { a.isNaN ? a : b.isNaN ? b : max(a, b) }
  static func minimum(_ a: Self, _ b: Self) -> Self { a.isNaN ? a : b.isNaN ? b : min(a, b) }
  var isNotANumber: Bool { isNaN }
  init(approximating value: Double) { self.init(value) }
  var approximation: Double { Double(self) }
  static var lowest: Self { -.infinity }
  static var highest: Self { .infinity }
}

extension Number where Self: FixedWidthInteger {
  static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
  static func difference(_ a: Self, _ b: Self) -> Self { a &- b }
  static func product(_ a: Self, _ b: Self) -> Self { a &* b }
  static func quotient(_ a: Self, _ b: Self) -> Self {
    a.dividedReportingOverflow(by: b).partialValue
  }
  static func remainder(_ a: Self, _ b: Self, likeDividend: Bool) -> Self {
    let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
    return likeDividend || rest == 0 || (rest < 0) == (b < 0) ? rest : rest &+ b
  }
  static func power(_ a: Self, _ b: Self) -> Self {
    if b < 0 { return a == 1 ? 1 : a == 0 ? 0 : a &+ 1 == 0 ? (b & 1 == 0 ? 1 : a) : 0 }
    var (result, base, exponent): (Self, Self, Self) = (1, a, b)
    while exponent > 0 {
      if exponent & 1 == 1 { result = result &* base }
      base = base &* base
      exponent >>= 1
    }
    return result
  }
  static func maximum(_ a: Self, _ b: Self) -> Self { a < b ? b : a }
  static func minimum(_ a: Self, _ b: Self) -> Self { b < a ? b : a }
  var isNotANumber: Bool { false }
  init(approximating value: Double) {
    self = value.isNaN ? 0 : Self(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
  }
  var approximation: Double { Double(self) }
  static var lowest: Self { .min }
  static var highest: Self { .max }
}

extension Float: Number {}
extension Double: Number {}
extension Int64: Number {}
extension UInt64: Number {}
