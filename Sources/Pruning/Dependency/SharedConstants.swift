import PruneGraph
import PruneTensor

/// Takes constants apart that an exporter stored once for several layers: zero biases, scales of one. They are equal by
/// chance and not one weight, and tying them would tie the layers' channels.
enum SharedConstants {
  static func separated(_ model: Model) -> Model {
    var result = model
    var names = model.graph.allNames
    let outputs = Set(model.graph.outputs.map(\.name))
    // Copies by Identity become initializers of their own.
    var kept: [Node] = []
    for node in model.graph.nodes {
      guard node.isStandard, node.opType == "Identity", let input = node.input(0), let output = node.output(0),
        !outputs.contains(output), let tensor = result.graph.initializer(input), isUniform(tensor)
      else {
        kept.append(node)
        continue
      }
      store(output, tensor, &result)
    }
    result.graph.nodes = kept
    var readers: [String: [(node: Int, signature: String)]] = [:]
    for (index, node) in result.graph.nodes.enumerated() where node.subgraphs.isEmpty {
      // Layers that share their weights are one layer used twice: they keep sharing all.
      let signature = node.inputs.filter { (result.graph.initializer($0)?.shape.rank ?? 0) > 1 }.joined(separator: "\n")
      for name in Set(node.inputs) where result.graph.hasInitializer(name) {
        readers[name, default: []].append((index, signature.isEmpty ? "\(index)" : signature))
      }
    }
    let captured = Set(result.graph.nodes.flatMap { $0.subgraphs.isEmpty ? [] : $0.allReads })
    for name in readers.keys.sorted() {
      guard let uses = readers[name], uses.count > 1, !captured.contains(name),
        let tensor = result.graph.initializer(name),
        isUniform(tensor)
      else { continue }
      var copies = [uses[0].signature: name]
      for use in uses.dropFirst() {
        if copies[use.signature] == nil {
          let copy = Graph.uniqueName(name, &names)
          store(copy, tensor, &result)
          copies[use.signature] = copy
        }
        guard let copy = copies[use.signature], copy != name else { continue }
        for (place, input) in result.graph.nodes[use.node].inputs.enumerated() where input == name {
          result.graph.nodes[use.node].inputs[place] = copy
        }
      }
    }
    return result
  }

  /// A vector of floats that are all the same.
  private static func isUniform(_ tensor: Tensor) -> Bool {
    guard tensor.dtype.isFloatingPoint, tensor.count > 1, tensor.count <= 1 << 20,
      tensor.shape.dims.filter({ $0 != 1 }).count == 1, let values = try? tensor.doubles(), let first = values.first
    else { return false }
    return values.allSatisfy { $0 == first }
  }

  static func store(_ name: String, _ tensor: Tensor, _ model: inout Model) {
    model.graph.setInitializer(name, tensor)
    // Before IR version 4 every initializer is also an input.
    if model.irVersion < 4 {
      model.graph.inputs.append(ValueInfo(name: name, type: TensorType(tensor.dtype, tensor.shape)))
    }
  }
}
