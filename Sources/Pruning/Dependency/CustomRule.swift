import PruneGraph
import PruneTensor

/// A rule that a program gives for an operator of its own.
package struct CustomRule: Sendable {
  /// What the rule sees of a node; extents that are not known are -1, values of unknown rank nil.
  package struct Question: Sendable {
    package let node: Node
    package let inputs: [[Int]?]
    package let outputs: [[Int]?]
  }

  /// What it says.
  package enum Relation: Sendable, Hashable {
    /// An output axis has the units of an input axis.
    case carry(input: Int, axis: Int, output: Int, outputAxis: Int)
    /// Two input axes have the same units.
    case couple(input: Int, axis: Int, other: Int, otherAxis: Int)
    /// The operator sums over an input axis: units that count as zero may go.
    case sum(input: Int, axis: Int)
    /// The units of an input axis all stay.
    case keep(input: Int, axis: Int, reason: String)
  }

  private let relate: @Sendable (Question) -> [Relation]?

  /// - Parameter relate: what holds between the axes; nil when the rule does not know this node. Input axes that it
  ///   does not speak of stay, as do output axes that carry nothing.
  package init(_ relate: @escaping @Sendable (Question) -> [Relation]?) { self.relate = relate }

  var axisRule: AxisRule {
    let relate = relate
    return { (solver, node) in
      let question = Question(
        node: node, inputs: node.inputs.map { solver.dims($0) }, outputs: node.outputs.map { solver.dims($0) })
      guard let relations = relate(question) else { return "its rule does not know this use of it" }
      return Self.apply(relations, &solver, node)
    }
  }

  private static func apply(_ relations: [Relation], _ solver: inout AxisSolver, _ node: Node) -> String? {
    let inputs = node.inputs.indices.map { solver.input(node, $0) }
    var spoken = inputs.map { [Bool](repeating: false, count: $0?.count ?? 0) }
    func has(_ input: Int, _ axis: Int) -> Bool {
      inputs.indices.contains(input) && inputs[input]?.indices.contains(axis) == true
    }
    var results: [[SpaceForest.ID]] = node.outputs.enumerated().map { index, name in
      (solver.dims(name) ?? []).indices.map {
        solver.fresh(node, $0, output: index, pin: "its rule says nothing of this axis")
      }
    }
    for relation in relations {
      switch relation {
      case .carry(let input, let axis, let output, let outputAxis):
        guard has(input, axis), results.indices.contains(output), results[output].indices.contains(outputAxis),
          let space = inputs[input]?[axis]
        else { return "its rule names axes that are not there" }
        results[output][outputAxis] = space
        spoken[input][axis] = true
      case .couple(let input, let axis, let other, let otherAxis):
        guard has(input, axis), has(other, otherAxis), let a = inputs[input]?[axis], let b = inputs[other]?[otherAxis]
        else {
          return "its rule names axes that are not there"
        }
        solver.unify(a, b, node)
        spoken[input][axis] = true
        spoken[other][otherAxis] = true
      case .sum(let input, let axis):
        guard has(input, axis) else { return "its rule names axes that are not there" }
        solver.contract(input, axis: axis)
        spoken[input][axis] = true
      case .keep(let input, let axis, let reason):
        guard has(input, axis), let space = inputs[input]?[axis] else {
          return "its rule names axes that are not there"
        }
        solver.pin(space, node, reason)
        spoken[input][axis] = true
      }
    }
    for (index, spaces) in inputs.enumerated() {
      for (axis, space) in (spaces ?? []).enumerated() where !spoken[index][axis] {
        solver.pin(space, node, "its rule says nothing of this axis")
      }
    }
    for (index, spaces) in results.enumerated() { solver.define(node, index, spaces) }
    return nil
  }
}
