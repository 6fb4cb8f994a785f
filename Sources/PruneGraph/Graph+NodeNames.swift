extension Graph {
  /// Renames nodes that a rewrite has named as another node is: runtimes refuse two nodes of one name in a graph. Names
  /// that the graph it was made from gave several nodes stay, as all else that was not touched.
  package mutating func nameNodesApart(since original: Graph) {
    var places: [String: [Int]] = [:]
    for (place, node) in nodes.enumerated() where !node.name.isEmpty { places[node.name, default: []].append(place) }
    let doubled = places.filter { $0.value.count > 1 }
    guard !doubled.isEmpty else { return }
    var owners: [String: [Node]] = [:]
    for node in original.nodes where doubled[node.name] != nil { owners[node.name, default: []].append(node) }
    var usedNames = Set(places.keys)
    for (_, same) in doubled.sorted(by: { $0.key < $1.key }) {
      let before = owners[nodes[same[0]].name] ?? []
      guard before.count < same.count else { continue }
      // Nodes of the original keep their names: nodes that write the same values first, then nodes of the same
      // operator, then the first ones.
      func rank(_ place: Int) -> Int {
        let node = nodes[place]
        if before.contains(where: { $0.opType == node.opType && $0.outputs == node.outputs }) { return 0 }
        return before.contains { $0.opType == node.opType } ? 1 : 2
      }
      let ranked = same.sorted { (rank($0), $0) < (rank($1), $1) }
      for place in ranked.dropFirst(max(before.count, 1)) {
        nodes[place].name = Self.uniqueName(nodes[place].name, &usedNames)
      }
    }
  }
}
