import PruneGraph
import PruneTensor

/// Stores weights as codes of 2 to 8 bits, or as float8, and lets the layers compute in float: DequantizeLinear in front of them, or
/// ONNX Runtime's MatMulNBits in their place. Embedding tables keep 8 bits and are dequantized row by row.
struct WeightOnlyRewriter {
  struct Form {
    let bits: Int
    /// 0: one scale a channel.
    let blockSize: Int
    let symmetric: Bool
    let perChannel: Bool
    /// MatMulNBits for matrix products.
    let fused: Bool
    /// Elements are float8 numbers (E4M3) rather than integers.
    var isFloat8 = false
    /// Zero points of blocks are those of half-quadratic quantization.
    var isHalfQuadratic = false

    /// The codes of blocks. The mask of a pruned weight is where its codes are zero, so those have no zero point.
    func blocks(isMasked: Bool) -> BlockCodes.Form {
      BlockCodes.Form(
        bits: bits, symmetric: symmetric || bits == 8 && !fused || isMasked, isHalfQuadratic: isHalfQuadratic)
    }

    /// Bits of the elements that codes are stored in: the least that runtimes have.
    var storedBits: Int { Self.stored(bits) }
    static func stored(_ bits: Int) -> Int { bits > 4 ? 8 : 4 }

    /// The least and the greatest code with one scale a channel along `axis`, or for all.
    func limits(axis: Int?) -> (low: Float, high: Float) {
      let half = Float(1 << (bits - 1))
      return (bits < 8 && axis ?? 0 == 0 ? -half : 1 - half, half - 1)
    }

    /// Elements a block of matrices in the fused form, which always has blocks.
    var fusedSize: Int { blockSize > 0 ? blockSize : 32 }
  }

  /// A weight that was rounded otherwise than to the nearest.
  enum Rounded {
    /// To one scale a channel, or for all.
    case channels(GPTQ.Rounded)
    /// In blocks of the matrix as it is stored.
    case blocks(BlockCodes)
  }

  private let form: Form
  private let plan: WeightPlan
  private let rounded: [String: Rounded]
  private var edit: GraphEdit
  /// What readers of a weight that was stored already are given, by weight and axis.
  private var stored: [String: String] = [:]
  /// Layers that gather rows of a weight, by the weight.
  private var tables: [String: WeightPlan.Layer] = [:]

  /// - Parameters:
  ///   - rounded: weights that were rounded otherwise than to the nearest.
  ///   - tables: those whose rows are stored already, with the scales of the rows.
  init(
    _ edit: GraphEdit, _ plan: WeightPlan, _ rounded: [String: Rounded],
    tables: [String: (codes: String, scales: String)] = [:], _ form: Form
  ) {
    self.edit = edit
    self.rounded = rounded
    for (name, table) in tables {
      stored["rows \(name)"] = table.codes
      stored["rows \(name) scale"] = table.scales
      self.edit.release(name)
    }
    self.plan = plan
    self.form = form
  }

  mutating func rewrite(cancel: CancelFlag?) throws(PruneError) -> (model: Model, layers: [QuantizedLayer]) {
    var nodes: [Node] = []
    for layer in plan.layers where edit.index.graph.nodes[layer.node].opType == "Gather" {
      tables[layer.weight] = layer
    }
    for (place, node) in edit.index.graph.nodes.enumerated() {
      let layers = plan.layers(at: place)
      guard !layers.isEmpty else {
        nodes += try reading(node)
        continue
      }
      // What comes in front of the node, and the node, which changes with each of its weights.
      var made = [node]
      for layer in layers {
        guard let node = made.popLast(), let weight = try edit.index.weight(layer.weight) else { continue }
        try cancel?.check()
        // One by one: the file's part of a weight is not needed again.
        defer { weight.forgetPages() }
        do throws(PruneError) {
          if node.opType == "Gather" {
            made += try gather(node, layer, weight)
          } else if form.fused, Self.isFusable(node, layer, rank: weight.shape.rank) {
            made += try fused(node, layer, weight)
          } else {
            made += try dequantized(node, layer, weight)
          }
        } catch { throw error.located(at: node.label) }
      }
      nodes += made
    }
    let model = edit.finish(nodes)
    return (model, edit.results)
  }

  /// Whether some layer has no form as MatMulNBits, and is given a DequantizeLinear of blocks or 4-bit elements
  /// instead.
  static func needsBlocks(_ plan: WeightPlan, _ index: GraphIndex) -> Bool {
    plan.layers.contains { layer in
      let node = index.graph.nodes[layer.node]
      return node.opType != "Gather" && !isFusable(node, layer, rank: index.constant(layer.weight)?.shape.rank ?? 0)
    }
  }

  /// Whether MatMulNBits says the same: one matrix, on the right.
  static func isFusable(_ node: Node, _ layer: WeightPlan.Layer, rank: Int) -> Bool {
    guard rank == 2, layer.input == 1, layer.blockAxis != nil else { return false }
    return node.opType == "MatMul"
      || node.int("transA", default: 0) == 0 && node.float("alpha", default: 1) == 1
        && (node.input(2) == nil || node.float("beta", default: 1) == 1)
  }

  private func isMasked(_ layer: WeightPlan.Layer) -> Bool { edit.model.maskedParameters.contains(layer.weight) }

  private func codes(
    _ weight: Tensor, _ layer: WeightPlan.Layer, axis: Int, size: Int
  ) throws(PruneError) -> BlockCodes {
    if case .blocks(let codes)? = rounded[layer.weight] { return codes }
    return try BlockCodes(weight, axis: axis, size: size, form.blocks(isMasked: isMasked(layer)))
  }

  /// One scale a channel, or one for all: of 8 bits that of the largest weight, of fewer that of the least squared error.
  static func channelScales(_ weight: Tensor, axis: Int?, bits: Int) throws(PruneError) -> [Float] {
    guard bits < 8 else {
      return WeightScale.symmetric(maxima: try weight.absoluteMaxima(axis: axis), biasBounds: [0])
    }
    guard axis ?? 0 == 0 else {
      return try weight.absoluteMaxima(axis: axis).map {
        $0 > 0 ? max($0 / Float(1 << (bits - 1) - 1), AffineScale.least) : 1
      }
    }
    // A channel, or the whole, is one block.
    let rows = axis == nil ? 1 : weight.shape[0], length = weight.count / max(rows, 1)
    let flat = try weight.reshaped(try Shape([rows, length]))
    return try BlockCodes(flat, axis: 1, size: length, .init(bits: bits, symmetric: true)).scales
  }

  // MARK: - Forms

  private mutating func dequantized(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError)
    -> [Node]
  {
    var node = node
    let key = "\(layer.channelAxis) \(layer.weight)"
    if let known = stored[key] {
      node.inputs[layer.input] = known
      return [node]
    }
    let output = edit.name(layer.weight + "_dequantized")
    var attributes: [Attribute] = []
    var inputs: [String] = []
    if form.isFloat8 {
      let isBlocked = form.blockSize > 0 && layer.blockAxis != nil
      let axis = isBlocked ? layer.blockAxis : form.perChannel ? layer.channelAxis : nil
      let made = try weight.float8(axis: axis, size: isBlocked ? form.blockSize : 0)
      var shape = axis == nil ? [] : [made.scales.count]
      if isBlocked, let axis {
        shape = weight.shape.dims
        shape[axis] = (shape[axis] + form.blockSize - 1) / form.blockSize
        attributes.append(Attribute("block_size", .int(Int64(form.blockSize))))
      }
      inputs = [
        edit.add(layer.weight + "_quantized", made.codes),
        edit.add(layer.weight + "_scale", try Tensor(made.scales, try Shape(shape))),
      ]
      if let axis { attributes.append(Attribute("axis", .int(Int64(axis)))) }
      record(node, layer, weight, bits: 8, made.scales, zeroBytes: 0, made.signal, made.noise)
    } else if form.blockSize > 0, let axis = layer.blockAxis {
      let made = try codes(weight, layer, axis: axis, size: form.blockSize)
      inputs = [
        edit.add(layer.weight + "_quantized", try made.tensor(weight.shape, bits: form.bits)),
        edit.add(layer.weight + "_scale", try Tensor(made.scales, made.blocks)),
      ]
      let own = try made.zeroTensor(bits: form.bits)
      if let zeros = own == nil ? try signedZeros(made.blocks) : own {
        inputs.append(edit.add(layer.weight + "_zero_point", zeros))
      }
      attributes = [Attribute("axis", .int(Int64(axis))), Attribute("block_size", .int(Int64(form.blockSize)))]
      record(node, layer, weight, made)
    } else {
      let axis = form.perChannel ? layer.channelAxis : nil
      let scales = try Self.channelScales(weight, axis: axis, bits: form.bits)
      var used = weight
      if case .channels(let better)? = rounded[layer.weight], better.scales == scales { used = better.tensor }
      let codes = try used.codes(scales: scales, axis: axis, bits: form.bits)
      let (signal, noise) = try weight.noise(of: codes, scales: scales, axis: axis)
      inputs = [
        edit.add(layer.weight + "_quantized", form.storedBits == 4 ? try codes.cast(to: .int4) : codes),
        edit.add(layer.weight + "_scale", axis == nil ? try Tensor(scalar: scales.first ?? 1) : try Tensor(scales)),
      ]
      let zeros = try signedZeros(axis == nil ? .scalar : try Shape([scales.count]))
      if let zeros { inputs.append(edit.add(layer.weight + "_zero_point", zeros)) }
      record(node, layer, weight, bits: form.bits, scales, zeroBytes: zeros?.byteCount ?? 0, signal, noise)
      if let axis { attributes = [Attribute("axis", .int(Int64(axis)))] }
    }
    edit.replace(layer.weight, by: inputs[0])
    stored[key] = output
    node.inputs[layer.input] = output
    return [Node("DequantizeLinear", name: output, inputs: inputs, outputs: [output], attributes: attributes), node]
  }

  /// Zero points of symmetric int8 elements. ONNX allows to leave them out, but ONNX Runtime's x64quantprecision shifts
  /// them.
  private func signedZeros(_ shape: Shape) throws(PruneError) -> Tensor? {
    form.storedBits == 8 ? try Tensor(zeros: .int8, shape) : nil
  }

  /// com.microsoft.MatMulNBits: codes as [N, blocks, bytes], scales and zero points [N, blocks], along K.
  private mutating func fused(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> [Node] {
    let rows = layer.blockAxis == 0 ? try weight.transposed() : weight
    let size = form.fusedSize
    let made = try codes(rows, layer, axis: 1, size: size)
    let (n, k) = (rows.shape[0], rows.shape[1])
    let base = layer.weight
    let packed = edit.add(base + "_quantized", try made.packedRows(n, k, size: size, bits: form.storedBits))
    var inputs = [node.inputs[0], packed, edit.add(base + "_scale", try Tensor(made.scales))]
    if let zeros = try made.packedZeros(n, bits: form.storedBits) {
      inputs.append(edit.add(base + "_zero_point", zeros))
    }
    record(node, layer, weight, made)
    // The packed bytes hide where the zeros are: this form carries no mask.
    edit.release(base)
    edit.importVendorOperators()
    let bias = node.opType == "Gemm" ? node.input(2) : nil
    let output = node.outputs[0], product = bias == nil ? output : edit.name(output + "_product")
    let numbers = [("K", k), ("N", n), ("bits", form.storedBits), ("block_size", size)]
    let layerNode = Node(
      "MatMulNBits", domain: "com.microsoft", name: node.name, inputs: inputs, outputs: [product],
      attributes: numbers.map { Attribute($0.0, .int(Int64($0.1))) })
    guard let bias else { return [layerNode] }
    return [
      layerNode, Node("Add", name: edit.name(node.layerName + "_bias"), inputs: [product, bias], outputs: [output]),
    ]
  }

  /// Gathers int8 rows and their scales, and multiplies: the table itself is never dequantized.
  private mutating func gather(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor) throws(PruneError) -> [Node] {
    let key = try store(rows: layer, weight, node)
    guard let codes = stored[key], let scale = stored[key + " scale"], let indices = node.input(1),
      let output = node.output(0)
    else { return [node] }
    var gather = node
    let rows = edit.name(output + "_codes"), steps = edit.name(output + "_scale"), floats = edit.name(output + "_float")
    gather.inputs[0] = codes
    gather.outputs = [rows]
    return [
      gather,
      Node("Gather", name: steps, inputs: [scale, indices], outputs: [steps]),
      Node("Cast", name: floats, inputs: [rows], outputs: [floats], attributes: [Attribute("to", .int(1))]),
      Node("Mul", name: edit.name(node.layerName + "_dequantized"), inputs: [floats, steps], outputs: [output]),
    ]
  }

  /// Stores a table's rows as int8; the key of their names in `stored`.
  private mutating func store(rows layer: WeightPlan.Layer, _ weight: Tensor, _ node: Node) throws(PruneError) -> String
  {
    let key = "rows \(layer.weight)"
    guard stored[key] == nil else { return key }
    let scales = WeightScale.symmetric(maxima: try weight.absoluteMaxima(axis: 0), biasBounds: [0])
    let (codes, signal, noise) = try weight.quantizedInt8(scales: scales, axis: 0)
    let name = edit.add(layer.weight + "_quantized", codes)
    stored[key + " scale"] = edit.add(layer.weight + "_scale", try Tensor(scales, try Shape([scales.count, 1])))
    stored[key] = name
    edit.replace(layer.weight, by: name)
    record(node, layer, weight, bits: 8, scales, zeroBytes: 0, signal, noise)
    return key
  }

  /// A node that stays as it is; a table that it reads, too, as a tied output layer does, comes from the table's rows.
  private mutating func reading(_ node: Node) throws(PruneError) -> [Node] {
    var node = node
    var added: [Node] = []
    for (place, name) in node.inputs.enumerated() {
      guard let layer = tables[name], let weight = try edit.index.weight(name) else { continue }
      let key = try store(rows: layer, weight, edit.index.graph.nodes[layer.node])
      if stored[key + " whole"] == nil, let codes = stored[key], let column = stored[key + " scale"],
        let scale = edit.model.graph.initializer(column)
      {
        let flat = edit.add(layer.weight + "_row_scale", try scale.reshaped(try Shape([scale.count])))
        let zeros = edit.add(layer.weight + "_zero_point", try Tensor(zeros: .int8, try Shape([scale.count])))
        let output = edit.name(layer.weight + "_dequantized")
        added.append(
          Node(
            "DequantizeLinear", name: output, inputs: [codes, flat, zeros], outputs: [output],
            attributes: [Attribute("axis", .int(0))]))
        stored[key + " whole"] = output
      }
      node.inputs[place] = stored[key + " whole"] ?? name
    }
    return added + [node]
  }

  // MARK: - Report

  private mutating func record(_ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor, _ made: BlockCodes) {
    let zeroBytes = (made.zeroPoints.count * form.storedBits + 7) / 8
    record(node, layer, weight, bits: form.bits, made.scales, zeroBytes: zeroBytes, made.signal, made.noise)
  }

  private mutating func record(
    _ node: Node, _ layer: WeightPlan.Layer, _ weight: Tensor, bits: Int, _ scales: [Float], zeroBytes: Int,
    _ signal: Double, _ noise: Double
  ) {
    edit.results.append(
      QuantizedLayer(
        name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count, bits: bits,
        channels: scales.count, largestScale: scales.max() ?? 0,
        decibels: QuantizedLayer.decibels(signal: signal, noise: noise), bytesBefore: weight.byteCount,
        bytesAfter: (weight.count * Form.stored(bits) + 7) / 8 + scales.count * 4 + zeroBytes))
  }
}
