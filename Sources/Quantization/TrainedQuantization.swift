import PruneGraph
import PruneTensor

/// What follows quantization-aware training: weights that compute through a pair of QuantizeLinear and DequantizeLinear
/// are stored as the codes they have there, biases as int32.
enum TrainedQuantization {
  /// How the metadata of a model to train begins.
  static let mark = "static int8 to train"

  static func applies(to model: Model) -> Bool {
    model.metadata.contains { $0.key == provenanceKey && $0.value.hasPrefix(mark) }
  }

  /// The model with scales that `fit` learns together with the weights: they are stored as logarithms, so that no step
  /// of any optimizer makes one zero or negative, and steps are relative to their size.
  static func learningScales(_ model: Model) throws(PruneError) -> Model {
    var result = model
    var names = model.graph.allNames
    var nodes: [Node] = []
    let scales = Set(
      model.graph.nodes.filter { $0.has(.quantizes) }
        .compactMap { $0.input(1) })
    for name in scales.sorted() {
      guard let tensor = model.graph.initializer(name), tensor.dtype == .float32 else { continue }
      let logarithms = Graph.uniqueName(name + "_log", &names)
      let values = try tensor.array(of: Float.self).map { Float(logarithm(Double($0))) }
      result.graph.setInitializer(logarithms, try Tensor(values, tensor.shape))
      nodes.append(Node("Exp", name: name, inputs: [logarithms], outputs: [name]))
    }
    result.graph.removeInitializers { scales.contains($0.name) }
    result.graph.nodes = nodes + result.graph.nodes
    return result
  }

  /// The model with learned scales as numbers again.
  private static func settled(_ model: Model) throws(PruneError) -> Model {
    let scales = Set(
      model.graph.nodes.filter { $0.has(.quantizes) }.compactMap { $0.input(1) }
    )
    var result = model
    var unused: Set<String> = []
    result.graph.nodes.removeAll {
      $0.opType == "Exp" && scales.contains($0.outputs.first ?? "") && model.graph.hasInitializer($0.inputs.first ?? "")
    }
    guard result.graph.nodes.count < model.graph.nodes.count else { return model }
    for node in model.graph.nodes where node.opType == "Exp" {
      guard let name = node.output(0), scales.contains(name), let source = node.input(0),
        let tensor = model.graph.initializer(source)
      else { continue }
      let values = try tensor.array(of: Float.self).map { Float(exponential(Double($0))) }
      result.graph.setInitializer(name, try Tensor(values, tensor.shape))
      unused.insert(source)
    }
    result.graph.removeUnused(unused)
    return result
  }

  /// - Throws: `.numeric` when training left a weight that is not finite, `.invalidModel` when nothing is left to
  ///   store.
  static func finish(_ trained: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizedModel {
    let model = try settled(trained)
    var edit = GraphEdit(model)
    var nodes: [Node] = []
    /// Scales of a weight by the value that stands for it.
    var weights: [String: [Float]] = [:]
    var stored: [String: (name: String, scales: [Float])] = [:]
    for node in model.graph.nodes {
      if let made = try codes(of: node, &edit) {
        stored[node.outputs[0]] = made
        continue
      }
      var node = node
      if node.opType == "DequantizeLinear", let codes = node.input(0), let made = stored[codes] {
        node.inputs[0] = made.name
        weights[node.outputs[0]] = made.scales
      } else if let bias = try bias(of: node, weights, &edit) {
        node.inputs[2] = bias.outputs[0]
        nodes.append(bias)
      }
      nodes.append(node)
    }
    guard !stored.isEmpty else {
      throw PruneError(
        .invalidModel, "the model says it was made for quantization-aware training, and has no float weight left")
    }
    let old = model.metadata.first { $0.key == provenanceKey }?.value ?? mark
    var result = edit.finish(nodes)
    if scheme.format == .qOperator { result = try QOperatorRewriter.apply(result) }
    return QuantizedModel(
      model: result, layers: edit.results, kept: [], provenance: "static int8 trained" + old.dropFirst(mark.count))
  }

  /// The codes of a weight that a QuantizeLinear reads, stored; nil for other nodes.
  private static func codes(of node: Node, _ edit: inout GraphEdit) throws(PruneError) -> (
    name: String, scales: [Float]
  )? {
    guard node.opType == "QuantizeLinear", node.isStandard, let name = node.input(0), let scaleName = node.input(1),
      let weight = edit.model.graph.initializer(name), weight.dtype == .float32,
      let scales = try edit.model.graph.initializer(scaleName)?.array(of: Float.self)
    else { return nil }
    guard try weight.finiteRange() != nil, scales.allSatisfy({ $0.isNormal && $0 > 0 }) else {
      throw PruneError(
        .numeric, "weight '\(name)' or its scale is not finite", at: node.label, hint: "train with a lower lr")
    }
    let (codes, signal, noise) = try weight.quantizedInt8(
      scales: scales, axis: scales.count == 1 ? nil : node.int("axis", default: 1))
    // Under the name that the codes had while they were computed.
    let stored = node.outputs[0]
    edit.model.graph.setInitializer(stored, codes)
    edit.replace(name, by: stored)
    edit.results.append(
      QuantizedLayer(
        name: name, operation: "", weight: name, weights: weight.count, bits: 8, channels: scales.count,
        largestScale: scales.max() ?? 0, decibels: QuantizedLayer.decibels(signal: signal, noise: noise),
        bytesBefore: weight.byteCount, bytesAfter: codes.byteCount + scales.count * 5))
    return (stored, scales)
  }

  /// The node that stands for a layer's bias, nil where the layer has none or does not compute in integers.
  private static func bias(
    of node: Node, _ weights: [String: [Float]], _ edit: inout GraphEdit
  ) throws(PruneError) -> Node? {
    // One scale a channel is said from opset 13 on.
    guard (edit.model.opset() ?? 0) >= 13, ["Conv", "Gemm"].contains(node.opType), node.isStandard,
      let weight = node.input(1), let scales = weights[weight],
      let input = node.input(0), let producer = edit.index.producers[input],
      edit.index.graph.nodes[producer].opType == "DequantizeLinear",
      let step = try edit.index.constant(edit.index.graph.nodes[producer].input(1))?.array(of: Float.self).first,
      let name = node.input(2), let bias = edit.model.graph.initializer(name), bias.dtype == .float32,
      bias.shape.rank == 1
    else { return nil }
    let values = try bias.array(of: Float.self)
    guard values.allSatisfy(\.isFinite) else {
      throw PruneError(.numeric, "bias '\(name)' is not finite", at: node.label)
    }
    let steps = (scales.count == 1 ? [Float](repeating: scales[0], count: values.count) : scales).map { $0 * step }
    guard steps.count == values.count else { return nil }
    let codes = edit.add(name + "_quantized", try Tensor(QDQRewriter.biasCodes(values, steps: steps)))
    let scale = edit.add(name + "_scale", try Tensor(steps))
    let zero = edit.add(name + "_zero_point", try Tensor([Int32](repeating: 0, count: steps.count)))
    edit.release(name)
    let output = edit.name(name + "_dequantized")
    return Node(
      "DequantizeLinear", name: output, inputs: [codes, scale, zero], outputs: [output],
      attributes: [Attribute("axis", .int(0))])
  }
}
