import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneEvaluation

/// Which layers are slower in integers than in float32 on the machine that this runs on: each is timed alone, on one
/// sample of the calibration data, its activation function included, from codes to codes and from floats to floats.
struct LayerSpeed {
  /// The best times of one layer.
  struct Timing {
    let layer: String
    let float: Double
    let integer: Double

    var isSlower: Bool { integer > float }
    var reason: String {
      func text(_ seconds: Double) -> String { formatted(seconds * 1000, digits: 3, style: "g") }
      return "int8 is slower here: \(text(integer)) against \(text(float)) ms"
    }
    var report: Report {
      Report(
        title: "",
        entries: [("name", .text(layer)), ("float_ms", .number(float * 1000)), ("int8_ms", .number(integer * 1000))])
    }
  }

  let model: Model
  let plan: QuantizationPlan
  let scales: [String: AffineScale]
  let perChannel: Bool
  let cancel: CancelFlag?

  /// Pairs of runs; their best counts, since other work on the machine only ever makes a run longer.
  private static let rounds = 15

  func measured(on data: Dataset) throws(PruneError) -> [Timing] {
    let index = GraphIndex(model.graph)
    let fed = Set(model.graph.trueInputs.map(\.name))
    let inputBinding = try InputBinding(data, model)
    let feeds = try inputBinding.inputs(of: data.take(inputBinding.fixedBatch ?? 1), filling: inputBinding.fixedBatch)
    let wanted = Set(plan.layers.map(\.input)).subtracting(fed)
    let activations = try Session(model, outputs: wanted.sorted()).run(feeds, cancel: cancel).merging(feeds) {
      computed, _ in computed
    }
    var result: [Timing] = []
    // Layers of the same form are timed once.
    var known: [String: (float: Double, integer: Double)] = [:]
    for layer in plan.layers {
      try cancel?.check()
      let node = index.graph.nodes[layer.node]
      guard let input = activations[layer.input], let weight = index.constant(layer.weight) else { continue }
      let attributes = node.attributes.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: " ")
      let key =
        "\(node.opType) \(attributes) \(input.shape) \(weight.shape) \(activation(after: node, index)?.opType ?? "")"
      if known[key] == nil { known[key] = try time(layer, node, index, input) }
      if let found = known[key] {
        result.append(Timing(layer: node.layerName, float: found.float, integer: found.integer))
      }
    }
    return result
  }

  private func activation(after node: Node, _ index: GraphIndex) -> Node? {
    guard let output = node.output(0), let next = index.onlyConsumer(of: output),
      next.has(.limits)
    else { return nil }
    return next
  }

  private func time(
    _ layer: QuantizationPlan.Layer, _ node: Node, _ index: GraphIndex, _ input: Tensor
  ) throws(PruneError) -> (float: Double, integer: Double)? {
    let float = try alone(layer, node, index, input)
    guard let (integer, codes) = try inCodes(float, input) else { return nil }
    let sessions = (Session(float), Session(integer))
    let feeds = ([layer.input: input], codes)
    var best = (float: Double.infinity, integer: Double.infinity)
    for round in 0...Self.rounds {
      try cancel?.check()
      let start = monotonicSeconds()
      _ = try sessions.0.run(feeds.0, cancel: cancel)
      let middle = monotonicSeconds()
      _ = try sessions.1.run(feeds.1, cancel: cancel)
      // The first round compiles.
      if round > 0 { best = (min(best.float, middle - start), min(best.integer, monotonicSeconds() - middle)) }
    }
    return best
  }

  /// The layer and its activation function as a model.
  private func alone(
    _ layer: QuantizationPlan.Layer, _ node: Node, _ index: GraphIndex, _ input: Tensor
  ) throws(PruneError) -> Model {
    var graph = Graph(name: node.layerName)
    graph.nodes = [node] + (activation(after: node, index).map { [$0] } ?? [])
    for part in graph.nodes {
      for name in part.inputs { if let tensor = index.constant(name) { graph.setInitializer(name, tensor) } }
    }
    graph.inputs = [ValueInfo(name: layer.input, type: TensorType(input.dtype, input.shape))]
    if let output = graph.nodes.last?.output(0) {
      graph.outputs = [ValueInfo(name: output, type: TensorType(.float32, nil))]
    }
    var result = model
    result.graph = graph
    return result
  }

  /// The same on codes, and an input for it.
  private func inCodes(_ float: Model, _ input: Tensor) throws(PruneError) -> (Model, [String: Tensor])? {
    let index = GraphIndex(float.graph)
    let single = try QuantizationPlan(index, ignore: [])
    var own: [String: AffineScale] = [:]
    for value in single.quantized {
      guard let scale = scales[plan.source(of: value)] else { return nil }
      own[value] = scale
    }
    var rewriter = QDQRewriter(float, single, index, scales: own, perChannel: perChannel)
    var result = try rewriter.rewrite()
    guard let name = float.graph.inputs.first?.name,
      let first = result.graph.nodes.firstIndex(where: { $0.opType == "QuantizeLinear" && $0.input(0) == name }),
      let codes = result.graph.nodes[first].output(0), let affine = own[name]
    else { return nil }
    let type: DType = affine.codes == .unsigned ? .uint8 : .int8
    result.graph.nodes.remove(at: first)
    result.graph.inputs = [ValueInfo(name: codes, type: TensorType(type, input.shape))]
    if let last = result.graph.nodes.last, last.opType == "DequantizeLinear", let output = last.input(0) {
      result.graph.nodes.removeLast()
      result.graph.outputs = [ValueInfo(name: output, type: TensorType(type, nil))]
    }
    return (result, [codes: try Tensor(zeros: type, input.shape)])
  }
}
