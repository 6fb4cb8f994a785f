import PruneGraph
import PruneTensor

/// Which units stay: a mask for every space that loses some.
package struct Cut: Sendable {
  /// The mask of each group, by its space; true stays.
  var kept: [SpaceForest.ID: [Bool]]

  var isEmpty: Bool { kept.isEmpty }

  /// - Parameter removed: units to remove of each group, by the group's place in the list.
  init(_ dependencies: Dependencies, removed: [[Int]]) {
    kept = [:]
    for (group, units) in zip(dependencies.groups, removed) where !units.isEmpty {
      var mask = [Bool](repeating: true, count: group.size)
      for unit in units where mask.indices.contains(unit) { mask[unit] = false }
      kept[group.space] = mask
    }
    spare(dependencies)
  }

  /// Gives back the first of what a node picks by number where it would be left with nothing.
  private mutating func spare(_ dependencies: Dependencies) {
    let forest = dependencies.forest
    for space in forest.picks {
      guard let mask = forest.mask(space, kept), !mask.contains(true) else { continue }
      for leaf in forest.leaves(space) {
        if let unit = forest.coordinates(space, of: leaf).first, unit >= 0 { kept[leaf]?[unit] = true }
      }
    }
    kept = kept.filter { $0.value.contains(false) }
  }

  func removes(_ unit: Int, of group: UnitGroup) -> Bool { kept[group.space]?[unit] == false }

  /// How many units of a group go.
  func removed(of group: UnitGroup) -> Int { kept[group.space]?.count { !$0 } ?? 0 }
}

/// Removes units from every tensor they reach, and makes what depends on sizes follow.
struct Surgeon {
  let dependencies: Dependencies
  let cut: Cut
  var model: Model
  var names: Set<String>
  let opset: Int64

  /// The spaces of tensors that the model was given since.
  private let added: [String: [SpaceForest.ID]]

  /// The model without the units that `cut` removes.
  /// - Parameters:
  ///   - prepared: the model that was solved, with other numbers in its tensors; nil takes it as it is.
  ///   - added: the spaces of tensors that only `prepared` has.
  static func operate(
    _ dependencies: Dependencies, _ cut: Cut, on prepared: Model? = nil, added: [String: [SpaceForest.ID]] = [:]
  ) throws(PruneError) -> Model {
    var surgeon = Surgeon(dependencies, cut, prepared ?? dependencies.model, added)
    try surgeon.shrinkTensors()
    for edit in dependencies.edits { try surgeon.apply(edit) }
    surgeon.updateTypes()
    surgeon.model.removeDeadNodes()
    try surgeon.freezeExtents()
    surgeon.model.graph.nameNodesApart(since: dependencies.model.graph)
    return surgeon.model
  }

  private init(_ dependencies: Dependencies, _ cut: Cut, _ model: Model, _ added: [String: [SpaceForest.ID]]) {
    self.dependencies = dependencies
    self.cut = cut
    self.model = model
    self.added = added
    names = model.graph.allNames
    opset = model.opset() ?? 1
  }

  // MARK: - Sizes

  var forest: SpaceForest { dependencies.forest }

  func isChanged(_ space: SpaceForest.ID) -> Bool { forest.leaves(space).contains { cut.kept[$0] != nil } }

  private func newSize(_ space: SpaceForest.ID) -> Int {
    forest.mask(space, cut.kept)?.count { $0 } ?? forest.size(space)
  }

  /// The new extents of a value's axes that change, by axis.
  private func changes(_ name: String) -> [Int: Int] {
    var result: [Int: Int] = [:]
    for (axis, space) in (dependencies.axes[name] ?? []).enumerated() where isChanged(space) {
      result[axis] = newSize(space)
    }
    return result
  }

  // MARK: - Tensors

  private mutating func shrinkTensors() throws(PruneError) {
    var state = model.optimizerState
    // What was remembered of a weight in the form it was stored in says nothing of the form that is cut.
    for (name, entries) in state?.tensors ?? [:] {
      guard let shape = model.graph.initializer(name)?.shape else { continue }
      if entries.values.contains(where: { $0.shape != shape }) { state?.tensors[name] = nil }
    }
    for initializer in model.graph.initializers {
      guard let small = try shrunk(initializer.name, initializer.tensor) else { continue }
      model.graph.setInitializer(initializer.name, small)
      // What an optimizer remembers of a weight goes with it.
      try state?.transform(initializer.name) { (tensor) throws(PruneError) in
        try shrunk(initializer.name, tensor) ?? tensor
      }
      for index in model.graph.inputs.indices where model.graph.inputs[index].name == initializer.name {
        model.graph.inputs[index].type = TensorType(small.dtype, small.shape)
      }
    }
    model.optimizerState = state
    for (index, node) in dependencies.model.graph.nodes.enumerated() where node.isStandard && node.opType == "Constant"
    {
      guard let name = node.output(0), let tensor = node.tensor("value"), let small = try shrunk(name, tensor) else {
        continue
      }
      model.graph.nodes[index].set("value", .tensor(TensorValue(name: "", tensor: small)))
    }
  }

  private func shrunk(_ name: String, _ tensor: Tensor) throws(PruneError) -> Tensor? {
    guard let spaces = dependencies.axes[name] ?? added[name] else { return nil }
    let masks = spaces.map { forest.mask($0, cut.kept) }
    guard masks.contains(where: { $0 != nil }) else { return nil }
    let positions = masks.map { mask in mask.map { mask in mask.indices.filter { mask[$0] } } }
    // Codes of 4 bits share bytes: they are moved as bytes.
    guard tensor.dtype.bitWidth < 8, tensor.dtype.isInteger else { return try tensor.keeping(positions) }
    return try tensor.cast(to: .int8).keeping(positions).cast(to: tensor.dtype)
  }

  // MARK: - Nodes

  private mutating func apply(_ edit: NodeEdit) throws(PruneError) {
    let node = dependencies.model.graph.nodes[edit.node]
    switch edit.kind {
    case .attribute(let name, let space):
      if isChanged(space) { model.graph.nodes[edit.node].set(name, .int(Int64(newSize(space)))) }
    case .product(let name, let spaces):
      if spaces.contains(where: { isChanged($0) }) {
        model.graph.nodes[edit.node].set(name, .int(Int64(spaces.reduce(1) { $0 * newSize($1) })))
      }
    case .elements(let name, let space):
      guard let mask = forest.mask(space, cut.kept), let value = node.attribute(name) else { return }
      model.graph.nodes[edit.node].set(name, value.keeping(mask))
    case .constant(let name, let value, let space):
      if isChanged(space) { model.graph.nodes[edit.node].set(name, .float(value)) }
    case .shape(let input):
      guard let output = node.output(0), !changes(output).isEmpty else { return }
      try rewriteShape(edit.node, node, input, output)
    case .repeats(let axis):
      if let output = node.output(0), let count = changes(output)[axis] { try rewriteRepeats(edit.node, axis, count) }
    case .split(let parts):
      guard parts.contains(where: { isChanged($0) }) else { return }
      let sizes = parts.map { newSize($0) }
      model.graph.nodes[edit.node].set("num_outputs", nil)
      try setIntegers(edit.node, input: opset >= 13 ? 1 : nil, attribute: "split", sizes)
    case .slice(let axis, let before, let part):
      guard before.map({ isChanged($0) }) == true || isChanged(part) else { return }
      try rewriteSlice(edit.node, axis, start: before.map { newSize($0) } ?? 0, count: newSize(part))
    case .pick(let axis, let space, let positions): try rewritePick(edit.node, axis, space, positions)
    case .pads(let axis, let before, let after):
      guard [before, after].contains(where: { $0.map { isChanged($0) } ?? false }) else { return }
      try rewritePads(edit.node, axis, before.map { newSize($0) }, after.map { newSize($0) })
    }
  }

  /// Gives a node integers, as an input of its own or as an attribute.
  mutating func setIntegers(_ index: Int, input: Int?, attribute: String, _ values: [Int]) throws(PruneError) {
    guard let input else {
      model.graph.nodes[index].set(attribute, .integers(values))
      return
    }
    let name = Graph.uniqueName(model.graph.nodes[index].layerName + "_" + attribute, &names)
    SharedConstants.store(name, try Tensor(values.map { Int64($0) }), &model)
    while model.graph.nodes[index].inputs.count <= input { model.graph.nodes[index].inputs.append("") }
    model.graph.nodes[index].inputs[input] = name
  }

  func integers(_ name: String?) -> [Int]? {
    guard let name else { return nil }
    if let tensor = dependencies.model.graph.initializer(name) { return try? tensor.integers() }
    if let producer = dependencies.model.graph.nodes.first(where: { $0.outputs.contains(name) }),
      let tensor = producer.tensor("value")
    {
      return try? tensor.integers()
    }
    return dependencies.symbolic.values[name]?.integers
  }

  private mutating func rewritePads(_ index: Int, _ axis: Int, _ before: Int?, _ after: Int?) throws(PruneError) {
    let node = model.graph.nodes[index]
    let isInput = opset >= 11
    let name = isInput ? "" : opset < 2 ? "paddings" : "pads"
    guard let rank = dependencies.axes[node.input(0) ?? ""]?.count,
      var pads = isInput
        ? (node.input(1).flatMap { model.graph.initializer($0) }.flatMap { try? $0.integers() }
          ?? integers(node.input(1)))
        : node.ints(name)
    else { throw PruneError(.unsupported, "its pads are not known", at: node.label) }
    var axes = Array(0..<rank)
    if opset >= 18, let listed = integers(node.input(3)) { axes = listed.map { $0 < 0 ? $0 + rank : $0 } }
    guard let place = axes.firstIndex(of: axis), pads.count == 2 * axes.count else { return }
    if let before { pads[place] = before }
    if let after { pads[place + axes.count] = after }
    try setIntegers(index, input: isInput ? 1 : nil, attribute: isInput ? "pads" : name, pads)
  }

  // MARK: - Shapes

  /// A shape input with new numbers where axes shrink. Extents that are only known at run time are copied from the
  /// input (0), computed by the node (-1), or taken from the old shape, element by element.
  private mutating func rewriteShape(_ index: Int, _ node: Node, _ input: Int, _ output: String) throws(PruneError) {
    let changes = changes(output)
    guard let spaces = dependencies.axes[output] else { return }
    let isReshape = node.opType == "Reshape"
    if isReshape, opset < 5 {
      guard var shape = node.ints("shape") else { return }
      for (axis, size) in changes where axis < shape.count && shape[axis] != -1 { shape[axis] = size }
      model.graph.nodes[index].set("shape", .integers(shape))
      return
    }
    if var shape = storedShape(node.input(input)), shape.count <= spaces.count {
      // Expand may name trailing axes alone, and says 1 for what its input gives.
      let lead = spaces.count - shape.count
      for (axis, size) in changes
      where axis >= lead && shape[axis - lead] != -1 && (isReshape || shape[axis - lead] != 1) {
        shape[axis - lead] = size
      }
      return try setIntegers(index, input: input, attribute: "shape", shape)
    }
    let after = dependencies.symbolic.types[output]?.dims ?? []
    let before = node.input(0).flatMap { dependencies.symbolic.types[$0]?.dims } ?? []
    var entries = [Int?](repeating: nil, count: spaces.count)
    for axis in spaces.indices {
      if axis < after.count, let fixed = after[axis].value {
        entries[axis] = changes[axis] ?? fixed
      } else if isReshape, axis < before.count, axis < after.count, before[axis] == after[axis],
        before[axis] != .unknown,
        node.int("allowzero", default: 0) == 0
      {
        entries[axis] = 0
      }
    }
    let open = entries.indices.filter { entries[$0] == nil }
    if isReshape, open.count == 1 { entries[open[0]] = -1 }
    let numbers = entries.compactMap { $0 }
    if numbers.count == entries.count { return try setIntegers(index, input: input, attribute: "shape", numbers) }
    guard !open.contains(where: { changes[$0] != nil }), let old = node.input(input) else {
      throw PruneError(
        .unsupported, "several of the extents it makes are open, and one of them shrinks", at: node.label)
    }
    try mixShape(index, input, old, entries)
  }

  func storedShape(_ name: String?) -> [Int]? {
    guard let name else { return nil }
    if let tensor = dependencies.model.graph.initializer(name) { return try? tensor.integers() }
    return dependencies.stored[name].flatMap { try? $0.integers() }
  }

  /// old[i] where there is no entry: Where(mask, old, new) over the whole vector.
  mutating func mixShape(_ index: Int, _ input: Int, _ old: String, _ entries: [Int?]) throws(PruneError) {
    let base = model.graph.nodes[index].layerName
    let mask = Graph.uniqueName(base + "_open", &names), new = Graph.uniqueName(base + "_extents", &names)
    let result = Graph.uniqueName(base + "_shape", &names)
    let flags = try Tensor(entries.map { UInt8($0 == nil ? 1 : 0) }).cast(to: .bool)
    SharedConstants.store(mask, flags, &model)
    SharedConstants.store(new, try Tensor(entries.map { Int64($0 ?? 0) }), &model)
    pending.append((index, Node("Where", name: result, inputs: [mask, old, new], outputs: [result])))
    model.graph.nodes[index].inputs[input] = result
  }
  /// Nodes to insert in front of others.
  var pending: [(index: Int, node: Node)] = []

  /// Extents that are still computed say what they said before: factors made from them, such as 1 / sqrt(head size),
  /// are part of what the network learned.
  private mutating func freezeExtents() throws(PruneError) {
    var nodes: [Node] = []
    nodes.reserveCapacity(model.graph.nodes.count)
    for var node in model.graph.nodes {
      guard node.isStandard, node.opType == "Shape" || node.opType == "Size", let input = node.input(0),
        let output = node.output(0),
        case let changes = changes(input), !changes.isEmpty
      else {
        nodes.append(node)
        continue
      }
      let old = dependencies.symbolic.types[input]?.dims ?? []
      guard node.opType == "Shape" else {
        throw PruneError(.unsupported, "a number of elements that changes is computed from", at: node.label)
      }
      let rank = old.count
      func bound(_ name: String, _ value: Int) -> Int {
        let number = node.int(name, default: value)
        return min(max(number < 0 ? number + rank : number, 0), rank)
      }
      let first = bound("start", 0), last = max(bound("end", rank), first)
      var lost = [Int64](repeating: 0, count: last - first)
      for (axis, size) in changes where (first..<last).contains(axis) {
        lost[axis - first] = Int64((old[axis].value ?? size) - size)
      }
      let now = Graph.uniqueName(output + "_now", &names), removedName = Graph.uniqueName(output + "_removed", &names)
      SharedConstants.store(removedName, try Tensor(lost), &model)
      node.outputs[0] = now
      nodes.append(node)
      nodes.append(Node("Add", name: output, inputs: [now, removedName], outputs: [output]))
    }
    model.graph.nodes = nodes
  }

  // MARK: - Types

  /// Declared types of inner values and outputs. Nodes that were put off are inserted.
  private mutating func updateTypes() {
    for index in model.graph.valueInfo.indices {
      model.graph.valueInfo[index].type = updated(model.graph.valueInfo[index])
    }
    for index in model.graph.outputs.indices { model.graph.outputs[index].type = updated(model.graph.outputs[index]) }
    for (index, node) in pending.reversed() { model.graph.nodes.insert(node, at: index) }
    pending = []
  }

  private func updated(_ info: ValueInfo) -> TensorType? {
    guard var type = info.type, let dims = type.dims, case let changes = changes(info.name), !changes.isEmpty else {
      return info.type
    }
    type.dims = dims.enumerated().map { axis, dim in changes[axis].map { dim.value == nil ? dim : .fixed($0) } ?? dim }
    return type
  }
}
