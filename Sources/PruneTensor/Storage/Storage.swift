import CPruneSupport

#if canImport(Glibc)
  import Glibc
#endif

/// A run of bytes that tensors are views of: allocated here (64-byte aligned), memory-mapped, or borrowed from a host.
///
/// Safe: the bytes stay valid as long as the object lives. Only `Tensor` writes to them, and only while it holds the
/// one reference to a writable storage, so a shared storage never changes.
package final class Storage: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// False for mapped and borrowed bytes: a writer must copy them first.
  package let isWritable: Bool
  /// Whether the bytes are those of a file, mapped.
  private let isMapped: Bool
  private let release: (UnsafeMutableRawPointer) -> Void
  /// What counts the bytes, when they are our own.
  private let account: MemoryAccount?

  /// Bytes of our own: zeroed, or as they come for a caller that writes every one of them at once.
  /// - Throws: `.outOfMemory`, also for more than the machine has (the system would grant it and kill us later) and for
  ///   more than the limit of the call's context allows.
  package init(byteCount: Int, zeroed: Bool = true) throws(PruneError) {
    var pointer: UnsafeMutableRawPointer?
    let isLarge = byteCount >= Self.largePage
    try Self.checkMachine(byteCount)
    let account = MemoryAccount.current
    try account.take(byteCount)
    // Rounded up so that vector loops may read whole lines at the end.
    guard posix_memalign(&pointer, isLarge ? Self.largePage : 64, max((byteCount + 63) & ~63, 64)) == 0, let pointer
    else {
      account.give(byteCount)
      ps_memory_refused()
      throw Self.shortage(byteCount)
    }
    // A hint: weights and images are read from end to end, which large pages make some percent faster.
    if isLarge { _ = madvise(pointer, byteCount, MADV_HUGEPAGE) }
    if zeroed { memset(pointer, 0, byteCount) }
    base = pointer
    self.byteCount = byteCount
    isWritable = true
    isMapped = false
    release = { free($0) }
    self.account = account
  }

  /// Pages that grew in place and that `account` counted already; unmapped at the end.
  init(grown base: UnsafeMutableRawPointer, byteCount: Int, account: MemoryAccount) {
    self.base = base
    self.byteCount = byteCount
    isWritable = true
    isMapped = false
    release = { ps_memory_unmap($0, byteCount) }
    self.account = account
  }

  private static let largePage = 2 << 20

  /// For memory that is not a storage, such as that of arrays, and for work that is planned but not begun.
  /// - Throws: `.outOfMemory`.
  package static func checkAvailable(byteCount: Int) throws(PruneError) {
    try checkMachine(byteCount)
    try MemoryAccount.current.check(byteCount)
  }

  /// - Throws: `.outOfMemory` when the machine does not have so much, or ran short in this call.
  static func checkMachine(_ byteCount: Int) throws(PruneError) {
    guard byteCount >= 0, byteCount <= machineByteCount, isAvailable(byteCount), ps_memory_is_short() == 0 else {
      throw shortage(byteCount)
    }
  }

  static func shortage(_ byteCount: Int) -> PruneError { PruneError(.outOfMemory, "no memory for \(byteCount) bytes") }

  /// Whether so much can be had without the system ending a process for it. Small requests are not asked about.
  private static func isAvailable(_ byteCount: Int) -> Bool {
    guard byteCount >= 1 << 28, let file = fopen("/proc/meminfo", "re") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    while fgets(&line, 128, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("MemAvailable:") else { continue }
      let digits = text.filter { $0.isNumber }
      return Int(digits).map { byteCount >> 10 <= $0 } ?? true
    }
    return true
  }

  private static let machineByteCount: Int = {
    let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
    return pages > 0 && size > 0 ? pages * size : 1 << 52
  }()

  /// Bytes owned by someone else, given back through `release`.
  package init(
    borrowing base: UnsafeMutableRawPointer, byteCount: Int, isWritable: Bool,
    release: @escaping (UnsafeMutableRawPointer) -> Void
  ) {
    self.base = base
    self.byteCount = byteCount
    self.isWritable = isWritable
    isMapped = false
    self.release = release
    account = nil
  }

  /// A mapped file, which nobody writes to; unmapped at the end.
  package init(mapping base: UnsafeMutableRawPointer, byteCount: Int) {
    self.base = base
    self.byteCount = byteCount
    isWritable = false
    isMapped = true
    release = { munmap($0, byteCount) }
    account = nil
  }

  /// Gives the memory of a part of a mapped file back; a later read loads it from the file again. Other bytes stay.
  package func forget(from offset: Int, count: Int) {
    let page = 1 << 12
    guard isMapped, offset >= 0, count > page, count <= byteCount, offset <= byteCount - count else { return }
    let (first, end) = ((offset + page - 1) / page * page, (offset + count) / page * page)
    // Safe: whole pages inside a private mapping that nobody can write to. Where pages are larger, the call does
    // nothing.
    if first < end { _ = madvise(base.advanced(by: first), end - first, MADV_DONTNEED) }
  }

  deinit {
    release(base)
    account?.give(byteCount)
  }
}
