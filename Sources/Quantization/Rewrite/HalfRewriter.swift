import PruneGraph
import PruneTensor

/// Converts a model to float16: weights, constants and what is computed from them. Inputs and outputs stay float32, and
/// so do operators that float16 would break; casts are put between the two.
struct HalfRewriter {
  /// Operators that need the range, the precision or the types of float32.
  private static let float32Operators: Set<String> = [
    "BitShift", "Bernoulli", "Celu", "CumSum", "DFT", "Det", "DynamicQuantizeLinear", "DequantizeLinear", "EyeLike",
    "Exp",
    "ImageDecoder", "InverseSpectralNorm", "IsInf", "LayerNormalization", "LogSoftmax", "Loop", "If", "Scan",
    "MeanVarianceNormalization",
    "MelWeightMatrix", "Multinomial", "NegativeLogLikelihoodLoss", "NonMaxSuppression", "Pow", "QuantizeLinear",
    "RandomNormal",
    "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceSumSquare", "Resize", "RoiAlign", "STFT", "SoftmaxCrossEntropyLoss", "TfIdfVectorizer", "TopK", "Upsample",
  ]

  private var edit: GraphEdit
  private let types: GraphTypes
  private let ignore: [NamePattern]
  /// The float16 form of float32 values, and the float32 form of values computed in float16.
  private var halves: [String: String] = [:]
  private var floats: [String: String] = [:]
  private(set) var kept: [QuantizationPlan.Kept] = []

  init(_ model: Model, types: GraphTypes, ignore: [NamePattern]) throws(PruneError) {
    edit = GraphEdit(model)
    self.types = types
    self.ignore = ignore
    try QuantizationPlan.check(ignore, edit.index)
  }

  mutating func rewrite() throws(PruneError) -> (model: Model, layers: [QuantizedLayer]) {
    let graph = edit.index.graph
    var nodes: [Node] = []
    for node in graph.nodes {
      if let reason = refusal(node) {
        if !node.isStandard || Self.float32Operators.contains(node.opType) || ["ignored"].contains(reason)
          || reason.hasPrefix("weight")
        {
          kept.append(.init(name: node.layerName, operation: node.opType, reason: reason))
        }
        var node = node
        for (place, name) in node.inputs.enumerated() { node.inputs[place] = try asFloat(name, &nodes) }
        nodes.append(node)
      } else {
        try convert(node, &nodes)
      }
    }
    return (edit.finish(withoutUnread(nodes)), edit.results)
  }

  /// Drops copies of constants whose readers have all got float16.
  private func withoutUnread(_ nodes: [Node]) -> [Node] {
    var read = edit.index.outputs.union(edit.index.captured)
    var result: [Node] = []
    for node in nodes.reversed() {
      if node.isStandard, node.opType == "Identity", let output = node.output(0), edit.index.isConstant(output),
        !read.contains(output)
      {
        continue
      }
      read.formUnion(node.allReads)
      result.append(node)
    }
    return result.reversed()
  }

  /// Why a node stays as it is, nil when it can compute in float16.
  private func refusal(_ node: Node) -> String? {
    guard node.isStandard else { return "its domain is \(node.domain)" }
    guard node.subgraphs.isEmpty, !Self.float32Operators.contains(node.opType) else {
      return "\(node.opType) stays float32"
    }
    if ignore.contains(where: { pattern in
      pattern.matches(node.layerName) || node.inputs.contains { pattern.matches($0) }
    }
    ) {
      return "ignored"
    }
    if makesFloat(node) { return "\(node.opType) makes float32" }
    for name in (node.inputs + node.outputs).filter({ !$0.isEmpty }) {
      guard let dtype = dtype(name) else { return "the type of '\(name)' is not known" }
      if dtype == .float32, let constant = edit.index.constant(name), !Self.fits(constant) {
        return "weight '\(name)' goes beyond float16"
      }
    }
    return nil
  }

  /// Whether an operator writes float32 whatever it reads: the type is said by an attribute, or by its being left out,
  /// as with HannWindow. Those whose attributes `convert` can change are not among them.
  private func makesFloat(_ node: Node) -> Bool {
    guard node.opType != "Constant", node.opType != "ConstantOfShape", node.opType != "Cast" else { return false }
    return node.outputs.contains { dtype($0) == .float32 } && !node.inputs.contains { dtype($0) == .float32 }
      && !node.attributes.contains { attribute in
        if case .tensor(let value) = attribute.value { value.tensor.dtype == .float32 } else { false }
      }
  }

  private func dtype(_ name: String) -> DType? { edit.index.constant(name)?.dtype ?? types.types[name]?.dtype }

  private static func fits(_ tensor: Tensor) -> Bool {
    guard tensor.count > 0 else { return true }
    guard let range = try? tensor.finiteRange() else { return false }
    return range.low > -65504 && range.high < 65504
  }

  private mutating func convert(_ node: Node, _ nodes: inout [Node]) throws(PruneError) {
    var node = node
    if let output = node.output(0), edit.index.isConstant(output) {
      // Constant, or Identity of a constant: readers take it as an initializer in the form they need; the node itself
      // stays for those that want float32.
      nodes.append(node)
      return
    }
    if node.opType == "ConstantOfShape", node.attribute("value") == nil {
      node.set("value", .tensor(TensorValue(name: "", tensor: try Tensor([0] as [Float]))))
    }
    for (place, name) in node.inputs.enumerated() where dtype(name) == .float32 {
      node.inputs[place] = try asHalf(name, &nodes)
    }
    for place in node.attributes.indices {
      if node.opType == "Cast", node.attributes[place].name == "to", node.int("to") == 1 {
        node.attributes[place].value = .int(10)
      } else if case .tensor(var value) = node.attributes[place].value, value.tensor.dtype == .float32 {
        value.tensor = try value.tensor.cast(to: .float16)
        node.attributes[place].value = .tensor(value)
      }
    }
    var casts: [Node] = []
    for (place, output) in node.outputs.enumerated() where dtype(output) == .float32 {
      let half = edit.name(output + "_half")
      node.outputs[place] = half
      halves[output] = half
      // Whoever sees the value by its name gets float32.
      if edit.index.outputs.contains(output) || edit.index.captured.contains(output) {
        casts.append(Self.cast(half, to: output, .float32))
        floats[output] = output
      }
    }
    nodes.append(node)
    nodes += casts
  }

  /// A float32 value as float16.
  private mutating func asHalf(_ name: String, _ nodes: inout [Node]) throws(PruneError) -> String {
    // Equal parameters are stored once, and passed on by Identity.
    let name = edit.index.isConstant(name) ? edit.index.source(of: name) : name
    if let known = halves[name] { return known }
    if let tensor = edit.index.constant(name) {
      let half = edit.add(name + "_half", try tensor.cast(to: .float16))
      tensor.forgetPages()
      halves[name] = half
      edit.replace(name, by: half)
      if tensor.count > 1 {
        edit.results.append(
          QuantizedLayer(
            name: name, operation: "", weight: name, weights: tensor.count, bits: 16, channels: 0, largestScale: 0,
            decibels: nil, bytesBefore: tensor.byteCount, bytesAfter: tensor.count * 2))
      }
      return half
    }
    let half = edit.name(name + "_half")
    nodes.append(Self.cast(name, to: half, .float16))
    halves[name] = half
    return half
  }

  /// A value for a node that stays as it is.
  private mutating func asFloat(_ name: String, _ nodes: inout [Node]) throws(PruneError) -> String {
    // Only values that a float16 node wrote have no float32 form under their own name.
    guard let half = halves[name], !edit.index.isConstant(name), let place = edit.index.producers[name],
      refusal(edit.index.graph.nodes[place]) == nil
    else { return name }
    if let known = floats[name] { return known }
    nodes.append(Self.cast(half, to: name, .float32))
    floats[name] = name
    return name
  }

  private static func cast(_ from: String, to: String, _ dtype: DType) -> Node {
    Node(
      "Cast", name: to + "_cast", inputs: [from], outputs: [to],
      attributes: [Attribute("to", .int(Int64(dtype.rawValue)))])
  }
}

/// Stores the weights of a model as bfloat16 behind a Cast. Layers compute in float32: no standard CPU runtime has
/// bfloat16 kernels, and so the file is half as large and runs everywhere.
enum BFloat16Rewriter {
  static func rewrite(_ edit: GraphEdit, _ plan: WeightPlan) throws(PruneError) -> (
    model: Model, layers: [QuantizedLayer]
  ) {
    var edit = edit
    var nodes: [Node] = []
    var stored: [String: String] = [:]
    for (place, node) in edit.index.graph.nodes.enumerated() {
      var node = node
      for layer in plan.layers(at: place) {
        if stored[layer.weight] == nil, let weight = edit.index.constant(layer.weight) {
          let name = edit.add(layer.weight + "_bfloat16", try weight.cast(to: .bfloat16))
          weight.forgetPages()
          let output = edit.name(layer.weight + "_float")
          edit.replace(layer.weight, by: name)
          stored[layer.weight] = output
          nodes.append(
            Node("Cast", name: output, inputs: [name], outputs: [output], attributes: [Attribute("to", .int(1))]))
          edit.results.append(
            QuantizedLayer(
              name: node.layerName, operation: node.opType, weight: layer.weight, weights: weight.count, bits: 16,
              channels: 0,
              largestScale: 0, decibels: nil, bytesBefore: weight.byteCount, bytesAfter: weight.count * 2))
        }
        node.inputs[layer.input] = stored[layer.weight] ?? layer.weight
      }
      nodes.append(node)
    }
    return (edit.finish(nodes), edit.results)
  }
}
