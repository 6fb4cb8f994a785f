import PruneGraph
import PruneTensor

/// Turns a model of QuantizeLinear and DequantizeLinear pairs into one whose operators compute on the codes themselves:
/// ONNX's QLinearConv and QLinearMatMul, and those that ONNX Runtime has beside them (`com.microsoft`: QGemm,
/// QLinearAdd, …).
///
/// What it replaces is exact up to the order of float operations. A node without such an operator keeps its pairs and
/// computes in float.
struct QOperatorRewriter {
  /// A value as codes, and the tensors that say what they stand for.
  private struct Codes {
    let name: String
    let scale: String
    let zero: String

    var inputs: [String] { [name, scale, zero] }
  }

  /// Where a node's result is rounded to codes.
  private struct Target {
    let codes: Codes
    /// The activation function in between, and the QuantizeLinear.
    let absorbed: [Int]
    /// What the function cuts off, in codes, where saturation does not do so by itself.
    let limits: (low: Int, high: Int)?
  }

  private let index: GraphIndex
  private let opset: Int64
  private var edit: GraphEdit
  private var replaced: [Int: [Node]] = [:]
  private var removed: Set<Int> = []

  static func apply(_ model: Model) throws(PruneError) -> Model {
    var rewriter = QOperatorRewriter(model)
    return try rewriter.rewrite()
  }

  private init(_ model: Model) {
    edit = GraphEdit(model)
    index = edit.index
    opset = model.opset() ?? 0
  }

  private mutating func rewrite() throws(PruneError) -> Model {
    for (place, node) in index.graph.nodes.enumerated() where node.isStandard && !removed.contains(place) {
      do throws(PruneError) { try replace(place, node) } catch { throw error.located(at: node.label) }
    }
    var nodes: [Node] = []
    for (place, node) in index.graph.nodes.enumerated() {
      if let made = replaced[place] {
        nodes += made
      } else if !removed.contains(place) {
        nodes.append(node)
      }
    }
    nodes = withoutUnread(nodes)
    for node in index.graph.nodes { for name in node.inputs where !name.isEmpty { edit.release(name) } }
    if nodes.contains(where: { $0.domain == Self.vendor }),
      !edit.model.opsets.contains(where: { $0.domain == Self.vendor })
    {
      edit.model.opsets.append(OpsetImport(domain: Self.vendor, version: 1))
    }
    return edit.finish(nodes)
  }

  private static let vendor = "com.microsoft"

  /// Without the pairs whose floats no node is left to read.
  private func withoutUnread(_ nodes: [Node]) -> [Node] {
    var reads: [String: Int] = [:]
    for node in nodes { for name in node.allReads { reads[name, default: 0] += 1 } }
    var kept: [Node] = []
    for node in nodes.reversed() {
      if node.has(.quantizes), let output = node.output(0),
        reads[output, default: 0] == 0, !index.outputs.contains(output)
      {
        for name in node.inputs { reads[name, default: 0] -= 1 }
      } else {
        kept.append(node)
      }
    }
    return kept.reversed()
  }

  // MARK: - What nodes read and write

  /// The codes behind a dequantized value, with one scale.
  private func codes(of value: String?) -> Codes? {
    guard let node = dequantizer(of: value), let scale = index.constant(node.input(1)), scale.count == 1 else {
      return nil
    }
    return Codes(name: node.inputs[0], scale: node.inputs[1], zero: node.inputs[2])
  }

  private func dequantizer(of value: String?) -> Node? {
    guard let value, let place = index.producers[value] else { return nil }
    let node = index.graph.nodes[place]
    guard node.opType == "DequantizeLinear", node.isStandard, node.inputs.count == 3,
      node.int("block_size", default: 0) == 0
    else { return nil }
    return node
  }

  /// Codes of a weight, with a scale for all or one an output channel.
  private func weight(of value: String?, axis: Int) -> Codes? {
    guard let node = dequantizer(of: value), let stored = index.constant(node.inputs[0]), stored.dtype == .int8,
      let scale = index.constant(node.inputs[1])
    else { return nil }
    guard scale.count == 1 || node.int("axis", default: 1) == axis else { return nil }
    return Codes(name: node.inputs[0], scale: node.inputs[1], zero: node.inputs[2])
  }

  /// The int32 codes of a bias, "" without one, nil when it is something else.
  private func bias(of value: String?) -> String? {
    guard let value else { return "" }
    guard let node = dequantizer(of: value), index.constant(node.inputs[0])?.dtype == .int32 else { return nil }
    return node.inputs[0]
  }

  /// Where the result of a node goes to codes at once, or after the function that cuts it off.
  private func target(of value: String?) throws(PruneError) -> Target? {
    guard let value, let reader = index.consumers[value]?.first, let next = index.onlyConsumer(of: value) else {
      return nil
    }
    if let codes = quantized(by: next) { return Target(codes: codes, absorbed: [reader], limits: nil) }
    guard next.isStandard, let (low, high) = try limits(next), let output = next.output(0),
      let last = index.consumers[output]?.first,
      let quantizer = index.onlyConsumer(of: output), let codes = quantized(by: quantizer),
      let scale = try index.constant(codes.scale)?.array(of: Float.self).first, let zero = index.constant(codes.zero),
      let point = try zero.integers().first
    else { return nil }
    let (least, most) = zero.dtype == .uint8 ? (0, 255) : (-128, 127)
    func code(_ bound: Float, _ none: Int) -> Int {
      guard bound.isFinite else { return none }
      let steps = min(max((bound / scale).rounded(.toNearestOrEven), -65536), 65536)
      return steps.isNaN ? none : min(max(Int(steps) + point, least), most)
    }
    let (first, end) = (code(low, least), code(high, most))
    if first == least, end == most { return Target(codes: codes, absorbed: [reader, last], limits: nil) }
    // Clip takes codes from opset 12 on.
    return opset >= 12 ? Target(codes: codes, absorbed: [reader, last], limits: (first, end)) : nil
  }

  private func quantized(by node: Node) -> Codes? {
    guard node.opType == "QuantizeLinear", node.isStandard, node.inputs.count == 3, let output = node.output(0),
      index.constant(node.inputs[1])?.count == 1, !index.outputs.contains(output)
    else { return nil }
    return Codes(name: output, scale: node.inputs[1], zero: node.inputs[2])
  }

  private func limits(_ node: Node) throws(PruneError) -> (low: Float, high: Float)? {
    if node.opType == "Relu" { return (0, .infinity) }
    guard node.opType == "Clip" else { return nil }
    var result: [Float] = []
    for (place, name, none) in [(1, "min", -Float.infinity), (2, "max", Float.infinity)] {
      if case .float(let value)? = node.attribute(name) {
        result.append(value)
      } else if let input = node.input(place) {
        guard let tensor = index.constant(input), tensor.dtype == .float32,
          let value = try tensor.array(of: Float.self).first
        else { return nil }
        result.append(value)
      } else {
        result.append(none)
      }
    }
    return (result[0], result[1])
  }

  // MARK: - Operators

  private mutating func replace(_ place: Int, _ node: Node) throws(PruneError) {
    switch node.opType {
    case "Conv":
      guard let x = codes(of: node.input(0)), let w = weight(of: node.input(1), axis: 0),
        let bias = bias(of: node.input(2)),
        let target = try target(of: node.output(0))
      else { return }
      try put(place, "QLinearConv", "", x.inputs + w.inputs, bias, target, node.attributes)
    case "MatMul":
      guard let a = codes(of: node.input(0)), let b = weight(of: node.input(1), axis: 1) else { return }
      if let target = try target(of: node.output(0)) {
        try put(place, "QLinearMatMul", "", a.inputs + b.inputs, "", target, [])
      } else {
        let inputs = [a.name, b.name, a.scale, b.scale, a.zero, b.zero]
        replaced[place] = [
          Node("MatMulIntegerToFloat", domain: Self.vendor, name: node.name, inputs: inputs, outputs: node.outputs)
        ]
      }
    case "Gemm":
      let isTransposed = node.int("transB", default: 0) != 0
      guard let a = codes(of: node.input(0)), let b = weight(of: node.input(1), axis: isTransposed ? 0 : 1),
        let bias = bias(of: node.input(2)), node.float("alpha", default: 1) == 1, node.int("transA", default: 0) == 0
      else { return }
      let attributes = [Attribute("transB", .int(isTransposed ? 1 : 0))]
      if let target = try target(of: node.output(0)) {
        try put(place, "QGemm", Self.vendor, a.inputs + b.inputs + [bias], nil, target, attributes)
      } else {
        replaced[place] = [
          Node(
            "QGemm", domain: Self.vendor, name: node.name, inputs: a.inputs + b.inputs + (bias.isEmpty ? [] : [bias]),
            outputs: node.outputs, attributes: attributes)
        ]
      }
    case "Add", "Mul":
      guard let a = codes(of: node.input(0)), let b = codes(of: node.input(1)),
        let target = try target(of: node.output(0))
      else { return }
      try put(place, "QLinear" + node.opType, Self.vendor, a.inputs + b.inputs, nil, target, [])
    case "Sigmoid", "LeakyRelu", "GlobalAveragePool", "AveragePool":
      guard let x = codes(of: node.input(0)), let target = try target(of: node.output(0)) else { return }
      try put(place, "QLinear" + node.opType, Self.vendor, x.inputs, nil, target, node.attributes)
    case "Concat":
      let parts = node.inputs.map { codes(of: $0) }, known = parts.compactMap { $0 }
      guard !known.isEmpty, known.count == parts.count, let target = try target(of: node.output(0)) else { return }
      try put(
        place, "QLinearConcat", Self.vendor, known.flatMap(\.inputs), nil, target, node.attributes, scalesFirst: true)
    case "MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose":
      try move(place, node)
    default: return
    }
  }

  /// An operator that moves values or selects some of them works on codes as it is, when they keep their scale.
  private mutating func move(_ place: Int, _ node: Node) throws(PruneError) {
    guard node.opType != "MaxPool" || opset >= 12 && node.output(1) == nil, let x = codes(of: node.input(0)),
      let target = try target(of: node.output(0)), target.absorbed.count == 1,
      try same(x.scale, target.codes.scale), try same(x.zero, target.codes.zero)
    else { return }
    var moved = node
    moved.inputs[0] = x.name
    moved.outputs = [target.codes.name]
    replaced[place] = [moved]
    removed.formUnion(target.absorbed)
  }

  private func same(_ a: String, _ b: String) throws(PruneError) -> Bool {
    guard a != b else { return true }
    guard let a = index.constant(a), let b = index.constant(b), a.dtype == b.dtype else { return false }
    return try a.doubles() == b.doubles()
  }

  /// - Parameters:
  ///   - last: what follows the scale and zero point of the result; "" is an input that is left out, nil none.
  private mutating func put(
    _ place: Int, _ op: String, _ domain: String, _ inputs: [String], _ last: String?, _ target: Target,
    _ attributes: [Attribute],
    scalesFirst: Bool = false
  ) throws(PruneError) {
    let written = [target.codes.scale, target.codes.zero]
    let all = (scalesFirst ? written + inputs : inputs + written) + (last.map { $0.isEmpty ? [] : [$0] } ?? [])
    let output = target.limits == nil ? target.codes.name : edit.name(target.codes.name + "_unbounded")
    var nodes = [
      Node(
        op, domain: domain, name: index.graph.nodes[place].name, inputs: all, outputs: [output], attributes: attributes)
    ]
    if let limits = target.limits {
      let isUnsigned = index.constant(target.codes.zero)?.dtype == .uint8
      var inputs = [output]
      for (end, code) in [("_low", limits.low), ("_high", limits.high)] {
        let bound = isUnsigned ? try Tensor(scalar: UInt8(clamping: code)) : try Tensor(scalar: Int8(clamping: code))
        inputs.append(edit.add(target.codes.name + end, bound))
      }
      nodes.append(Node("Clip", name: target.codes.name + "_clip", inputs: inputs, outputs: [target.codes.name]))
    }
    replaced[place] = nodes
    removed.formUnion(target.absorbed)
  }
}
