import PruneGraph

/// Operators that rearrange elements: axes move, split and merge.
enum LayoutAxes {
  static let rules: [String: AxisRule] = [
    "Reshape": { (solver, node) in
      solver.edit(.shape(input: 1))
      return reshape(&solver, node)
    },
    "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape,
    "Transpose": { (solver, node) in
      guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
      let order = node.ints("perm") ?? Array(x.indices.reversed())
      guard order.count == x.count, Set(order) == Set(x.indices) else { return "its perm does not fit its input" }
      solver.define(node, 0, order.map { x[$0] })
      return nil
    },
    "Expand": { (solver, node) in
      guard let x = solver.input(node, 0), let output = node.output(0), let dims = solver.dims(output),
        dims.count >= x.count
      else {
        return "the shape of its result is not known"
      }
      solver.edit(.shape(input: 1))
      let lead = dims.count - x.count
      let repeated = dims.indices.map { $0 < lead || solver.forest.size(x[$0 - lead]) != dims[$0] }
      let result = dims.indices.map { repeated[$0] ? solver.fresh(node, $0) : x[$0 - lead] }
      solver.repeat(repeated, of: result)
      solver.define(node, 0, result)
      return nil
    },
    "ConstantOfShape": { (solver, node) in
      guard let output = node.output(0), let dims = solver.dims(output) else {
        return "the shape of its result is not known"
      }
      solver.edit(.shape(input: 0))
      solver.define(node, 0, dims.indices.map { solver.fresh(node, $0) })
      return nil
    },
    "Tile": { (solver, node) in
      guard let x = solver.input(node, 0), let output = node.output(0), let dims = solver.dims(output),
        dims.count == x.count
      else {
        return "the shape of its result is not known"
      }
      var result: [SpaceForest.ID] = []
      for (axis, space) in x.enumerated() {
        let size = solver.forest.size(space)
        if size > 0, dims[axis] == size {
          result.append(space)
        } else if size == 1 {
          result.append(solver.fresh(node, axis))
          solver.edit(.repeats(axis: axis))
        } else if size > 0, dims[axis] > 0, dims[axis] % size == 0, dims[axis] / size <= 64 {
          result.append(solver.forest.sum([SpaceForest.ID](repeating: space, count: dims[axis] / size)))
        } else {
          solver.pin(space, node, "it repeats this axis")
          result.append(solver.fresh(node, axis, pin: "it repeats this axis"))
        }
      }
      solver.repeat(x.indices.map { solver.forest.size(x[$0]) == 1 && dims[$0] != 1 }, of: result)
      solver.define(node, 0, result)
      return nil
    },
    // What they say is a number, which stays what it was when axes shrink.
    "Shape": described, "Size": described,
    "DepthToSpace": { (solver, node) in
      let block = node.int("blocksize", default: 0)
      guard let x = solver.input(node, 0), x.count == 4, block > 0, block < 1 << 15 else {
        return "the rank of its input is not known"
      }
      let area = block * block, size = solver.forest.size(x[1])
      guard size > 0, size % area == 0 else { return "its blocks do not fit the channels" }
      let isColumnFirst = node.string("mode", default: "DCR") == "CRD"
      guard let parts = solver.forest.factor(x[1], into: isColumnFirst ? [size / area, area] : [area, size / area])
      else {
        return "its blocks do not fit the channels"
      }
      solver.pin(parts[isColumnFirst ? 1 : 0], node, "these become positions")
      for space in x.suffix(2) { solver.pin(space, node, "it moves channels to positions") }
      let spatial = [2, 3].map { solver.fresh(node, $0, pin: "it moves channels to positions") }
      solver.define(node, 0, [x[0], parts[isColumnFirst ? 0 : 1]] + spatial)
      return nil
    },
    "SpaceToDepth": { (solver, node) in
      let block = node.int("blocksize", default: 0)
      guard let x = solver.input(node, 0), x.count == 4, block > 0, block < 1 << 15 else {
        return "the rank of its input is not known"
      }
      for space in x.suffix(2) { solver.pin(space, node, "it moves positions to channels") }
      let places = solver.forest.leaf(block * block, pins: [Pin(place: node.label, reason: "these were positions")])
      let spatial = [2, 3].map { solver.fresh(node, $0, pin: "it moves positions to channels") }
      solver.define(node, 0, [x[0], solver.forest.product([places, x[1]])] + spatial)
      return nil
    },
  ]

  private static let described: AxisRule = { (solver, node) in
    guard let output = node.output(0), let dims = solver.dims(output) else { return nil }
    solver.define(node, 0, dims.indices.map { solver.fresh(node, $0, pin: "these are extents") })
    return nil
  }

  /// Walks both shapes, joining runs of axes with the same number of elements.
  private static let reshape: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), let output = node.output(0), let dims = solver.dims(output) else {
      return "the shape of its result is not known"
    }
    guard !dims.contains(where: { $0 < 1 }), !x.contains(where: { solver.forest.size($0) < 1 }) else {
      return equalParts(&solver, node, x, output, dims)
    }
    guard let result = parts(&solver, x, dims) else { return "the axes it makes do not line up with those it takes" }
    solver.define(node, 0, result)
    pinUnsayable(&solver, node, output)
    return nil
  }

  /// What axes of known extents become; nil when the numbers of elements differ or nothing lines up.
  private static func parts(
    _ solver: inout AxisSolver, _ x: [SpaceForest.ID], _ dims: [Int]
  ) -> [SpaceForest.ID]? {
    var result: [SpaceForest.ID] = []
    var input = 0, place = 0
    while place < dims.count {
      var inner: [SpaceForest.ID] = [], outer: [Int] = []
      var left = 1, right = 1
      repeat {
        if left <= right, input < x.count {
          inner.append(x[input])
          left = multiplied(left, solver.forest.size(x[input]))
          input += 1
        } else if place < dims.count {
          outer.append(dims[place])
          right = multiplied(right, dims[place])
          place += 1
        } else {
          return nil
        }
      } while left != right || outer.isEmpty
      // Axes of one element at the end of a run belong to it.
      while place < dims.count, dims[place] == 1 {
        outer.append(1)
        place += 1
      }
      guard let factors = solver.forest.factor(solver.forest.product(inner), into: outer) else { return nil }
      result += factors
    }
    return result
  }

  /// With extents that are not known only axes that plainly stay can be followed: the leading ones and the trailing
  /// ones.
  private static func equalParts(
    _ solver: inout AxisSolver, _ node: Node, _ x: [SpaceForest.ID], _ output: String, _ dims: [Int]
  ) -> String? {
    guard x.count == dims.count, let before = node.input(0), let old = solver.symbolic.types[before]?.dims,
      let new = solver.symbolic.types[output]?.dims, old == new, old.count(where: { $0 == .unknown }) <= 1
    else { return "the extents it works on are not known" }
    solver.define(node, 0, x)
    return nil
  }

  private static func multiplied(_ a: Int, _ b: Int) -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? .max : product
  }

  /// A Reshape can copy extents of its input and leave one to be computed; where more are open, what would change them
  /// stays.
  private static func pinUnsayable(_ solver: inout AxisSolver, _ node: Node, _ output: String) {
    guard node.opType == "Reshape", let spaces = solver.axesOf(output), let input = node.input(0) else { return }
    let before = solver.symbolic.types[input]?.dims ?? [], after = solver.symbolic.types[output]?.dims ?? []
    var open: [SpaceForest.ID] = []
    for (axis, space) in spaces.enumerated() where solver.isOpen(output, axis) {
      let isCopied = axis < before.count && axis < after.count && before[axis] == after[axis] && after[axis] != .unknown
      if !isCopied { open.append(space) }
    }
    guard open.count > 1 else { return }
    for space in open { solver.pin(space, node, "several of the extents it makes are open") }
  }
}
