import CZip
import CZlib

/// A zip archive in memory or mapped, read through libzip.
package final class ZipArchive {
  package struct Entry: Sendable {
    package let name: String
    /// Bytes when unpacked.
    package let byteCount: Int
    fileprivate let packedByteCount: Int
  }

  package let entries: [Entry]
  private let archive: OpaquePointer
  // libzip reads from these bytes as long as the archive is open.
  private let bytes: Bytes

  package convenience init(path: String) throws(PruneError) {
    do throws(PruneError) { try self.init(try FileReader.bytes(of: path)) } catch { throw error.located(at: path) }
  }

  /// The archive, or nil where the bytes are none.
  package static func opened(_ bytes: Bytes) -> ZipArchive? {
    guard bytes.count > 3, bytes[0] == 0x50, bytes[1] == 0x4B else { return nil }
    return try? ZipArchive(bytes)
  }

  /// - Throws: `.badFormat` when the bytes are not a zip archive.
  package init(_ bytes: Bytes) throws(PruneError) {
    var reason = zip_error_t()
    zip_error_init(&reason)
    defer { zip_error_fini(&reason) }
    // Safe: bytes lives as long as self, and self closes the archive before letting go of it.
    let start = bytes.storage.base.advanced(by: bytes.offset)
    guard let source = zip_source_buffer_create(start, UInt64(bytes.count), 0, &reason) else {
      throw PruneError(.outOfMemory, "no memory to open a zip archive")
    }
    guard let opened = zip_open_from_source(source, ZIP_RDONLY, &reason) else {
      zip_source_free(source)
      var error = Self.failure("this is not a zip archive that can be read", &reason, .badFormat)
      if bytes.count > 1, bytes[0] == 0x50, bytes[1] == 0x4B, error.status == .badFormat {
        error.hint = "it starts as one: it was cut short or damaged"
      }
      throw error
    }
    archive = opened
    self.bytes = bytes
    var entries: [Entry] = []
    for index in 0..<max(zip_get_num_entries(opened, 0), 0) {
      var info = zip_stat_t()
      zip_stat_init(&info)
      guard zip_stat_index(opened, UInt64(index), 0, &info) == 0, let name = info.name,
        let size = Int(exactly: info.size), let packed = Int(exactly: info.comp_size)
      else {
        zip_discard(opened)
        throw PruneError(.badFormat, "entry \(index) of the zip archive is damaged")
      }
      entries.append(Entry(name: String(cString: name), byteCount: size, packedByteCount: packed))
    }
    self.entries = entries
    // Entries that share packed bytes are how small archives unpack to petabytes.
    var packed = 0
    for entry in entries {
      let (sum, overflow) = packed.addingReportingOverflow(entry.packedByteCount)
      guard !overflow, sum <= bytes.count else {
        throw PruneError(
          .badFormat,
          "the entries of the zip archive take more than its \(bytes.count) bytes: they overlap, or it was cut short")
      }
      packed = sum
    }
  }

  deinit { zip_discard(archive) }

  /// libzip's message of a failure; `.outOfMemory` when libzip ran out of memory.
  static func failure(_ what: String, _ reason: UnsafeMutablePointer<zip_error_t>?, _ status: Status = .io)
    -> PruneError
  {
    guard let reason else { return PruneError(status, what) }
    let code = zip_error_code_zip(reason)
    let isMemory = code == ZIP_ER_MEMORY || code == ZIP_ER_ZLIB && zip_error_code_system(reason) == Z_MEM_ERROR
    return PruneError(isMemory ? .outOfMemory : status, "\(what): \(String(cString: zip_error_strerror(reason)))")
  }

  /// The unpacked bytes of the entry of that name, its checksum verified.
  /// - Throws: `.notFound`, or `.badFormat` when the entry is damaged.
  package func read(_ name: String) throws(PruneError) -> Bytes {
    guard let index = entries.firstIndex(where: { $0.name == name }) else {
      throw PruneError(
        .notFound, "the archive has no '\(name)'",
        hint: "it has " + entries.prefix(8).map { "'\($0.name)'" }.joined(separator: ", ")
          + (entries.count > 8 ? ", …" : ""))
    }
    return try read(at: index)
  }

  /// The unpacked bytes of `entries[index]`, its checksum verified.
  package func read(at index: Int) throws(PruneError) -> Bytes {
    guard entries.indices.contains(index) else {
      throw PruneError(.notFound, "the archive has \(entries.count) entries, entry \(index) was wanted")
    }
    let entry = entries[index]
    // No method packs better than 1032 to 1 but bzip2 and its like, which nobody uses here.
    guard entry.byteCount / 1100 <= entry.packedByteCount + 1 else {
      throw PruneError(
        .badFormat, "'\(entry.name)' claims to unpack \(entry.packedByteCount) bytes to \(entry.byteCount)")
    }
    guard let file = zip_fopen_index(archive, UInt64(index), 0) else {
      throw Self.failure("cannot read '\(entry.name)'", zip_get_error(archive), .badFormat)
    }
    defer { zip_fclose(file) }
    let storage = try Storage(byteCount: entry.byteCount, zeroed: false)
    var done = 0
    while done < entry.byteCount {
      // Safe: at most byteCount - done bytes are written behind done. libzip miscounts what 32 bits do not hold.
      let count = zip_fread(file, storage.base.advanced(by: done), UInt64(min(entry.byteCount - done, 1 << 30)))
      guard count > 0 else {
        var error =
          count < 0
          ? Self.failure("cannot read '\(entry.name)'", zip_file_get_error(file), .badFormat)
          : PruneError(.badFormat, "cannot read '\(entry.name)': it ends after \(done) of \(entry.byteCount) bytes")
        if error.status == .badFormat { error.hint = "the archive is damaged" }
        throw error
      }
      done += Int(count)
    }
    // Reading past the end is what makes libzip compare the checksum.
    var extra: UInt8 = 0
    guard zip_fread(file, &extra, 1) == 0 else {
      throw PruneError(.badFormat, "'\(entry.name)' does not match its checksum", hint: "the archive is damaged")
    }
    return Bytes(storage: storage)
  }
}
