import PruneGraph
import PruneTensor

/// Measures the nodes of a graph and of the graphs inside it, one after the other.
struct StatsWalk {
  private(set) var stats = ModelStats(layers: [], params: 0, nonzero: 0, macs: 0, effectiveMacs: 0, bytes: 0)
  private let symbolic: GraphTypes
  private let concrete: GraphTypes
  private let batch: Int
  /// Elements that are not zero of each parameter that a node has claimed.
  private var claimed: [String: Int] = [:]
  private let outputs: Set<String>
  /// Values that depend on the inputs; the others are arithmetic on constants.
  private var dataValues: Set<String>

  /// - Parameters:
  ///   - symbolic: types as the model declares them; `concrete`: types for `batch` samples.
  init(_ model: Model, symbolic: GraphTypes, concrete: GraphTypes, batch: Int) {
    self.symbolic = symbolic
    self.concrete = concrete
    self.batch = batch
    outputs = Set(model.graph.outputs.map(\.name))
    dataValues = []
  }

  mutating func add(_ graph: Graph, _ tracing: ParameterTracing, scope: String) {
    for (_, tensor) in ParameterTracing.stored(in: graph) {
      stats.bytes = stats.bytes.addingReportingOverflow(tensor.byteCount).partialValue
    }
    dataValues.formUnion(graph.trueInputs.map(\.name))
    for node in graph.nodes where node.allReads.contains(where: dataValues.contains) {
      dataValues.formUnion(node.outputs)
    }
    var layers = [LayerStats?](repeating: nil, count: graph.nodes.count)
    // A weight belongs to the first node that computes with it; to one that only moves it when there is no other.
    for moves in [false, true] {
      for (index, node) in graph.nodes.enumerated() where node.isStorage == moves {
        layers[index] = measure(node, tracing.parameters(of: node))
      }
    }
    for (index, node) in graph.nodes.enumerated() {
      if let layer = layers[index] { append(layer) }
      for (number, subgraph) in node.subgraphs.enumerated() {
        let inner = "\(scope)\(index).\(number)/"
        add(subgraph, ParameterTracing(subgraph, scope: inner, outer: tracing), scope: inner)
      }
    }
  }

  private mutating func append(_ layer: LayerStats) {
    stats.layers.append(layer)
    stats.params += layer.params
    stats.nonzero += layer.nonzero
    stats.macs = Self.sum(stats.macs, layer.macs)
    stats.effectiveMacs = Self.sum(stats.effectiveMacs, layer.effectiveMacs)
  }

  private mutating func measure(_ node: Node, _ parameters: [TracedParameter]) -> LayerStats {
    let output = node.output(0) ?? ""
    var layer = LayerStats(
      name: node.name.isEmpty ? output : node.name, op: node.opType,
      outputType: symbolic.types[output] ?? concrete.types[output] ?? TensorType(nil, nil), params: 0, nonzero: 0,
      macs: 0, effectiveMacs: 0, bytes: 0, weightNames: [], isPlumbing: isPlumbing(node))
    var weights = (count: 0, nonzero: 0)
    for parameter in parameters {
      let isNew = claimed[parameter.key] == nil
      // A node that only moves a weight says nothing about one that is already accounted for.
      if !isNew, node.isStorage { continue }
      let nonzero = claimed[parameter.key] ?? parameter.countNonzero()
      claimed[parameter.key] = nonzero
      layer.weightNames.append(parameter.name)
      if parameter.tensor.shape.rank > 1 {
        weights = (weights.count + parameter.tensor.count, weights.nonzero + nonzero)
      }
      guard isNew else { continue }
      layer.params += parameter.tensor.count
      layer.nonzero += nonzero
      layer.bytes += parameter.tensor.byteCount + parameter.quantization.reduce(0) { $0 + $1.byteCount }
    }
    // Nodes that compute shapes or masks from constants only cost nothing, at any extents.
    let isData = dataValues.contains(output) || !parameters.isEmpty
    layer.macs =
      isData
      ? NodeCost.macs(
        node, inputs: node.inputs.map { concrete.types[$0] }, outputs: node.outputs.map { concrete.types[$0] }
      )
      .map { $0 / max(batch, 1) } : 0
    layer.effectiveMacs = layer.macs.map { Self.scaled($0, weights.nonzero, weights.count) }
    if layer.params > 0 { layer.isPlumbing = false }
    return layer
  }

  /// Nodes that are not layers to a reader of the summary.
  private func isPlumbing(_ node: Node) -> Bool {
    guard let output = node.output(0) else { return true }
    if outputs.contains(output) { return false }
    if !dataValues.contains(output) { return true }
    switch node.opType {
    case "QuantizeLinear", "DequantizeLinear", "Constant", "Identity", "Shape", "Cast", "Size": return node.isStandard
    default:
      // Arithmetic on shapes and conditions, and factors made from them.
      guard let type = symbolic.types[output] ?? concrete.types[output], let dims = type.dims, dims.count <= 1 else {
        return false
      }
      return dims.isEmpty || dims == [.fixed(1)] || type.dtype == .bool
        || type.dtype == .int64 && concrete.values[output] != nil
    }
  }

  /// macs * part / whole, exactly; macs when there is no whole.
  private static func scaled(_ macs: Int, _ part: Int, _ whole: Int) -> Int {
    guard whole > 0, part <= whole, macs >= 0 else { return macs }
    return whole.dividingFullWidth(macs.multipliedFullWidth(by: part)).quotient
  }

  private static func sum(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }
}
