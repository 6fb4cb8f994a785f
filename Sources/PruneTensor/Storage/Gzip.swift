import CZlib

/// Whether bytes begin as a gzip stream does.
package func isGzip(_ bytes: Bytes) -> Bool { bytes.count > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B }

/// The contents of a gzip stream, all its members one after the other; bytes behind the last one are ignored.
/// - Parameter limit: the most bytes to unpack.
/// - Throws: `.badFormat` when the stream is damaged or cut short, `.refused` when it unpacks to more than `limit`.
package func gunzip(_ bytes: Bytes, limit: Int) throws(PruneError) -> Bytes {
  guard isGzip(bytes) else { throw PruneError(.badFormat, "this is not a gzip stream: it does not start with 1F 8B") }
  var inflater = try Inflater(bytes, limit: max(limit, 0))
  try inflater.run()
  return inflater.result
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
    throw PruneError(.badFormat, "\(bytes.count) packed bytes do not unpack to at most \(limit)", hint: "the file is damaged")
  }
  return result
}

private struct Inflater {
  private let input: Bytes
  /// The size of output that is too much.
  private let limit: Int
  private var output: Storage
  private var consumed = 0
  private var produced = 0

  init(_ input: Bytes, limit: Int) throws(PruneError) {
    self.input = input
    // One byte above the limit, so that a stream of exactly that size still reaches its end.
    self.limit = min(limit, 1 << 50) + 1
    output = try Storage(byteCount: min(self.limit, Self.guess(input) + 1))
  }

  /// The bytes unpacked so far.
  var result: Bytes { Bytes(storage: output).slice(0, produced) ?? Bytes(storage: output) }

  /// The size that the stream's last four bytes claim, as far as deflate could reach it (1032 to 1).
  private static func guess(_ input: Bytes) -> Int {
    guard input.count >= 18 else { return 1 << 12 }
    let claimed = (0..<4).reduce(0) { $0 | Int(input[input.count - 4 + $1]) << (8 * $1) }
    return max(min(claimed, input.count * 1032), 1 << 12)
  }

  /// Unpacks member after member.
  mutating func run() throws(PruneError) {
    repeat {
      try member()
    } while input.slice(consumed, input.count).map(isGzip) ?? false
    guard produced < limit else { throw tooMuch }
  }

  private mutating func member() throws(PruneError) {
    var stream = z_stream()
    // 15 + 16: the largest window, gzip framing.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw PruneError(.outOfMemory, "no memory to unpack gzip")
    }
    defer { inflateEnd(&stream) }
    while true {
      if produced == output.byteCount { try grow() }
      let give = min(input.count - consumed, 1 << 30)
      let room = min(output.byteCount - produced, 1 << 30)
      // Safe: give and room stay within the two storages; zlib only reads next_in.
      stream.next_in = input.storage.base.advanced(by: input.offset + consumed).assumingMemoryBound(to: UInt8.self)
      stream.avail_in = UInt32(give)
      stream.next_out = output.base.advanced(by: produced).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(room)
      let status = inflate(&stream, Z_NO_FLUSH)
      consumed += give - Int(stream.avail_in)
      produced += room - Int(stream.avail_out)
      switch status {
      case Z_STREAM_END: return
      case Z_OK, Z_BUF_ERROR:
        guard produced == output.byteCount || consumed < input.count else {
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

  private mutating func grow() throws(PruneError) {
    guard produced < limit else { throw tooMuch }
    let larger = try Storage(byteCount: min(max(produced, 1 << 11) * 2, limit))
    // Safe: both storages hold produced bytes.
    larger.base.copyMemory(from: output.base, byteCount: produced)
    output = larger
  }

  private var tooMuch: PruneError {
    PruneError(.refused, "the gzip stream unpacks to more than the \(limit - 1) bytes allowed")
  }
}
