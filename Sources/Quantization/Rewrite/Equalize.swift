import PruneGraph
import PruneTensor

/// Cross-layer equalization (Nagel et al., 2019): where a layer's output goes through a rectifier into one other layer,
/// a channel's scale can be moved from one weight to the other without a change of what the network computes.
/// Afterwards the channels of both weights have like ranges, and so has the activation between them.
///
/// Behind an upper bound (Relu6) a channel is only scaled when calibration never saw it near the bound, and never
/// beyond it. No channel is scaled beyond what the largest of its activation reaches: one of next to no weights and a
/// bias, as a folded batch normalization leaves, would stretch the range of all.
enum Equalize {
  private struct Pair {
    let first: Int
    let second: Int
    /// The activation between the two, as the second reads it.
    let between: String
    /// Its upper bound.
    let bound: Float?
  }

  /// - Parameters:
  ///   - maxima: the largest value of each channel of the activations that `activations` lists.
  ///   - layers: those that will be quantized.
  ///   - outcome: is told how many pairs there are, and which layers are in none.
  static func apply(
    _ model: Model, _ ignore: [NamePattern], maxima: [String: [Float]], layers: [Int], _ outcome: inout OptionOutcome
  ) throws(PruneError) -> Model {
    var result = model, maxima = maxima
    let found = pairs(model, ignore)
    outcome.serve(found.count)
    let paired = Set(found.flatMap { [$0.first, $0.second] })
    for layer in layers where !paired.contains(layer) {
      outcome.leave(
        model.graph.nodes[layer],
        "no Conv or Gemm is connected with it through at most a Relu or Clip, each the only reader, with weights of their own"
      )
    }
    // Chains of layers settle after a few rounds.
    for _ in 0..<(found.isEmpty ? 0 : 4) {
      for pair in found { try equalize(&result, pair, &maxima) }
    }
    return result
  }

  /// The activations between two layers.
  static func activations(_ model: Model, _ ignore: [NamePattern]) -> [String] { pairs(model, ignore).map(\.between) }

  private static func pairs(_ model: Model, _ ignore: [NamePattern]) -> [Pair] {
    let index = GraphIndex(model.graph)
    var result: [Pair] = []
    for (place, node) in model.graph.nodes.enumerated() where isLayer(node, index) {
      guard !ignore.contains(where: { $0.matches(node.layerName) }), var value = node.output(0) else { continue }
      var bound: Float?
      guard var next = index.onlyConsumer(of: value) else { continue }
      if next.opType == "Relu" || next.opType == "Clip" {
        if next.opType == "Clip" {
          guard let (low, high) = bounds(next, index), low == 0, high > 0 else { continue }
          if high.isFinite { bound = high }
        }
        guard let output = next.output(0), let after = index.onlyConsumer(of: output) else { continue }
        (value, next) = (output, after)
      }
      guard isLayer(next, index), next.input(0) == value, !ignore.contains(where: { $0.matches(next.layerName) }),
        let second = index.consumers[value]?.first
      else { continue }
      result.append(Pair(first: place, second: second, between: value, bound: bound))
    }
    return result
  }

  /// Convolutions and Gemms with a weight of their own.
  private static func isLayer(_ node: Node, _ index: GraphIndex) -> Bool {
    guard node.isStandard, ["Conv", "Gemm"].contains(node.opType), let name = node.input(1),
      let weight = index.graph.initializer(name), weight.dtype == .float32, index.isOwned(name)
    else { return false }
    if let bias = node.input(2) {
      guard index.isOwned(bias), index.graph.initializer(bias)?.dtype == .float32 else { return false }
    }
    if node.opType == "Conv" {
      let groups = node.int("group", default: 1)
      return weight.shape.rank > 2 && (groups == 1 || weight.shape[1] == 1 && weight.shape[0] == groups)
    }
    return weight.shape.rank == 2 && node.int("transA", default: 0) == 0 && node.float("alpha", default: 1) == 1
  }

  static func bounds(_ node: Node, _ index: GraphIndex) -> (low: Float, high: Float)? {
    func bound(_ place: Int, _ name: String, _ none: Float) -> Float? {
      if case .float(let value)? = node.attribute(name) { return value }
      guard let input = node.input(place) else { return none }
      guard let tensor = index.constant(input), tensor.dtype == .float32, tensor.count == 1 else { return nil }
      return (try? tensor.array(of: Float.self))?.first
    }
    guard let low = bound(1, "min", -.infinity), let high = bound(2, "max", .infinity) else { return nil }
    return (low, high)
  }

  private static func equalize(_ model: inout Model, _ pair: Pair, _ maxima: inout [String: [Float]]) throws(PruneError)
  {
    let (first, second) = (model.graph.nodes[pair.first], model.graph.nodes[pair.second])
    guard let firstName = first.input(1), let secondName = second.input(1), var a = model.graph.initializer(firstName),
      var b = model.graph.initializer(secondName)
    else { return }
    let outputAxis = first.opType == "Conv" || first.int("transB", default: 0) != 0 ? 0 : 1
    let isDepthwise = second.opType == "Conv" && second.int("group", default: 1) > 1
    let inputAxis = second.opType == "Conv" ? (isDepthwise ? 0 : 1) : (second.int("transB", default: 0) != 0 ? 1 : 0)
    let channels = a.shape[outputAxis]
    guard b.shape[inputAxis] == channels else { return }
    let from = try a.absoluteMaxima(axis: outputAxis), to = try b.absoluteMaxima(axis: inputAxis)
    guard let reached = maxima[pair.between], reached.count == channels, let most = reached.max() else { return }
    var scales = [Float](repeating: 1, count: channels)
    for channel in 0..<channels where from[channel] > 0 && to[channel] > 0 {
      var scale = (from[channel] * to[channel]).squareRoot() / to[channel]
      if most > 0 { scale = max(scale, reached[channel] / most) }
      if let bound = pair.bound {
        guard reached[channel] < bound * 0.9 else { continue }
        scale = max(scale, reached[channel] / (bound * 0.9))
      }
      if scale.isNormal { scales[channel] = min(max(scale, 1e-3), 1e3) }
    }
    maxima[pair.between] = zip(reached, scales).map { $0 / $1 }
    try scaleChannels(&a, outputAxis, scales.map { 1 / $0 })
    try scaleChannels(&b, inputAxis, scales)
    model.graph.setInitializer(firstName, a)
    model.graph.setInitializer(secondName, b)
    guard let biasName = first.input(2), var bias = model.graph.initializer(biasName), bias.count == channels else {
      return
    }
    try scaleChannels(&bias, bias.shape.rank - 1, scales.map { 1 / $0 })
    model.graph.setInitializer(biasName, bias)
  }

  private static func scaleChannels(_ tensor: inout Tensor, _ axis: Int, _ factors: [Float]) throws(PruneError) {
    let inner = tensor.shape.dims[(axis + 1)...].reduce(1, *), extent = tensor.shape[axis]
    try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices { span[place] *= factors[place / inner % extent] }
    }
  }
}

extension Array {
  /// The element at `index`, nil outside.
  subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
