import PruneTensor

/// A constant as a node reads it, and where it is stored.
package struct WeightSource {
  /// The initializer, or the output of the Constant node, that holds the elements.
  package let name: String
  /// The name, unique among all graphs inside nodes.
  package let key: String
  package let tensor: Tensor
  /// The storage nodes between it and the reader, the one at the initializer first.
  package let path: [Node]
}

/// Finds the weights of a graph: a weight behind Identity, Transpose, Reshape, Squeeze, Unsqueeze, Flatten, Cast,
/// QuantizeLinear, DequantizeLinear or in a Constant node is the weight of the layer that reads it.
package struct WeightSources {
  private let graph: Graph
  private let producers: [String: Int]
  private let scope: String
  private let outer: [WeightSources]

  /// No exporter stores a weight behind more nodes.
  private static let longestPath = 16

  /// - Parameters:
  ///   - scope: goes in front of the names of this graph's own tensors in `key`.
  ///   - outer: the enclosing graph, whose values a graph inside a node may read.
  package init(_ graph: Graph, producers: [String: Int]? = nil, scope: String = "", outer: WeightSources? = nil) {
    self.graph = graph
    self.producers = producers ?? graph.producers
    self.scope = scope
    self.outer = outer.map { [$0] } ?? []
  }

  /// The weight behind a value; nil for what is computed from data.
  /// - Parameter passes: the nodes to look behind.
  package func source(of value: String, through passes: (Node) -> Bool = { $0.isStorage }) -> WeightSource? {
    var name = value
    var path: [Node] = []
    for _ in 0...Self.longestPath {
      if let tensor = graph.initializer(name) { return weightSource(name, tensor, path) }
      guard let position = producers[name], graph.nodes.indices.contains(position) else {
        guard let source = outer.first?.source(of: name, through: passes) else { return nil }
        return WeightSource(
          name: source.name, key: source.key, tensor: source.tensor, path: source.path + path.reversed())
      }
      let node = graph.nodes[position]
      if let tensor = node.constant { return weightSource(name, tensor, path) }
      guard passes(node), let input = node.input(0), node.output(0) == name else { return nil }
      path.append(node)
      name = input
    }
    return nil
  }

  private func weightSource(_ name: String, _ tensor: Tensor, _ path: [Node]) -> WeightSource {
    WeightSource(name: name, key: scope + name, tensor: tensor, path: path.reversed())
  }
}

extension Node {
  /// The tensor of a Constant node, whichever attribute holds it; nil for other nodes, and for text.
  package var constant: Tensor? {
    guard isStandard, opType == "Constant" else { return nil }
    if let tensor = tensor("value") { return tensor }
    if let values = floats("value_floats") { return try? Tensor(values) }
    if let values = ints("value_ints") { return try? Tensor(values.map(Int64.init)) }
    switch attribute("value_float") ?? attribute("value_int") {
    case .float(let value)?: return try? Tensor(scalar: value)
    case .int(let value)?: return try? Tensor(scalar: value)
    default: return nil
    }
  }
}
