import PruneGraph
import PruneTensor

extension Graph {
  /// The graph with a prefix before every name in it, graphs inside nodes included.
  /// - Parameter shared: names that get another in place of a prefix.
  func prefixed(_ prefix: String, shared: [String: String]) -> Graph {
    func renamed(_ name: String) -> String { name.isEmpty ? "" : shared[name] ?? prefix + name }
    var result = self
    result.removeInitializers { _ in true }
    for value in initializers {
      result.append(
        initializer: TensorValue(name: renamed(value.name), tensor: value.tensor, docString: value.docString))
    }
    for index in result.nodes.indices {
      result.nodes[index].name = result.nodes[index].name.isEmpty ? "" : prefix + result.nodes[index].name
      result.nodes[index].inputs = result.nodes[index].inputs.map(renamed)
      result.nodes[index].outputs = result.nodes[index].outputs.map(renamed)
      for place in result.nodes[index].attributes.indices {
        switch result.nodes[index].attributes[place].value {
        case .graph(let inner):
          result.nodes[index].attributes[place].value = .graph(inner.prefixed(prefix, shared: shared))
        case .graphs(let list):
          result.nodes[index].attributes[place].value = .graphs(list.map { $0.prefixed(prefix, shared: shared) })
        default: break
        }
      }
    }
    func renamed(_ values: [ValueInfo]) -> [ValueInfo] {
      values.map { value in
        var copy = value
        copy.name = renamed(value.name)
        return copy
      }
    }
    result.inputs = renamed(inputs)
    result.outputs = renamed(outputs)
    result.valueInfo = renamed(valueInfo)
    return result
  }
}
