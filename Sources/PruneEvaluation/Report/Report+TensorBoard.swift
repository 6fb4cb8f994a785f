import PruneTensor

extension Report {
  /// A file of events as TensorBoard reads it: a scalar for every number of each row of "epochs" (of fit), or of the
  /// first list whose rows have numbers, such as the journal of a prune. Steps count from 1; times are the rows'
  /// seconds, added up.
  /// - Throws: `.unsupported` when the report has no such list.
  package func tensorBoard() throws(PruneError) -> [UInt8] {
    guard
      let list =
        (sections.first { $0.name == "epochs" }
          ?? sections.first { $0.name.isEmpty == false && $0.table.rows.count > 1 })
    else {
      throw PruneError(
        .unsupported, "report '\(title)' has no list of steps to write as events",
        hint: "fit's report has one, and that of a prune of several steps")
    }
    var file = Self.record(Self.event(seconds: 0, step: 0, fields: Self.field(3, Array("brain.Event:2".utf8))))
    var seconds = 0.0
    for (step, row) in list.table.rows.enumerated() {
      var values: [UInt8] = []
      for (key, value) in zip(list.table.header, row) where key != "epoch" && key != "step" {
        guard let number = value?.number else { continue }
        if key == "seconds" { seconds += number }
        let scalar = Self.field(1, Array("\(title)/\(key)".utf8)) + [0x15] + Self.bytes(Float(number).bitPattern)
        values += Self.field(1, scalar)
      }
      file += Self.record(Self.event(seconds: seconds, step: step + 1, fields: Self.field(5, values)))
    }
    return file
  }

  // MARK: - The protocol buffer

  private static func event(seconds: Double, step: Int, fields: [UInt8]) -> [UInt8] {
    [0x09] + bytes(seconds.bitPattern) + (step > 0 ? [0x10] + varint(step) : []) + fields
  }

  /// A field of bytes.
  private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(content.count) + content
  }

  private static func varint(_ value: Int) -> [UInt8] {
    var rest = UInt64(max(value, 0))
    var result: [UInt8] = []
    while rest >= 0x80 {
      result.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return result + [UInt8(truncatingIfNeeded: rest)]
  }

  private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }
  }

  // MARK: - The file of records

  private static func record(_ data: [UInt8]) -> [UInt8] {
    let length = bytes(UInt64(data.count))
    return length + bytes(masked(length)) + data + bytes(masked(data))
  }

  private static func masked(_ data: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in data {
      crc ^= UInt32(byte)
      // CRC-32C, bit by bit: the files are small.
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    crc = ~crc
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }
}
