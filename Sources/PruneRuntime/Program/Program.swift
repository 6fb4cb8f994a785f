import CPruneSupport
import PruneGraph
import PruneTensor
import Synchronization

/// A model compiled for given input shapes and the current number of threads, ready to run many times.
///
/// Several threads may run one program at once as long as it updates no variable: each run has its own frame.
package final class Program: @unchecked Sendable {
  package let inputTypes: [String: TensorType]
  package let outputTypes: [String: TensorType]
  /// Bytes of working memory a run uses besides weights and results.
  package var arenaByteCount: Int { plan.arenaByteCount }
  /// Steps a run takes; fewer than nodes where they were fused or folded.
  package var stepCount: Int { plan.steps.count }
  /// What each step runs, in order: node labels and the reorders between them.
  package var stepLabels: [String] { plan.steps.map(\.label) }

  /// Labels of the steps that have no fast kernel and run by their reference kernel.
  package var referenceLabels: [String] { plan.steps.filter(\.isReference).map(\.label) }

  let plan: Plan
  // Safe: the plan never changes; idle frames are handed out one run at a time under the lock.
  private let idle = Mutex<FrameStack>(FrameStack())

  /// What the program that keeps NaN is made from, when a run needs it.
  private let source: (model: Model, options: ProgramOptions, packed: PackedWeights)?
  let caution = Mutex(Caution())

  private struct FrameStack: @unchecked Sendable { var frames: [Frame] = [] }

  /// - Throws: `.unsupported` for a node that no kernel can run; `.mismatch` where shapes contradict each other;
  ///   `.invalidArgument` when the shape of an input is open.
  package convenience init(_ model: Model, _ options: ProgramOptions = .init()) throws(PruneError) {
    try self.init(model, options, sharing: PackedWeights())
  }

  /// - Parameter packed: where programs of the model share their packed weights.
  init(_ model: Model, _ options: ProgramOptions, sharing packed: PackedWeights) throws(PruneError) {
    plan = try Compiler.compile(model, options, sharing: packed)
    // The program that keeps NaN still loses some where a gradient looks for the maxima of a pool: none is more
    // careful.
    source = plan.losesNaN && !options.keepsNaN ? (model, options, packed) : nil
    inputTypes = Dictionary(
      uniqueKeysWithValues: plan.inputs.map { ($0.name, TensorType($0.dtype, $0.shape?.dims.map(Dim.fixed))) })
    outputTypes = Dictionary(
      plan.outputs.map { ($0.name, TensorType($0.dtype, $0.shape?.dims.map(Dim.fixed))) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Takes a value that is watched, by its name; the tensor lasts as long as the call.
  package typealias Watch = (_ name: String, _ value: Tensor) throws(PruneError) -> Void

  /// Runs once. Returns fresh tensors by output name.
  /// - Parameter watch: is called with each value that the options list as watched.
  /// - Throws: `.notFound` or `.mismatch` naming the input that is missing, unknown or of another type or shape;
  ///   `.cancelled`.
  package func run(
    _ inputs: [String: Tensor], cancel: CancelFlag? = nil, watch: Watch? = nil
  ) throws(PruneError) -> [String: Tensor] {
    try run(inputs, cancel: cancel, watch: watch, onStep: nil)
  }

  /// As `run`; reports after each step how many nanoseconds it took.
  func run(
    _ inputs: [String: Tensor], cancel: CancelFlag?, watch: Watch? = nil, onStep: ((Int, UInt64) -> Void)?
  ) throws(PruneError) -> [String: Tensor] {
    try check(inputs)
    // Timed steps are this program's own.
    guard let source, onStep == nil else { return try attempt(inputs, cancel, watch, onStep, .never) ?? [:] }
    let hold = ps_invalid_hold()
    defer { ps_invalid_release(hold) }
    // Whoever watches is shown each value once, as far as it goes.
    let alarms = caution.withLock { $0.alarms }
    if watch == nil, alarms < Caution.patience {
      // What other programs left on the pool's threads was the alarm perhaps.
      if alarms > 0 { _ = ps_invalid_take(Int32(clamping: Parallel.threads)) }
      if let results = try attempt(inputs, cancel, watch, nil, .once) { return results }
      caution.withLock { $0.alarms += 1 }
    }
    if let results = try attempt(inputs, cancel, watch, nil, .everywhere) { return results }
    // One that keeps NaN, made when it is first needed.
    if let careful = caution.withLock({ $0.program }) { return try careful.run(inputs, cancel: cancel, watch: watch) }
    var options = source.options
    options.keepsNaN = true
    let careful = try Program(source.model, options, sharing: source.packed)
    caution.withLock { $0.program = careful }
    return try careful.run(inputs, cancel: cancel, watch: watch)
  }

  /// As `run`; nil when a kernel turned, or may have turned, a NaN into a number.
  private func attempt(
    _ inputs: [String: Tensor], _ cancel: CancelFlag?, _ watch: Watch?, _ onStep: ((Int, UInt64) -> Void)?,
    _ looks: LooksForNaN
  ) throws(PruneError) -> [String: Tensor]? {
    let addresses = try variableAddresses()
    let frame: Frame
    if let free = idle.withLock({ $0.frames.popLast() }) { frame = free } else { frame = try Frame(plan) }
    defer { idle.withLock { $0.frames.append(frame) } }
    try frame.bind(variables: addresses)
    frame.watch = watch
    defer { frame.clearSlots() }
    let whole = try storages()
    for part in 0..<plan.divisions {
      feed(inputs, to: frame, part: part)
      guard try execute(frame, cancel, onStep, looks) else { return nil }
      collect(whole, from: frame, part: part)
    }
    return try results(of: frame, whole)
  }

  /// Runs all steps; says false when a NaN became a number, or may have, before a variable was written.
  private func execute(
    _ frame: Frame, _ cancel: CancelFlag?, _ onStep: ((Int, UInt64) -> Void)?, _ looks: LooksForNaN
  ) throws(PruneError) -> Bool {
    let flag = cancel?.pointer
    frame.cancel = cancel
    var failed = -1
    var status: Int32 = 0
    let threads = Parallel.threads
    var meter = NaNMeter(plan, looks, threads: threads)
    var isLost = false
    var usesOne = threads == 1
    defer { if usesOne, threads != 1 { Parallel.threads = threads } }
    // Safe: the steps and all they point to belong to the frame, which this run has to itself.
    frame.steps.withUnsafeBufferPointer { steps in
      for index in steps.indices {
        if let flag, ps_cancel_requested(flag) != 0 {
          status = 1
          failed = index
          return
        }
        if ps_memory_is_short() != 0 {
          status = Int32(PS_STATUS_MEMORY)
          failed = index
          return
        }
        if steps[index].isSingleThreaded != usesOne, threads != 1 {
          usesOne = steps[index].isSingleThreaded
          Parallel.threads = usesOne ? 1 : threads
        }
        if looks != .never, meter.isLost(before: index) {
          isLost = true
          return
        }
        let start = onStep == nil ? 0 : ps_now_ns()
        status = steps[index].run(steps[index].context)
        if looks != .never, meter.isLost(after: index) {
          isLost = true
          return
        }
        onStep?(index, ps_now_ns() - start)
        if status != 0 {
          failed = index
          return
        }
      }
    }
    guard failed >= 0 else { return !isLost && !meter.isLost(atEnd: ()) }
    let place = plan.steps[failed].label
    if let flag, ps_cancel_requested(flag) != 0 {
      frame.failure = nil
      throw PruneError(.cancelled, "cancelled by the caller", at: place)
    }
    if let failure = frame.failure {
      frame.failure = nil
      throw failure.located(at: place)
    }
    throw KernelStatus.error(status, at: place)
  }

  // MARK: - Inputs

  private func check(_ inputs: [String: Tensor]) throws(PruneError) {
    for input in plan.inputs {
      guard let tensor = inputs[input.name] else {
        throw PruneError(.notFound, "input '\(input.name)' is missing: wanted \(Self.text(input))")
      }
      guard tensor.dtype == input.dtype, input.shape == nil || tensor.shape == input.shape else {
        throw PruneError(
          .mismatch,
          "input '\(input.name)' wants \(Self.text(input)), got \(tensor.dtype.name) \(tensor.shape)")
      }
    }
    guard inputs.count > plan.inputs.count else { return }
    for name in inputs.keys.sorted() where inputTypes[name] == nil {
      throw PruneError(
        .notFound, "the model has no input '\(name)'",
        hint: "its inputs are " + plan.inputs.map { "'\($0.name)'" }.joined(separator: ", "))
    }
  }

  private static func text(_ input: Plan.Input) -> String {
    "\(TensorType(input.dtype, input.shape?.dims.map(Dim.fixed)))"
  }

  /// Where the variables are now; those that will be written are made unshared first.
  private func variableAddresses() throws(PruneError) -> [UnsafeMutableRawPointer] {
    guard !plan.variables.isEmpty else { return [] }
    var result: [UnsafeMutableRawPointer] = []
    result.reserveCapacity(plan.variables.count)
    for entry in plan.variables {
      let variable = entry.variable
      guard variable.tensor.dtype == entry.dtype, variable.tensor.shape == entry.shape else {
        throw PruneError(
          .mismatch,
          "variable '\(variable.name)' was compiled as \(entry.dtype.name) \(entry.shape), is \(variable.tensor.dtype.name) \(variable.tensor.shape) now"
        )
      }
      if entry.isUpdated {
        try variable.tensor.makeUnique()
      } else if try !variable.tensor.elementAligned().sharesStorage(with: variable.tensor) {
        variable.tensor = try variable.tensor.copied()
      }
      result.append(variable.tensor.storage.base.advanced(by: variable.tensor.byteOffset))
    }
    return result
  }

  /// Copies a part of the inputs to where the steps read them.
  private func feed(_ inputs: [String: Tensor], to frame: Frame, part: Int) {
    for input in plan.inputs {
      guard let tensor = inputs[input.name] else { continue }
      if let slot = input.slot { frame.slots[slot] = tensor }
      guard let buffer = input.buffer else { continue }
      let count = tensor.byteCount / plan.divisions
      // Safe: dtype and shape were checked, so a part is as many bytes on both sides.
      frame.pointers[buffer].copyMemory(
        from: tensor.storage.base.advanced(by: tensor.byteOffset + part * count), byteCount: count)
    }
  }

  // MARK: - Outputs

  /// Memory for the outputs that steps leave in the arena; nil for others.
  private func storages() throws(PruneError) -> [Storage?] {
    var buffers: [Storage?] = []
    for output in plan.outputs {
      guard case .buffer = output.source, let bytes = output.shape.flatMap({ output.dtype?.byteCount($0.count) }) else {
        buffers.append(nil)
        continue
      }
      buffers.append(try Storage(byteCount: bytes, zeroed: false))
    }
    return buffers
  }

  /// Copies what one part left in the arena.
  private func collect(_ whole: [Storage?], from frame: Frame, part: Int) {
    for (output, storage) in zip(plan.outputs, whole) {
      guard case .buffer(let buffer) = output.source, let storage else { continue }
      let count = storage.byteCount / plan.divisions
      // Safe: the plan gave the buffer the size of dtype and shape, of a part.
      storage.base.advanced(by: part * count).copyMemory(from: frame.pointers[buffer], byteCount: count)
    }
  }

  private func results(of frame: Frame, _ whole: [Storage?]) throws(PruneError) -> [String: Tensor] {
    var results: [String: Tensor] = [:]
    results.reserveCapacity(plan.outputs.count)
    for (output, storage) in zip(plan.outputs, whole) {
      switch output.source {
      case .constant(let tensor): results[output.name] = tensor
      case .variable(let index): results[output.name] = try plan.variables[index].variable.tensor.copied()
      case .slot(let slot):
        guard let tensor = frame.slots[slot] else {
          throw PruneError(.internal, "output '\(output.name)' was not computed")
        }
        results[output.name] = tensor
      case .buffer:
        guard let storage, let dtype = output.dtype, let shape = output.shape else { continue }
        results[output.name] = try Tensor(dtype, shape, over: Bytes(storage: storage))
      }
    }
    return results
  }
}
