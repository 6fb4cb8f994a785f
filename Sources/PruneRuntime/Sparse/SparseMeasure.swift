import CPruneSupport
import PruneGraph
import PruneTensor
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Seconds that an operation takes.
struct SparseTimes {
  var dense: Double
  var sparse: Double
}

/// Times of operations with dense and with sparse kernels on this machine. What was measured is kept for the life of
/// the process, by what the time depends on: extents, density, what follows, and threads.
enum SparseMeasure {
  private static let cache = Mutex<[String: SparseTimes]>([:])
  /// Rounds, each of which runs both ways.
  private static let rounds = 4

  static func times(_ op: Dataflow.Op, _ work: SparseWork, _ flow: Dataflow) throws(PruneError) -> SparseTimes? {
    // Weights of a large network are in no cache when their turn comes.
    let cacheBytes = Int(ps_last_cache_bytes()), isCold = cacheBytes > 0 && weightBytes(flow) > cacheBytes
    let key = key(op, work, flow) + (isCold ? " cold" : "")
    if let times = cache.withLock({ $0[key] }) { return times }
    guard let times = try measured(op, flow, isCold: isCold) else { return nil }
    cache.withLock { $0[key] = times }
    return times
  }

  private static func weightBytes(_ flow: Dataflow) -> Int {
    flow.values.reduce(0) { $0 + ($1.constant?.byteCount ?? 0) }
  }

  private static func key(_ op: Dataflow.Op, _ work: SparseWork, _ flow: Dataflow) -> String {
    // Times are alike where the number of weights is within a few hundredths.
    var parts = [op.key, "\(Int((work.share * 64).rounded()))", "\(Parallel.threads)", "\(ps_sparse_lanes())"]
    parts.append("\(op.inputs.map { $0.map { flow.dims($0) } ?? [] })")
    parts.append("\(op.outputs.map { $0.map { flow.dims($0) } ?? [] })")
    for item in op.epilogue {
      switch item {
      case .add(let other): parts.append("add\(flow.dims(other))")
      case .activation(let function): parts.append("\(function)")
      }
    }
    parts.append(work.variant)
    return parts.joined(separator: " ")
  }

  /// Nil when the operation does not run so.
  private static func measured(
    _ op: Dataflow.Op, _ flow: Dataflow, isCold: Bool
  ) throws(PruneError) -> SparseTimes? {
    let single = single(op, flow)
    let use = WeightUse(isSparse: true, zeros: 0)
    guard let dense = try Trial(single, uses: [:]), let sparse = try Trial(single, uses: [0: use]) else { return nil }
    dense.run()
    sparse.run()
    var times = SparseTimes(dense: .infinity, sparse: .infinity)
    for _ in 0..<rounds {
      if isCold {
        dense.forgetConstants()
        sparse.forgetConstants()
      }
      times.dense = min(times.dense, dense.run())
      times.sparse = min(times.sparse, sparse.run())
    }
    return times
  }

  /// The operation alone, its weights as they are and all else fed.
  private static func single(_ op: Dataflow.Op, _ flow: Dataflow) -> Dataflow {
    var result = Dataflow()
    result.keepsNaN = flow.keepsNaN
    var numbers: [Int: Int] = [:]
    func number(_ value: Int, isInput: Bool) -> Int {
      if let copied = numbers[value] { return copied }
      var copy = flow.values[value]
      if isInput, copy.constant == nil { copy.origin = .input }
      let id = result.addValue(copy)
      if case .input = copy.origin { result.inputs.append(id) }
      numbers[value] = id
      return id
    }
    var single = op
    single.inputs = op.inputs.map { $0.map { number($0, isInput: true) } }
    single.epilogue = op.epilogue.map {
      if case .add(let other) = $0 { .add(number(other, isInput: true)) } else { $0 }
    }
    single.outputs = op.outputs.map { $0.map { number($0, isInput: false) } }
    result.ops = [single]
    result.outputs = single.outputs.compactMap { $0 }.map { (result.values[$0].name, $0) }
    return result
  }
}

/// A plan that is run for its time alone.
private final class Trial {
  private let plan: Plan
  private let frame: Frame

  /// Nil when a step of it has no fast kernel.
  init?(_ flow: Dataflow, uses: [Int: WeightUse]) throws(PruneError) {
    plan = try Lowering.run(flow, optimizes: true, packed: PackedWeights(), uses: uses)
    guard !plan.steps.contains(where: \.isReference), plan.variables.isEmpty, plan.slotCount == 0 else { return nil }
    if !uses.isEmpty, !plan.steps.contains(where: { $0.weights?.isSparse ?? false }) { return nil }
    frame = try Frame(plan)
    try frame.bind(variables: [])
  }

  /// Takes the constants out of the processor's caches.
  func forgetConstants() {
    for buffer in plan.buffers {
      guard case .constant(let tensor) = buffer.place else { continue }
      // Safe: the bytes are the tensor's own.
      ps_cache_forget(UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset)), Int64(tensor.byteCount))
    }
  }

  /// Runs once.
  /// - Returns: seconds, without those of laying images out, which depend on what stands before and behind.
  @discardableResult func run() -> Double {
    for input in plan.inputs {
      guard let buffer = input.buffer, let count = input.shape?.count, input.dtype == .float32 else { continue }
      // Safe: the plan gave the buffer as many numbers. The last run may have written over them.
      frame.pointer(buffer).update(repeating: 0.5, count: count)
    }
    let threads = Parallel.threads
    defer { if threads != 1 { Parallel.threads = threads } }
    var seconds = 0.0
    for (step, planned) in zip(frame.steps, plan.steps) {
      // As when a program runs: what is made for one thread is run by one.
      let count = step.isSingleThreaded ? 1 : threads
      if Parallel.threads != count { Parallel.threads = count }
      let start = Self.seconds(threads: count)
      _ = step.run(step.context)
      if planned.kernel != Lowering.reorder { seconds += Self.seconds(threads: count) - start }
    }
    return seconds
  }

  /// The clock to measure with: of one thread, its own time, which other work on the machine changes little.
  private static func seconds(threads: Int) -> Double {
    var now = timespec()
    guard threads == 1, clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0 else { return Double(ps_now_ns()) * 1e-9 }
    return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
  }
}
