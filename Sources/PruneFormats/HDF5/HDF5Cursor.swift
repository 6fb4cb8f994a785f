import PruneTensor

/// Reads numbers of a part of an HDF5 file one after the other. Nothing that a file holds can lead it outside.
struct HDF5Cursor {
  let bytes: Bytes
  private(set) var position: Int

  init(_ bytes: Bytes, at position: Int = 0) { (self.bytes, self.position) = (bytes, position) }

  var rest: Int { max(bytes.count - position, 0) }

  /// A little-endian number of `width` bytes, at most 8.
  /// - Throws: `.badFormat` behind the end, or above 2^63 where a size was wanted.
  mutating func number(_ width: Int) throws(PruneError) -> Int {
    guard width >= 0, width <= 8, width <= rest else { throw cutShort(width) }
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
    position += width
    // All bits set is the address that means none.
    if width == 8, value == .max { return HDF5File.noAddress }
    guard let number = Int(exactly: value) else {
      throw PruneError(.badFormat, "the HDF5 file holds the size \(value) at byte \(bytes.offset + position - width)")
    }
    return number
  }

  mutating func byte() throws(PruneError) -> Int { try number(1) }
  /// An address or a length, which take 8 bytes here.
  mutating func size() throws(PruneError) -> Int { try number(8) }

  mutating func skip(_ count: Int) throws(PruneError) {
    guard count >= 0, count <= rest else { throw cutShort(count) }
    position += count
  }

  mutating func take(_ count: Int) throws(PruneError) -> Bytes {
    guard count >= 0, count <= rest, let part = bytes.slice(position, position + count) else { throw cutShort(count) }
    position += count
    return part
  }

  /// Reads a signature.
  /// - Throws: `.badFormat` when other bytes are there.
  mutating func expect(_ signature: String, _ what: String) throws(PruneError) {
    let bytes = try take(signature.utf8.count)
    guard bytes.array == Array(signature.utf8) else {
      throw PruneError(
        .badFormat, "\(what) was wanted at byte \(bytes.offset) of the HDF5 file, something else stands there",
        hint: "the file is damaged")
    }
  }

  private func cutShort(_ count: Int) -> PruneError {
    PruneError(
      .badFormat, "the HDF5 file wants \(count) bytes at byte \(bytes.offset + position), there are \(rest)",
      hint: "the file was cut short or damaged")
  }
}
