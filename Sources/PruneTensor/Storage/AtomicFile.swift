#if canImport(Glibc)
  import Glibc
#endif

/// A file that appears under its name only when it is complete: written to a temporary file, synced, then renamed.
///
/// If `commit` is not reached, the temporary file is removed and the old file stays. A file that is
/// replaced keeps its mode and, where this process may set them, its owner and extended attributes. A link stays; the
/// file that it leads to is replaced. Pipes, terminals and other character devices are written directly.
package final class AtomicFile {
  private let target: FileTarget
  private let temporary: TemporaryFile?
  private let stream: StreamFile?
  private var buffer: [UInt8] = []
  /// Bytes written so far.
  package private(set) var offset = 0

  /// - Throws: as `FileTarget`, and `.io` when the folder cannot be written.
  package convenience init(path: String) throws(PruneError) { try self.init(try FileTarget(path)) }

  /// - Parameter stem: what the temporary file is named after: the name of the file itself, or of the one that it
  ///   belongs to, whose next save then removes what a killed one left.
  package init(_ target: FileTarget, stem: String? = nil) throws(PruneError) {
    self.target = target
    stream = target.isStream ? try StreamFile(target) : nil
    temporary = target.isStream ? nil : try TemporaryFile(target, stem: stem ?? target.name)
    buffer.reserveCapacity(Self.bufferSize)
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
    guard let temporary else { return }
    guard fsync(temporary.descriptor) == 0 else { throw failure() }
  }

  /// Makes the file durable and gives it its name.
  package func commit() throws(PruneError) {
    try sync()
    guard let temporary else { return }
    guard rename(temporary.path, target.path) == 0 else { throw failure() }
    temporary.isNamed = true
    syncFolder()
  }

  /// As `commit`, but does not replace an existing file.
  /// - Returns: whether the name was free.
  package func commitNew() throws(PruneError) -> Bool {
    try sync()
    guard let temporary else { return true }
    if link(temporary.path, target.path) != 0 {
      if errno == EEXIST { return false }
      // Not all file systems have links: an empty file holds the name until it is replaced.
      let holder = open(target.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if holder < 0, errno == EEXIST { return false }
      guard holder >= 0 else { throw failure() }
      close(holder)
      guard rename(temporary.path, target.path) == 0 else {
        let error = failure()
        unlink(target.path)
        throw error
      }
    } else {
      unlink(temporary.path)
    }
    temporary.isNamed = true
    syncFolder()
    return true
  }

  /// Takes back a file that `commitNew` named.
  package func withdraw() { unlink(target.path) }

  private static let bufferSize = 1 << 16

  private func failure() -> PruneError { FileReader.failure("cannot write '\(target.original)'") }

  /// The rename itself is durable once the folder is synced; a folder that cannot be opened does not undo it.
  private func syncFolder() {
    let folder = open(target.folder, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  private func flush() throws(PruneError) {
    guard !buffer.isEmpty else { return }
    try writeAll(try Bytes(buffer))
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeAll(_ bytes: Bytes) throws(PruneError) {
    var done = 0
    while done < bytes.count {
      // Safe: Bytes keeps offset + count within its storage.
      let start = bytes.storage.base.advanced(by: bytes.offset + done), count = min(bytes.count - done, 1 << 30)
      let put = stream?.write(start, count) ?? Glibc.write(temporary?.descriptor ?? -1, start, count)
      if put < 0, errno == EINTR { continue }
      guard put > 0 else { throw failure() }
      done += put
    }
  }
}

/// A pipe, terminal or character device that is open for writing.
private final class StreamFile {
  private let descriptor: Int32

  init(_ target: FileTarget) throws(PruneError) {
    // Not blocking: nobody may ever read the pipe.
    descriptor = open(target.path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      guard errno == ENXIO else { throw FileReader.failure("cannot write '\(target.original)'") }
      throw PruneError(
        .io, "cannot write '\(target.original)': nothing reads it", hint: "start the pipe's reader first")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
  }

  deinit { close(descriptor) }

  /// `write`, but a pipe without a reader is an error and no signal: the default action would end the host.
  func write(_ start: UnsafeRawPointer, _ count: Int) -> Int {
    var pipe = sigset_t(), before = sigset_t(), pending = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    sigpending(&pending)
    let wasPending = sigismember(&pending, SIGPIPE) == 1
    pthread_sigmask(SIG_BLOCK, &pipe, &before)
    let put = Glibc.write(descriptor, start, count), reason = errno
    if put < 0, reason == EPIPE, !wasPending {
      var none = timespec()
      sigtimedwait(&pipe, nil, &none)
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    errno = reason
    return put
  }
}
