import PruneTensor

/// An If whose condition is a constant of the model, replaced by the nodes of the branch that is taken.
package enum BranchInlining {
  /// The model without such Ifs in its own graph, and how many there were.
  /// - Parameter changeable: initializers that are no constants, as a caller may feed them.
  package static func run(_ model: Model, changeable: Set<String>) -> (model: Model, count: Int) {
    var result = model, count = 0, taken: Set<String>?
    result.graph.nodes = []
    for node in model.graph.nodes {
      guard let branch = branch(of: node, in: model, changeable), branch.inputs.isEmpty,
        branch.outputs.count == node.outputs.count
      else {
        result.graph.nodes.append(node)
        continue
      }
      var names = taken ?? model.graph.allNames
      inline(branch, of: node, into: &result.graph, &names)
      taken = names
      count += 1
    }
    return (result, count)
  }

  private static func branch(of node: Node, in model: Model, _ changeable: Set<String>) -> Graph? {
    guard node.isStandard, node.opType == "If", let name = node.input(0), !changeable.contains(name) else { return nil }
    let stored =
      model.graph.initializer(name)
      ?? model.graph.nodes.first { $0.isStandard && $0.opType == "Constant" && $0.outputs.first == name }?.tensor(
        "value")
    guard let condition = stored, condition.dtype == .bool, condition.count == 1,
      let isTaken = try? condition.integers().first.map({ $0 != 0 }),
      case .graph(let branch)? = node.attribute(isTaken ? "then_branch" : "else_branch")
    else { return nil }
    return branch
  }

  private static func inline(_ branch: Graph, of node: Node, into graph: inout Graph, _ taken: inout Set<String>) {
    var names: [String: String] = [:]
    // What the branch makes takes the name of the If's output where it can.
    let made = Set(branch.nodes.flatMap(\.outputs))
    for (index, output) in branch.outputs.enumerated() {
      guard let outer = node.output(index), made.contains(output.name), names[output.name] == nil else { continue }
      names[output.name] = outer
    }
    for name in branch.initializers.map(\.name) + branch.nodes.flatMap(\.outputs)
    where !name.isEmpty && names[name] == nil {
      names[name] = Graph.uniqueName(name, &taken)
    }
    for initializer in branch.initializers {
      graph.setInitializer(names[initializer.name] ?? initializer.name, initializer.tensor)
    }
    for inner in branch.nodes {
      var copy = FunctionInlining.bound(inner, names, [:])
      copy.outputs = inner.outputs.map { names[$0] ?? $0 }
      graph.nodes.append(copy)
    }
    for (index, output) in branch.outputs.enumerated() {
      guard let outer = node.output(index), case let inner = names[output.name] ?? output.name, inner != outer else {
        continue
      }
      graph.nodes.append(Node("Identity", name: node.name, inputs: [inner], outputs: [outer]))
    }
  }
}
