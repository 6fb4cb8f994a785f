import PruneGraph
import PruneTensor

/// Integer products whose activations get their scale while the model runs: DynamicQuantizeLinear, then MatMulInteger
/// or ConvInteger, then the two scales and the bias in float, in the order that ONNX Runtime fuses.
struct DynamicRewriter {
  private let plan: WeightPlan
  private let perChannel: Bool
  private let ignore: [NamePattern]
  /// What became of LSTMs, where they are to be written as operators on codes.
  private(set) var recurrent: OptionOutcome?
  private var edit: GraphEdit
  /// Codes, scale and zero point of each activation that was quantized.
  private var activations: [String: [String]] = [:]
  private var weights: [String: (codes: String, scales: [Float])] = [:]
  /// Tables that rows are gathered from and that products read as well, with the scales of their rows.
  private(set) var tables: [String: (codes: String, scales: String)] = [:]

  init(_ edit: GraphEdit, _ plan: WeightPlan, perChannel: Bool, ignore: [NamePattern], hasOperators: Bool) {
    self.edit = edit
    self.plan = plan
    self.perChannel = perChannel
    self.ignore = ignore
    recurrent = hasOperators ? OptionOutcome("format 'qoperator'", step: "recurrent_operators") : nil
  }

  /// - Returns: the model, and by layer why it has no integer form.
  mutating func rewrite(cancel: CancelFlag?) throws(PruneError) -> (
    model: Model, layers: [QuantizedLayer], refused: [String: String]
  ) {
    var nodes: [Node] = []
    var refused: [String: String] = [:]
    for (place, node) in edit.index.graph.nodes.enumerated() {
      if recurrent != nil, node.isStandard, node.opType == "LSTM", !isIgnored(node, node.input(1) ?? "") {
        nodes.append(try coded(node))
        continue
      }
      guard let layer = plan.layers(at: place).first ?? tied(node, at: place),
        let weight = try edit.index.weight(layer.weight)
      else {
        nodes.append(node)
        continue
      }
      try cancel?.check()
      if let reason = refusal(node, layer) {
        refused[node.layerName] = reason
        nodes.append(node)
        continue
      }
      do throws(PruneError) { nodes += try product(node, layer, weight) } catch { throw error.located(at: node.label) }
    }
    // The float form of a tied table that products have read until now.
    let read = Set(nodes.flatMap(\.allReads)).union(edit.index.outputs)
    nodes.removeAll { node in
      node.opType == "Transpose" && tables[node.input(0) ?? ""] != nil && !node.outputs.contains(where: read.contains)
    }
    return (edit.finish(nodes), edit.results, refused)
  }

  /// The product with a table whose rows other nodes gather, as an output layer tied to an embedding.
  private func tied(_ node: Node, at place: Int) -> WeightPlan.Layer? {
    guard node.isStandard, node.opType == "MatMul", let value = node.input(1),
      let producer = edit.index.producers[value]
    else { return nil }
    let transpose = edit.index.graph.nodes[producer]
    guard transpose.isStandard, transpose.opType == "Transpose", let table = transpose.input(0), isTable(table),
      transpose.ints("perm") ?? [1, 0] == [1, 0], let weight = edit.index.constant(table), weight.dtype == .float32,
      weight.shape.rank == 2, (try? weight.finiteRange()) ?? nil != nil, !isIgnored(node, table)
    else { return nil }
    return WeightPlan.Layer(node: place, input: 1, weight: table, channelAxis: 0, blockAxis: nil)
  }

  /// An LSTM as ONNX Runtime's operator with weights of 8 bits; the node itself, and why, where it has no such form.
  private mutating func coded(_ node: Node) throws(PruneError) -> Node {
    let form: RecurrentForm
    do throws(Reason) {
      form = try RecurrentForm(node, edit.index)
    } catch {
      recurrent?.leave(node, error.text)
      return node
    }
    recurrent?.serve()
    do throws(PruneError) { return try form.write(node, perChannel: perChannel, &edit) } catch {
      throw error.located(at: node.label)
    }
  }

  private func isTable(_ name: String) -> Bool {
    edit.index.consumers[name]?.contains {
      let node = edit.index.graph.nodes[$0]
      return node.isStandard && node.opType == "Gather" && node.input(0) == name && node.int("axis", default: 0) == 0
    } ?? false
  }

  private func isIgnored(_ node: Node, _ weight: String) -> Bool {
    ignore.contains { $0.matches(node.layerName) || $0.matches(weight) }
  }

  private func refusal(_ node: Node, _ layer: WeightPlan.Layer) -> String? {
    guard layer.input == 1 else { return "its weight is the left operand" }
    guard let input = node.input(0), !edit.index.isConstant(input) else { return "its input is a constant" }
    guard node.opType == "Gemm" else { return nil }
    guard node.int("transA", default: 0) == 0 else { return "its input is transposed" }
    return node.float("alpha", default: 1) == 1 && (node.input(2) == nil || node.float("beta", default: 1) == 1)
      ? nil : "alpha or beta is not 1"
  }

  private mutating func product(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> [Node]
  {
    let isConv = node.opType == "Conv"
    var nodes: [Node] = []
    let input = node.inputs[0]
    if activations[input] == nil {
      let made = ["_codes", "_scale", "_zero_point"].map { edit.name(input + $0) }
      nodes.append(Node("DynamicQuantizeLinear", name: made[0], inputs: [input], outputs: made))
      activations[input] = made
    }
    let codes = activations[input] ?? []
    let stored = try store(node, layer, weight, &nodes)
    let output = node.outputs[0]
    var integer = Node(
      isConv ? "ConvInteger" : "MatMulInteger", name: node.name, inputs: [codes[0], stored.codes, codes[2]],
      outputs: [edit.name(output + "_integer")])
    if isConv { integer.attributes = node.attributes }
    // Channels are the last axis of a matrix product and the second of a convolution.
    let shape =
      isConv && stored.scales.count > 1
      ? [1, stored.scales.count] + [Int](repeating: 1, count: weight.shape.rank - 2)
      : stored.scales.count > 1 ? [stored.scales.count] : []
    let scale = edit.add(layer.weight + "_scale", try Tensor(stored.scales, try Shape(shape)))
    let both = edit.name(output + "_scale"), floats = edit.name(output + "_float")
    let bias = node.opType == "MatMul" ? nil : node.input(2)
    let scaled = bias == nil ? output : edit.name(output + "_scaled")
    nodes += [
      integer,
      Node("Cast", name: floats, inputs: integer.outputs, outputs: [floats], attributes: [Attribute("to", .int(1))]),
      Node("Mul", name: both, inputs: [codes[1], scale], outputs: [both]),
      Node("Mul", name: edit.name(node.layerName + "_scale"), inputs: [floats, both], outputs: [scaled]),
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
    nodes.append(Node("Add", name: edit.name(node.layerName + "_bias"), inputs: [scaled, bias], outputs: [output]))
    return nodes
  }

  private mutating func store(
    _ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor, _ nodes: inout [Node]
  ) throws(PruneError) -> (codes: String, scales: [Float]) {
    let key = "\(layer.channelAxis) \(layer.weight)"
    if let known = weights[key] { return known }
    let isTransposed = node.opType != "Conv" && layer.channelAxis == 0
    if isTransposed, isTable(layer.weight) {
      let made = try storeTable(node, layer, weight, &nodes)
      weights[key] = made
      return made
    }
    let matrix = isTransposed ? try weight.transposed() : weight
    let axis = perChannel ? (isTransposed ? 1 : layer.channelAxis) : nil
    let scales = WeightScale.symmetric(maxima: try matrix.absoluteMaxima(axis: axis), biasBounds: [0])
    let (codes, signal, noise) = try matrix.quantizedInt8(scales: scales, axis: axis)
    let name = edit.add(layer.weight + "_quantized", codes)
    edit.replace(layer.weight, by: name)
    weights[key] = (name, scales)
    edit.results.append(
      QuantizedLayer(
        name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count, bits: 8,
        channels: scales.count, largestScale: scales.max() ?? 0,
        decibels: QuantizedLayer.decibels(signal: signal, noise: noise), bytesBefore: weight.byteCount,
        bytesAfter: codes.byteCount + scales.count * 4))
    return (name, scales)
  }

  /// Stores a table once, as rows in int8 that others gather, and turns them for the product.
  private mutating func storeTable(
    _ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor, _ nodes: inout [Node]
  ) throws(PruneError) -> (codes: String, scales: [Float]) {
    let scales = WeightScale.symmetric(maxima: try weight.absoluteMaxima(axis: 0), biasBounds: [0])
    let (codes, signal, noise) = try weight.quantizedInt8(scales: scales, axis: 0)
    let name = edit.add(layer.weight + "_quantized", codes), turned = edit.name(layer.weight + "_turned")
    let column = edit.add(layer.weight + "_row_scale", try Tensor(scales, try Shape([scales.count, 1])))
    tables[layer.weight] = (name, column)
    nodes.append(
      Node(
        "Transpose", name: turned, inputs: [name], outputs: [turned],
        attributes: [Attribute("perm", .integers([1, 0]))]))
    edit.replace(layer.weight, by: name)
    edit.results.append(
      QuantizedLayer(
        name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count, bits: 8,
        channels: scales.count, largestScale: scales.max() ?? 0,
        decibels: QuantizedLayer.decibels(signal: signal, noise: noise), bytesBefore: weight.byteCount,
        bytesAfter: codes.byteCount + scales.count * 4))
    return (turned, scales)
  }
}
