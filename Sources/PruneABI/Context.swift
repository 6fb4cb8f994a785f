import CPrune
import PruneRuntime
import PruneTensor
import Pruning
import Synchronization

/// Behind `prune_context`: a cancel flag, a thread count and an account of memory. Its handle is the flag's own
/// address.
final class ContextBox: Box {
  static let kind = "context"
  let cancel: CancelFlag
  let memory: MemoryAccount
  /// Rules for custom operators, by `domain.name`.
  private let ruleTable = Mutex<[String: CustomRule]>([:])
  var rules: [String: CustomRule] { ruleTable.withLock { $0 } }
  func setRule(_ name: String, _ rule: CustomRule?) { ruleTable.withLock { $0[name] = rule } }
  /// A host's table, and what the library makes of it.
  struct Ranks: Sendable {
    let table: CommunicatorTable
    let communicator: Communicator
  }
  private let rankTable = Mutex<Ranks?>(nil)
  var ranks: Ranks? { rankTable.withLock { $0 } }
  func setCommunicator(_ ranks: Ranks?) { rankTable.withLock { $0 = ranks } }
  /// The ranks that calls share their work with; nil where there is one alone.
  var communicator: Communicator? { ranks.flatMap { $0.communicator.size > 1 ? $0.communicator : nil } }
  /// 0 is one a core.
  private let count = Atomic<Int>(0)
  /// What holds where there is no context.
  private static let standard = Atomic<Int>(0)

  init() throws(PruneError) {
    cancel = try CancelFlag()
    memory = try MemoryAccount()
  }

  /// The context of a call: its thread count and its memory limit hold from here on. NULL is no context.
  static func enter(_ handle: OpaquePointer?) throws(PruneError) -> ContextBox? {
    let context: ContextBox? = try Handles.optional(handle)
    enter(context)
    return context
  }

  static func enter(_ context: ContextBox?) {
    (context?.memory ?? .standard).enter()
    let threads = context?.count.load(ordering: .relaxed) ?? standard.load(ordering: .relaxed)
    if Parallel.threads != threads || threads == 0 { Parallel.threads = threads }
  }

  /// Sets the thread count of a context, or of calls without one.
  static func setThreads(_ count: Int, of context: ContextBox?) {
    if let context { context.count.store(count, ordering: .relaxed) } else { standard.store(count, ordering: .relaxed) }
  }
}

@_cdecl("prune_context_create") @implementation
public func prune_context_create(_ out_context: UnsafeMutablePointer<OpaquePointer?>!) -> prune_status {
  call { () throws(PruneError) in
    let out = try output(out_context, "out_context")
    let context = try ContextBox()
    out.pointee = Handles.make(context, at: context.cancel.pointer)
  }
}

@_cdecl("prune_context_free") @implementation
public func prune_context_free(_ context: OpaquePointer!) { Handles.free(context, ContextBox.self) }

@_cdecl("prune_context_set_threads") @implementation
public func prune_context_set_threads(_ context: OpaquePointer!, _ threads: Int32) -> prune_status {
  call { () throws(PruneError) in
    let box: ContextBox? = try Handles.optional(context)
    guard threads >= 0, threads <= 4096 else {
      throw PruneError(.invalidArgument, "threads is \(threads), wanted 0 to 4096")
    }
    ContextBox.setThreads(Int(threads), of: box)
  }
}

@_cdecl("prune_context_threads") @implementation
public func prune_context_threads(_ context: OpaquePointer!) -> Int32 {
  do {
    _ = try ContextBox.enter(context)
    return Int32(clamping: Parallel.threads)
  } catch {
    return 0
  }
}

// MARK: - Memory

@_cdecl("prune_context_set_memory_limit") @implementation
public func prune_context_set_memory_limit(_ context: OpaquePointer!, _ bytes: Int64) -> prune_status {
  call { () throws(PruneError) in
    let box: ContextBox? = try Handles.optional(context)
    guard bytes >= 0 else { throw PruneError(.invalidArgument, "bytes is \(bytes), wanted 0 (no limit) or more") }
    (box?.memory ?? .standard).limit = Int(bytes)
  }
}

@_cdecl("prune_context_memory") @implementation
public func prune_context_memory(
  _ context: OpaquePointer!, _ out_used: UnsafeMutablePointer<Int64>!, _ out_peak: UnsafeMutablePointer<Int64>!
) -> prune_status {
  call { () throws(PruneError) in
    let box: ContextBox? = try Handles.optional(context)
    let memory = box?.memory ?? .standard
    out_used?.pointee = Int64(memory.used)
    out_peak?.pointee = Int64(memory.peak)
  }
}
