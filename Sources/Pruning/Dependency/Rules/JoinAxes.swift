import PruneGraph

/// Operators that join axes end to end, and cut them.
enum JoinAxes {
  static let rules: [String: AxisRule] = [
    "Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "Pad": pad,
  ]

  private static let concat: AxisRule = { (solver, node) in
    var operands: [[SpaceForest.ID]] = []
    for index in node.inputs.indices {
      guard let x = solver.input(node, index) else { return "the rank of an input is not known" }
      operands.append(x)
    }
    guard let first = operands.first, operands.allSatisfy({ $0.count == first.count }) else {
      return "its inputs do not fit each other"
    }
    let axis = node.int("axis", default: solver.opset < 4 ? 1 : 0), place = axis < 0 ? axis + first.count : axis
    guard first.indices.contains(place) else { return "its axis does not fit its inputs" }
    var result = first
    for other in operands.dropFirst() {
      for index in first.indices where index != place { solver.unify(first[index], other[index], node) }
    }
    let parts = operands.map { $0[place] }
    if parts.contains(where: { solver.forest.size($0) < 0 }) {
      for part in parts { solver.pin(part, node, "the extents it joins are not known") }
      result[place] = solver.fresh(node, place)
    } else {
      result[place] = solver.forest.sum(parts)
    }
    solver.define(node, 0, result)
    return nil
  }

  private static let split: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    let axis = node.int("axis", default: 0), place = axis < 0 ? axis + x.count : axis
    guard x.indices.contains(place) else { return "its axis does not fit its input" }
    var sizes: [Int] = []
    for name in node.outputs {
      guard !name.isEmpty, let dims = solver.dims(name), place < dims.count, dims[place] >= 0 else {
        return "the extents of its parts are not known"
      }
      sizes.append(dims[place])
    }
    guard let parts = cut(&solver, x[place], sizes) else { return "its parts do not line up with the axis it cuts" }
    for (index, part) in parts.enumerated() {
      var result = x
      result[place] = part
      solver.define(node, index, result)
    }
    solver.edit(.split(parts))
    return nil
  }

  /// The space in parts of given sizes, which must add up to it.
  private static func cut(_ solver: inout AxisSolver, _ space: SpaceForest.ID, _ sizes: [Int]) -> [SpaceForest.ID]? {
    guard sizes.reduce(0, +) == solver.forest.size(space) else { return nil }
    var parts: [SpaceForest.ID] = []
    var rest = space
    for (index, size) in sizes.enumerated() {
      if index + 1 == sizes.count || size == solver.forest.size(rest) {
        parts.append(rest)
        if index + 1 < sizes.count { return nil }
      } else {
        guard let (head, tail) = solver.forest.split(rest, at: size) else { return nil }
        parts.append(head)
        rest = tail
      }
    }
    return parts
  }

  private static let slice: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), let output = node.output(0), let dims = solver.dims(output),
      dims.count == x.count
    else {
      return "the rank of its input is not known"
    }
    let types = node.inputs.map { solver.types.types[$0] }
    let constants = node.inputs.map { solver.stored[$0] }, values = node.inputs.map { solver.types.values[$0] }
    guard let operands = try? Operands(node, types: types, constants: constants, values: values, opset: solver.opset),
      let before = types.first??.dims, let slices = try? SliceRanges(operands, dims: before)
    else { return "its bounds are not known" }
    var result = x
    for (axis, space) in x.enumerated() {
      let size = solver.forest.size(space)
      guard let range = slices.ranges[axis], size >= 0 else {
        // Not named among its axes, or of an extent that is not known.
        if dims[axis] != size || size < 0 { result[axis] = cutOff(&solver, node, space, axis) }
        continue
      }
      if range.start == 0, range.count == size, range.step == 1 { continue }
      if range.step != 1, range.count > 0, let name = node.input(0), isFixed(solver, name, axis, space),
        node.inputs.indices.dropFirst().allSatisfy({ node.input($0) == nil || solver.constants(node, $0) != nil })
      {
        result[axis] = picked(&solver, space, (0..<range.count).map { range.start + $0 * range.step }, axis)
        continue
      }
      guard range.step == 1, range.count > 0, let (head, part) = split(&solver, space, range.start, range.count, size)
      else {
        result[axis] = cutOff(&solver, node, space, axis)
        continue
      }
      result[axis] = part
      solver.edit(.slice(axis: axis, before: head, part: part))
    }
    solver.define(node, 0, result)
    return nil
  }

  private static func split(
    _ solver: inout AxisSolver, _ space: SpaceForest.ID, _ start: Int, _ count: Int, _ size: Int
  ) -> (SpaceForest.ID?, SpaceForest.ID)? {
    var head: SpaceForest.ID?
    var rest = space
    if start > 0 {
      guard let (before, after) = solver.forest.split(space, at: start) else { return nil }
      head = before
      rest = after
    }
    if start + count < size {
      guard let (middle, _) = solver.forest.split(rest, at: count) else { return nil }
      rest = middle
    }
    return (head, rest)
  }

  private static func cutOff(_ solver: inout AxisSolver, _ node: Node, _ space: SpaceForest.ID, _ axis: Int)
    -> SpaceForest.ID
  {
    solver.pin(space, node, "it picks these by position")
    return solver.fresh(node, axis, pin: "it picks these by position")
  }

  /// The units of longer axes are not tracked one by one.
  private static let unitLimit = 1 << 20

  /// Whether units of an axis can be picked by constant numbers: they may go, and are as many whenever the model runs.
  private static func isFixed(_ solver: AxisSolver, _ name: String, _ axis: Int, _ space: SpaceForest.ID) -> Bool {
    (1...unitLimit).contains(solver.forest.size(space)) && !solver.isOpen(name, axis) && !isPinned(solver, space)
  }

  /// Indices counted from the front; nil for none, and for any beyond the axis.
  private static func positions(_ indices: [Int], of size: Int) -> [Int]? {
    let result = indices.map { $0 < 0 ? $0 + size : $0 }
    return result.isEmpty || result.contains { !(0..<size).contains($0) } ? nil : result
  }

  private static func picked(
    _ solver: inout AxisSolver, _ space: SpaceForest.ID, _ positions: [Int], _ axis: Int
  ) -> SpaceForest.ID {
    solver.edit(.pick(axis: axis, from: space, positions: positions))
    return solver.forest.pick(space, positions)
  }

  /// Constant indices pick units, which may be removed; computed indices keep all rows. Other axes pass through.
  private static let gather: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    let axis = node.int("axis", default: 0), place = axis < 0 ? axis + x.count : axis
    guard x.indices.contains(place), let output = node.output(0), let dims = solver.dims(output) else {
      return "the shape of its result is not known"
    }
    if let name = node.input(0), let chosen = node.input(1), solver.dims(chosen)?.count == 1,
      isFixed(solver, name, place, x[place]),
      let positions = positions(solver.constants(node, 1) ?? [], of: solver.forest.size(x[place]))
    {
      var result = x
      result[place] = picked(&solver, x[place], positions, place)
      solver.define(node, 0, result)
      return nil
    }
    solver.pin(x[place], node, "it picks these by number")
    let indices = dims.count - (x.count - 1)
    guard indices >= 0 else { return "the shape of its result does not fit" }
    var middle: [SpaceForest.ID] = []
    if let chosen = solver.input(node, 1), chosen.count == indices {
      middle = chosen
      for space in middle { solver.pin(space, node, "it picks these by number") }
    } else {
      middle = (0..<indices).map { solver.fresh(node, place + $0, pin: "it picks these by number") }
    }
    solver.define(node, 0, Array(x[..<place]) + middle + Array(x[(place + 1)...]))
    return nil
  }

  /// Constants in front and behind are units like others: they go with what they are added to.
  private static let pad: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    let types = node.inputs.map { solver.types.types[$0] }
    let constants = node.inputs.map { solver.stored[$0] }, values = node.inputs.map { solver.types.values[$0] }
    guard let operands = try? Operands(node, types: types, constants: constants, values: values, opset: solver.opset),
      let pads = try? SlicingRules.pads(operands, rank: x.count)
    else { return "its pads are not known" }
    let isConstant = node.string("mode", default: "constant") == "constant"
    var result = x
    for axis in x.indices {
      let (before, after) = (pads.begin[axis], pads.end[axis])
      if before == 0, after == 0 { continue }
      guard isConstant, before >= 0, after >= 0, solver.forest.size(x[axis]) > 0, !isPinned(solver, x[axis]) else {
        solver.pin(x[axis], node, "it pads this axis")
        result[axis] = solver.fresh(node, axis, pin: "it pads this axis")
        continue
      }
      let front = before > 0 ? solver.forest.leaf(before) : nil, back = after > 0 ? solver.forest.leaf(after) : nil
      result[axis] = solver.forest.sum([front, x[axis], back].compactMap { $0 })
      solver.edit(.pads(axis: axis, before: front, after: back))
    }
    solver.define(node, 0, result)
    return nil
  }

  private static func isPinned(_ solver: AxisSolver, _ space: SpaceForest.ID) -> Bool {
    solver.forest.leaves(space).allSatisfy { !solver.forest.pins($0).isEmpty }
  }
}
