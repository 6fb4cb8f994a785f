import PruneGraph

extension Graph {
  /// A node with graphs of its own (If, Loop, Scan) that a value depends on: the nearest one; nil where there is none.
  func controlFlow(behind value: String) -> Node? {
    let producers = self.producers
    var seen: Set<String> = [], waiting = [value], next = 0
    while next < waiting.count {
      let name = waiting[next]
      next += 1
      guard seen.insert(name).inserted, let place = producers[name], nodes.indices.contains(place) else { continue }
      if !nodes[place].subgraphs.isEmpty { return nodes[place] }
      waiting += nodes[place].inputs.filter { !$0.isEmpty }
    }
    return nil
  }

  static let controlFlowHint =
    "what stands behind If, Loop and Scan is not trained: export the model without control flow, the branch that is meant alone; m:simplify() resolves an If whose condition is constant"
}
