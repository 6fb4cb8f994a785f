import PruneGraph
import PruneTensor

/// Who writes and who reads each value of a graph that does not change meanwhile.
struct GraphIndex {
  let graph: Graph
  let producers: [String: Int]
  let consumers: [String: [Int]]
  let outputs: Set<String>
  /// Values that graphs inside nodes read from outside; they cannot be renamed.
  let captured: Set<String>
  private let sources: WeightSources

  init(_ graph: Graph) {
    self.graph = graph
    producers = graph.producers
    sources = WeightSources(graph, producers: producers)
    consumers = graph.consumers
    outputs = Set(graph.outputs.map(\.name))
    captured = Set(
      graph.nodes.flatMap { $0.subgraphs.isEmpty ? [] : $0.allReads.dropFirst($0.inputs.count { !$0.isEmpty }) })
  }

  /// The tensor of an initializer or a `Constant` node, also behind `Identity`: exporters write parameters that are
  /// equal only once.
  func constant(_ name: String?) -> Tensor? { name.flatMap(stored)?.tensor }

  private func stored(_ name: String) -> WeightSource? {
    sources.source(of: name) { $0.isStandard && $0.opType == "Identity" }
  }

  /// A constant that is looked at several times: a file's bytes may lie anywhere, and are copied once.
  func weight(_ name: String) throws(PruneError) -> Tensor? {
    guard let tensor = constant(name) else { return nil }
    let result = try tensor.aligned(to: 4)
    if !result.sharesStorage(with: tensor) { tensor.forgetPages() }
    return result
  }

  func isConstant(_ name: String) -> Bool { constant(name) != nil }

  /// Where a constant is stored, behind a chain of `Identity` nodes; the name itself for what is none.
  func source(of name: String) -> String { stored(name)?.name ?? name }

  /// Whether one node alone reads an initializer, and nobody outside sees it: what may be changed with that node.
  func isOwned(_ name: String) -> Bool {
    graph.hasInitializer(name) && consumers[name]?.count == 1 && !outputs.contains(name) && !captured.contains(name)
  }

  /// The one node that reads a value, when there is exactly one and nobody outside sees the value.
  func onlyConsumer(of value: String) -> Node? {
    guard let readers = consumers[value], readers.count == 1, let reader = readers.first,
      !outputs.contains(value), !captured.contains(value)
    else { return nil }
    return graph.nodes[reader]
  }
}

extension Graph {
  /// Drops the named initializers and constants that nothing reads any more.
  mutating func removeUnused(_ names: Set<String>) {
    let read = Set(nodes.flatMap(\.allReads)).union(outputs.map(\.name))
    let dead = names.subtracting(read)
    guard !dead.isEmpty else { return }
    removeInitializers { dead.contains($0.name) }
    inputs.removeAll { dead.contains($0.name) }
    nodes.removeAll { $0.opType == "Constant" && $0.isStandard && dead.contains($0.outputs.first ?? "") }
  }
}
