import PruneGraph
import PruneTensor

/// Muls in front of layers, each of an activation by one constant a channel of its last axis.
struct InputScaling {
  private var names: Set<String>
  private var added: [Int: [Node]] = [:]

  init(_ model: Model) { names = model.graph.allNames }

  /// How many activations are scaled.
  var count: Int { added.values.reduce(0) { $0 + $1.count } }

  /// Lets the nodes at `readers` read `value` times `factors`; `insert` puts the Mul in front of the first.
  mutating func multiply(_ value: String, by factors: [Float], for readers: [Int], _ graph: inout Graph)
    throws(PruneError)
  {
    guard let first = readers.min() else { return }
    let constant = Graph.uniqueName(value + "_rescale", &names), output = Graph.uniqueName(value + "_rescaled", &names)
    graph.setInitializer(constant, try Tensor(factors))
    added[first, default: []].append(Node("Mul", name: output, inputs: [value, constant], outputs: [output]))
    for reader in readers where graph.nodes.indices.contains(reader) { graph.nodes[reader].inputs[0] = output }
  }

  /// Nodes have kept their places until now.
  func insert(_ graph: inout Graph) {
    guard !added.isEmpty else { return }
    graph.nodes = graph.nodes.enumerated().flatMap { place, node in (added[place] ?? []) + [node] }
  }
}
