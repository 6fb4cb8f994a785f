import PruneGraph
import PruneTensor

/// The weights that can be stored in fewer bits whatever the activations are.
struct WeightPlan {
  struct Layer {
    let node: Int
    /// Which input of the node the weight is.
    let input: Int
    let weight: String
    /// Along which output channels lie.
    let channelAxis: Int
    /// Along which products are summed, for blocks; nil where channels are the finer division.
    let blockAxis: Int?
  }

  private(set) var layers: [Int: Layer] = [:]
  private(set) var kept: [QuantizationPlan.Kept] = []

  /// - Parameters:
  ///   - operators: the operators that the scheme knows.
  ///   - ignore: patterns on names of layers or weights that stay float.
  /// - Throws: `.notFound` for a pattern that matches nothing, `.invalidArgument` when no layer is left.
  init(_ index: GraphIndex, ignore: [NamePattern], operators: Set<String>) throws(PruneError) {
    try QuantizationPlan.check(ignore, index)
    for (place, node) in index.graph.nodes.enumerated() where !node.weightOperands.isEmpty {
      guard let (input, name, weight) = Self.operand(of: node, index) else {
        if node.opType != "Gather" { keep(node, "its weight is not a constant") }
        continue
      }
      let isTable = node.opType == "Gather"
      if ignore.contains(where: { $0.matches(node.title) || $0.matches(name) }) {
        keep(node, "ignored")
      } else if weight.dtype != .float32 {
        if !isTable { keep(node, "its weight is \(weight.dtype.name)") }
      } else if weight.count == 0 {
        keep(node, "its weight is empty")
      } else if !operators.contains(node.opType) {
        keep(node, "the scheme has no form of \(node.opType)")
      } else if let axes = Self.axes(node, input, weight.shape.rank) {
        if try weight.finiteRange() == nil {
          keep(node, "its weight holds NaN or infinity")
        } else {
          layers[place] = Layer(node: place, input: input, weight: name, channelAxis: axes.channel, blockAxis: axes.block)
        }
      } else {
        keep(node, "its weight has rank \(weight.shape.rank)")
      }
    }
    guard layers.isEmpty else { return }
    let why = kept.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }.joined(separator: "; ")
    throw PruneError(
      .invalidArgument, "the model has no layer to quantize: \(operators.sorted().joined(separator: ", ")) with a constant "
        + "float32 weight", hint: why)
  }

  /// The constant operand that is the layer's weight: of a product with one on the left, that one.
  private static func operand(of node: Node, _ index: GraphIndex) -> (input: Int, name: String, weight: Tensor)? {
    let places = node.opType == "MatMul" || node.opType == "Gemm" ? [1, 0] : [node.weightOperands[0]]
    for place in places {
      if let name = node.input(place), let weight = index.constant(name) { return (place, name, weight) }
    }
    return nil
  }

  private static func axes(_ node: Node, _ input: Int, _ rank: Int) -> (channel: Int, block: Int?)? {
    switch node.opType {
    case "Conv": return rank > 2 ? (0, nil) : nil
    case "ConvTranspose": return rank > 2 ? (1, nil) : nil
    case "Gemm":
      guard rank == 2 else { return nil }
      // The axis that is not summed over: behind the weight for the left operand.
      let isTurned = node.int(input == 0 ? "transA" : "transB", default: 0) != 0
      return (input == 0) != isTurned ? (0, 1) : (1, 0)
    case "MatMul":
      guard rank >= 2 else { return nil }
      return input == 0 ? (rank - 2, rank - 1) : (rank - 1, rank - 2)
    case "Gather": return rank == 2 && node.int("axis", default: 0) == 0 ? (0, nil) : nil
    default: return nil
    }
  }

  private mutating func keep(_ node: Node, _ reason: String) {
    kept.append(QuantizationPlan.Kept(name: node.title, operation: node.opType, reason: reason))
  }
}
