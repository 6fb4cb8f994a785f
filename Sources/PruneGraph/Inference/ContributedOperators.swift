import PruneTensor

/// Operators that ONNX Runtime contributes (`com.microsoft`), and those of classic machine learning (`ai.onnx.ml`) that
/// exporters put around a network, as the standard operators they stand for.
package struct ContributedOperators {
  let node: Node
  private var parts: [Node] = []
  private let fresh: (String) -> String

  /// The nodes that do what the node does, in order; nil when it is no contributed operator or one in a form that
  /// standard operators do not say.
  /// - Parameter fresh: a new value name like the one given.
  package static func expansion(of node: Node, _ fresh: @escaping (String) -> String) -> [Node]? {
    guard mayExpand(node), node.output(0) != nil else { return nil }
    var expansion = ContributedOperators(node: node, fresh: fresh)
    let isKnown = node.domain == classic ? expansion.expandClassic() : expansion.expand()
    return isKnown ? expansion.parts : nil
  }

  /// Whether a graph or one inside it has a node that may be contributed.
  package static func occur(in graph: Graph) -> Bool {
    graph.nodes.contains { mayExpand($0) || $0.subgraphs.contains(where: occur) }
  }

  private static func mayExpand(_ node: Node) -> Bool {
    node.domain == "com.microsoft" || node.domain == classic
      || node.isStandard && node.opType == "SimplifiedLayerNormalization"
  }

  private init(node: Node, fresh: @escaping (String) -> String) {
    self.node = node
    self.fresh = fresh
  }

  func input(_ index: Int) -> String { node.input(index) ?? "" }
  private func has(_ index: Int) -> Bool { node.input(index) != nil }
  var result: String { node.outputs[0] }

  /// Adds a standard node. Returns its output's name: `output`, or a new one.
  @discardableResult
  mutating func add(
    _ op: String, _ inputs: [String], _ attributes: [Attribute] = [], _ output: String? = nil, more: [String] = []
  ) -> String {
    let name = output ?? fresh("\(result)/\(op)")
    parts.append(Node(op, name: node.name, inputs: inputs, outputs: [name] + more, attributes: attributes))
    return name
  }

  /// The node's attributes of these names.
  private func kept(_ names: String...) -> [Attribute] { node.attributes.filter { names.contains($0.name) } }

  private func epsilon(_ value: Float) -> Attribute {
    Attribute("epsilon", .float(node.float("epsilon", default: value)))
  }

  private mutating func expand() -> Bool {
    switch node.opType {
    case "Gelu": add("Gelu", node.inputs, [], result)
    case "BiasGelu": add("Gelu", [add("Add", node.inputs)], [], result)
    case "FastGelu":
      let x = has(1) ? add("Add", node.inputs) : input(0)
      add("Gelu", [x], [Attribute("approximate", .text("tanh"))], result)
    case "QuickGelu":
      add("Swish", node.inputs, [Attribute("alpha", .float(node.float("alpha", default: 1.702)))], result)
    case "QuantizeLinear", "DequantizeLinear": add(node.opType, node.inputs, kept("axis", "block_size"), result)
    case "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "SkipLayerNormalization":
      return normalize()
    case "FusedMatMul", "TransposeMatMul": return multiply()
    case "MatMulIntegerToFloat":
      let a = add("DequantizeLinear", [input(0), input(2), input(4)])
      let b = add("DequantizeLinear", [input(1), input(3), input(5)], [Attribute("axis", .int(-1))])
      let product = add("MatMul", [a, b], [], has(6) ? nil : result)
      if has(6) { add("Add", [product, input(6)], [], result) }
    case "DynamicQuantizeMatMul": multiplyIntegers()
    case "QGemm": multiplyCodes()
    case "FusedConv": return activate { $0.add("Conv", $0.node.inputs.prefix(3).map { $0 }, $0.convolution, $1) }
    case "FusedGemm":
      return activate { $0.add("Gemm", $0.node.inputs, $0.kept("alpha", "beta", "transA", "transB"), $1) }
    case "QLinearAdd", "QLinearMul":
      let (a, b) = (dequantized(0), dequantized(3))
      quantize(add(node.opType == "QLinearAdd" ? "Add" : "Mul", [a, b]), 6)
    case "QLinearSigmoid": quantize(add("Sigmoid", [dequantized(0)]), 3)
    case "QLinearLeakyRelu": quantize(add("LeakyRelu", [dequantized(0)], kept("alpha")), 3)
    case "QLinearGlobalAveragePool":
      guard node.int("channels_last", default: 0) == 0 else { return false }
      quantize(add("GlobalAveragePool", [dequantized(0)]), 3)
    case "QLinearAveragePool":
      guard node.int("channels_last", default: 0) == 0 else { return false }
      let window = kept("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
      quantize(add("AveragePool", [dequantized(0)], window), 3)
    case "QLinearConcat":
      let parts = stride(from: 2, to: node.inputs.count, by: 3).map { dequantized($0) }
      quantize(add("Concat", parts, kept("axis")), 0)
    case "RotaryEmbedding":
      add(
        "RotaryEmbedding", [input(0), input(2), input(3), input(1)],
        kept("interleaved", "num_heads", "rotary_embedding_dim"), result)
    case "MultiHeadAttention": return attend()
    case "Attention": return attendMerged()
    default: return false
    }
    return true
  }

  // MARK: - Normalization and products

  private mutating func normalize() -> Bool {
    let isRootMeanSquare = node.opType.hasSuffix("SimplifiedLayerNormalization")
    var x = input(0)
    var (scale, bias) = (input(1), "")
    if node.opType.hasPrefix("Skip") {
      scale = input(2)
      if !isRootMeanSquare { bias = input(3) }
      let shift = input(isRootMeanSquare ? 3 : 4)
      let sum = node.output(3)
      x = add("Add", [x, input(1)], [], shift.isEmpty ? sum : nil)
      if !shift.isEmpty { x = add("Add", [x, shift], [], sum) }
    }
    let attributes = [epsilon(node.opType.hasPrefix("Skip") ? 1e-12 : 1e-5)] + kept("axis", "stash_type")
    guard isRootMeanSquare else {
      add("LayerNormalization", [x, scale, bias], attributes, result, more: (1..<3).map { node.output($0) ?? "" })
      return true
    }
    guard node.output(1) == nil, node.output(2) == nil else { return false }
    add("RMSNormalization", [x, scale], attributes, result)
    return true
  }

  /// alpha * A' B', either transposed.
  private mutating func multiply() -> Bool {
    guard node.int("transBatchA", default: 0) == 0, node.int("transBatchB", default: 0) == 0 else { return false }
    let alpha = node.float("alpha", default: 1)
    let (a, b) = (node.int("transA", default: 0) != 0, node.int("transB", default: 0) != 0)
    let output = alpha == 1 ? result : nil
    let product =
      a || b
      ? add(
        "Einsum", [input(0), input(1)],
        [Attribute("equation", .text("...\(a ? "ji" : "ij"),...\(b ? "kj" : "jk")->...ik"))], output)
      : add("MatMul", [input(0), input(1)], [], output)
    if alpha != 1 { add("Mul", [product, add("Constant", [], [Attribute("value_float", .float(alpha))])], [], result) }
    return true
  }

  private mutating func multiplyIntegers() {
    let (scaleB, zeroB, bias) = (input(2), input(3), input(4))
    let (scaleA, zeroA) = (fresh("\(result)/scale"), fresh("\(result)/zero"))
    let a = add("DynamicQuantizeLinear", [input(0)], more: [scaleA, zeroA])
    let sums = add("MatMulInteger", [a, input(1), zeroA, zeroB])
    let numbers = add("Cast", [sums], [Attribute("to", .int(Int64(DType.float32.rawValue)))])
    let scaled = add("Mul", [add("Mul", [numbers, scaleA]), scaleB], [], bias.isEmpty ? result : nil)
    if !bias.isEmpty { add("Add", [scaled, bias], [], result) }
  }

  /// A' B' + C on codes, C in steps of both scales; floats when no scale is given for the result.
  private mutating func multiplyCodes() {
    let axis = node.int("transB", default: 0) == 0 ? 1 : 0
    var inputs = [
      dequantized(0), add("DequantizeLinear", [input(3), input(4), input(5)], [Attribute("axis", .int(Int64(axis)))]),
    ]
    if has(6) {
      let steps = add("Mul", [input(1), input(4)])
      inputs.append(add("DequantizeLinear", [input(6), steps], [Attribute("axis", .int(-1))]))
    }
    let attributes = kept("alpha", "transA", "transB")
    if has(7) { quantize(add("Gemm", inputs, attributes), 7) } else { add("Gemm", inputs, attributes, result) }
  }

  // MARK: - Fused activations

  private var convolution: [Attribute] { kept("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides") }

  /// A node, what FusedConv adds to it, and its activation.
  private mutating func activate(_ base: (inout ContributedOperators, String?) -> String) -> Bool {
    let name = node.string("activation", default: "")
    // FusedConv has a list, FusedGemm an attribute each.
    let single = ["activation_alpha", "activation_beta"].prefix { node.attribute($0) != nil }
    let parameters = node.floats("activation_params") ?? single.map { node.float($0, default: 0) }
    func attribute(_ name: String, _ index: Int) -> [Attribute] {
      index < parameters.count ? [Attribute(name, .float(parameters[index]))] : []
    }
    guard ["", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Clip"].contains(name) else { return false }
    let addend = node.opType == "FusedConv" ? input(3) : ""
    var x = base(&self, name.isEmpty && addend.isEmpty ? result : nil)
    if !addend.isEmpty { x = add("Add", [x, addend], [], name.isEmpty ? result : nil) }
    switch name {
    case "": break
    case "Clip":
      guard parameters.count == 2 else { return false }
      let bounds = (0..<2).map { add("Constant", [], attribute("value_float", $0)) }
      add("Clip", [x] + bounds, [], result)
    case "HardSigmoid": add(name, [x], attribute("alpha", 0) + attribute("beta", 1), result)
    default: add(name, [x], name == "LeakyRelu" ? attribute("alpha", 0) : [], result)
    }
    return true
  }

  // MARK: - Quantized

  private mutating func dequantized(_ first: Int) -> String {
    add("DequantizeLinear", [input(first), input(first + 1), input(first + 2)])
  }

  private mutating func quantize(_ x: String, _ scale: Int) {
    add("QuantizeLinear", [x, input(scale), input(scale + 1)], [], result)
  }

  // MARK: - Attention

  /// Queries, keys and values apart, with neither bias nor padding.
  private mutating func attend() -> Bool {
    guard has(1), has(2), !has(3), !has(4), node.output(3) == nil, let heads = node.attribute("num_heads") else {
      return false
    }
    var attributes = [Attribute("q_num_heads", heads), Attribute("kv_num_heads", heads)]
    if node.float("scale", default: 0) != 0 { attributes += kept("scale") }
    if let causal = node.attribute("unidirectional") { attributes.append(Attribute("is_causal", causal)) }
    add(
      "Attention", [input(0), input(1), input(2), input(5), input(6), input(7)], attributes, result,
      more: (1..<3).map { node.output($0) ?? "" })
    return true
  }

  /// One tensor times the weights of queries, keys and values, all of one size, with neither padding nor a past.
  private mutating func attendMerged() -> Bool {
    guard has(1), !has(3), !has(4), !has(6), node.output(1) == nil, node.attribute("qkv_hidden_sizes") == nil,
      node.int("do_rotary", default: 0) == 0, let heads = node.attribute("num_heads")
    else { return false }
    let product = add("MatMul", [input(0), input(1)])
    let sum = has(2) ? add("Add", [product, input(2)]) : product
    let parts = (0..<3).map { fresh("\(result)/part\($0)") }
    add("Split", [sum], [Attribute("axis", .int(-1))], parts[0], more: Array(parts.dropFirst()))
    var attributes = [Attribute("q_num_heads", heads), Attribute("kv_num_heads", heads)]
    if node.float("scale", default: 0) != 0 { attributes += kept("scale") }
    if let causal = node.attribute("unidirectional") { attributes.append(Attribute("is_causal", causal)) }
    add("Attention", parts + [input(5)], attributes, result)
    return true
  }
}
