extension Model {
  /// Drops nodes whose results nobody reads, then initializers and types nobody needs.
  package mutating func removeDeadNodes() {
    var needed = Set(graph.outputs.map(\.name))
    var kept: [Node] = []
    for node in graph.nodes.reversed() where node.outputs.contains(where: needed.contains) {
      needed.formUnion(node.allReads)
      kept.append(node)
    }
    graph.nodes = kept.reversed()
    var names = needed
    for node in graph.nodes { names.formUnion(node.outputs) }
    graph.removeInitializers { !needed.contains($0.name) }
    graph.valueInfo.removeAll { !names.contains($0.name) }
    // Before IR version 4 weights are inputs too; those go with their initializers.
    if irVersion < 4 {
      let graph = graph
      let inputNames = Set(graph.trueInputs.map(\.name))
      self.graph.inputs.removeAll { !needed.contains($0.name) && !inputNames.contains($0.name) }
    }
  }
}
