import PruneTensor

/// An HDF5 file in memory or mapped (HDF5 File Format Specification 3.0): groups, attributes and data sets, as Keras
/// and h5py write them.
///
/// A reader of our own rather than libhdf5: a damaged file is an error and never the end of the process, weights are
/// views of the mapped file, and there is nothing to install. External files, other filters than deflate, shuffle and
/// fletcher32, and types that no tensor has are refused by name.
package struct HDF5File: Sendable {
  static let noAddress = -1
  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  let bytes: Bytes
  private let base: Int
  private let rootAddress: Int

  /// Whether bytes are an HDF5 file.
  package static func matches(_ bytes: Bytes) -> Bool { start(of: bytes) != nil }

  /// Where the superblock lies: at the start, or behind a block of the user's own.
  private static func start(of bytes: Bytes) -> Int? {
    var place = 0
    while place <= min(bytes.count, 1 << 20) {
      if bytes.slice(place, place + 8)?.array == signature { return place }
      place = place == 0 ? 512 : place * 2
    }
    return nil
  }

  /// - Throws: `.badFormat` when the bytes are no HDF5 file or cut short.
  package init(_ bytes: Bytes) throws(PruneError) {
    guard let start = Self.start(of: bytes) else { throw PruneError(.badFormat, "this is not an HDF5 file") }
    self.bytes = bytes
    var cursor = HDF5Cursor(bytes, at: start + 8)
    let version = try cursor.byte()
    switch version {
    case 0, 1:
      try cursor.skip(4)
      try Self.checkWidths(try cursor.byte(), try cursor.byte())
      try cursor.skip(version == 0 ? 9 : 13)
      base = try cursor.size()
      try cursor.skip(8)
      try Self.checkEnd(try cursor.size(), base, bytes)
      try cursor.skip(8 + 8)
      rootAddress = try cursor.size()
    case 2, 3:
      try Self.checkWidths(try cursor.byte(), try cursor.byte())
      try cursor.skip(1)
      base = try cursor.size()
      try cursor.skip(8)
      try Self.checkEnd(try cursor.size(), base, bytes)
      rootAddress = try cursor.size()
    default: throw PruneError(.unsupported, "the HDF5 file has a superblock of version \(version); 0 to 3 are known")
    }
    guard base >= 0, base <= bytes.count else { throw PruneError(.badFormat, "the HDF5 file starts behind its end") }
  }

  private static func checkWidths(_ offsets: Int, _ lengths: Int) throws(PruneError) {
    guard offsets == 8, lengths == 8 else {
      throw PruneError(
        .unsupported, "the HDF5 file has addresses of \(offsets) and lengths of \(lengths) bytes; 8 and 8 are known")
    }
  }

  private static func checkEnd(_ end: Int, _ base: Int, _ bytes: Bytes) throws(PruneError) {
    guard end <= bytes.count, end >= 0 else {
      throw PruneError(
        .badFormat, "the HDF5 file is to have \(end) bytes and has \(bytes.count)",
        hint: "it was cut short: fetch it again")
    }
  }

  /// The group that all paths start from.
  package var root: HDF5Object { get throws(PruneError) { try HDF5Object(self, address: rootAddress, path: "") } }

  // MARK: - For the readers of this folder

  /// A cursor at an address of the file.
  func cursor(at address: Int) throws(PruneError) -> HDF5Cursor {
    let (place, overflow) = address.addingReportingOverflow(base)
    guard address >= 0, !overflow, place < bytes.count else {
      throw PruneError(
        .badFormat, "the HDF5 file points to byte \(address), it has \(bytes.count)", hint: "the file is damaged")
    }
    return HDF5Cursor(bytes, at: place)
  }

  func part(at address: Int, _ count: Int) throws(PruneError) -> Bytes {
    var cursor = try cursor(at: address)
    return try cursor.take(count)
  }

  /// An object of a global heap: a text of variable length.
  func heapObject(at address: Int, index: Int) throws(PruneError) -> Bytes {
    var cursor = try cursor(at: address)
    try cursor.expect("GCOL", "a heap of texts")
    try cursor.skip(4)
    let size = try cursor.size()
    var left = size - 16
    while left >= 16 {
      let number = try cursor.number(2)
      try cursor.skip(6)
      let count = try cursor.size()
      if number == 0 { break }
      if number == index { return try cursor.take(count) }
      let (padded, overflow) = count.addingReportingOverflow(7)
      guard !overflow, count >= 0 else { break }
      try cursor.skip(padded & ~7)
      left -= 16 + (padded & ~7)
    }
    throw PruneError(.badFormat, "the HDF5 file has no text \(index) at byte \(address)", hint: "the file is damaged")
  }
}
