import PruneEvaluation
import PruneGraph
import PruneTensor

/// Puts two layers in the place of each that was factored.
struct FactorSurgery {
  private(set) var model: Model
  private var names: Set<String>
  private let types: GraphTypes
  /// New layers by the output of the one they stand for.
  private var replacements: [String: [Node]] = [:]
  private var replaced: Set<String> = []
  /// Whether layers that can have a bias get one, of zeros, where they had none.
  private let addsBiases: Bool

  init(_ model: Model, addsBiases: Bool) throws(PruneError) {
    (self.model, self.addsBiases) = (model, addsBiases)
    names = model.graph.allNames
    types = try ShapeInference.run(model)
  }

  mutating func replace(_ layer: FactorableLayer, rank: Int) throws(PruneError) {
    let weights = try layer.factored.weights(try layer.spectrum.factors(rank: rank), rank: rank)
    var stored: [DType: (first: String, second: String)] = [:]
    for use in layer.uses {
      guard let node = model.graph.nodes.first(where: { $0.output(0) == use.output }),
        let operand = node.input(use.operand)
      else { throw PruneError(.internal, "the layer that gives '\(use.output)' is not there") }
      // Numbers of the type that the layer computes in.
      let dtype = types.types[operand]?.dtype ?? .float32
      let pair: (first: String, second: String)
      if let known = stored[dtype] {
        pair = known
      } else {
        pair = (name(layer.weight.name + ".first"), name(layer.weight.name + ".second"))
        model.graph.setInitializer(pair.first, try weights.first.cast(to: dtype))
        model.graph.setInitializer(pair.second, try weights.second.cast(to: dtype))
        stored[dtype] = pair
      }
      try put(layer.factored.used(by: node), node, use, pair, dtype)
    }
    replaced.insert(layer.weight.name)
  }

  private mutating func put(
    _ factored: FactoredWeight, _ node: Node, _ use: WeightUse, _ pair: (first: String, second: String), _ dtype: DType
  ) throws(PruneError) {
    let between = name(node.layerName + ".between")
    func operands(_ value: String, _ weight: String) -> [String] {
      use.operand == 0 && node.opType != "Conv" && node.opType != "ConvTranspose" ? [weight, value] : [value, weight]
    }
    var first = factored.firstNode, second = factored.secondNode
    first.name = node.name.isEmpty ? "" : name(node.name + ".first")
    second.name = node.name
    first.inputs = operands(use.input, pair.first)
    // A product without a third operand came with opset 11.
    if node.opType == "Gemm", (model.opset() ?? Model.defaultOpset) < 11 {
      let zero = name(pair.first + ".zero")
      model.graph.setInitializer(zero, try Tensor(zeros: dtype, .scalar))
      first.inputs.append(zero)
    }
    first.outputs = [between]
    second.inputs = operands(between, pair.second)
    if let bias = node.input(2) {
      second.inputs.append(bias)
    } else if addsBiases, second.opType != "MatMul", use.operand == 1 {
      let bias = name(node.layerName + ".bias")
      model.graph.setInitializer(bias, try Tensor(zeros: dtype, try Shape([factored.matrix.rows])))
      second.inputs.append(bias)
    }
    second.outputs = node.outputs
    replacements[use.output] = [first, second]
  }

  private mutating func name(_ text: String) -> String { Graph.uniqueName(text, &names) }

  /// Outputs of the layers that were replaced.
  var outputs: Set<String> { Set(replacements.keys) }

  /// The model with all replacements made.
  var finished: Model {
    var result = model
    result.graph.nodes = model.graph.nodes.flatMap { node in
      node.output(0).flatMap { replacements[$0] } ?? [node]
    }
    // Initializers need not be inputs from version 4 on.
    result.irVersion = max(result.irVersion, 4)
    result.maskedParameters = model.maskedParameters.filter { !replaced.contains($0) }
    result.removeDeadNodes()
    result.graph.nameNodesApart(since: model.graph)
    return result
  }
}
