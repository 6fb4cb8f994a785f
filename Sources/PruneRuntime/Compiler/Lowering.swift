import COneDNN
import PruneGraph
import PruneTensor

/// Operations to steps: chooses kernels and layouts, and records what memory lives when.
///
/// A value may lie in memory more than once, in different layouts; reorders are made where a kernel wants a layout
/// that is not there yet, and the result is kept for the next one. Layouts nobody objects to flow on.
final class Lowering: Emitter {
  /// Memory that is asked for, and the steps from the first to the last that touch it.
  struct Draft {
    enum Kind {
      case arena
      case constant(Tensor)
      case variable(Int)
      /// The same place as another buffer.
      case alias(of: Int)
    }
    var kind: Kind
    var byteCount: Int
    var first = Int.max
    var last = Int.min
  }

  var flow: Dataflow
  var drafts: [Draft] = []
  var steps: [Plan.Step] = []
  var materials: [[Material]]
  var variableBuffers: [Int: Int] = [:]
  var variables: [(variable: Variable, isUpdated: Bool, dtype: DType, shape: Shape)] = []
  var slots: [Int: Int] = [:]
  /// The first step that may write a variable.
  var firstUpdate = Int.max
  /// The last operation that reads each value, `Int.max` for outputs; views count as their base value.
  var lastUse: [Int]
  var viewGroup: [Int]
  var current = 0
  /// Whether the emitted steps run on one thread; they must be made for it.
  var isSingleThreaded = false
  /// What kernels left for later ones, by the type of the notes.
  var notes: [ObjectIdentifier: any KernelNotes] = [:]
  /// What the steps that are emitted run by, and why candidates that were asked before do not.
  var kernel = Lowering.reference
  var refusals: [String] = []
  static let reference = "reference"

  let weights: PackedWeights
  /// How the current operation multiplies with its weights, and whether that was decided for sparse ones.
  var weightUse: WeightUse?

  private init(_ flow: consuming Dataflow, _ weights: PackedWeights) {
    self.weights = weights
    materials = Array(repeating: [], count: flow.values.count)
    lastUse = Array(repeating: -1, count: flow.values.count)
    viewGroup = Array(flow.values.indices)
    for (index, op) in flow.ops.enumerated() {
      for value in op.reads { lastUse[value] = index }
      // Where no kernel takes codes, what the operation was made of is run, and reads scales and zero points.
      for part in op.quantized?.parts ?? [] { for value in part.reads { lastUse[value] = index } }
    }
    for output in flow.outputs { lastUse[output.value] = Int.max }
    self.flow = flow
  }

  /// - Parameters:
  ///   - optimizes: false runs everything by reference kernels.
  ///   - packed: weights that programs of the model packed.
  ///   - uses: how operations with constant weights multiply with them, by their position.
  static func run(
    _ flow: consuming Dataflow, optimizes: Bool, packed: PackedWeights, uses: [Int: WeightUse] = [:]
  ) throws(PruneError) -> Plan {
    let lowering = Lowering(flow, packed)
    let (inputs, ops) = (lowering.flow.inputs, lowering.flow.ops)
    let singleThreaded = optimizes ? WorkEstimate.singleThreaded(lowering.flow) : ops.map { _ in false }
    for input in inputs where lowering.lastUse[input] >= 0 {
      guard lowering.flow.values[input].isStatic else {
        _ = lowering.slot(input)
        continue
      }
      let buffer = try lowering.define(input, layout: nil)
      lowering.drafts[buffer].first = -1
      lowering.drafts[buffer].last = -1
    }
    for watched in lowering.flow.watched where !ops.contains(where: { $0.outputs.contains(watched.value) }) {
      try lowering.emitWatch(watched, of: Node("Identity", name: watched.name, inputs: [], outputs: []))
    }
    for (index, op) in ops.enumerated() {
      lowering.current = index
      lowering.weightUse = uses[index]
      do {
        try lowering.singleThreaded(singleThreaded[index]) { () throws(PruneError) in
          try lowering.lower(op, optimizes: optimizes)
          for watched in lowering.flow.watched where op.outputs.contains(watched.value) {
            try lowering.emitWatch(watched, of: op.node)
          }
        }
      } catch {
        throw error.located(at: op.node.label)
      }
      lowering.releaseConstants(op)
    }
    return try lowering.finish()
  }

  // MARK: - Operations

  /// Drops constants that nothing reads any more: a packed constant is not kept twice.
  private func releaseConstants(_ op: Dataflow.Op) {
    for id in op.reads where lastUse[viewGroup[id]] == current && flow.values[id].constant != nil {
      flow.values[id].origin = .computed
    }
  }

  private func lower(_ op: Dataflow.Op, optimizes: Bool) throws(PruneError) {
    let touched = op.reads + op.outputs.compactMap { $0 }
    refusals = []
    if optimizes, touched.allSatisfy({ flow.values[$0].isStatic }), try lowerFast(op) { return }
    if let control = op.control { return try emitControl(op, control) }
    let parts =
      try op.quantized.map { quantized throws(PruneError) in try separate(quantized.parts, into: op) } ?? unfused(op)
    guard parts.isEmpty else {
      for part in parts { try lower(part, optimizes: optimizes) }
      return
    }
    try emitReference(op)
  }

  /// Asks the candidates for an operation, one after the other.
  private func lowerFast(_ op: Dataflow.Op) throws(PruneError) -> Bool {
    if weightUse?.isSparse ?? false {
      if let kernel = SparseKernels.kernels[op.key],
        try attempt(KernelCandidate(family: SparseKernels.self, kernel: kernel), before: [], op) == .accepted
      {
        return true
      }
      weightUse?.isSparse = false
    }
    let candidates = FastKernels.candidates(for: op)
    for (index, candidate) in candidates.enumerated() {
      switch try attempt(candidate, before: candidates[(index + 1)...], op) {
      case .accepted: return true
      case .left: return false
      case .passed: continue
      }
    }
    return false
  }

  private enum Attempt {
    case accepted
    /// Declined: the next candidate is asked.
    case passed
    /// No kernel fits: the fused operations must be split off.
    case left
  }

  /// Adds the steps of an operation; nothing of a refused attempt stays.
  private func attempt(
    _ candidate: KernelCandidate, before others: ArraySlice<KernelCandidate>, _ op: Dataflow.Op
  ) throws(PruneError) -> Attempt {
    let (draftCount, stepCount, notes) = (drafts.count, steps.count, self.notes)
    kernel = candidate.family.name
    let (attempt, reason) = try outcome(of: candidate, before: others, op)
    if let reason { refusals.append("\(candidate.family.name): \(reason)") }
    guard attempt != .accepted else { return attempt }
    kernel = Self.reference
    drafts.removeSubrange(draftCount...)
    steps.removeSubrange(stepCount...)
    for value in op.reads + op.outputs.compactMap({ $0 }) { materials[value].removeAll { $0.buffer >= draftCount } }
    variableBuffers = variableBuffers.filter { $0.value < draftCount }
    self.notes = notes
    return attempt
  }

  private func outcome(
    of candidate: KernelCandidate, before others: ArraySlice<KernelCandidate>, _ op: Dataflow.Op
  ) throws(PruneError) -> (Attempt, reason: String?) {
    let verdict = try candidate.family.verdict(on: op, self)
    if case .refuses(let reason) = verdict { return (.passed, reason) }
    if let cost = try candidate.family.cost(of: op, self) {
      for other in others {
        guard let rival = try other.family.cost(of: op, self), rival <= cost else { continue }
        return (.passed, "\(other.family.name) takes less time")
      }
    }
    if case .takesBare(let reason) = verdict { return (.left, reason) }
    return try candidate.kernel(op, self) ? (.accepted, nil) : (.passed, "it has no kernel of this form")
  }

  /// A value that only parts of the current operation touch.
  func temporary(like id: Int, origin: Dataflow.Origin = .computed) -> Int {
    var value = flow.values[id]
    value.origin = origin
    let id = flow.addValue(value)
    materials.append([])
    lastUse.append(current)
    viewGroup.append(id)
    return id
  }

  /// Makes and emits what `body` does for one thread, if so said.
  func singleThreaded(_ isSingleThreaded: Bool, _ body: () throws(PruneError) -> Void) throws(PruneError) {
    let (before, threads) = (self.isSingleThreaded, Parallel.threads)
    self.isSingleThreaded = isSingleThreaded || before
    if self.isSingleThreaded, threads != 1 { Parallel.threads = 1 }
    defer {
      self.isSingleThreaded = before
      if threads != 1 { Parallel.threads = threads }
    }
    try body()
  }
}
