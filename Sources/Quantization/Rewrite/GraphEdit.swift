import PruneGraph
import PruneTensor

/// A model while a scheme rewrites it: new names, new initializers, and what became of each weight.
struct GraphEdit {
  var model: Model
  let index: GraphIndex
  var results: [QuantizedLayer] = []
  private var names: Set<String>
  private var renamedMasks: [String: [String]] = [:]
  private var replaced: Set<String> = []

  init(_ model: Model) {
    self.model = model
    index = GraphIndex(model.graph)
    names = model.graph.allNames
  }

  mutating func name(_ wanted: String) -> String { Graph.uniqueName(wanted, &names) }

  /// Adds an initializer under `wanted` or a name like it.
  mutating func add(_ wanted: String, _ tensor: Tensor) -> String {
    let name = name(wanted)
    model.graph.setInitializer(name, tensor)
    return name
  }

  /// Says that `codes` stands for a weight from now on.
  mutating func replace(_ weight: String, by codes: String) {
    renamedMasks[weight, default: []].append(codes)
    replaced.insert(weight)
  }

  /// Says that a constant may have lost its last reader.
  mutating func release(_ name: String) { replaced.insert(name) }

  /// Says that the model has operators of com.microsoft.
  mutating func importVendorOperators() {
    guard !model.opsets.contains(where: { $0.domain == "com.microsoft" }) else { return }
    model.opsets.append(OpsetImport(domain: "com.microsoft", version: 1))
  }

  /// The edited model with these nodes; weights that nothing reads any more are dropped, masks follow their weights.
  mutating func finish(_ nodes: [Node]) -> Model {
    model.graph.nodes = nodes
    model.graph.removeUnused(replaced)
    model.maskedParameters = model.maskedParameters.flatMap { name in
      (model.graph.hasInitializer(name) ? [name] : []) + (renamedMasks[name] ?? [])
    }
    model.irVersion = max(model.irVersion, 7)
    return model
  }
}
