import PruneGraph
import PruneTensor

/// Computes a float16 network in float32, for which there are fast kernels: never less precise than float16 itself.
/// Inputs and outputs keep their types.
enum HalfWidening {
  static func run(_ model: Model, _ options: ProgramOptions) throws(PruneError) -> Model {
    let graph = model.graph
    let outputs = Set(graph.outputs.map(\.name))
    guard applies(graph), options.variables.isEmpty, options.outputs.map({ outputs.isSuperset(of: $0) }) ?? true,
      graph.outputs.allSatisfy({ $0.type?.dtype != nil })
    else { return model }
    var result = model
    var names = graph.allNames
    for weight in graph.initializers where weight.tensor.dtype == .float16 {
      result.graph.setInitializer(weight.name, try weight.tensor.cast(to: .float32))
    }
    var wide: [String: String] = [:]
    var nodes: [Node] = []
    func cast(_ from: String, _ to: String, _ dtype: DType) -> Node {
      Node("Cast", name: to, inputs: [from], outputs: [to], attributes: [Attribute("to", .int(Int64(dtype.rawValue)))])
    }
    for input in graph.trueInputs where input.type?.dtype == .float16 {
      let name = Graph.uniqueName(input.name + "_wide", &names)
      wide[input.name] = name
      nodes.append(cast(input.name, name, .float32))
    }
    let narrow = Set(graph.outputs.filter { $0.type?.dtype == .float16 }.map(\.name))
    var casts: [Node] = []
    for node in graph.nodes {
      var node = node
      for place in node.attributes.indices {
        switch node.attributes[place].value {
        case .tensor(var value) where value.tensor.dtype == .float16:
          value.tensor = try value.tensor.cast(to: .float32)
          node.attributes[place].value = .tensor(value)
        case .int(10) where ["to", "dtype", "output_dtype"].contains(node.attributes[place].name):
          node.attributes[place].value = .int(1)
        default: continue
        }
      }
      node.inputs = node.inputs.map { wide[$0] ?? $0 }
      for (place, output) in node.outputs.enumerated() where narrow.contains(output) {
        let name = Graph.uniqueName(output + "_wide", &names)
        wide[output] = name
        node.outputs[place] = name
        casts.append(cast(name, output, .float16))
      }
      nodes.append(node)
    }
    result.graph.nodes = nodes + casts
    return result
  }

  /// Whether there is a product with float16 weights, and nothing whose types cannot be followed.
  private static func applies(_ graph: Graph) -> Bool {
    let heavy = Set(Operator.names(with: .product))
    guard graph.nodes.allSatisfy({ $0.isStandard && $0.subgraphs.isEmpty }) else { return false }
    guard graph.outputs.allSatisfy({ output in graph.nodes.contains { $0.outputs.contains(output.name) } }) else {
      return false
    }
    return graph.nodes.contains { node in
      heavy.contains(node.opType) && node.input(1).flatMap { graph.initializer($0) }?.dtype == .float16
    }
  }
}
