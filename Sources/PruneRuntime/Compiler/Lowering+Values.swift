import COneDNN
import PruneGraph
import PruneTensor

/// Where values lie: in the layouts that kernels asked for, made when they are first asked for and then kept.
extension Lowering {
  func value(_ id: Int) -> Dataflow.Value { flow.values[id] }
  var keepsNaN: Bool { flow.keepsNaN }

  func canOverwrite(_ id: Int, in op: Dataflow.Op) -> Bool {
    switch flow.values[id].origin {
    case .computed, .input: break
    case .constant, .variable: return false
    }
    let group = viewGroup[id]
    return lastUse[group] <= current && op.reads.filter { viewGroup[$0] == group }.count == 1
  }

  func readers(of id: Int) -> [Dataflow.Op] { flow.ops.filter { $0.reads.contains(id) } }

  func home(_ id: Int) throws(PruneError) -> Material {
    if let first = materials[id].first { return first }
    return Material(layout: nil, buffer: try plain(id))
  }

  private func rowMajor(_ id: Int) throws(PruneError) -> Int {
    if let material = materials[id].first(where: { $0.layout?.isRowMajor ?? true }) { return material.buffer }
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

  /// The value's elements in any order, with no gap between them.
  func unordered(_ id: Int) throws(PruneError) -> Int {
    let home = try home(id)
    guard let layout = home.layout, layout.byteCount != value(id).dtype?.byteCount(count(id)) else {
      return home.buffer
    }
    return try plain(id)
  }

  func buffer(_ id: Int, in layout: Layout?) throws(PruneError) -> Int {
    guard let layout, !layout.isRowMajor else { return try rowMajor(id) }
    if let material = materials[id].first(where: { $0.layout == layout }) { return material.buffer }
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

  func packed(
    _ id: Int, key: (from: Layout, to: Layout), make: (Tensor) throws(PruneError) -> Tensor?
  ) throws(PruneError) -> (buffer: Int, tensor: Tensor)? {
    guard let tensor = constant(id) else { return nil }
    let key = PackedWeights.Key(source: flow.values[id].derivation ?? Derivation([tensor]), from: key.from, to: key.to)
    if let packed = weights.find(key) { return (try constantBuffer(packed), packed) }
    guard let packed = try make(tensor) else { return nil }
    weights.add(packed, key)
    return (try constantBuffer(packed), packed)
  }

  func variableBuffer(_ id: Int, _ variable: Variable) -> Int {
    if let buffer = variableBuffers[id] { return buffer }
    var index = variables.firstIndex { $0.variable === variable }
    if index == nil {
      variables.append((variable, false, variable.tensor.dtype, variable.tensor.shape))
      index = variables.count - 1
    }
    let buffer = add(Draft(kind: .variable(index ?? 0), byteCount: variable.tensor.byteCount))
    variableBuffers[id] = buffer
    return buffer
  }

  func updatedBuffer(_ id: Int) throws(PruneError) -> Int {
    guard case .variable(let variable) = flow.values[id].origin else {
      throw PruneError(.invalidModel, "updates '\(flow.values[id].name)', which is not a variable")
    }
    let buffer = try plain(id)
    firstUpdate = min(firstUpdate, steps.count)
    if let index = variables.firstIndex(where: { $0.variable === variable }) { variables[index].isUpdated = true }
    return buffer
  }

  func define(_ id: Int, layout: Layout?) throws(PruneError) -> Int {
    let bytes = layout?.byteCount ?? (flow.values[id].dtype?.byteCount(count(id)) ?? 0)
    let buffer = add(Draft(kind: .arena, byteCount: bytes))
    materials[id].append(Material(layout: layout, buffer: buffer))
    return buffer
  }

  func define(_ id: Int, layout: Layout?, over buffer: Int, isShared: Bool) -> Int {
    let alias = add(Draft(kind: .alias(of: root(buffer)), byteCount: drafts[buffer].byteCount))
    materials[id].append(Material(layout: layout, buffer: alias))
    if isShared { lastUse[viewGroup[id]] = Int.max }
    return alias
  }

  func define(
    _ id: Int, layout: Layout, holding other: Int, type: dnnl_data_type_t?, in op: Dataflow.Op
  ) throws(PruneError) -> Int {
    let typedLayout = type.map(layout.typed) ?? layout
    if canOverwrite(other, in: op) { return define(id, layout: layout, over: try buffer(other, in: typedLayout)) }
    let home = try home(other)
    guard let from = home.layout ?? Layout.plain(typedLayout.dims, type: typedLayout.type) else {
      throw PruneError(.internal, "value '\(flow.values[other].name)' has no layout")
    }
    let buffer = try define(id, layout: layout)
    try emitReorder(from: from, home.buffer, to: typedLayout, buffer)
    return buffer
  }

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

  subscript<Notes: KernelNotes>(_ type: Notes.Type) -> Notes {
    get { notes[ObjectIdentifier(type)] as? Notes ?? Notes() }
    set { notes[ObjectIdentifier(type)] = newValue }
  }

  func scratch(_ byteCount: Int) -> Int { add(Draft(kind: .arena, byteCount: byteCount)) }

  func constantBuffer(_ tensor: Tensor) throws(PruneError) -> Int {
    add(Draft(kind: .constant(tensor), byteCount: tensor.byteCount))
  }

  func slot(_ id: Int) -> Int {
    if let slot = slots[id] { return slot }
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
}
