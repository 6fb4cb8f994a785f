/// An element type. The raw values are those of ONNX `TensorProto.DataType`.
package enum DType: Int32, Sendable, CaseIterable {
  case float32 = 1, uint8 = 2, int8 = 3, uint16 = 4, int16 = 5, int32 = 6, int64 = 7, string = 8, bool = 9
  case float16 = 10, float64 = 11, uint32 = 12, uint64 = 13, complex64 = 14, complex128 = 15, bfloat16 = 16
  case float8e4m3fn = 17, float8e4m3fnuz = 18, float8e5m2 = 19, float8e5m2fnuz = 20
  case uint4 = 21, int4 = 22, float4e2m1 = 23

  /// Bits an element takes in memory. Strings have no fixed size and count as 0.
  package var bitWidth: Int {
    switch self {
    case .string: 0
    case .uint4, .int4, .float4e2m1: 4
    case .uint8, .int8, .bool, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz: 8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .float32, .int32, .uint32: 32
    case .float64, .int64, .uint64, .complex64: 64
    case .complex128: 128
    }
  }

  package var isFloatingPoint: Bool {
    switch self {
    case .float32, .float64, .float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz,
      .float4e2m1:
      true
    default: false
    }
  }

  package var isInteger: Bool {
    switch self {
    case .uint8, .int8, .uint16, .int16, .int32, .int64, .uint32, .uint64, .uint4, .int4: true
    default: false
    }
  }

  /// The name used in Lua, reports and error messages: `float32`, `int8`, …
  package var name: String { "\(self)" }

  /// The dtype of a lower-case name, or nil.
  package init?(name: String) {
    guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = type
  }

  /// Bytes that `count` elements take (4-bit types pack two to a byte), or nil on overflow.
  package func byteCount(_ count: Int) -> Int? {
    let (bits, overflow) = count.multipliedReportingOverflow(by: bitWidth)
    guard !overflow, count >= 0, bits <= Int.max - 7 else { return nil }
    return (bits + 7) / 8
  }
}

/// A Swift type whose memory is that of tensor elements.
package protocol TensorElement: BitwiseCopyable, Sendable {
  /// The dtype a tensor made from values of this type has.
  static var dtype: DType { get }
  /// Whether elements of `dtype` may be read as this type.
  static func reads(_ dtype: DType) -> Bool
  static var zero: Self { get }
}

extension TensorElement {
  package static func reads(_ dtype: DType) -> Bool { dtype == Self.dtype }
}

extension Float: TensorElement { package static var dtype: DType { .float32 } }
extension Double: TensorElement { package static var dtype: DType { .float64 } }
extension Int8: TensorElement { package static var dtype: DType { .int8 } }
extension Int16: TensorElement { package static var dtype: DType { .int16 } }
extension Int32: TensorElement { package static var dtype: DType { .int32 } }
extension Int64: TensorElement { package static var dtype: DType { .int64 } }

/// Also reads every type of 32 bits, as bit patterns.
extension UInt32: TensorElement {
  package static var dtype: DType { .uint32 }
  package static func reads(_ dtype: DType) -> Bool { dtype.bitWidth == 32 }
}

/// Also reads every type of 64 bits, as bit patterns.
extension UInt64: TensorElement {
  package static var dtype: DType { .uint64 }
  package static func reads(_ dtype: DType) -> Bool { dtype.bitWidth == 64 }
}

/// Also reads booleans and every type of a byte or less, as raw bytes.
extension UInt8: TensorElement {
  package static var dtype: DType { .uint8 }
  package static func reads(_ dtype: DType) -> Bool { dtype.bitWidth > 0 && dtype.bitWidth <= 8 }
}

/// Also reads float16 and bfloat16, as bit patterns.
extension UInt16: TensorElement {
  package static var dtype: DType { .uint16 }
  package static func reads(_ dtype: DType) -> Bool { dtype.bitWidth == 16 }
}
