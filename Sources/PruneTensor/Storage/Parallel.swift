import CPruneSupport

/// Parallel loops on the process's OpenMP pool, the one oneDNN runs on.
package enum Parallel {
  /// Calls `body` with disjoint ranges that cover 0..<count, each at least `grain` long; on the calling thread
  /// alone when one range is enough. Blocks until all are done.
  package static func forEach(_ count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
    // Safe: ps_parallel_for returns only after the last call, so the closure outlives every use.
    withoutActuallyEscaping(body) { escaping in
      var box = Box(body: escaping)
      withUnsafeMutablePointer(to: &box) { pointer in
        ps_parallel_for(
          Int64(count), Int64(grain),
          { first, last, user in
            guard let user, first < last else { return }
            user.assumingMemoryBound(to: Box.self).pointee.body(Int(first)..<Int(last))
          }, pointer)
      }
    }
  }

  /// Threads that loops and kernels use from this thread on; 0 is one a core.
  package static var threads: Int {
    get { Int(ps_get_threads()) }
    set { ps_set_threads(Int32(clamping: newValue)) }
  }

  private struct Box { let body: @Sendable (Range<Int>) -> Void }
}

/// A flag that another thread, or a signal handler through its C pointer, sets to stop long work.
package final class CancelFlag: @unchecked Sendable {
  // Safe: the C side is one lock-free atomic; freed only when no reference is left.
  package let pointer: OpaquePointer
  package init() throws(PruneError) {
    guard let flag = ps_cancel_create() else { throw PruneError(.outOfMemory, "no memory for a cancel flag") }
    pointer = flag
  }
  deinit { ps_cancel_free(pointer) }

  package var isRequested: Bool { ps_cancel_requested(pointer) != 0 }
  package func request() { ps_cancel_request(pointer) }
  package func clear() { ps_cancel_clear(pointer) }

  /// - Throws: `.cancelled` once a stop was requested, `.outOfMemory` once memory ran short in this call.
  package func check() throws(PruneError) {
    try MemoryAccount.checkShortage()
    if isRequested { throw PruneError(.cancelled, "cancelled by the caller") }
  }
}

/// Monotonic seconds, for durations.
package func monotonicSeconds() -> Double { Double(ps_now_ns()) * 1e-9 }
