import PruneGraph
import PruneTensor

/// Nodes that take a part of an axis, by bounds or by numbers, or repeat it.
extension Surgeon {
  /// Numbers that pick what is left, as they count from now on. A Slice that steps becomes a Gather: what is left of it
  /// need not be evenly spaced.
  mutating func rewritePick(_ index: Int, _ axis: Int, _ space: SpaceForest.ID, _ positions: [Int]) throws(PruneError) {
    guard let mask = forest.mask(space, cut.kept) else { return }
    var next = 0
    let places = mask.map { isKept in
      defer { next += isKept ? 1 : 0 }
      return isKept ? next : nil
    }
    let left = positions.compactMap { places.indices.contains($0) ? places[$0] : nil }
    let node = model.graph.nodes[index]
    guard !left.isEmpty, let data = node.input(0) else {
      throw PruneError(.unsupported, "nothing would be left of what it picks", at: node.label)
    }
    guard node.opType == "Slice" else { return try setIntegers(index, input: 1, attribute: "indices", left) }
    let numbers = Graph.uniqueName(node.layerName + "_indices", &names)
    SharedConstants.store(numbers, try Tensor(left.map { Int64($0) }), &model)
    let attributes = [Attribute("axis", .int(Int64(axis)))]
    guard (bounds(node)?.places.count ?? 1) > 1 else {
      model.graph.nodes[index] = Node(
        "Gather", name: node.name, inputs: [data, numbers], outputs: node.outputs, attributes: attributes)
      return
    }
    let gathered = Graph.uniqueName(node.layerName + "_picked", &names)
    let gather = Node("Gather", name: gathered, inputs: [data, numbers], outputs: [gathered], attributes: attributes)
    pending.append((index, gather))
    model.graph.nodes[index].inputs[0] = gathered
    try rewriteSlice(index, axis, start: 0, count: left.count)
  }

  /// A Tile's repeats, of which the others may be computed.
  mutating func rewriteRepeats(_ index: Int, _ axis: Int, _ count: Int) throws(PruneError) {
    let node = model.graph.nodes[index]
    guard let old = node.input(1), let rank = node.output(0).flatMap({ dependencies.axes[$0]?.count }) else { return }
    let stored = model.graph.initializer(old).flatMap { try? $0.integers() } ?? storedShape(old)
    if var repeats = stored, repeats.indices.contains(axis) {
      repeats[axis] = count
      return try setIntegers(index, input: 1, attribute: "repeats", repeats)
    }
    try mixShape(index, 1, old, (0..<rank).map { $0 == axis ? count : nil })
  }

  /// The axes that a Slice names, and its bounds where they are known.
  private func bounds(_ node: Node) -> (places: [Int], starts: [Int]?, ends: [Int]?, steps: [Int]?)? {
    // An earlier edit of the same node, for another axis, is built upon.
    func current(_ input: Int, _ attribute: String) -> [Int]? {
      guard opset >= 10 else { return node.ints(attribute) }
      guard let name = node.input(input) else { return nil }
      return (model.graph.initializer(name).flatMap { try? $0.integers() }) ?? integers(name)
    }
    guard let rank = node.output(0).flatMap({ dependencies.axes[$0]?.count }) else { return nil }
    let (starts, ends, axes) = (current(1, "starts"), current(2, "ends"), current(3, "axes"))
    let count = starts?.count ?? ends?.count ?? axes?.count ?? 1
    return ((axes ?? Array(0..<count)).map { $0 < 0 ? $0 + rank : $0 }, starts, ends, current(4, "steps"))
  }

  mutating func rewriteSlice(_ index: Int, _ axis: Int, start: Int, count: Int) throws(PruneError) {
    let node = model.graph.nodes[index]
    guard let bounds = bounds(node), let place = bounds.places.firstIndex(of: axis) else { return }
    let isOnlyAxis = bounds.places.count == 1
    guard var starts = bounds.starts ?? (isOnlyAxis ? [0] : nil),
      var ends = bounds.ends ?? (isOnlyAxis ? [0] : nil),
      starts.count == bounds.places.count, ends.count == bounds.places.count
    else { throw PruneError(.unsupported, "its bounds are computed together with open ones", at: node.label) }
    starts[place] = start
    ends[place] = start + count
    try setIntegers(index, input: opset >= 10 ? 1 : nil, attribute: "starts", starts)
    try setIntegers(index, input: opset >= 10 ? 2 : nil, attribute: "ends", ends)
    if var steps = bounds.steps, steps.indices.contains(place), steps[place] != 1 {
      steps[place] = 1
      try setIntegers(index, input: 4, attribute: "steps", steps)
    }
  }
}
