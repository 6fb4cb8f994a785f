import PruneTensor

/// One field of an encoded protobuf message.
struct ProtoField {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(Bytes)
    case group
    case fixed32(UInt32)
  }
  let number: Int
  let value: Value
  /// Where the field is within its message, tag included.
  fileprivate let first: Int
  fileprivate let last: Int
}

/// Reads a protobuf message field by field, without copying: byte fields are slices of the message.
///
/// Every length is checked against what is there; nothing a file holds can trap.
/// Wire format: https://protobuf.dev/programming-guides/encoding/
struct ProtoReader {
  private let bytes: Bytes
  private var position = 0

  init(_ bytes: Bytes) { self.bytes = bytes }

  /// The next field, nil at the end of the message.
  /// - Throws: `.badFormat` with the byte offset.
  mutating func next() throws(PruneError) -> ProtoField? {
    guard position < bytes.count else { return nil }
    let first = position
    let tag = try varint()
    guard let number = Self.number(ofTag: tag) else {
      throw malformed("tag \(tag) names no field", at: first)
    }
    let value: ProtoField.Value
    switch tag & 7 {
    case 0: value = .varint(try varint())
    case 1: value = .fixed64(try fixed(8))
    case 2: value = .bytes(try chunk())
    case 3:
      try skipGroup(number)
      value = .group
    case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
    default: throw malformed("field \(number) has wire type \(tag & 7), which does not exist", at: first)
    }
    return ProtoField(number: number, value: value, first: first, last: position)
  }

  /// The encoded field, tag included.
  func encoded(_ field: ProtoField) -> Bytes { bytes.slice(field.first, field.last) ?? bytes }

  /// The varints of a packed field.
  static func packedVarints(_ bytes: Bytes) throws(PruneError) -> [UInt64] {
    var reader = ProtoReader(bytes)
    var result: [UInt64] = []
    while reader.position < bytes.count { result.append(try reader.varint()) }
    return result
  }

  /// The field number of a tag, nil when it is 0 or above the largest allowed.
  private static func number(ofTag tag: UInt64) -> Int? {
    let number = tag >> 3
    return number > 0 && number < 1 << 29 ? Int(number) : nil
  }

  private mutating func varint() throws(PruneError) -> UInt64 {
    let first = position
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count {
      guard shift < 70 else { throw malformed("a number is longer than 10 bytes", at: first) }
      let byte = bytes[position]
      position += 1
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
      shift += 7
    }
    throw truncated("a number", byteCount: 1)
  }

  private mutating func fixed(_ count: Int) throws(PruneError) -> UInt64 {
    guard bytes.count - position >= count else { throw truncated("a number", byteCount: UInt64(count)) }
    var result: UInt64 = 0
    for index in 0..<count { result |= UInt64(bytes[position + index]) << UInt64(8 * index) }
    position += count
    return result
  }

  private mutating func chunk() throws(PruneError) -> Bytes {
    let length = try varint()
    guard length <= UInt64(bytes.count - position), let field = bytes.slice(position, position + Int(length)) else {
      throw truncated("a field", byteCount: length)
    }
    position += field.count
    return field
  }

  /// Skips to behind the end of a group (an old kind of nesting that only unknown fields have), without recursion.
  private mutating func skipGroup(_ number: Int) throws(PruneError) {
    var open = [number]
    while let current = open.last {
      let first = position
      let tag = try varint()
      guard let inner = Self.number(ofTag: tag), open.count <= 100 else {
        throw malformed("group \(number) is not well formed", at: first)
      }
      switch tag & 7 {
      case 0: _ = try varint()
      case 1: _ = try fixed(8)
      case 2: _ = try chunk()
      case 3: open.append(inner)
      case 4 where inner == current: open.removeLast()
      case 5: _ = try fixed(4)
      default: throw malformed("group \(number) is not well formed", at: first)
      }
    }
  }

  private func malformed(_ what: String, at position: Int) -> PruneError {
    PruneError(
      .badFormat, "not a valid protobuf message: \(what) (byte \(bytes.offset + position))",
      hint: "the file is damaged, or is not ONNX")
  }

  private func truncated(_ what: String, byteCount: UInt64) -> PruneError {
    PruneError(
      .badFormat,
      "\(what) at byte \(bytes.offset + position) wants \(byteCount) bytes, but \(bytes.count - position) are left",
      hint: "the file was cut short or damaged: copy or download it again")
  }
}
