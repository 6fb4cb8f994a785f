/// A protobuf comparison of the tests' own: two messages are equal when their canonical bytes are.
///
/// Singular fields keep their last value of each wire type (messages are merged), repeated ones their order, packed
/// lists are unpacked, and fields come sorted by number. What the schema does not name counts as unknown and is kept in
/// order.
struct Canonical {
  indirect enum Kind {
    case one, many
    /// Repeated numbers, packed or not: bytes each takes, 0 for varints.
    case packed(Int)
    case message([Int: Kind]), messages([Int: Kind])
    case graph, graphs
  }

  private static let entry: [Int: Kind] = [1: .one, 2: .one]
  private static let dim: [Int: Kind] = [1: .one, 2: .one, 3: .one]
  private static let tensorType: [Int: Kind] = [1: .one, 2: .message([1: .messages(dim)])]
  private static let value: [Int: Kind] = [
    1: .one, 2: .message([1: .message(tensorType), 6: .one]), 3: .one, 4: .messages(entry),
  ]
  private static let tensor: [Int: Kind] = [
    1: .packed(0), 2: .one, 4: .packed(4), 5: .packed(0), 6: .many, 7: .packed(0), 8: .one, 9: .one, 10: .packed(8),
    11: .packed(0), 12: .one, 13: .messages(entry), 14: .one, 16: .messages(entry),
  ]
  private static let attribute: [Int: Kind] = [
    1: .one, 2: .one, 3: .one, 4: .one, 5: .message(tensor), 6: .graph, 7: .packed(4), 8: .packed(0), 9: .many,
    10: .messages(tensor), 11: .graphs, 13: .one, 20: .one, 21: .one,
  ]
  private static let node: [Int: Kind] = [
    1: .many, 2: .many, 3: .one, 4: .one, 5: .messages(attribute), 6: .one, 7: .one, 8: .one, 9: .messages(entry),
  ]
  private static let graph: [Int: Kind] = [
    1: .messages(node), 2: .one, 5: .messages(tensor), 10: .one, 11: .messages(value), 12: .messages(value),
    13: .messages(value), 16: .messages(entry),
  ]
  private static let function: [Int: Kind] = [
    1: .one, 4: .many, 5: .many, 6: .many, 7: .messages(node), 8: .one, 9: .messages(entry), 10: .one,
    11: .messages(attribute), 13: .one, 14: .messages(entry),
  ]
  static let model: [Int: Kind] = [
    1: .one, 2: .one, 3: .one, 4: .one, 5: .one, 6: .one, 7: .graph, 8: .messages(entry), 14: .messages(entry),
    25: .messages(function),
  ]

  struct Malformed: Error {}

  static func bytes(_ message: ArraySlice<UInt8>, _ schema: [Int: Kind] = model) throws -> [UInt8] {
    var fields: [Int: [(wire: UInt64, payload: ArraySlice<UInt8>)]] = [:]
    var position = message.startIndex
    while position < message.endIndex {
      let tag = try varint(message, &position)
      let number = Int(tag >> 3)
      let payload = try payload(message, &position, number, tag & 7)
      fields[number, default: []].append((tag & 7, payload))
    }
    var result: [UInt8] = []
    for number in fields.keys.sorted() {
      let found = fields[number] ?? []
      let numbered = try canonical(found, schema[number])
      for (wire, payload) in numbered {
        result += Wire.varint(UInt64(number) << 3 | wire)
        if wire == 2 { result += Wire.varint(UInt64(payload.count)) }
        result += payload
      }
    }
    return result
  }

  private static func canonical(
    _ found: [(wire: UInt64, payload: ArraySlice<UInt8>)], _ kind: Kind?
  ) throws -> [(UInt64, [UInt8])] {
    let plain = found.map { ($0.wire, Array($0.payload)) }
    switch kind {
    case nil, .many: return plain
    case .one: return (0...5).compactMap { wire in plain.last { $0.0 == wire } }
    case .packed(let width):
      return try found.flatMap { field -> [(UInt64, [UInt8])] in
        guard field.wire == 2 else { return [(field.wire, Array(field.payload))] }
        var position = field.payload.startIndex
        var items: [(UInt64, [UInt8])] = []
        while position < field.payload.endIndex {
          let wire: UInt64 = width == 0 ? 0 : width == 4 ? 5 : 1
          items.append((wire, Array(try payload(field.payload, &position, 0, wire))))
        }
        return items
      }
    case .message(let schema): return [(2, try bytes(found.map(\.payload).joined().slice, schema))]
    case .graph: return [(2, try bytes(found.map(\.payload).joined().slice, graph))]
    case .messages(let schema): return try found.map { (2, try bytes($0.payload, schema)) }
    case .graphs: return try found.map { (2, try bytes($0.payload, graph)) }
    }
  }

  private static func varint(_ message: ArraySlice<UInt8>, _ position: inout Int) throws -> UInt64 {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < message.endIndex else { throw Malformed() }
      let byte = message[position]
      position += 1
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    throw Malformed()
  }

  /// The payload of a field; of varints in their shortest form.
  private static func payload(
    _ message: ArraySlice<UInt8>, _ position: inout Int, _ number: Int, _ wire: UInt64
  ) throws -> ArraySlice<UInt8> {
    let start = position
    switch wire {
    case 0: return Wire.varint(try varint(message, &position))[...]
    case 1, 5: position += wire == 1 ? 8 : 4
    case 2:
      let count = try varint(message, &position)
      guard count <= UInt64(message.endIndex - position) else { throw Malformed() }
      position += Int(count)
      return message[(position - Int(count))..<position]
    case 3:
      while true {
        let tag = try varint(message, &position)
        if tag & 7 == 4 { break }
        _ = try payload(message, &position, Int(tag >> 3), tag & 7)
      }
    default: throw Malformed()
    }
    guard position <= message.endIndex else { throw Malformed() }
    return message[start..<position]
  }
}

extension Sequence where Element == UInt8 {
  fileprivate var slice: ArraySlice<UInt8> { ArraySlice(self) }
}
