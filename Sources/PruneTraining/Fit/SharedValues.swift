import PruneGraph
import PruneTensor

/// A palettized model with its palettes as the parameters: each weight is `Gather(palette, indices)`, so that its
/// gradient arrives at the shared values, summed over the weights that have them (Han et al., "Deep Compression",
/// 2016). The sum is the derivative by a shared value, and an optimizer that scales gradients, such as Adam, sees it
/// rather than its parts.
///
/// A palette has its weight's name, so that options name it as they name the weight, and two axes, so that it decays as
/// weights do. Zero is masked: what is pruned stays so.
enum SharedValues {
  /// More different values than this, and than one in four, are no palette.
  private static let most = 256, mostGrouped = 1 << 16

  /// The model whose parameters are palettes, and by weight which value each element has.
  /// - Throws: `.invalidArgument` when no weight that is trained takes few values.
  static func split(_ source: Model, frozen: [String]) throws(PruneError) -> (model: Model, indices: [String: Tensor]) {
    var model = source
    var names = source.graph.allNames
    var nodes: [Node] = []
    var shared: [String: String] = [:]
    var indices: [String: Tensor] = [:]
    let readers = source.graph.consumers
    for name in try TrainableParameters.names(in: source, frozen: frozen) {
      guard let weight = source.graph.initializer(name), weight.shape.rank > 1,
        // A subgraph reads a weight by its name.
        readers[name]?.allSatisfy({ source.graph.nodes[$0].inputs.contains(name) }) ?? false,
        let (palette, places) = try Self.palette(of: weight)
      else { continue }
      let flat = Graph.uniqueName(name + ".palette", &names), index = Graph.uniqueName(name + ".indices", &names)
      let extent = Graph.uniqueName(name + ".extent", &names), value = Graph.uniqueName(name + ".shared", &names)
      model.graph.setInitializer(name, try Tensor(palette, try Shape([palette.count, 1])))
      model.graph.setInitializer(index, places)
      model.graph.setInitializer(extent, try Tensor([Int64(palette.count)]))
      nodes.append(Node("Reshape", name: flat, inputs: [name, extent], outputs: [flat]))
      nodes.append(Node("Gather", name: value, inputs: [flat, index], outputs: [value]))
      if !model.maskedParameters.contains(name) { model.maskedParameters.append(name) }
      (shared[name], indices[name]) = (value, places)
    }
    // What is small has few values anyhow.
    guard indices.contains(where: { 2 * (model.graph.initializer($0)?.count ?? 0) <= $1.count }) else {
      throw PruneError(
        .invalidArgument, "palettes trains the values that weights share, and no weight takes few values", at: "fit",
        hint: "quantize with scheme = \"palette\" first")
    }
    model.graph.inputs.removeAll { shared[$0.name] != nil }
    for index in model.graph.nodes.indices {
      model.graph.nodes[index].inputs = model.graph.nodes[index].inputs.map { shared[$0] ?? $0 }
    }
    model.graph.nodes = nodes + model.graph.nodes
    return (model, indices)
  }

  /// The different values in order of appearance, and which of them each weight is (int32); nil where there are too
  /// many.
  private static func palette(of weight: Tensor) throws(PruneError) -> ([Float], Tensor)? {
    let limit = max(most, min(weight.count / 4, mostGrouped))
    var places = try Tensor(zeros: .int32, weight.shape)
    var palette: [Float] = []
    var indices: [Float: Int32] = [:]
    try weight.withSpan(of: Float.self) { values throws(PruneError) in
      try places.withMutableSpan(of: Int32.self) { target throws(PruneError) in
        for place in values.indices where palette.count <= limit {
          let value = values[place]
          if let index = indices[value] {
            target[place] = index
          } else {
            target[place] = Int32(palette.count)
            indices[value] = target[place]
            palette.append(value)
          }
        }
      }
    }
    return palette.count <= limit ? (palette, places) : nil
  }

  /// `source` with what training made of its palettes and of everything else.
  static func joined(_ trained: Model, _ indices: [String: Tensor], as source: Model) throws(PruneError) -> Model {
    var result = trained
    result.graph.nodes = source.graph.nodes
    result.graph.inputs = source.graph.inputs
    result.maskedParameters = source.maskedParameters
    result.graph.removeInitializers { !source.graph.hasInitializer($0.name) }
    for (name, places) in indices {
      guard let palette = try trained.graph.initializer(name)?.array(of: Float.self) else { continue }
      let values = try places.array(of: Int32.self).map { palette[Int($0)] }
      result.graph.setInitializer(name, try Tensor(values, places.shape))
    }
    return result
  }
}
