import PruneEvaluation
import PruneGraph
import PruneTensor

/// How long the layers of a network take on this machine, each by itself, timed once for equal shapes.
final class LayerTimes {
  private let cancel: CancelFlag?
  private var cache: [String: Double] = [:]

  private let extents: BoundExtents

  init(_ extents: BoundExtents, cancel: CancelFlag?) {
    self.extents = extents
    self.cancel = cancel
  }

  /// Milliseconds of each layer that multiplies, by its output. The batch is one sample.
  func times(of model: Model) throws(PruneError) -> [String: Double] {
    let bound = extents.types(of: model, overrides: true)
    let types = try ShapeInference.run(ShapeConstants.folded(model), inputs: bound).types
    var result: [String: Double] = [:]
    for node in model.graph.nodes {
      let inputs = node.inputs.map { types[$0] }, outputs = node.outputs.map { types[$0] }
      guard let output = node.output(0), NodeCost.macs(node, inputs: inputs, outputs: outputs) != 0 else { continue }
      let key =
        ([node.opType]
        + zip(node.inputs, inputs).map { name, type in
          "\(type?.description ?? "?")\(model.graph.hasInitializer(name) ? "*" : "")"
        } + node.attributes.map { "\($0.name)=\($0.value)" }).joined(separator: ";")
      if let cached = cache[key] {
        result[output] = cached
        continue
      }
      try cancel?.check()
      // What cannot run by itself has no time of its own.
      guard let singleNode = Self.singleNode(node, inputs, outputs, model) else { continue }
      var timing = BenchmarkOptions()
      (timing.runs, timing.warmup, timing.cancel) = (9, 2, cancel)
      guard let time = (try? benchmark(singleNode, timing))?.number("min_ms") else { continue }
      cache[key] = time
      result[output] = time
    }
    return result
  }

  /// A network of one layer, with its weights.
  private static func singleNode(_ node: Node, _ inputs: [TensorType?], _ outputs: [TensorType?], _ model: Model)
    -> Model?
  {
    var graph = Graph(name: "layer")
    for (name, type) in zip(node.inputs, inputs) where !name.isEmpty {
      if let tensor = model.graph.initializer(name) {
        graph.setInitializer(name, tensor)
      } else if !graph.inputs.contains(where: { $0.name == name }) {
        guard let type, type.shape != nil else { return nil }
        graph.inputs.append(ValueInfo(name: name, type: type))
      }
    }
    guard let output = node.output(0), !graph.inputs.isEmpty else { return nil }
    graph.nodes = [node]
    graph.outputs = [ValueInfo(name: output, type: outputs.first ?? nil)]
    var singleNode = Model(graph: graph)
    singleNode.opsets = model.opsets
    singleNode.irVersion = model.irVersion
    return singleNode
  }
}
