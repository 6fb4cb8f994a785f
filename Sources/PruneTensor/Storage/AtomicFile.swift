#if canImport(Glibc)
  import Glibc
#endif

/// A file that appears under its name only when it is complete: written beside it, synced, then renamed.
///
/// If `commit` is not reached the temporary file is removed and whatever was there before stays.
package final class AtomicFile {
  private let path: String
  private let temporary: String
  private var descriptor: Int32
  private var buffer: [UInt8] = []
  /// Bytes written so far.
  package private(set) var offset = 0

  /// - Throws: `.io` when the folder cannot be written.
  package init(path: String) throws(PruneError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw PruneError(.invalidArgument, "'\(path)' is not a path") }
    self.path = path
    var template = Array("\(path).XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0 else { throw FileReader.failure("cannot write '\(path)'") }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // What an ordinary create would give: 0666 less the umask.
    let mask = umask(0)
    umask(mask)
    fchmod(descriptor, 0o666 & ~mask)
    buffer.reserveCapacity(Self.bufferSize)
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporary)
  }

  package func write(_ bytes: [UInt8]) throws(PruneError) {
    offset += bytes.count
    if buffer.count + bytes.count > Self.bufferSize { try flush() }
    if bytes.count > Self.bufferSize {
      try writeAll(try Bytes(bytes))
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  package func write(_ bytes: Bytes) throws(PruneError) {
    offset += bytes.count
    try flush()
    try writeAll(bytes)
  }

  /// Makes what was written durable, without giving the file its name yet.
  package func sync() throws(PruneError) {
    try flush()
    guard fsync(descriptor) == 0 else { throw FileReader.failure("cannot write '\(path)'") }
  }

  /// Makes the file durable and gives it its name.
  package func commit() throws(PruneError) {
    try sync()
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0, rename(temporary, path) == 0 else {
      let error = FileReader.failure("cannot write '\(path)'")
      unlink(temporary)
      throw error
    }
    // The rename itself is durable once the folder is synced; a folder that cannot be opened does not undo it.
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let folderDescriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if folderDescriptor >= 0 {
      fsync(folderDescriptor)
      close(folderDescriptor)
    }
  }

  private static let bufferSize = 1 << 16

  private func flush() throws(PruneError) {
    guard !buffer.isEmpty else { return }
    try writeAll(try Bytes(buffer))
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeAll(_ bytes: Bytes) throws(PruneError) {
    var done = 0
    while done < bytes.count {
      // Safe: Bytes keeps offset + count within its storage.
      let put = Glibc.write(descriptor, bytes.storage.base.advanced(by: bytes.offset + done), min(bytes.count - done, 1 << 30))
      if put < 0, errno == EINTR { continue }
      guard put > 0 else { throw FileReader.failure("cannot write '\(path)'") }
      done += put
    }
  }
}
