import PruneGraph
import PruneTensor

/// Reverse-mode differentiation as a graph-to-graph transform.
package enum Autodiff {
  /// A node that no gradient passes, and the parameters that would have needed it to.
  package struct Blocked: Sendable {
    /// `Round 'quantize/Round'`.
    package var node: String
    package var reason: String
    package var parameters: [String]
  }

  package struct Result: Sendable {
    /// The model's graph with the gradient nodes after its own.
    package var graph: Graph
    /// The value that holds each parameter's gradient. Parameters that no seed depends on are not in it.
    package var gradients: [String: String]
    /// What could not be differentiated; the parameters named here have no gradient.
    package var blocked: [Blocked]
  }

  /// Adds nodes that compute the gradients of the values in `seeds` with respect to `wrt`.
  ///
  /// - Parameters:
  ///   - model: with concrete shapes, constants folded and functions inlined (`Specialization`).
  ///   - types: the type of every value of it.
  ///   - seeds: from values of the graph to the values that hold their gradients.
  ///   - wrt: names of initializers or inputs.
  package static func differentiate(
    _ model: Model, types: GraphTypes, seeds: [String: String], wrt: [String]
  ) throws(PruneError) -> Result {
    let graph = model.graph
    // What does not lead to a seed needs no gradient.
    let needed = ancestors(of: Array(seeds.keys), in: graph)
    var refused: [Int: String] = [:]
    while true {
      let blocked = findBlocks(graph, needed: needed, wrt: wrt, refused: refused)
      let frozen = Set(blocked.flatMap(\.parameters))
      let trained = wrt.filter { !frozen.contains($0) }
      let active = descendants(of: Set(trained), in: graph)
      let writer = GradientWriter(model: model, types: types, active: active, seeds: seeds)
      if let (index, reason) = try write(graph, needed: needed, active: active, into: writer) {
        refused[index] = reason
        continue
      }
      var gradients: [String: String] = [:]
      for name in trained { gradients[name] = writer.total(name) }
      var result = graph
      result.nodes += writer.nodes
      for (name, tensor) in writer.constants { result.setInitializer(name, tensor) }
      return Result(graph: result, gradients: gradients, blocked: blocked)
    }
  }

  /// Writes all gradients, or returns the node that a rule turned out not to cover, and why.
  private static func write(
    _ graph: Graph, needed: Set<String>, active: Set<String>, into writer: GradientWriter
  ) throws(PruneError) -> (Int, String)? {
    for (index, node) in graph.nodes.enumerated().reversed()
    where node.outputs.contains(where: { needed.contains($0) && active.contains($0) }) {
      guard let rule = GradientRules.rule(for: node) else { continue }
      do {
        try writer.differentiate(node, rule)
      } catch {
        guard error.status == .unsupported else { throw error }
        return (index, error.message)
      }
    }
    return nil
  }

  /// Nodes on the way from a parameter to a needed value that have no rule, or that the way enters through a setting.
  private static func findBlocks(
    _ graph: Graph, needed: Set<String>, wrt: [String], refused: [Int: String]
  ) -> [Blocked] {
    let active = descendants(of: Set(wrt), in: graph)
    var result: [Blocked] = []
    for (index, node) in graph.nodes.enumerated() where !GradientRules.isGradientFree(node) {
      let outputs = node.outputs.indices.filter { needed.contains(node.outputs[$0]) }
      var inputs = node.allReads.filter(active.contains)
      guard !outputs.isEmpty, !inputs.isEmpty else { continue }
      var reason = refused[index] ?? "has no gradient"
      if refused[index] == nil, let rule = GradientRules.rule(for: node), node.subgraphs.isEmpty {
        if rule.takesAllOutputs || outputs == [0] {
          guard let allowed = rule.differentiable else { continue }
          inputs = node.inputs.indices.filter { !allowed.contains($0) }.map { node.inputs[$0] }.filter(active.contains)
          guard !inputs.isEmpty else { continue }
          reason = "has no gradient for its input '\(inputs[0])'"
        } else {
          reason = "has no gradient for its outputs after the first"
        }
      }
      let behind = ancestors(of: inputs, in: graph)
      result.append(Blocked(node: node.label, reason: reason, parameters: wrt.filter(behind.contains)))
    }
    return result
  }

  /// The values given and every value computed from them, up to nodes that end gradients by design.
  private static func descendants(of values: Set<String>, in graph: Graph) -> Set<String> {
    var reached = values
    for node in graph.nodes where !GradientRules.isGradientFree(node) && node.allReads.contains(where: reached.contains)
    {
      reached.formUnion(node.outputs)
    }
    reached.remove("")
    return reached
  }

  /// The values given and every value they are computed from.
  private static func ancestors(of values: [String], in graph: Graph) -> Set<String> {
    var reached = Set(values)
    for node in graph.nodes.reversed() where node.outputs.contains(where: reached.contains) {
      reached.formUnion(node.allReads)
    }
    reached.remove("")
    return reached
  }
}
