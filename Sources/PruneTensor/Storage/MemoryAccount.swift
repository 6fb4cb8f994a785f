import CPruneSupport

/// Counts the bytes that storages take, and refuses those beyond a limit: one for each context, one for calls without
/// any.
package final class MemoryAccount: @unchecked Sendable {
  // Safe: the C side is a few atomics with a count of references.
  private let pointer: OpaquePointer

  /// An account without a limit.
  package init() throws(PruneError) {
    guard let account = ps_account_create() else {
      throw PruneError(.outOfMemory, "no memory for an account of memory")
    }
    pointer = account
  }

  private init(retaining pointer: OpaquePointer) {
    ps_account_retain(pointer)
    self.pointer = pointer
  }

  deinit { ps_account_release(pointer) }

  /// What calls without a context take from.
  package static let standard = MemoryAccount(retaining: ps_account_standard())

  /// The account of the call that runs on this thread.
  package static var current: MemoryAccount {
    let pointer = ps_account_current()
    guard let pointer, pointer != standard.pointer else { return standard }
    return MemoryAccount(retaining: pointer)
  }

  /// The most bytes that may be in use at once; 0 is no limit.
  package var limit: Int {
    get { Int(ps_account_limit(pointer)) }
    set { ps_account_set_limit(pointer, Int64(newValue)) }
  }
  package var used: Int { Int(ps_account_used(pointer)) }
  /// The most bytes that ever were in use.
  package var peak: Int { Int(ps_account_peak(pointer)) }

  /// - Throws: `.outOfMemory` when the limit does not allow these bytes. The call must then end: see `isShort`.
  func take(_ byteCount: Int) throws(PruneError) {
    guard ps_account_take(pointer, Int64(byteCount)) == 0 else {
      ps_memory_refused()
      throw refusal(byteCount)
    }
  }

  /// As `take`, but only checks: for planned work.
  func check(_ byteCount: Int) throws(PruneError) {
    guard ps_account_take(pointer, Int64(byteCount)) == 0 else { throw refusal(byteCount) }
    give(byteCount)
  }

  private func refusal(_ byteCount: Int) -> PruneError {
    PruneError(
      .outOfMemory,
      "\(byteCount) bytes more were wanted, \(used) of the \(limit) that the memory limit allows are in use",
      hint: "raise the limit, free what is no longer needed, or take smaller batches")
  }

  func give(_ byteCount: Int) { ps_account_give(pointer, Int64(byteCount)) }

  // MARK: - Calls

  /// Begins a call of the calling thread. Returns what `endCall` wants.
  package static func beginCall() -> OpaquePointer? { ps_call_begin() }
  package static func endCall(_ previous: OpaquePointer?) { ps_call_end(previous) }

  /// Makes this the account of the call that the calling thread is in.
  package func enter() { ps_account_enter(pointer) }

  /// Whether memory was refused in this call. Code that continued without a tensor (a constant that could not be
  /// folded, an unknown range) may have taken the refusal for something else: do not trust the result of the call.
  package static var isShort: Bool { ps_memory_is_short() != 0 }

  /// - Throws: `.outOfMemory` when `isShort`.
  package static func checkShortage() throws(PruneError) {
    if isShort { throw PruneError(.outOfMemory, "memory ran short") }
  }
}
