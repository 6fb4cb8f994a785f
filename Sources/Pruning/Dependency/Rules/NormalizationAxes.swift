import PruneGraph

/// Normalizations: what statistics are taken over stays, since units that go would change those of the others.
enum NormalizationAxes {
  static let rules: [String: AxisRule] = [
    "BatchNormalization": { (solver, node) in
      guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
      for index in 1..<5 {
        guard let parameter = solver.input(node, index), parameter.count == 1 else {
          return "its parameters are not known"
        }
        solver.unify(parameter[0], x[1], node)
      }
      solver.define(node, 0, x)
      for index in node.outputs.indices.dropFirst() { solver.define(node, index, [x[1]]) }
      return nil
    },
    "InstanceNormalization": { (solver, node) in
      guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
      for index in 1..<3 {
        guard let parameter = solver.input(node, index), parameter.count == 1 else {
          return "its parameters are not known"
        }
        solver.unify(parameter[0], x[1], node)
      }
      for space in x.dropFirst(2) { solver.pin(space, node, normalized) }
      solver.define(node, 0, x)
      return nil
    },
    "GroupNormalization": group,
    "LayerNormalization": { (solver, node) in
      trailing(&solver, node, axis: node.int("axis", default: -1), parameters: [1, 2])
    },
    "RMSNormalization": { (solver, node) in
      trailing(&solver, node, axis: node.int("axis", default: -1), parameters: [1])
    },
    "SimplifiedLayerNormalization": { (solver, node) in
      trailing(&solver, node, axis: node.int("axis", default: -1), parameters: [1])
    },
    "com.microsoft.SkipLayerNormalization": skip,
    "com.microsoft.SkipSimplifiedLayerNormalization": skip,
    "LpNormalization": { (solver, node) in along(&solver, node, node.int("axis", default: -1)) },
    "Softmax": softmax, "LogSoftmax": softmax, "Hardmax": softmax,
    "LRN": { (solver, node) in along(&solver, node, 1) },
    "CumSum": { (solver, node) in
      guard let axis = solver.integers(node, 1)?.first else { return "its axis is not known" }
      return along(&solver, node, axis)
    },
    "MeanVarianceNormalization": { (solver, node) in
      guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
      for axis in node.ints("axes") ?? [0, 2, 3] {
        guard axis >= -x.count, axis < x.count else { return "its axes do not fit its input" }
        solver.pin(x[axis < 0 ? axis + x.count : axis], node, normalized)
      }
      solver.define(node, 0, x)
      return nil
    },
  ]

  private static let normalized = "it normalizes over these units: without some the others would change"

  private static func along(_ solver: inout AxisSolver, _ node: Node, _ axis: Int) -> String? {
    guard let x = solver.input(node, 0), axis >= -x.count, axis < x.count else {
      return "the rank of its input is not known"
    }
    solver.pin(x[axis < 0 ? axis + x.count : axis], node, normalized)
    solver.define(node, 0, x)
    return nil
  }

  /// Before opset 13 a softmax is taken over all axes from `axis` on.
  private static let softmax: AxisRule = { (solver, node) in
    if solver.opset >= 13 { return along(&solver, node, node.int("axis", default: -1)) }
    return trailing(&solver, node, axis: node.int("axis", default: 1), parameters: [])
  }

  private static func trailing(_ solver: inout AxisSolver, _ node: Node, axis: Int, parameters: [Int]) -> String? {
    guard let x = solver.input(node, 0), axis >= -x.count, axis < x.count else {
      return "the rank of its input is not known"
    }
    let first = axis < 0 ? axis + x.count : axis
    // Outputs beyond the first are the statistics themselves.
    if solver.followsWidth, first == x.count - 1, !parameters.isEmpty, node.outputs.dropFirst().allSatisfy(\.isEmpty) {
      solver.forest.mark(x[first], .width)
      solver.measure(axis: first)
    } else {
      let reason = parameters.isEmpty || first < x.count - 1 ? normalized : normalized + " (width = true lets them go)"
      for space in x[first...] { solver.pin(space, node, reason) }
    }
    for index in parameters {
      if let parameter = solver.input(node, index) { _ = solver.broadcast([x, parameter], node) }
    }
    solver.define(node, 0, x)
    for index in node.outputs.indices.dropFirst() {
      let rest = (first..<x.count).map { solver.fresh(node, $0, output: index) }
      solver.define(node, index, Array(x[..<first]) + rest)
    }
    return nil
  }

  private static let skip: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), let other = solver.input(node, 1), let last = x.last else {
      return "the rank of its input is not known"
    }
    let joined = solver.broadcast([x, other], node)
    solver.pin(last, node, normalized)
    for index in 2..<max(node.inputs.count, 2) {
      if let parameter = solver.input(node, index) { _ = solver.broadcast([joined, parameter], node) }
    }
    solver.define(node, 0, joined)
    if node.output(3) != nil { solver.define(node, 3, joined) }
    return nil
  }

  /// Groups may go as a whole, channels within a group may not.
  private static let group: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
    let groups = node.int("num_groups", default: 0), channels = solver.forest.size(x[1])
    guard groups > 0, channels > 0, channels % groups == 0,
      let parts = solver.forest.factor(x[1], into: [groups, channels / groups])
    else { return "its groups do not fit the channels" }
    solver.pin(parts[1], node, normalized)
    for space in x.dropFirst(2) { solver.pin(space, node, normalized) }
    for index in 1..<3 {
      guard let parameter = solver.input(node, index), parameter.count == 1 else {
        return "its parameters are not known"
      }
      solver.unify(parameter[0], solver.forest.size(parameter[0]) == channels ? x[1] : parts[0], node)
    }
    solver.edit(.attribute("num_groups", parts[0]))
    if channels > groups { solver.forest.mark(parts[0], .group) }
    solver.define(node, 0, x)
    return nil
  }
}
