import CPruneSupport

#if canImport(Glibc)
  import Glibc
#endif

/// Bytes whose number is not known before: pages that grow in place, where an array would be copied each time and would
/// end the process when there is no memory.
package final class GrowingBytes {
  package private(set) var count = 0
  private var base: UnsafeMutableRawPointer
  /// Pages at `base`; 0 once they are another's.
  private var capacity: Int
  private let account: MemoryAccount

  private static let page = 1 << 16

  package init() throws(PruneError) {
    let account = MemoryAccount.current
    try account.take(Self.page)
    guard let memory = ps_memory_map(Self.page) else {
      account.give(Self.page)
      ps_memory_refused()
      throw Storage.shortage(Self.page)
    }
    (base, capacity, self.account) = (memory, Self.page, account)
  }

  deinit {
    guard capacity > 0 else { return }
    ps_memory_unmap(base, capacity)
    account.give(capacity)
  }

  /// Makes room for `more` bytes behind the last one.
  /// - Throws: `.outOfMemory`; what is there stays.
  package func reserve(_ more: Int) throws(PruneError) {
    let (needed, overflow) = count.addingReportingOverflow(max(more, 0))
    guard !overflow, needed < Int.max / 4 else { throw Storage.shortage(more) }
    guard needed > capacity else { return }
    guard capacity > 0 else { throw PruneError(.internal, "bytes were added behind the end") }
    // Twice as much, or by 256 MB at most: near the end of memory every byte counts.
    let size = (max(needed, capacity + min(capacity, 1 << 28)) + Self.page - 1) / Self.page * Self.page
    try Storage.checkMachine(size - capacity)
    try account.take(size - capacity)
    guard let moved = ps_memory_resize(base, capacity, size) else {
      account.give(size - capacity)
      ps_memory_refused()
      throw Storage.shortage(size)
    }
    (base, capacity) = (moved, size)
  }

  /// Adds the elements' bytes.
  /// - Throws: `.outOfMemory`.
  package func append<T: BitwiseCopyable>(_ elements: [T]) throws(PruneError) {
    try reserve(elements.count * MemoryLayout<T>.stride)
    // Safe: there is room, as reserved.
    elements.withUnsafeBytes { source in
      if let start = source.baseAddress { base.advanced(by: count).copyMemory(from: start, byteCount: source.count) }
      count += source.count
    }
  }

  /// Where the next bytes go, and how many fit; `grow` then says how many came. For this folder only.
  var end: (place: UnsafeMutableRawPointer, room: Int) { (base.advanced(by: count), capacity - count) }
  func grow(by added: Int) { count += min(max(added, 0), capacity - count) }

  /// The bytes as a tensor, which takes over the pages: nothing can be added any more.
  /// - Throws: `.mismatch` when they are not as many as the shape needs.
  package func tensor(_ dtype: DType, _ shape: Shape) throws(PruneError) -> Tensor {
    try Tensor(dtype, shape, over: finish())
  }

  /// The bytes. The pages behind them are given back.
  func finish() -> Bytes {
    let kept = max((count + Self.page - 1) / Self.page, 1) * Self.page
    // Making a mapping smaller does not move it.
    if kept < capacity, let same = ps_memory_resize(base, capacity, kept) {
      account.give(capacity - kept)
      (base, capacity) = (same, kept)
    }
    let bytes = Bytes(storage: Storage(grown: base, byteCount: capacity, account: account))
    let used = count
    (capacity, count) = (0, 0)
    return bytes.slice(0, used) ?? bytes
  }
}
