import PruneGraph
import PruneTensor

/// Writes a plan into a graph as QuantizeLinear and DequantizeLinear pairs: activations get a pair where they are
/// computed, weights and biases are stored as int8 and int32 behind a DequantizeLinear.
struct QDQRewriter {
  private let plan: QuantizationPlan
  private let index: GraphIndex
  /// Scales of activations that have codes of their own.
  private let scales: [String: AffineScale]
  private let perChannel: Bool
  /// Weights and biases stay float, weights with a pair of their own, so that training can change them.
  private let trainable: Bool
  /// Weights that were rounded otherwise than to the nearest, with their scales.
  private let rounded: [String: GPTQ.Rounded]
  private var model: Model
  private var names: Set<String>
  private(set) var results: [QuantizedLayer] = []
  /// Dequantized name of each activation.
  private var dequantized: [String: String] = [:]
  private var activationScales: [String: (scale: String, zeroPoint: String)] = [:]
  /// Names of stored weights by initializer and axis: a tied weight is stored once.
  private var stored: [String: (output: String, scales: [Float])] = [:]
  private var renamedMasks: [String: [String]] = [:]

  init(
    _ model: Model, _ plan: QuantizationPlan, _ index: GraphIndex, scales: [String: AffineScale], perChannel: Bool,
    trainable: Bool = false,
    rounded: [String: GPTQ.Rounded] = [:]
  ) {
    self.model = model
    self.plan = plan
    self.index = index
    self.scales = scales
    self.perChannel = perChannel
    self.trainable = trainable
    self.rounded = rounded
    names = model.graph.allNames
  }

  /// The rewritten model.
  mutating func rewrite() throws(PruneError) -> Model {
    let original = index.graph
    let layers = Dictionary(plan.layers.map { ($0.node, $0) }, uniquingKeysWith: { first, _ in first })
    var nodes: [Node] = []
    for input in original.inputs where plan.quantized.contains(input.name) && !original.hasInitializer(input.name) {
      nodes += try pair(input.name, readAs: input.name)
    }
    for (place, node) in original.nodes.enumerated() {
      var node = node
      let written = node.outputs
      node.inputs = node.inputs.map { dequantized[$0] ?? $0 }
      if let layer = layers[place] { nodes += try quantize(layer, &node) }
      var pairs: [Node] = []
      for (position, output) in written.enumerated() where plan.quantized.contains(output) {
        // A graph output keeps its name on the dequantized value.
        let raw = index.outputs.contains(output) ? Graph.uniqueName(output + "_float", &names) : output
        node.outputs[position] = raw
        pairs += try pair(output, readAs: raw)
      }
      nodes.append(node)
      nodes += pairs
    }
    model.graph.nodes = nodes
    model.graph.removeUnused(Set(plan.layers.flatMap { [$0.weight] + ($0.bias.map { [$0] } ?? []) }))
    updateMasks()
    // Initializers that are not inputs need it, and every writer of this opset uses at least 7.
    model.irVersion = max(model.irVersion, 7)
    return model
  }

  // MARK: - Activations

  /// The pair of one activation; later readers are sent to its dequantized end.
  private mutating func pair(_ value: String, readAs raw: String) throws(PruneError) -> [Node] {
    let (scale, zeroPoint) = try scaleNames(of: plan.source(of: value))
    let codes = Graph.uniqueName(value + "_quantized", &names)
    let output = raw == value ? Graph.uniqueName(value + "_dequantized", &names) : value
    dequantized[value] = output
    return [
      Node("QuantizeLinear", name: codes, inputs: [raw, scale, zeroPoint], outputs: [codes]),
      Node("DequantizeLinear", name: output, inputs: [codes, scale, zeroPoint], outputs: [output]),
    ]
  }

  private mutating func scaleNames(of value: String) throws(PruneError) -> (scale: String, zeroPoint: String) {
    if let known = activationScales[value] { return known }
    guard let affine = scales[value] else {
      throw PruneError(.internal, "activation '\(value)' was not calibrated")
    }
    let tensors = try affine.tensors()
    let made = (scale: add(value + "_scale", tensors.scale), zeroPoint: add(value + "_zero_point", tensors.zeroPoint))
    activationScales[value] = made
    return made
  }

  // MARK: - Weights

  /// Puts the int8 weight and the int32 bias behind DequantizeLinear nodes and the layer behind those.
  private mutating func quantize(_ layer: QuantizationPlan.Layer, _ node: inout Node) throws(PruneError) -> [Node] {
    var added: [Node] = []
    let key = "\(layer.axis ?? -1) \(layer.weight)"
    if stored[key] == nil {
      let made = try store(layer, node)
      stored[key] = (made.output, made.scales)
      added += made.nodes
    }
    guard let weight = stored[key] else { return added }
    node.inputs[1] = weight.output
    if !trainable, let bias = layer.bias, let tensor = index.constant(bias) {
      let made = try store(bias: bias, tensor, inputScale: inputScale(layer), weightScales: weight.scales)
      node.inputs[2] = made.outputs[0]
      added.append(made)
    }
    return added
  }

  private func inputScale(_ layer: QuantizationPlan.Layer) -> Float { scales[plan.source(of: layer.input)]?.scale ?? 1 }

  private mutating func store(
    _ layer: QuantizationPlan.Layer, _ node: Node
  ) throws(PruneError) -> (output: String, scales: [Float], nodes: [Node]) {
    guard let weight = try index.weight(layer.weight) else {
      throw PruneError(.internal, "weight '\(layer.weight)' is gone", at: node.label)
    }
    let axis = perChannel ? layer.axis : nil
    let maxima = try weight.absoluteMaxima(axis: axis)
    let chosen = WeightScale.symmetric(maxima: maxima, biasBounds: try biasBounds(layer, channels: maxima.count))
    let better = rounded[layer.weight].flatMap { $0.scales == chosen ? $0.tensor : nil }
    let (codes, own, rest) = try (better ?? weight).quantizedInt8(scales: chosen, axis: axis)
    let (signal, noise) = better == nil ? (own, rest) : try weight.noise(of: codes, scales: chosen, axis: axis)
    let name =
      trainable ? Graph.uniqueName(layer.weight + "_quantized", &names) : add(layer.weight + "_quantized", codes)
    let scale: String, zero: String
    if axis != nil {
      scale = add(layer.weight + "_scale", try Tensor(chosen))
      zero = add(layer.weight + "_zero_point", try Tensor([Int8](repeating: 0, count: chosen.count)))
    } else {
      scale = add(layer.weight + "_scale", try Tensor(scalar: chosen.first ?? 1))
      zero = add(layer.weight + "_zero_point", try Tensor(scalar: Int8(0)))
    }
    if !trainable { renamedMasks[layer.weight, default: []].append(name) }
    results.append(
      QuantizedLayer(
        name: node.layerName, operation: node.opType, weight: layer.weight,
        weights: weight.count, bits: 8, channels: chosen.count, largestScale: chosen.max() ?? 0,
        decibels: QuantizedLayer.decibels(signal: signal, noise: noise),
        bytesBefore: weight.byteCount, bytesAfter: codes.byteCount + chosen.count * 5))
    let output = Graph.uniqueName(layer.weight + "_dequantized", &names)
    let attributes = axis.map { [Attribute("axis", .int(Int64($0)))] } ?? []
    var nodes = [
      Node("DequantizeLinear", name: output, inputs: [name, scale, zero], outputs: [output], attributes: attributes)
    ]
    if trainable {
      let pair = Node(
        "QuantizeLinear", name: name, inputs: [layer.weight, scale, zero], outputs: [name], attributes: attributes)
      nodes.insert(pair, at: 0)
    }
    return (output, chosen, nodes)
  }

  /// The least weight scales with which the biases of every layer that uses the weight fit int32.
  private func biasBounds(_ layer: QuantizationPlan.Layer, channels: Int) throws(PruneError) -> [Float] {
    var bounds = [Float](repeating: 0, count: channels)
    for other in plan.layers where other.weight == layer.weight && other.axis == layer.axis {
      guard let bias = index.constant(other.bias) else { continue }
      let values = try bias.array(of: Float.self), step = inputScale(other)
      for (channel, value) in values.enumerated() {
        let place = channels == 1 ? 0 : channel
        guard place < channels else { continue }
        bounds[place] = max(bounds[place], value.magnitude / (step * 0x1p30))
      }
    }
    return bounds
  }

  /// The bias in units of the layer's accumulator: input scale times weight scale.
  private mutating func store(
    bias: String, _ tensor: Tensor, inputScale: Float, weightScales: [Float]
  ) throws(PruneError) -> Node {
    let values = try tensor.array(of: Float.self)
    let steps = weightScales.map { $0 * inputScale }
    let name = add(bias + "_quantized", try Tensor(Self.biasCodes(values, steps: steps)))
    let isPerChannel = steps.count > 1 || perChannel
    let scale = add(bias + "_scale", isPerChannel ? try Tensor(steps) : try Tensor(scalar: steps.first ?? 1))
    let zeros =
      isPerChannel
      ? try Tensor([Int32](repeating: 0, count: steps.count)) : try Tensor(scalar: Int32(0))
    let zero = add(bias + "_zero_point", zeros)
    let output = Graph.uniqueName(bias + "_dequantized", &names)
    return Node(
      "DequantizeLinear", name: output, inputs: [name, scale, zero], outputs: [output],
      attributes: isPerChannel ? [Attribute("axis", .int(0))] : [])
  }

  /// Biases in steps of their channel, or of all.
  static func biasCodes(_ values: [Float], steps: [Float]) -> [Int32] {
    values.enumerated().map { channel, value in
      let step = channel < steps.count ? steps[channel] : steps.first ?? 1
      let scaled = (Double(value) / Double(step)).rounded(.toNearestOrEven)
      return Int32(max(-0x1p31 + 1, min(0x1p31 - 1, scaled.isNaN ? 0 : scaled)))
    }
  }

  // MARK: - Names

  private mutating func add(_ wanted: String, _ tensor: Tensor) -> String {
    let name = Graph.uniqueName(wanted, &names)
    model.graph.setInitializer(name, tensor)
    return name
  }

  /// A masked weight is listed under the name its codes have; under its own as long as a float layer reads it.
  private mutating func updateMasks() {
    var list: [String] = []
    for name in model.maskedParameters {
      if model.graph.hasInitializer(name) { list.append(name) }
      list += renamedMasks[name] ?? []
    }
    model.maskedParameters = list
  }
}
