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

  /// In the order of nodes; a recurrent node has two.
  private(set) var layers: [Layer] = []
  private(set) var kept: [QuantizationPlan.Kept] = []
  private var places: [Int: Range<Int>] = [:]

  /// Operators whose weights can be stored in few bits and dequantized in front of them.
  static let storable = Set(Operator.names(with: .hasStorableWeight))

  /// - Parameters:
  ///   - operators: the operators that the scheme knows.
  ///   - ignore: patterns on names of layers or weights that stay float.
  ///   - isRest: whether another plan came first, so that names changed and no layer may be left.
  /// - Throws: `.notFound` for a pattern that matches nothing, `.invalidArgument` when no layer is left.
  ///   - except: names of layers that are not looked at.
  init(
    _ index: GraphIndex, ignore: [NamePattern], operators: Set<String>, isRest: Bool = false, except: Set<String> = []
  ) throws(PruneError) {
    if !isRest { try QuantizationPlan.check(ignore, index) }
    for (place, node) in index.graph.nodes.enumerated() where !except.contains(node.layerName) {
      let first = layers.count
      for candidate in Self.operands(of: node, index) { try add(node, at: place, candidate, ignore, operators) }
      if layers.count > first { places[place] = first..<layers.count }
      let isProduct = node.has(.product)
      if isProduct, Self.operands(of: node, index).isEmpty { keep(node, Reason.computed(node.opType)) }
    }
    if !isRest { try checkThereAreLayers(operators) }
  }

  /// The layers of a node.
  func layers(at place: Int) -> ArraySlice<Layer> { layers[places[place] ?? 0..<0] }

  /// - Throws: `.invalidArgument` with the reasons when there are none.
  func checkThereAreLayers(_ operators: Set<String>) throws(PruneError) {
    guard layers.isEmpty else { return }
    let why = kept.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }.joined(separator: "; ")
    throw PruneError(
      .invalidArgument,
      "the model has no layer to quantize: \(operators.sorted().joined(separator: ", ")) with a constant "
        + "float32 weight", hint: why)
  }

  private mutating func add(
    _ node: Node, at place: Int, _ operand: Operand, _ ignore: [NamePattern], _ operators: Set<String>
  ) throws(PruneError) {
    let (input, name, weight) = (operand.input, operand.name, operand.weight), isTable = node.opType == "Gather"
    if ignore.contains(where: { $0.matches(node.layerName) || $0.matches(name) }) {
      keep(node, Reason("ignored"))
    } else if weight.dtype != .float32 {
      if !isTable { keep(node, Reason("its weight is \(weight.dtype.name)")) }
    } else if weight.count == 0 {
      keep(node, Reason("its weight is empty"))
    } else if !operators.contains(node.opType) {
      keep(
        node,
        Reason(
          "the scheme has no form of \(node.opType)",
          advice: "scheme = \"weight_only\" with format = \"qdq\" stores its weight"))
    } else if let axes = Self.axes(node, input, weight.shape.rank) {
      if try weight.finiteRange() == nil {
        keep(node, Reason.notFinite)
      } else {
        layers.append(Layer(node: place, input: input, weight: name, channelAxis: axes.channel, blockAxis: axes.block))
      }
    } else {
      keep(node, Reason("its weight has rank \(weight.shape.rank)"))
    }
  }

  private typealias Operand = (input: Int, name: String, weight: Tensor)

  /// The constant operands that are the node's weights: of a product one, the right one where both are constant.
  private static func operands(of node: Node, _ index: GraphIndex) -> [Operand] {
    let places: [Int]
    switch node.opType {
    case _ where node.has(.matrixProduct): places = [1, 0]
    case "Einsum": places = node.inputs.count == 2 ? [1, 0] : []
    default: places = node.weightOperands
    }
    var operands: [Operand] = []
    for place in places where node.isStandard {
      guard let name = node.input(place), let weight = index.constant(name) else { continue }
      operands.append((place, name, weight))
    }
    return node.operation?.kind == .recurrent ? operands : Array(operands.prefix(1))
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
    // [directions, gates, inputs]: both directions of a gate's row share a scale.
    case "LSTM", "GRU", "RNN": return rank == 3 ? (1, 2) : nil
    case "Einsum": return einsumAxes(node.string("equation", default: ""), input, rank)
    default: return nil
    }
  }

  /// The last axis of a weight that the result keeps, and the last that is summed over.
  private static func einsumAxes(_ equation: String, _ input: Int, _ rank: Int) -> (channel: Int, block: Int?)? {
    let sides = equation.filter { $0 != " " }.split(separator: ">", omittingEmptySubsequences: false)
    guard sides.count == 2, sides[0].hasSuffix("-") else { return nil }
    let terms = sides[0].dropLast().split(separator: ",", omittingEmptySubsequences: false)
    guard terms.count == 2, terms[input].count == rank, terms[input].allSatisfy(\.isLetter) else { return nil }
    let letters = Array(terms[input])
    guard let channel = letters.lastIndex(where: { sides[1].contains($0) }) else { return nil }
    return (channel, letters.lastIndex { !sides[1].contains($0) })
  }

  private mutating func keep(_ node: Node, _ reason: Reason) {
    kept.append(
      QuantizationPlan.Kept(name: node.layerName, operation: node.opType, reason: reason.text, advice: reason.advice))
  }
}
