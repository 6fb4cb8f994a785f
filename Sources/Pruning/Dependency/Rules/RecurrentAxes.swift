import PruneGraph

/// LSTM, GRU and RNN: hidden units are shared by gates, by the recurrence, and by both directions.
enum RecurrentAxes {
  static let rules: [String: AxisRule] = [
    "LSTM": { (solver, node) in cell(&solver, node, gates: 4) },
    "GRU": { (solver, node) in cell(&solver, node, gates: 3) },
    "RNN": { (solver, node) in cell(&solver, node, gates: 1) },
  ]

  /// X [steps, batch, inputs], W [directions, gates x hidden, inputs], R [directions, gates x hidden, hidden],
  /// B [directions, 2 x gates x hidden], states [directions, batch, hidden]; Y [steps, directions, batch, hidden].
  private static func cell(_ solver: inout AxisSolver, _ node: Node, gates: Int) -> String? {
    guard let x = solver.input(node, 0), let w = solver.input(node, 1), let r = solver.input(node, 2), x.count == 3,
      w.count == 3, r.count == 3
    else { return "the shapes of its weights are not known" }
    let hidden = r[2], units = solver.forest.size(hidden), layout = node.int("layout", default: 0)
    guard units > 0, solver.forest.size(w[1]) == gates * units, solver.forest.size(r[1]) == gates * units else {
      return "its weights do not have \(gates) gates"
    }
    let directions = w[0]
    for index in [3, 5, 6, 7] where node.input(index) != nil && solver.input(node, index) == nil {
      return "the shape of its input \(index) is not known"
    }
    for space in [directions, r[0]] { solver.pin(space, node, "these are its directions") }
    solver.unify(directions, r[0], node)
    solver.unify(x[2], w[2], node)
    solver.contract(1, axis: 2)
    solver.contract(2, axis: 2)
    for rows in [w[1], r[1]] {
      guard couple(&solver, rows, gates, hidden, node) else { return "its gates do not line up" }
    }
    let batch = x[layout == 0 ? 1 : 0]
    if let lengths = solver.input(node, 4), lengths.count == 1 { solver.unify(lengths[0], batch, node) }
    if let b = solver.input(node, 3), b.count == 2 {
      guard couple(&solver, b[1], 2 * gates, hidden, node) else { return "its biases do not line up" }
      solver.unify(directions, b[0], node)
    }
    for index in [5, 6] {
      guard let state = solver.input(node, index), state.count == 3 else { continue }
      solver.unify(state[2], hidden, node)
      solver.unify(state[layout == 0 ? 1 : 0], batch, node)
      solver.unify(state[layout == 0 ? 0 : 1], directions, node)
    }
    if let peepholes = solver.input(node, 7), peepholes.count == 2, gates == 4 {
      guard couple(&solver, peepholes[1], 3, hidden, node) else { return "its peepholes do not line up" }
      solver.unify(directions, peepholes[0], node)
    }
    solver.edit(.attribute("hidden_size", hidden))
    let steps = x[layout == 0 ? 0 : 1]
    let sequence = layout == 0 ? [steps, directions, batch, hidden] : [batch, steps, directions, hidden]
    let state = layout == 0 ? [directions, batch, hidden] : [batch, directions, hidden]
    solver.define(node, 0, sequence)
    solver.define(node, 1, state)
    solver.define(node, 2, state)
    return nil
  }

  /// Rows are the hidden units, once a gate.
  private static func couple(
    _ solver: inout AxisSolver, _ rows: SpaceForest.ID, _ gates: Int, _ hidden: SpaceForest.ID, _ node: Node
  ) -> Bool {
    let units = solver.forest.size(hidden)
    guard solver.forest.size(rows) == gates * units else { return false }
    if gates == 1 {
      solver.unify(rows, hidden, node)
      return true
    }
    guard let parts = solver.forest.factor(rows, into: [gates, units]) else { return false }
    solver.pin(parts[0], node, "these are its gates")
    if units > 1 { solver.unify(parts[1], hidden, node) }
    return true
  }
}
