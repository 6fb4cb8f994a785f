import CZlib

#if canImport(Glibc)
  import Glibc
#endif

/// Whether bytes begin as a gzip stream does.
package func isGzip(_ bytes: Bytes) -> Bool { bytes.count > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B }

/// The contents of a gzip stream, all its members one after the other; bytes behind the last one are ignored.
/// - Parameter limit: the most bytes to unpack.
/// - Throws: `.badFormat` when the stream is damaged or cut short, `.refused` when it unpacks to more than `limit`,
///   `.outOfMemory`.
package func gunzip(_ bytes: Bytes, limit: Int) throws(PruneError) -> Bytes {
  guard isGzip(bytes) else { throw PruneError(.badFormat, "this is not a gzip stream: it does not start with 1F 8B") }
  let inflater = try Inflater(bytes, limit: limit)
  let output = try GrowingBytes()
  while true {
    try output.reserve(1 << 16)
    let (place, room) = output.end
    // Safe: room bytes may be written at place.
    let count = try inflater.read(into: place, room)
    guard count > 0 else { break }
    output.grow(by: count)
  }
  return output.finish()
}

/// The contents of a file piece by piece, unpacked on the way when it is a gzip stream: however large they are, memory
/// is needed for one piece alone.
package final class ByteStream {
  private let whole: Bytes?
  private let inflater: Inflater?
  private let piece: Storage?
  private var isDone = false

  /// - Parameter limit: the most bytes to unpack.
  package init(_ bytes: Bytes, limit: Int) throws(PruneError) {
    let isPacked = isGzip(bytes)
    whole = isPacked ? nil : bytes
    inflater = isPacked ? try Inflater(bytes, limit: limit) : nil
    piece = isPacked ? try Storage(byteCount: 1 << 18, zeroed: false) : nil
  }

  /// The next piece, valid until the next call; nil at the end.
  /// - Throws: as `gunzip`.
  package func next() throws(PruneError) -> Bytes? {
    guard !isDone else { return nil }
    guard let inflater, let piece else {
      isDone = true
      return whole
    }
    // Safe: the storage has byteCount bytes, and nobody else writes to it.
    let count = try inflater.read(into: piece.base, piece.byteCount)
    isDone = count == 0
    return isDone ? nil : Bytes(storage: piece).slice(0, count)
  }
}

/// The contents of a zlib stream.
/// - Parameter limit: the most bytes that it may unpack to.
/// - Throws: `.badFormat` when the stream is damaged, cut short or longer than `limit`.
package func inflate(_ bytes: Bytes, limit: Int) throws(PruneError) -> Bytes {
  let storage = try Storage(byteCount: limit, zeroed: false)
  var count = uLongf(limit)
  // Safe: zlib writes at most `count` bytes and reads bytes.count of the source.
  let status = uncompress(
    storage.base.assumingMemoryBound(to: Bytef.self), &count,
    bytes.storage.base.advanced(by: bytes.offset).assumingMemoryBound(to: Bytef.self), uLong(bytes.count))
  guard status == Z_OK, let result = Bytes(storage: storage).slice(0, Int(count)) else {
    throw PruneError(
      .badFormat, "\(bytes.count) packed bytes do not unpack to at most \(limit)", hint: "the file is damaged")
  }
  return result
}

/// zlib over the members of a gzip stream.
private final class Inflater {
  private let input: Bytes
  private let limit: Int
  private var consumed = 0
  private var produced = 0
  private var stream = z_stream()
  private var isOpen = false
  private var isDone = false

  init(_ input: Bytes, limit: Int) throws(PruneError) {
    self.input = input
    self.limit = max(limit, 0)
  }

  deinit { if isOpen { inflateEnd(&stream) } }

  /// Unpacks up to `room` bytes; 0 at the end. Safe: the caller vouches that as many may be written at `place`.
  func read(into place: UnsafeMutableRawPointer, _ room: Int) throws(PruneError) -> Int {
    var done = 0
    while done < room, !isDone {
      if !isOpen { try open() }
      let give = min(input.count - consumed, 1 << 30)
      let chunk = min(room - done, 1 << 30)
      // Safe: give and want stay within the two blocks; zlib only reads next_in.
      stream.next_in = input.storage.base.advanced(by: input.offset + consumed).assumingMemoryBound(to: UInt8.self)
      stream.avail_in = UInt32(give)
      stream.next_out = place.advanced(by: done).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(chunk)
      let status = inflate(&stream, Z_NO_FLUSH)
      consumed += give - Int(stream.avail_in)
      done += chunk - Int(stream.avail_out)
      try check(status, isStuck: Int(stream.avail_out) > 0 && consumed == input.count)
    }
    produced += done
    guard produced <= limit else {
      throw PruneError(.refused, "the gzip stream unpacks to more than the \(limit) bytes allowed")
    }
    return done
  }

  private func open() throws(PruneError) {
    stream = z_stream()
    // 15 + 16: the largest window, gzip framing.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw PruneError(.outOfMemory, "no memory to unpack gzip")
    }
    isOpen = true
  }

  private func check(_ status: Int32, isStuck: Bool) throws(PruneError) {
    switch status {
    case Z_STREAM_END:
      inflateEnd(&stream)
      isOpen = false
      // Another member may follow.
      isDone = !(input.slice(consumed, input.count).map(isGzip) ?? false)
    case Z_OK, Z_BUF_ERROR:
      guard !isStuck else {
        throw PruneError(
          .badFormat, "the gzip stream ends after \(input.count) bytes, in the middle of its data",
          hint: "the file was cut short: copy or download it again")
      }
    case Z_MEM_ERROR: throw PruneError(.outOfMemory, "no memory to unpack gzip")
    default:
      let reason = stream.msg.map { String(cString: $0) } ?? "error \(status)"
      throw PruneError(.badFormat, "the gzip stream is damaged near byte \(consumed): \(reason)")
    }
  }
}
