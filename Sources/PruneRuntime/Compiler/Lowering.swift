import COneDNN
import PruneGraph
import PruneTensor

/// Operations to steps: chooses kernels and layouts, and records what memory lives when.
///
/// A value may lie in memory more than once, in different layouts; reorders are made where a kernel wants a layout
/// that is not there yet, and the result is kept for the next one. Layouts nobody objects to flow on.
final class Lowering {
  /// A value's elements in one layout; nil is row-major of any dtype.
  struct Material {
    var layout: Layout?
    var buffer: Int
  }

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

  private(set) var flow: Dataflow
  var drafts: [Draft] = []
  private(set) var steps: [Plan.Step] = []
  private(set) var materials: [[Material]]
  private var variableBuffers: [Int: Int] = [:]
  private(set) var variables: [(variable: Variable, isUpdated: Bool, dtype: DType, shape: Shape)] = []
  private(set) var slots: [Int: Int] = [:]
  /// The first step that may write a variable.
  private(set) var firstUpdate = Int.max
  /// The last operation that reads each value, `Int.max` for outputs; views count with what they are views of.
  private var lastUse: [Int]
  private var viewGroup: [Int]
  private var current = 0
  /// Whether what is emitted runs on one thread, which it must be made for.
  private var isSingleThreaded = false
  /// Max-pools that a gradient will undo, by the value they pool.
  var poolWorkspaces: [Int: PoolWorkspace] = [:]
  /// The same of those that our own kernels do.
  var poolTraces: [Int: MaxPoolKernels.Trace] = [:]

  /// Joins of images under way, each for those that begin with the same parts.
  var concats: [ConcatKernels.Concat] = []

  /// A max-pool and the record it keeps of where its maxima were.
  struct PoolWorkspace {
    let problem: PoolingKernels.Problem
    let primitive: Primitive
    let buffer: Int
    let layout: Layout
    /// The layout of what was pooled.
    let source: Layout
  }

  let weights: PackedWeights
  /// How the current operation multiplies with its weights, and whether that was decided for sparse ones.
  private var weightUse: WeightUse?

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

  /// Lets go of constants that nothing reads any more: what was packed is not kept twice.
  private func releaseConstants(_ op: Dataflow.Op) {
    for id in op.reads where lastUse[viewGroup[id]] == current && flow.values[id].constant != nil {
      flow.values[id].origin = .computed
    }
  }

  private func lower(_ op: Dataflow.Op, optimizes: Bool) throws(PruneError) {
    let touched = op.reads + op.outputs.compactMap { $0 }
    let isStatic = touched.allSatisfy { flow.values[$0].isStatic }
    if optimizes, isStatic {
      if weightUse?.isSparse ?? false {
        if try attempt(SparseKernels.kernel, op) { return }
        weightUse?.isSparse = false
      }
      if let kernel = FastKernels.kernel(for: op), try attempt(kernel, op) { return }
    }
    if let control = op.control { return try emitControl(op, control) }
    let parts =
      try op.quantized.map { quantized throws(PruneError) in try separate(quantized.parts, into: op) } ?? unfused(op)
    guard parts.isEmpty else {
      for part in parts { try lower(part, optimizes: optimizes) }
      return
    }
    try emitReference(op)
  }

  /// Adds the steps of an operation; nothing of a refused attempt stays.
  private func attempt(_ kernel: FastKernel, _ op: Dataflow.Op) throws(PruneError) -> Bool {
    let (draftCount, stepCount) = (drafts.count, steps.count)
    if try kernel(op, self) { return true }
    drafts.removeSubrange(draftCount...)
    steps.removeSubrange(stepCount...)
    for value in op.reads + op.outputs.compactMap({ $0 }) { materials[value].removeAll { $0.buffer >= draftCount } }
    variableBuffers = variableBuffers.filter { $0.value < draftCount }
    return false
  }

  /// A value that only parts of the current operation touch.
  func temporary(like id: Int, origin: Dataflow.Origin = .computed) -> Int {
    var value = flow.values[id]
    value.origin = origin
    let made = flow.addValue(value)
    materials.append([])
    lastUse.append(current)
    viewGroup.append(made)
    return made
  }

  // MARK: - Values

  func value(_ id: Int) -> Dataflow.Value { flow.values[id] }
  /// Extents of a value that is known to be static.
  func dims(_ id: Int) -> [Int] { flow.values[id].shape?.dims ?? [] }
  func count(_ id: Int) -> Int { flow.values[id].shape?.count ?? 0 }
  func isFloat(_ id: Int?) -> Bool { id.map { flow.values[$0].dtype == .float32 } ?? true }
  func constant(_ id: Int?) -> Tensor? { id.flatMap { flow.values[$0].constant } }

  /// Whether this operation, being the last to read the value, may write its result in its place.
  func canOverwrite(_ id: Int, in op: Dataflow.Op) -> Bool {
    switch flow.values[id].origin {
    case .computed, .input: break
    case .constant, .variable: return false
    }
    let group = viewGroup[id]
    return lastUse[group] <= current && op.reads.filter { viewGroup[$0] == group }.count == 1
  }

  /// Other operations that read a value.
  func readers(of id: Int) -> [Dataflow.Op] { flow.ops.filter { $0.reads.contains(id) } }

  /// The layout a value lies in first; the one its producer chose.
  func home(_ id: Int) throws(PruneError) -> Material {
    if let first = materials[id].first { return first }
    return Material(layout: nil, buffer: try plain(id))
  }

  /// The value's row-major elements.
  func plain(_ id: Int) throws(PruneError) -> Int {
    if let found = materials[id].first(where: { $0.layout?.isRowMajor ?? true }) { return found.buffer }
    let buffer: Int
    switch flow.values[id].origin {
    case .constant(let tensor):
      buffer = add(Draft(kind: .constant(try tensor.elementAligned()), byteCount: tensor.byteCount))
    case .variable(let variable):
      buffer = variableBuffer(id, variable)
    case .input, .computed:
      guard let source = materials[id].first, let from = source.layout,
        let to = Layout.plain(from.dims, type: from.type)
      else {
        throw PruneError(.internal, "value '\(flow.values[id].name)' is read before it is written")
      }
      buffer = try define(id, layout: nil)
      try emitReorder(from: from, source.buffer, to: to, buffer)
      return buffer
    }
    materials[id].append(Material(layout: nil, buffer: buffer))
    return buffer
  }

  /// The value's elements in whatever order they lie, with nothing between them.
  func unordered(_ id: Int) throws(PruneError) -> Int {
    let home = try home(id)
    guard let layout = home.layout, layout.byteCount != value(id).dtype?.byteCount(count(id)) else {
      return home.buffer
    }
    return try plain(id)
  }

  /// The value's elements in `layout`, whose extents may be another view of the same row-major array.
  func buffer(_ id: Int, in layout: Layout) throws(PruneError) -> Int {
    if layout.isRowMajor { return try plain(id) }
    if let found = materials[id].first(where: { $0.layout == layout }) { return found.buffer }
    if case .constant(let tensor) = flow.values[id].origin {
      guard let plain = Layout.plain(layout.dims, type: tensor.dtype.dnnl ?? layout.type),
        let buffer = try packed(id, from: plain, in: layout)
      else { throw PruneError(.unsupported, "no reorder of '\(flow.values[id].name)'") }
      materials[id].append(Material(layout: layout, buffer: buffer))
      return buffer
    }
    let source = materials[id].first { $0.layout.map { $0.dims == layout.dims } ?? false }
    let (from, origin): (Layout?, Int) =
      if let source { (source.layout, source.buffer) } else {
        (Layout.plain(layout.dims, type: layout.type), try plain(id))
      }
    guard let from else { throw PruneError(.internal, "value '\(flow.values[id].name)' has no layout") }
    let buffer = add(Draft(kind: .arena, byteCount: layout.byteCount))
    materials[id].append(Material(layout: layout, buffer: buffer))
    try emitReorder(from: from, origin, to: layout, buffer)
    return buffer
  }

  /// A constant's elements, which lie as `from` says, in another layout. Nil when oneDNN cannot.
  func packed(_ id: Int, from: Layout, in layout: Layout) throws(PruneError) -> Int? {
    guard let tensor = constant(id) else { return nil }
    let key = PackedWeights.Key(source: flow.values[id].derivation ?? Derivation([tensor]), from: from, to: layout)
    if let known = weights.find(key) { return try constantBuffer(known) }
    guard let made = try Reorder.packed(tensor, layout, from: from) else { return nil }
    weights.add(made, key)
    return try constantBuffer(made)
  }

  /// A constant's elements as `fill` lays out `count` numbers of them, from any address. `key` tells this way from
  /// others.
  func packed(
    _ id: Int, key: (from: Layout, to: Layout), count: Int,
    fill: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) throws(PruneError) -> Int? {
    guard let tensor = constant(id) else { return nil }
    let key = PackedWeights.Key(source: flow.values[id].derivation ?? Derivation([tensor]), from: key.from, to: key.to)
    if let known = weights.find(key) { return try constantBuffer(known) }
    let target = try Storage(byteCount: 4 * count, zeroed: false)
    // Safe: callers read no more than the constant has, and the target is of `count` numbers.
    fill(
      UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset)),
      target.base.assumingMemoryBound(to: Float.self))
    tensor.forgetPages()
    let made = try Tensor(.uint8, try Shape([target.byteCount]), over: Bytes(storage: target))
    weights.add(made, key)
    return try constantBuffer(made)
  }

  func variableBuffer(_ id: Int, _ variable: Variable) -> Int {
    if let known = variableBuffers[id] { return known }
    var index = variables.firstIndex { $0.variable === variable }
    if index == nil {
      variables.append((variable, false, variable.tensor.dtype, variable.tensor.shape))
      index = variables.count - 1
    }
    let buffer = add(Draft(kind: .variable(index ?? 0), byteCount: variable.tensor.byteCount))
    variableBuffers[id] = buffer
    return buffer
  }

  /// The variable's memory, to be written in place.
  func updatedBuffer(_ id: Int) throws(PruneError) -> Int {
    guard case .variable(let variable) = flow.values[id].origin else {
      throw PruneError(.invalidModel, "updates '\(flow.values[id].name)', which is not a variable")
    }
    let buffer = try plain(id)
    firstUpdate = min(firstUpdate, steps.count)
    if let index = variables.firstIndex(where: { $0.variable === variable }) { variables[index].isUpdated = true }
    return buffer
  }

  /// A place for a value to be written to.
  func define(_ id: Int, layout: Layout?) throws(PruneError) -> Int {
    let bytes = layout?.byteCount ?? (flow.values[id].dtype?.byteCount(count(id)) ?? 0)
    let buffer = add(Draft(kind: .arena, byteCount: bytes))
    materials[id].append(Material(layout: layout, buffer: buffer))
    return buffer
  }

  /// A value that takes the place of one that `canOverwrite`.
  func define(_ id: Int, layout: Layout?, over buffer: Int) -> Int {
    let made = add(Draft(kind: .alias(of: root(buffer)), byteCount: drafts[buffer].byteCount))
    materials[id].append(Material(layout: layout, buffer: made))
    return made
  }

  /// A place for a value that starts out holding another's elements: the other's own place when it is not needed any
  /// more, else a copy.
  /// - Parameter type: that of the other's elements, which are as wide; nil is the value's own.
  func define(
    _ id: Int, layout: Layout, holding other: Int, type: dnnl_data_type_t? = nil, in op: Dataflow.Op
  ) throws(PruneError) -> Int {
    let held = type.map(layout.typed) ?? layout
    if canOverwrite(other, in: op) { return define(id, layout: layout, over: try buffer(other, in: held)) }
    let home = try home(other)
    guard let from = home.layout ?? Layout.plain(held.dims, type: held.type) else {
      throw PruneError(.internal, "value '\(flow.values[other].name)' has no layout")
    }
    let made = try define(id, layout: layout)
    try emitReorder(from: from, home.buffer, to: held, made)
    return made
  }

  /// A value that is another's row-major elements under other extents.
  func defineView(_ id: Int, of source: Int) throws(PruneError) {
    let buffer = try plain(source)
    materials[id].append(Material(layout: nil, buffer: buffer))
    if case .computed = flow.values[source].origin {
    } else if case .input = flow.values[source].origin {
    } else {
      // A view of a constant or variable must not be overwritten either.
      lastUse[viewGroup[id]] = Int.max
    }
    let (group, other) = (viewGroup[source], viewGroup[id])
    lastUse[group] = max(lastUse[group], lastUse[other])
    for index in viewGroup.indices where viewGroup[index] == other { viewGroup[index] = group }
  }

  /// Keeps operations from writing their results over a value: others lie in the same place.
  func pin(_ id: Int) { lastUse[viewGroup[id]] = Int.max }

  /// Memory for one step.
  func scratch(_ byteCount: Int) -> Int { add(Draft(kind: .arena, byteCount: byteCount)) }

  /// Memory that holds a constant of the kernel's own.
  func constantBuffer(_ tensor: Tensor) throws(PruneError) -> Int {
    add(Draft(kind: .constant(tensor), byteCount: tensor.byteCount))
  }

  func slot(_ id: Int) -> Int {
    if let known = slots[id] { return known }
    slots[id] = slots.count
    return slots.count - 1
  }

  private func add(_ draft: Draft) -> Int {
    drafts.append(draft)
    return drafts.count - 1
  }

  func root(_ buffer: Int) -> Int {
    if case .alias(let other) = drafts[buffer].kind { return root(other) }
    return buffer
  }

  // MARK: - Steps

  /// Adds a step. `reads` and `writes` are buffers; `bind` resolves their pointers.
  func emit(
    _ label: String, reads: [Int], writes: [Int], isReference: Bool = false, losesNaN: Bool = false,
    runsPrograms: Bool = false,
    bind: @escaping (Frame) throws(PruneError) -> BoundStep
  ) {
    for buffer in reads + writes {
      let place = root(buffer)
      drafts[place].first = min(drafts[place].first, steps.count)
      drafts[place].last = max(drafts[place].last, steps.count)
    }
    steps.append(
      Plan.Step(
        label: label, isReference: isReference, isSingleThreaded: isSingleThreaded, losesNaN: losesNaN,
        runsPrograms: runsPrograms,
        weights: label == Self.reorderLabel ? nil : weightUse, bind: bind))
  }

  /// Makes and emits what `body` does for one thread, if so said.
  private func singleThreaded(_ isSingleThreaded: Bool, _ body: () throws(PruneError) -> Void) throws(PruneError) {
    let (before, threads) = (self.isSingleThreaded, Parallel.threads)
    self.isSingleThreaded = isSingleThreaded || before
    if self.isSingleThreaded, threads != 1 { Parallel.threads = 1 }
    defer {
      self.isSingleThreaded = before
      if threads != 1 { Parallel.threads = threads }
    }
    try body()
  }

  /// What steps are called that only lay a value out anew.
  static let reorderLabel = "Reorder"

  private func emitReorder(from: Layout, _ source: Int, to: Layout, _ target: Int) throws(PruneError) {
    try singleThreaded(WorkEstimate.isSmall(movedBytes: from.byteCount + to.byteCount)) { () throws(PruneError) in
      guard let primitive = Primitive.reorder(from: from, to: to) else {
        throw PruneError(.unsupported, "oneDNN has no reorder between these layouts")
      }
      emit(
        Self.reorderLabel, primitive,
        [.init(DNNL_ARG_FROM, source, from), .init(DNNL_ARG_TO, target, to, isWritten: true)])
    }
  }
}
