import PruneGraph
import PruneTensor

/// Less memory for more time: of the forward pass only what crosses from one segment to the next is kept; the rest of a
/// segment is computed again when the backward pass comes to it (Chen et al. 2016).
enum Recomputation {
  /// Values of fewer bytes are not worth computing again.
  private static let smallest = 1 << 14

  /// - Parameters:
  ///   - graph: the forward nodes, `count` of them, and after them the nodes that compute gradients.
  ///   - kept: values that are needed in any case.
  static func apply(to graph: Graph, forward count: Int, types: GraphTypes, keeping kept: Set<String>) -> Graph {
    let forward = graph.nodes.prefix(count)
    func byteCount(_ value: String) -> Int {
      guard let shape = types.shape(value) else { return 0 }
      return (types.types[value]?.dtype ?? .float32).byteCount(shape.count) ?? 0
    }
    let sizes = forward.map { $0.outputs.reduce(0) { $0 + byteCount($1) } }
    let segments = Double(count).squareRoot().rounded()
    let share = max(Double(sizes.reduce(0, +)) / max(segments, 1), 1)
    // Segments of like size in memory, by the order of nodes.
    var segmentOf: [Int] = []
    var sum = 0.0
    for size in sizes {
      segmentOf.append(min(Int(sum / share), Int(segments)))
      sum += Double(size)
    }
    guard let last = segmentOf.last, last > 0 else { return graph }
    var home: [String: Int] = [:]
    for (index, node) in forward.enumerated() {
      for output in node.outputs where !output.isEmpty { home[output] = segmentOf[index] }
    }
    var stays = kept
    for (index, node) in forward.enumerated() {
      // A pool keeps a record of its maxima for the gradient, by the value it pools.
      let isPool = node.opType == "MaxPool"
      for input in node.allReads {
        if let segment = home[input], segment < segmentOf[index] || isPool { stays.insert(input) }
      }
    }
    for (value, segment) in home where segment == last || byteCount(value) <= smallest { stays.insert(value) }

    var requests: [Int: Set<String>] = [:]
    for node in graph.nodes.dropFirst(count) {
      for input in node.allReads where !stays.contains(input) {
        if let segment = home[input] { requests[segment, default: []].insert(input) }
      }
    }
    var usedNames = graph.allNames
    var copiedNames: [String: String] = [:]
    var result = graph
    result.nodes = Array(forward)
    for node in graph.nodes.dropFirst(count) {
      for input in node.allReads where !stays.contains(input) {
        guard let segment = home[input], let values = requests.removeValue(forKey: segment) else { continue }
        result.nodes += copies(
          of: values, in: forward.indices.filter { segmentOf[$0] == segment }.map { forward[$0] }, stays, &copiedNames,
          &usedNames
        )
      }
      var copy = node
      copy.inputs = node.inputs.map { copiedNames[$0] ?? $0 }
      result.nodes.append(copy)
    }
    return result
  }

  /// The nodes of a segment that make `values`, once more, with names of their own.
  private static func copies(
    of values: Set<String>, in nodes: [Node], _ stays: Set<String>, _ copiedNames: inout [String: String],
    _ usedNames: inout Set<String>
  ) -> [Node] {
    var needed = values
    var chosen: [Node] = []
    for node in nodes.reversed() where node.outputs.contains(where: needed.contains) {
      chosen.append(node)
      needed.formUnion(node.allReads.filter { !stays.contains($0) })
    }
    return chosen.reversed().map { node in
      var copy = node
      copy.inputs = node.inputs.map { copiedNames[$0] ?? $0 }
      copy.outputs = node.outputs.map { output in
        guard !output.isEmpty else { return output }
        let name = Graph.uniqueName("\(output).again", &usedNames)
        if !stays.contains(output) { copiedNames[output] = name }
        return name
      }
      return copy
    }
  }
}
