import PruneGraph

/// Operators that treat every element alike: operands and result have the same axes, up to broadcasting.
enum ElementwiseAxes {
  static let rules: [String: AxisRule] = {
    var rules: [String: AxisRule] = [:]
    for name in Operator.names {
      guard let row = Operator[name: name] else { continue }
      if row.kind == .unary { rules[name] = same }
      if row.kind == .broadcasting { rules[name] = joined }
    }
    for name in ["Cast", "CastLike", "Dropout"] { rules[name] = same }
    rules["Trilu"] = { (solver, node) in
      guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
      for space in x.suffix(2) { solver.pin(space, node, "which elements it keeps depends on their positions") }
      return same(&solver, node)
    }
    return rules
  }()

  private static let same: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    for index in node.outputs.indices { solver.define(node, index, x) }
    // FastGelu takes a bias along the last axis.
    if node.domain == "com.microsoft", let bias = solver.input(node, 1) { _ = solver.broadcast([x, bias], node) }
    return nil
  }

  private static let joined: AxisRule = { (solver, node) in
    var operands: [[SpaceForest.ID]] = []
    for index in node.inputs.indices {
      guard let spaces = solver.input(node, index) else { return "the rank of an input is not known" }
      operands.append(spaces)
    }
    solver.define(node, 0, solver.broadcast(operands, node))
    return nil
  }
}
