#if canImport(Glibc)
  import Glibc
#endif

/// Reading files: mapped when large, read when small.
package enum FileReader {
  /// Files below this are read, so that truncating them later cannot kill the process.
  package static let mappingThreshold = 4 << 20

  /// The whole file at `path`.
  ///
  /// Files of 4 MB and more are memory-mapped read-only unless `copy` is set: opening costs no copy, and someone who
  /// truncates the file while it is in use kills the process (replacing it by rename is safe).
  /// - Throws: `.io` with the system's reason.
  package static func bytes(of path: String, copy: Bool = false) throws(PruneError) -> Bytes {
    guard !path.utf8.contains(0) else { throw PruneError(.invalidArgument, "a path cannot contain a zero byte") }
    // Not blocking: a named pipe is refused below rather than waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("cannot open '\(path)'") }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw failure("cannot read '\(path)'") }
    guard info.st_mode & S_IFMT == S_IFREG else { throw PruneError(.io, "'\(path)' is not a regular file") }
    let size = Int(info.st_size)
    if size >= mappingThreshold && !copy {
      guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
        throw failure("cannot map '\(path)'")
      }
      return Bytes(storage: Storage(mapping: base, byteCount: size))
    }
    let storage = try Storage(byteCount: size)
    var done = 0
    while done < size {
      // Safe: at most size - done bytes are written behind done.
      let count = read(descriptor, storage.base.advanced(by: done), size - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw count < 0
          ? failure("cannot read '\(path)'") : PruneError(.io, "'\(path)' became shorter while it was read")
      }
      done += count
    }
    return Bytes(storage: storage)
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func failure(_ what: String) -> PruneError {
    PruneError(errno == ENOMEM ? .outOfMemory : .io, "\(what): \(String(cString: strerror(errno)))")
  }
}
