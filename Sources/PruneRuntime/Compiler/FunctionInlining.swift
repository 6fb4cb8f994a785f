import PruneGraph
import PruneTensor

/// Replaces calls of model-local functions by their bodies.
package enum FunctionInlining {
  /// Functions may call functions; deeper than this is taken for recursion.
  private static let depthLimit = 32

  package static func run(_ model: Model) throws(PruneError) -> Model {
    guard !model.functions.isEmpty else { return model }
    var result = model
    var taken = model.graph.allNames
    var nodes: [Node] = []
    for node in model.graph.nodes {
      try inline(node, model, depth: 0, taken: &taken, into: &nodes, opsets: &result.opsets)
    }
    result.graph.nodes = nodes
    result.functions = []
    return result
  }

  private static func inline(
    _ node: Node, _ model: Model, depth: Int, taken: inout Set<String>, into nodes: inout [Node],
    opsets: inout [OpsetImport]
  ) throws(PruneError) {
    guard
      let function = model.functions.first(where: {
        $0.name == node.opType && $0.domain == node.domain && $0.overload == node.overload
      })
    else {
      nodes.append(node)
      return
    }
    guard depth < depthLimit else {
      throw PruneError(.invalidModel, "function '\(function.name)' calls itself", at: node.label)
    }
    for imported in function.opsets where !opsets.contains(where: { $0.domain == imported.domain }) {
      opsets.append(imported)
    }
    var names: [String: String] = [:]
    for (index, formal) in function.inputs.enumerated() { names[formal] = node.input(index) ?? "" }
    for (index, formal) in function.outputs.enumerated() {
      names[formal] = node.output(index) ?? Graph.uniqueName("\(node.name)/\(formal)", &taken)
    }
    var attributes = Dictionary(
      function.attributeDefaults.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for attribute in node.attributes { attributes[attribute.name] = attribute }
    for inner in function.nodes {
      var copy = renamed(inner, &names, prefix: node.name, taken: &taken)
      copy.attributes = copy.attributes.compactMap { attribute in
        guard !attribute.referenceName.isEmpty else { return attribute }
        return attributes[attribute.referenceName].map { Attribute(attribute.name, $0.value) }
      }
      copy.name = node.name.isEmpty ? inner.name : "\(node.name)/\(inner.name)"
      try inline(copy, model, depth: depth + 1, taken: &taken, into: &nodes, opsets: &opsets)
    }
  }

  /// The node with the body's value names replaced by the caller's.
  private static func renamed(
    _ node: Node, _ names: inout [String: String], prefix: String, taken: inout Set<String>
  ) -> Node {
    var copy = node
    copy.inputs = node.inputs.map { names[$0] ?? $0 }
    for (index, output) in node.outputs.enumerated() where !output.isEmpty {
      if names[output] == nil { names[output] = Graph.uniqueName("\(prefix)/\(output)", &taken) }
      copy.outputs[index] = names[output] ?? output
    }
    return copy
  }
}
