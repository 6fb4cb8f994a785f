import PruneGraph
import PruneTensor

/// Integer products whose activations get their scale while the model runs: DynamicQuantizeLinear, then MatMulInteger or
/// ConvInteger, then the two scales and the bias in float, in the order that ONNX Runtime fuses.
struct DynamicRewriter {
  private let plan: WeightPlan
  private let perChannel: Bool
  private var edit: GraphEdit
  /// Codes, scale and zero point of each activation that was quantized.
  private var activations: [String: [String]] = [:]
  private var weights: [String: (codes: String, scales: [Float])] = [:]

  init(_ edit: GraphEdit, _ plan: WeightPlan, perChannel: Bool) {
    self.edit = edit
    self.plan = plan
    self.perChannel = perChannel
  }

  mutating func rewrite(cancel: CancelFlag?) throws(PruneError) -> (model: Model, layers: [QuantizedLayer], kept: [QuantizationPlan.Kept]) {
    var nodes: [Node] = []
    var kept = plan.kept
    for (place, node) in edit.index.graph.nodes.enumerated() {
      guard let layer = plan.layers[place], let weight = try edit.index.weight(layer.weight) else {
        nodes.append(node)
        continue
      }
      try cancel?.check()
      if let reason = refusal(node, layer) {
        kept.append(QuantizationPlan.Kept(name: node.title, operation: node.opType, reason: reason))
        nodes.append(node)
        continue
      }
      do throws(PruneError) { nodes += try product(node, layer, weight) } catch { throw error.located(at: node.label) }
    }
    return (edit.finish(nodes), edit.results, kept)
  }

  private func refusal(_ node: Node, _ layer: WeightPlan.Layer) -> String? {
    guard layer.input == 1 else { return "its weight is the left operand" }
    guard let input = node.input(0), !edit.index.isConstant(input) else { return "its input is a constant" }
    guard node.opType == "Gemm" else { return nil }
    guard node.int("transA", default: 0) == 0 else { return "its input is transposed" }
    return node.float("alpha", default: 1) == 1 && (node.input(2) == nil || node.float("beta", default: 1) == 1)
      ? nil : "alpha or beta is not 1"
  }

  private mutating func product(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> [Node] {
    let isConv = node.opType == "Conv"
    var nodes: [Node] = []
    let input = node.inputs[0]
    if activations[input] == nil {
      let made = ["_codes", "_scale", "_zero_point"].map { edit.name(input + $0) }
      nodes.append(Node("DynamicQuantizeLinear", name: made[0], inputs: [input], outputs: made))
      activations[input] = made
    }
    let codes = activations[input] ?? []
    let stored = try store(node, layer, weight)
    let output = node.outputs[0]
    var integer = Node(
      isConv ? "ConvInteger" : "MatMulInteger", name: node.name, inputs: [codes[0], stored.codes, codes[2]],
      outputs: [edit.name(output + "_integer")])
    if isConv { integer.attributes = node.attributes }
    // Channels are the last axis of a matrix product and the second of a convolution.
    let shape = isConv && stored.scales.count > 1
      ? [1, stored.scales.count] + [Int](repeating: 1, count: weight.shape.rank - 2) : stored.scales.count > 1 ? [stored.scales.count] : []
    let scale = edit.add(layer.weight + "_scale", try Tensor(stored.scales, try Shape(shape)))
    let both = edit.name(output + "_scale"), floats = edit.name(output + "_float")
    let bias = node.opType == "MatMul" ? nil : node.input(2)
    let scaled = bias == nil ? output : edit.name(output + "_scaled")
    nodes += [
      integer,
      Node("Cast", name: floats, inputs: integer.outputs, outputs: [floats], attributes: [Attribute("to", .int(1))]),
      Node("Mul", name: both, inputs: [codes[1], scale], outputs: [both]),
      Node("Mul", name: edit.name(node.title + "_scale"), inputs: [floats, both], outputs: [scaled]),
    ]
    guard var bias else { return nodes }
    if isConv {
      guard let tensor = edit.index.constant(bias) else {
        throw PruneError(.unsupported, "its bias is not a constant", hint: "leave the layer out with ignore = …")
      }
      edit.release(bias)
      let extents = [1, tensor.count] + [Int](repeating: 1, count: weight.shape.rank - 2)
      bias = edit.add(bias + "_spread", try tensor.reshaped(try Shape(extents)))
    }
    nodes.append(Node("Add", name: edit.name(node.title + "_bias"), inputs: [scaled, bias], outputs: [output]))
    return nodes
  }

  private mutating func store(
    _ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor
  ) throws(PruneError) -> (codes: String, scales: [Float]) {
    let key = "\(layer.channelAxis) \(layer.weight)"
    if let known = weights[key] { return known }
    let isTransposed = node.opType == "Gemm" && layer.channelAxis == 0
    let matrix = isTransposed ? try weight.transposed() : weight
    let axis = perChannel ? (isTransposed ? 1 : layer.channelAxis) : nil
    let scales = WeightScale.symmetric(maxima: try matrix.absoluteMaxima(axis: axis), biasBounds: [0])
    let (codes, signal, noise) = try matrix.quantizedInt8(scales: scales, axis: axis)
    let name = edit.add(layer.weight + "_quantized", codes)
    edit.replace(layer.weight, by: name)
    weights[key] = (name, scales)
    edit.results.append(
      QuantizedLayer(
        name: node.title, operation: node.opType, weight: layer.weight, weights: weight.count, bits: 8,
        channels: scales.count, largestScale: scales.max() ?? 0,
        decibels: QuantizedLayer.decibels(signal: signal, noise: noise), bytesBefore: weight.byteCount,
        bytesAfter: codes.byteCount + scales.count * 4))
    return (name, scales)
  }
}
