import PruneGraph

/// Convolutions and poolings: channels on axis 1, positions behind it.
enum ConvolutionAxes {
  static let rules: [String: AxisRule] = [
    "Conv": { (solver, node) in convolution(&solver, node, data: 0, weight: 1, bias: 2) },
    "ConvInteger": { (solver, node) in convolution(&solver, node, data: 0, weight: 1, bias: -1) },
    "com.microsoft.FusedConv": { (solver, node) in
      if let problem = convolution(&solver, node, data: 0, weight: 1, bias: 2) { return problem }
      // What is added to its result, before the activation.
      if let result = node.output(0).flatMap({ solver.axesOf($0) }), let addend = solver.input(node, 3) {
        solver.define(node, 0, solver.broadcast([result, addend], node))
      }
      return nil
    },
    "ConvTranspose": transposed,
    "MaxPool": pooling, "AveragePool": pooling, "LpPool": pooling, "GlobalAveragePool": pooling,
    "GlobalMaxPool": pooling,
    "GlobalLpPool": pooling,
  ]

  /// Weights are [outputs, inputs of a group, kernel]: inputs are groups x inputs of a group, outputs groups x outputs
  /// of one.
  static func convolution(_ solver: inout AxisSolver, _ node: Node, data: Int, weight: Int, bias: Int) -> String? {
    guard let x = solver.input(node, data), let w = solver.input(node, weight), x.count >= 3, w.count == x.count else {
      return "the shapes of its input and weight are not known: shapes = {…} or data says them"
    }
    let groups = node.int("group", default: 1)
    guard groups >= 1, let inputs = solver.forest.factor(x[1], into: [groups, solver.forest.size(w[1])]),
      solver.forest.size(w[0]) % groups == 0,
      let outputs = solver.forest.factor(w[0], into: [groups, solver.forest.size(w[0]) / groups])
    else { return "the channels it reads are not known, or do not fit its \(groups) groups: shapes = {…} says them" }
    solver.unify(inputs[1], w[1], node)
    if groups > 1 {
      solver.unify(inputs[0], outputs[0], node)
      solver.edit(.attribute("group", inputs[0]))
      markGroups(&solver, groups: inputs[0], inside: [w[1], outputs[1]], isDepthwise: solver.forest.size(w[1]) == 1)
    }
    if solver.forest.size(w[1]) > 1 { solver.contract(weight, axis: 1) }
    if let b = solver.input(node, bias), b.count == 1 { solver.unify(b[0], w[0], node) }
    solver.define(node, 0, [x[0], w[0]] + positions(&solver, node, x, w))
    return nil
  }

  /// Weights are [inputs, outputs of a group, kernel].
  private static let transposed: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), let w = solver.input(node, 1), x.count >= 3, w.count == x.count else {
      return "the shapes of its input and weight are not known: shapes = {…} or data says them"
    }
    let groups = node.int("group", default: 1)
    solver.unify(x[1], w[0], node)
    var outputs = w[1]
    if groups > 1 {
      let size = solver.forest.size(w[0])
      guard size % groups == 0, let inputs = solver.forest.factor(w[0], into: [groups, size / groups]) else {
        return "its \(groups) groups do not fit the channels it reads"
      }
      outputs = solver.forest.product([inputs[0], w[1]])
      solver.edit(.attribute("group", inputs[0]))
      markGroups(&solver, groups: inputs[0], inside: [inputs[1], w[1]], isDepthwise: size == groups)
    }
    solver.contract(1, axis: 0)
    if let b = solver.input(node, 2), b.count == 1 { solver.unify(b[0], outputs, node) }
    solver.define(node, 0, [x[0], outputs] + positions(&solver, node, x, w))
    return nil
  }

  private static func markGroups(
    _ solver: inout AxisSolver, groups: SpaceForest.ID, inside: [SpaceForest.ID], isDepthwise: Bool
  ) {
    if isDepthwise {
      for space in inside where solver.forest.size(space) > 1 { solver.forest.mark(space, .copies) }
    } else {
      solver.forest.mark(groups, .group)
    }
  }

  /// Positions of the output, those of input and kernel pinned.
  private static func positions(
    _ solver: inout AxisSolver, _ node: Node, _ x: [SpaceForest.ID], _ w: [SpaceForest.ID]
  ) -> [SpaceForest.ID] {
    for space in x.dropFirst(2) { solver.pin(space, node, "it moves a window over this axis") }
    for space in w.dropFirst(2) {
      solver.pin(space, node, "this is its window")
      solver.forest.mark(space, .window)
    }
    return (2..<x.count).map { solver.fresh(node, $0, pin: "it moves a window over this axis") }
  }

  private static let pooling: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
    for space in x.dropFirst(2) { solver.pin(space, node, "it moves a window over this axis") }
    for index in node.outputs.indices {
      let spatial = (2..<x.count).map { solver.fresh(node, $0, output: index, pin: "it moves a window over this axis") }
      solver.define(node, index, Array(x.prefix(2)) + spatial)
    }
    // Indices count over all channels.
    if node.outputs.count > 1, node.output(1) != nil { solver.pin(x[1], node, "its indices count over the channels") }
    return nil
  }
}
