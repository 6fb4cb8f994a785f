import PruneGraph
import PruneTensor

/// Moves the ranges of channels from activations, which share one scale, into weights, which have one a channel (Xiao
/// et al., "SmoothQuant", 2023): activations are multiplied by t = (max|X| / max|Xⱼ|)^α · (max|Wⱼ| / max|W|)^(1-α)
/// channel by channel and the weights that read them divided by it. The layers that write the activations take the
/// factors up, across rectifiers, pools and residual sums, so that the network computes the same and gets no new
/// operator. Where they cannot, as a LayerNormalization whose output a residual sum reads too, a Mul in front of the
/// products that read takes them up.
struct Smooth {
  /// Activations whose channels can only be scaled together.
  struct Group {
    /// Layers that write into the group, and those that read from it.
    var writers: [Int] = []
    var readers: [Int] = []
    /// Additions of constants inside.
    var shifts: [(weight: String, node: Int)] = []
    var values: Set<String> = []
    /// The least upper bound of a Clip inside, and what it bounds.
    var bound: Float?
    /// Whether channels are the last axis rather than the second.
    var isMatrix = false
    var channels = 0
    /// The activation that a Mul is to scale, where no layer can.
    var scaled: String?
  }

  let index: GraphIndex
  /// The layers that will be quantized.
  private let layers: [Int]
  private var groups: [Group] = []

  init(_ model: Model, _ ignore: [NamePattern], layers: [Int]) {
    index = GraphIndex(model.graph)
    self.layers = layers
    groups = found(ignore)
    let served = Set(groups.flatMap(\.readers))
    groups += products(layers.filter { !served.contains($0) })
  }

  /// Activations whose largest magnitudes by channel `apply` wants, and whether channels are their last axis.
  var wanted: [String: Bool] {
    var result: [String: Bool] = [:]
    for group in groups {
      for value in group.values {
        // What a rectifier is about to cut off does not count.
        if let next = index.onlyConsumer(of: value), next.has(.limits) { continue }
        result[value] = group.isMatrix
      }
    }
    return result
  }

  /// - Parameters:
  ///   - magnitudes: of `wanted`, by channel.
  ///   - strength: α, from 0 (weights alone) to 1 (activations alone).
  ///   - outcome: is told how many groups were scaled, and why other layers read what they did.
  func apply(
    _ model: Model, magnitudes: [String: [Float]], strength: Float, perChannel: Bool, _ outcome: inout OptionOutcome
  ) throws(PruneError) -> Model {
    var result = model
    var served: Set<Int> = [], even: Set<Int> = []
    var scaling = InputScaling(model)
    for group in groups {
      let factors = try factors(group, result.graph, magnitudes, strength, perChannel)
      guard factors.contains(where: { $0 != 1 }), group.scaled == nil || Self.isWorthwhile(factors) else {
        even.formUnion(group.readers)
        continue
      }
      for place in group.writers {
        let node = index.graph.nodes[place]
        if node.opType != "LayerNormalization", let name = node.input(1) {
          try scale(&result.graph, name, axis: Self.outputAxis(node), factors)
        } else if let name = node.input(1) {
          try scale(&result.graph, name, axis: 0, factors)
        }
        if let bias = node.input(2) { try scale(&result.graph, bias, axis: nil, factors) }
      }
      for shift in group.shifts { try scale(&result.graph, shift.weight, axis: nil, factors) }
      let inverse = factors.map { 1 / $0 }
      for place in group.readers {
        let node = index.graph.nodes[place]
        if let name = node.input(1) { try scale(&result.graph, name, axis: Self.inputAxis(node), inverse) }
      }
      if let value = group.scaled { try scaling.multiply(value, by: factors, for: group.readers, &result.graph) }
      served.formUnion(group.readers)
      outcome.serve()
    }
    scaling.insert(&result.graph)
    for place in layers where !served.contains(place) {
      outcome.leave(
        index.graph.nodes[place],
        even.contains(place) ? "the channels of its input are even" : refusal(index.graph.nodes[place]))
    }
    return result
  }

  /// A Mul has to be worth it.
  private static func isWorthwhile(_ factors: [Float]) -> Bool { (factors.max() ?? 1) > 1.5 * (factors.min() ?? 1) }

  private func factors(
    _ group: Group, _ graph: Graph, _ magnitudes: [String: [Float]], _ strength: Float, _ perChannel: Bool
  ) throws(PruneError) -> [Float] {
    var ranges = [Float](repeating: 0, count: group.channels), weights = ranges
    for value in group.values {
      guard let found = magnitudes[value], found.count == group.channels, let most = found.max(), most > 0 else {
        continue
      }
      for channel in ranges.indices { ranges[channel] = max(ranges[channel], found[channel] / most) }
    }
    // One scale a channel makes up for any factor of the layer's own: only weights that mix channels lose by it.
    let mixing = group.readers.filter { !perChannel || !Self.isDepthwise(index.graph.nodes[$0]) }
    for place in mixing {
      let node = index.graph.nodes[place]
      guard let weight = node.input(1).flatMap({ graph.initializer($0) }) else { continue }
      let found = try weight.absoluteMaxima(axis: Self.inputAxis(node))
      guard found.count == weights.count, let most = found.max(), most > 0 else { continue }
      for channel in weights.indices { weights[channel] = max(weights[channel], found[channel] / most) }
    }
    return ranges.indices.map { channel in
      guard ranges[channel] > 0 else { return 1 }
      let full = 1 / ranges[channel]
      var factor = full
      if !mixing.isEmpty {
        guard weights[channel] > 0 else { return 1 }
        factor = power(full, strength) * power(weights[channel], 1 - strength)
      }
      factor = min(factor, full, 1e3)
      if let bound = group.bound {
        let most = group.values.reduce(Float(0)) { max($0, magnitudes[$1]?[safe: channel] ?? 0) }
        guard most < bound * 0.9 else { return 1 }
        factor = min(factor, bound * 0.9 / most)
      }
      return factor.isNormal ? max(factor, 1e-3) : 1
    }
  }

  private func power(_ base: Float, _ exponent: Float) -> Float {
    Float(exponential(Double(exponent) * logarithm(Double(base))))
  }

  private func scale(_ graph: inout Graph, _ name: String, axis: Int?, _ factors: [Float]) throws(PruneError) {
    guard var tensor = graph.initializer(name) else { return }
    let axis = axis ?? (tensor.shape.dims.lastIndex { $0 == factors.count } ?? 0)
    let inner = max(tensor.shape.dims[(axis + 1)...].reduce(1, *), 1)
    try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices { span[place] *= factors[place / inner % factors.count] }
    }
    graph.setInitializer(name, tensor)
  }

  // MARK: - Which channels go together

  private static func isDepthwise(_ node: Node) -> Bool { node.opType == "Conv" && node.int("group", default: 1) > 1 }

  private static func outputAxis(_ node: Node) -> Int {
    node.opType == "Conv" || node.opType == "Gemm" && node.int("transB", default: 0) != 0 ? 0 : 1
  }

  private static func inputAxis(_ node: Node) -> Int {
    if node.opType == "Conv" { return isDepthwise(node) ? 0 : 1 }
    return 1 - outputAxis(node)
  }

  /// A float32 initializer that nothing else reads.
  private func own(_ name: String?) -> Tensor? {
    guard let name, index.isOwned(name), let tensor = index.graph.initializer(name), tensor.dtype == .float32 else {
      return nil
    }
    return tensor
  }

  /// Output channels of a layer that can take factors up.
  private func written(by node: Node) -> Int? {
    guard node.isStandard, let weight = own(node.input(1)) else { return nil }
    let channels: Int
    switch node.opType {
    case "Conv": channels = weight.shape.rank > 2 ? weight.shape[0] : 0
    case "Gemm":
      guard weight.shape.rank == 2, node.float("alpha", default: 1) == 1, node.float("beta", default: 1) == 1 else {
        return nil
      }
      channels = weight.shape[Self.outputAxis(node)]
    case "MatMul": channels = weight.shape.rank == 2 ? weight.shape[1] : 0
    case "LayerNormalization": channels = weight.shape.rank == 1 ? weight.shape[0] : 0
    default: return nil
    }
    if let bias = node.input(2), node.opType != "MatMul" { guard own(bias)?.count == channels else { return nil } }
    return channels > 0 ? channels : nil
  }

  /// Input channels of a layer that can take the inverse up.
  func read(by node: Node, _ value: String) -> Int? {
    guard node.isStandard, node.input(0) == value, node.inputs.count(where: { $0 == value }) == 1,
      let weight = own(node.input(1))
    else { return nil }
    switch node.opType {
    case "Conv":
      let groups = node.int("group", default: 1)
      guard weight.shape.rank > 2, groups == 1 || weight.shape[1] == 1 && weight.shape[0] == groups else { return nil }
      return groups == 1 ? weight.shape[1] : groups
    case "Gemm":
      guard weight.shape.rank == 2, node.int("transA", default: 0) == 0 else { return nil }
      return weight.shape[1 - Self.outputAxis(node)]
    case "MatMul": return weight.shape.rank == 2 ? weight.shape[0] : nil
    default: return nil
    }
  }

  private static let transparent: Set<String> = [
    "Relu", "Clip", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Add", "Identity", "Dropout",
    "ReduceMean",
  ]

  private func found(_ ignore: [NamePattern]) -> [Group] {
    var seen: Set<String> = []
    var result: [Group] = []
    for node in index.graph.nodes where written(by: node) != nil {
      guard let value = node.output(0), !seen.contains(value) else { continue }
      if let group = group(of: value, ignore, &seen) { result.append(group) }
    }
    return result
  }

  /// Everything that `start` is connected with; nil when some of it cannot be scaled.
  private func group(of start: String, _ ignore: [NamePattern], _ seen: inout Set<String>) -> Group? {
    var group = Group(), isValid = true, extents: Set<Int> = [], isConv = false, isMatrix = false
    var open = [start]
    var inner: Set<Int> = []
    while let value = open.popLast() {
      guard group.values.insert(value).inserted else { continue }
      seen.insert(value)
      guard let source = index.producers[value], !index.outputs.contains(value), !index.captured.contains(value) else {
        isValid = false
        continue
      }
      for place in [source] + (index.consumers[value] ?? []) {
        let node = index.graph.nodes[place]
        if place == source, let channels = written(by: node) {
          extents.insert(channels)
          group.writers.append(place)
          isConv = isConv || node.opType == "Conv"
          isMatrix = isMatrix || node.opType != "Conv"
        } else if place != source, let channels = read(by: node, value) {
          extents.insert(channels)
          group.readers.append(place)
          isConv = isConv || node.opType == "Conv"
          isValid = isValid && !ignore.contains { $0.matches(node.layerName) }
        } else if node.isStandard, Self.transparent.contains(node.opType),
          node.outputs.dropFirst().allSatisfy(\.isEmpty)
        {
          guard inner.insert(place).inserted else { continue }
          open += pass(node, place, &group, &isValid)
        } else {
          isValid = false
        }
      }
    }
    guard isValid, extents.count == 1, let channels = extents.first, !group.readers.isEmpty, !(isConv && isMatrix),
      group.shifts.allSatisfy({ own($0.weight)?.count == channels })
    else { return nil }
    group.channels = channels
    group.isMatrix = !isConv
    return group
  }

  /// The values that a node between them connects.
  private func pass(_ node: Node, _ place: Int, _ group: inout Group, _ isValid: inout Bool) -> [String] {
    var values = [node.outputs[0]]
    switch node.opType {
    case "Add":
      for input in node.inputs {
        if index.isConstant(input) { group.shifts.append((input, place)) } else { values.append(input) }
      }
    case "Clip":
      values.append(node.inputs[0])
      guard let (low, high) = Equalize.bounds(node, index), low == 0, high > 0 else {
        isValid = false
        return []
      }
      if high.isFinite { group.bound = min(group.bound ?? high, high) }
    case "ReduceMean":
      // Over the axes of an image.
      values.append(node.inputs[0])
      let axes = node.ints("axes") ?? (try? index.constant(node.input(1))?.integers()) ?? []
      if axes.sorted() != [2, 3], axes.sorted() != [-2, -1] { isValid = false }
    default: values.append(node.inputs[0])
    }
    return values
  }
}
