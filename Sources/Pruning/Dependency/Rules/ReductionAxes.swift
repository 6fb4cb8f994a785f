import PruneGraph

/// Reductions. A sum loses nothing when units that count as zero go; other reductions need all they look at.
enum ReductionAxes {
  static let rules: [String: AxisRule] = {
    var rules: [String: AxisRule] = [:]
    for name in [
      "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
      "ReduceSumSquare",
    ] {
      rules[name] = { (solver, node) in reduce(&solver, node, sums: false) }
    }
    rules["ReduceSum"] = { (solver, node) in reduce(&solver, node, sums: true) }
    for name in ["ArgMax", "ArgMin"] {
      rules[name] = { (solver, node) in reduce(&solver, node, axes: [node.int("axis", default: 0)], sums: false) }
    }
    rules["TopK"] = { (solver, node) in
      guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
      let axis = node.int("axis", default: -1), place = axis < 0 ? axis + x.count : axis
      guard x.indices.contains(place) else { return "its axis does not fit its input" }
      solver.pin(x[place], node, "it compares these units with each other")
      for index in node.outputs.indices {
        var result = x
        result[place] = solver.fresh(node, place, output: index, pin: "it compares these units with each other")
        solver.define(node, index, result)
      }
      return nil
    }
    return rules
  }()

  private static func reduce(_ solver: inout AxisSolver, _ node: Node, sums: Bool) -> String? {
    let version: Int64 = sums ? 13 : 18
    if solver.opset >= version, node.input(1) != nil {
      guard let axes = solver.integers(node, 1) else { return "its axes are not known" }
      return reduce(&solver, node, axes: axes, sums: sums)
    }
    return reduce(&solver, node, axes: node.ints("axes") ?? [], sums: sums)
  }

  private static func reduce(_ solver: inout AxisSolver, _ node: Node, axes: [Int], sums: Bool) -> String? {
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    if axes.isEmpty, node.int("noop_with_empty_axes", default: 0) != 0 {
      solver.define(node, 0, x)
      return nil
    }
    let reduced = Set(axes.isEmpty ? Array(x.indices) : axes.map { $0 < 0 ? $0 + x.count : $0 })
    guard reduced.allSatisfy(x.indices.contains) else { return "its axes do not fit its input" }
    let isWidth = node.opType == "ReduceMean" && reduced == [x.count - 1] && x.count > 2
    var result: [SpaceForest.ID] = []
    for (axis, space) in x.enumerated() {
      guard reduced.contains(axis) else {
        result.append(space)
        continue
      }
      if sums {
        solver.contract(0, axis: axis)
      } else if solver.followsWidth, isWidth {
        // The mean of a normalization that is written out.
        solver.forest.mark(space, .width)
        solver.measure(axis: axis)
      } else {
        solver.pin(space, node, "it compares or averages these units" + (isWidth ? " (width = true lets them go)" : ""))
      }
      if node.int("keepdims", default: 1) != 0 { result.append(solver.forest.leaf(1)) }
    }
    solver.define(node, 0, result)
    return nil
  }
}
