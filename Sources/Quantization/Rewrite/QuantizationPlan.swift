import PruneGraph
import PruneTensor

/// Which layers compute in integers, and which activations get codes for it.
///
/// The pairs are put where integer runtimes look for them: around each layer with its activation function fused
/// (Conv -> Relu -> Q), around residual additions, and through pooling and reshaping, so that no float island is left
/// between two quantized layers.
struct QuantizationPlan {
  /// A node whose weight becomes int8.
  struct Layer {
    let node: Int
    let input: String
    let weight: String
    /// The axis of the weight along which output channels lie; nil where they cannot have scales of their own.
    let axis: Int?
    let bias: String?
  }

  /// A layer that stays float, and why.
  struct Kept {
    let name: String
    let operation: String
    let reason: String
    /// What to do about it; empty where nothing can be.
    var advice = ""
  }

  private(set) var layers: [Layer] = []
  private(set) var kept: [Kept] = []
  /// Activations that get codes.
  private(set) var quantized: Set<String> = []
  /// Activations that only rearrange or select values of another one, and share its scale.
  private(set) var sources: [String: String] = [:]

  private let index: GraphIndex
  private let bothSides: Bool
  /// Activations whose range nobody knows: they get no codes.
  private let unobserved: Set<String>

  /// - Parameters:
  ///   - ignore: patterns on names of layers or weights that stay float.
  ///   - keeping: titles of layers that stay float, and why.
  ///   - unobserved: activations whose range calibration could not tell; the layers that need one stay float.
  ///   - bothSides: what reshapes or reorders an activation with codes gives one with the same codes. ONNX Runtime
  ///     moves the pairs there itself, and loses the type of int8 codes on the way from opset 21 on.
  /// - Throws: `.notFound` for a pattern that matches nothing.
  init(
    _ index: GraphIndex, ignore: [NamePattern], keeping: [String: String] = [:], unobserved: Set<String> = [],
    bothSides: Bool = false
  ) throws(PruneError) {
    self.index = index
    self.unobserved = unobserved
    self.bothSides = bothSides
    try Self.check(ignore, index)
    for (place, node) in index.graph.nodes.enumerated() where node.isStandard {
      let isProduct = node.has(.product)
      guard isProduct || Self.couldBeStored(node, index) else { continue }
      let name = node.layerName
      do throws(Reason) {
        let weights = node.weightOperands.compactMap(node.input).filter(index.isConstant)
        if ignore.contains(where: { $0.matches(name) || weights.contains(where: $0.matches) }) {
          throw Reason("ignored")
        }
        if let why = keeping[name] { throw Reason(why) }
        let layer = try layer(node, at: place)
        if let value = activations(of: layer).first(where: unobserved.contains) {
          throw Reason("the calibration data never gave activation '\(value)' a float32 value")
        }
        layers.append(layer)
      } catch {
        kept.append(Kept(name: name, operation: node.opType, reason: error.text, advice: error.advice))
      }
    }
    for layer in layers { quantized.formUnion(activations(of: layer)) }
    if layers.isEmpty { return }
    spreadForward()
    spreadBackward()
  }

  /// Whether a node of another operator has a weight that other schemes make small.
  private static func couldBeStored(_ node: Node, _ index: GraphIndex) -> Bool {
    guard WeightPlan.storable.contains(node.opType),
      let weight = node.weightOperands.lazy.compactMap({ index.constant(node.input($0)) }).first
    else { return false }
    return weight.dtype == .float32 && weight.shape.rank > 1
  }

  /// - Throws: `.notFound` for a pattern that matches nothing.
  static func check(_ ignore: [NamePattern], _ index: GraphIndex) throws(PruneError) {
    let known = index.graph.nodes.flatMap {
      [$0.layerName, $0.input(1) ?? ""] + $0.weightOperands.compactMap($0.input)
    }
    .filter { !$0.isEmpty }
    for pattern in ignore where !known.contains(where: { pattern.matches($0) }) {
      throw PruneError(
        .notFound, "ignore pattern '\(pattern)' matches no layer and no weight",
        hint: Suggestion.hint(for: pattern.description, among: known))
    }
  }

  /// The activation whose scale `value` uses.
  func source(of value: String) -> String {
    var name = value
    // No chain of sources is longer than the list of them.
    for _ in 0...sources.count {
      guard let next = sources[name] else { return name }
      name = next
    }
    return name
  }

  // MARK: - Layers

  private func layer(_ node: Node, at place: Int) throws(Reason) -> Layer {
    guard node.has(.hasIntegerForm) else {
      throw Reason("integer runtimes have no \(node.opType)", advice: Reason.storeInstead)
    }
    guard let input = node.input(0), let name = node.input(1), let weight = index.constant(name) else {
      let isLeft = node.has(.matrixProduct) && index.constant(node.input(0)) != nil
      throw isLeft
        ? Reason("its weight is the left operand", advice: Reason.storeInstead) : Reason.computed(node.opType)
    }
    guard !index.isConstant(input) else { throw Reason("its input is a constant") }
    guard weight.dtype == .float32 else { throw Reason("its weight is \(weight.dtype.name)") }
    guard weight.count > 0 else { throw Reason("its weight is empty") }
    guard (try? weight.finiteRange()) ?? nil != nil else { throw Reason.notFinite }
    switch node.opType {
    case "Conv":
      guard weight.shape.rank > 2 else { throw Reason("its weight has rank \(weight.shape.rank)") }
      return Layer(node: place, input: input, weight: name, axis: 0, bias: try bias(node, channels: weight.shape[0]))
    case "Gemm":
      guard weight.shape.rank == 2 else { throw Reason("its weight has rank \(weight.shape.rank)") }
      guard node.int("transA", default: 0) == 0 else {
        throw Reason("its input is transposed", advice: Reason.storeInstead)
      }
      guard node.float("alpha", default: 1) == 1, node.input(2) == nil || node.float("beta", default: 1) == 1 else {
        throw Reason("alpha or beta is not 1", advice: Reason.storeInstead)
      }
      let axis = node.int("transB", default: 0) == 0 ? 1 : 0
      return Layer(
        node: place, input: input, weight: name, axis: axis, bias: try bias(node, channels: weight.shape[axis]))
    case "MatMul":
      guard weight.shape.rank >= 2 else { throw Reason("its weight has rank \(weight.shape.rank)") }
      // Integer products of stacks of matrices have one scale for all of them.
      return Layer(node: place, input: input, weight: name, axis: weight.shape.rank == 2 ? 1 : nil, bias: nil)
    default: throw Reason("integer runtimes have no \(node.opType)")
    }
  }

  private func bias(_ node: Node, channels: Int) throws(Reason) -> String? {
    guard let name = node.input(2) else { return nil }
    guard let bias = index.constant(name), bias.dtype == .float32, bias.count == channels else {
      throw Reason("its bias is not a constant with one float32 a channel")
    }
    guard (try? bias.finiteRange()) ?? nil != nil else { throw Reason("its bias holds NaN or infinity") }
    return name
  }

  // MARK: - Activations

  /// The activations that must have codes for a layer to compute in integers.
  private func activations(of layer: Layer) -> [String] {
    let node = index.graph.nodes[layer.node]
    // A matrix product can hand on floats; a convolution in integers gives integers.
    guard node.opType == "Conv", let output = node.output(0) else { return [layer.input] }
    return [layer.input, end(of: output)]
  }

  /// Where codes belong for a value: behind the Relu, or Clip from 0, that alone reads it, since the runtime fuses
  /// those.
  private func end(of value: String) -> String {
    guard let next = index.onlyConsumer(of: value), next.isStandard, let output = next.output(0) else { return value }
    if next.opType == "Relu" { return output }
    guard next.opType == "Clip", let low = clipMinimum(next), low == 0 else { return value }
    return output
  }

  private func clipMinimum(_ node: Node) -> Float? {
    if case .float(let value)? = node.attribute("min") { return value }
    guard let tensor = index.constant(node.input(1)), tensor.dtype == .float32, tensor.count == 1 else { return nil }
    return (try? tensor.array(of: Float.self))?.first
  }

  /// From quantized activations to what is computed from them.
  private mutating func spreadForward() {
    for node in index.graph.nodes where node.isStandard {
      guard let input = node.input(0), let output = node.output(0) else { continue }
      switch node.opType {
      case "Add", "Mul":
        guard let other = node.input(1), !index.isConstant(input), !index.isConstant(other),
          quantized.contains(input) && quantized.contains(other)
            || quantized.contains(input) && isFloatPath(other) || quantized.contains(other) && isFloatPath(input)
        else { continue }
        give([input, other, end(of: output)])
      case "MaxPool" where quantized.contains(input) && node.output(1) == nil && !index.outputs.contains(output):
        give([output])
        if quantized.contains(output) { sources[output] = input }
      case "AveragePool", "GlobalAveragePool":
        // Integer runtimes have no average of dilated windows.
        let isDilated = node.ints("dilations")?.contains { $0 > 1 } ?? false
        if quantized.contains(input), !isDilated, !index.outputs.contains(output) { give([output]) }
      case "Concat":
        let inputs = node.inputs.filter { !$0.isEmpty }
        if !inputs.isEmpty, inputs.allSatisfy({ quantized.contains($0) }) { give([output]) }
      case _ where bothSides && Self.rearranges(node) && quantized.contains(input):
        give([output])
        if quantized.contains(output) { sources[output] = input }
      default: continue
      }
    }
  }

  /// Codes for values that only pay together: none when one of them cannot have any.
  private mutating func give(_ values: [String]) {
    if unobserved.isDisjoint(with: values) { quantized.formUnion(values) }
  }

  /// Whether a value comes from a quantized one through nodes that rearrange values: the shortcut of a residual block.
  private func isFloatPath(_ value: String) -> Bool {
    var name = value
    for _ in 0...index.graph.nodes.count {
      if quantized.contains(name) { return true }
      guard let place = index.producers[name], index.graph.nodes[place].isStandard,
        Self.rearranges(index.graph.nodes[place])
          || ["Pad", "Slice", "Gather"].contains(index.graph.nodes[place].opType),
        let input = index.graph.nodes[place].input(0)
      else { return false }
      name = input
    }
    return false
  }

  private static func rearranges(_ node: Node) -> Bool { node.isMovement && node.opType != "Identity" }

  /// From quantized activations that only rearrange others back to those.
  private mutating func spreadBackward() {
    for node in index.graph.nodes.reversed() where Self.rearranges(node) {
      guard let input = node.input(0), let output = node.output(0), quantized.contains(output),
        !index.isConstant(input), !unobserved.contains(input)
      else { continue }
      quantized.insert(input)
      sources[output] = input
    }
  }
}
