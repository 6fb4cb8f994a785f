#if canImport(Glibc)
  import Glibc
#endif

/// A slice of a storage, as bytes. Cheap to copy and to cut; every access is bounds-checked.
package struct Bytes: Sendable {
  package let storage: Storage
  package let offset: Int
  package let count: Int

  /// A copy of an array's bytes.
  package init(_ array: [UInt8]) throws(PruneError) {
    storage = try Storage(byteCount: array.count)
    offset = 0
    count = array.count
    // Safe: the storage has array.count bytes.
    array.withUnsafeBytes { source in
      if let base = source.baseAddress { storage.base.copyMemory(from: base, byteCount: source.count) }
    }
  }

  package init(storage: Storage) {
    self.storage = storage
    offset = 0
    count = storage.byteCount
  }

  private init(storage: Storage, offset: Int, count: Int) {
    self.storage = storage
    self.offset = offset
    self.count = count
  }

  /// The byte at `index`; traps outside 0..<count, so callers check first.
  package subscript(_ index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    // Safe: init and slice keep offset + count within the storage.
    return storage.base.load(fromByteOffset: offset + index, as: UInt8.self)
  }

  /// The bytes from..<to, or nil when they are not all inside.
  package func slice(_ from: Int, _ to: Int) -> Bytes? {
    guard from >= 0, from <= to, to <= count else { return nil }
    return Bytes(storage: storage, offset: offset + from, count: to - from)
  }

  /// The first place from `start` on that holds a byte; nil when none does.
  package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    guard start >= 0, start < count else { return nil }
    let first = storage.base.advanced(by: offset + start)
    // Safe: init and slice keep offset + count within the storage.
    return memchr(first, Int32(byte), count - start).map {
      start + UnsafeRawPointer(first).distance(to: UnsafeRawPointer($0))
    }
  }

  /// Adds the bytes from..<to to an array, as far as they are inside.
  package func append(_ from: Int, _ to: Int, to array: inout [UInt8]) {
    guard from >= 0, from <= to, to <= count else { return }
    // Safe: checked above.
    array.append(contentsOf: UnsafeRawBufferPointer(start: storage.base.advanced(by: offset + from), count: to - from))
  }

  package func withSpan<R>(_ body: (Span<UInt8>) throws(PruneError) -> R) throws(PruneError) -> R {
    // Safe: as above; the storage outlives the call because self holds it.
    try body(
      Span(
        _unsafeStart: UnsafePointer(storage.base.advanced(by: offset).assumingMemoryBound(to: UInt8.self)), count: count
      ))
  }

  package var array: [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: storage.base.advanced(by: offset), count: count))
  }

  /// The bytes as UTF-8 text, malformed sequences replaced.
  package var text: String {
    String(decoding: UnsafeRawBufferPointer(start: storage.base.advanced(by: offset), count: count), as: UTF8.self)
  }

  package func isEqual(to other: Bytes) -> Bool {
    count == other.count
      && memcmp(storage.base.advanced(by: offset), other.storage.base.advanced(by: other.offset), count) == 0
  }
}
