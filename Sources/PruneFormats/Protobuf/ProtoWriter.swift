import PruneTensor

/// Builds a protobuf message. Long byte fields are kept as references, so that writing weights copies none.
struct ProtoWriter {
  enum Segment {
    case owned([UInt8])
    case view(Bytes)
  }

  /// Bytes written so far.
  private(set) var count = 0
  private var closed: [Segment] = []
  private var open: [UInt8] = []
  /// Byte runs from this size on are referenced rather than copied.
  private static let viewThreshold = 4096

  /// The message, in pieces.
  var segments: [Segment] { open.isEmpty ? closed : closed + [.owned(open)] }

  /// The message in one piece.
  var array: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    for segment in segments {
      switch segment {
      case .owned(let bytes): result.append(contentsOf: bytes)
      case .view(let bytes): result.append(contentsOf: bytes.array)
      }
    }
    return result
  }

  mutating func varint(_ number: Int, _ value: UInt64) {
    tag(number, 0)
    append(value)
  }
  mutating func int(_ number: Int, _ value: Int64) { varint(number, UInt64(bitPattern: value)) }

  mutating func float(_ number: Int, _ value: Float) {
    tag(number, 5)
    append(value)
  }

  mutating func bytes(_ number: Int, _ value: [UInt8]) {
    tag(number, 2)
    append(UInt64(value.count))
    raw(value)
  }
  mutating func bytes(_ number: Int, _ value: Bytes) {
    tag(number, 2)
    append(UInt64(value.count))
    raw(value)
  }

  mutating func text(_ number: Int, _ value: String) { bytes(number, Array(value.utf8)) }
  /// A text field that is left out when empty.
  mutating func optionalText(_ number: Int, _ value: String) { if !value.isEmpty { text(number, value) } }

  mutating func message(_ number: Int, _ value: ProtoWriter) {
    tag(number, 2)
    append(UInt64(value.count))
    raw(value)
  }

  /// Floats one by one, as proto2 does without `packed`.
  mutating func floats(_ number: Int, _ values: [Float]) { for value in values { float(number, value) } }
  /// Integers one by one, as proto2 does without `packed`.
  mutating func ints(_ number: Int, _ values: [Int64]) { for value in values { int(number, value) } }

  // MARK: - Fields that are encoded already

  mutating func raw(_ encoded: [UInt8]) {
    open.append(contentsOf: encoded)
    count += encoded.count
  }

  mutating func raw(_ encoded: Bytes) {
    guard encoded.count >= Self.viewThreshold else { return raw(encoded.array) }
    close()
    closed.append(.view(encoded))
    count += encoded.count
  }

  mutating func raw(_ message: ProtoWriter) {
    for segment in message.segments {
      switch segment {
      case .owned(let bytes): raw(bytes)
      case .view(let bytes): raw(bytes)
      }
    }
  }

  // MARK: - Parts

  private mutating func close() {
    guard !open.isEmpty else { return }
    closed.append(.owned(open))
    open = []
  }

  private mutating func tag(_ number: Int, _ wire: UInt64) { append(UInt64(number) << 3 | wire) }

  private mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      open.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
      count += 1
    }
    open.append(UInt8(truncatingIfNeeded: rest))
    count += 1
  }

  private mutating func append(_ value: Float) {
    for shift in [0, 8, 16, 24] as [UInt32] { open.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift)) }
    count += 4
  }
}
