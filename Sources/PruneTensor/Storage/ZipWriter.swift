import CZip

/// Builds a zip archive; the file appears, complete, when it is saved. The same entries give the same bytes.
package struct ZipWriter {
  private var entries: [(name: String, bytes: Bytes)] = []

  package init() {}

  package mutating func add(_ name: String, _ bytes: Bytes) { entries.append((name, bytes)) }

  /// Writes the archive under `path`, atomically; entries are deflated when `compressed`.
  /// - Throws: `.io`, or `.invalidArgument` when two entries have one name.
  package func save(path: String, compressed: Bool = true) throws(PruneError) {
    let file = try AtomicFile(path: path)
    var reason = zip_error_t()
    zip_error_init(&reason)
    defer { zip_error_fini(&reason) }
    guard let target = zip_source_buffer_create(nil, 0, 0, &reason) else {
      throw PruneError(.outOfMemory, "no memory to write '\(path)'")
    }
    // The archive takes one reference; ours stays to read the result from.
    zip_source_keep(target)
    defer { zip_source_free(target) }
    guard let archive = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &reason) else {
      zip_source_free(target)
      throw ZipArchive.failure("cannot write '\(path)'", &reason)
    }
    do throws(PruneError) {
      for entry in entries { try add(entry.name, entry.bytes, to: archive, compressed: compressed) }
      guard zip_close(archive) == 0 else {
        throw ZipArchive.failure("cannot write '\(path)'", zip_get_error(archive))
      }
    } catch {
      zip_discard(archive)
      throw error
    }
    try copy(target, to: file)
    try file.commit()
  }

  private func add(
    _ name: String, _ bytes: Bytes, to archive: OpaquePointer, compressed: Bool
  ) throws(PruneError) {
    // Safe: self holds the bytes until the archive is closed.
    let start = bytes.storage.base.advanced(by: bytes.offset)
    guard let source = zip_source_buffer(archive, start, UInt64(bytes.count), 0) else {
      throw PruneError(.outOfMemory, "no memory for '\(name)'")
    }
    let index = zip_file_add(archive, name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
    guard index >= 0 else {
      zip_source_free(source)
      throw ZipArchive.failure("cannot add '\(name)'", zip_get_error(archive), .invalidArgument)
    }
    zip_set_file_compression(archive, UInt64(index), compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0)
    // 1 January 1980, the format's zero.
    zip_file_set_dostime(archive, UInt64(index), 0, 0x21, 0)
  }

  private func copy(_ source: OpaquePointer, to file: AtomicFile) throws(PruneError) {
    guard zip_source_open(source) == 0 else { throw PruneError(.io, "cannot read the archive back from memory") }
    defer { zip_source_close(source) }
    let chunk = try Storage(byteCount: 1 << 20)
    while true {
      // Safe: at most the chunk's size is read into it.
      let count = zip_source_read(source, chunk.base, UInt64(chunk.byteCount))
      guard count >= 0 else { throw PruneError(.io, "cannot read the archive back from memory") }
      guard count > 0, let part = Bytes(storage: chunk).slice(0, Int(count)) else { return }
      try file.write(part)
    }
  }
}
