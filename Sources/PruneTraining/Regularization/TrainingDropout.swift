import PruneGraph
import PruneTensor

/// Dropout during a fit (Srivastava et al. 2014).
struct TrainingDropout {
  /// What to drop; nil leaves it to the graph's own Dropout nodes.
  var ratio: Double?
  var seed: UInt64
  /// The input with the number of the step.
  var step = ""

  /// Makes the graph's Dropout nodes drop. With a ratio of its own and no such node, drops before each fully connected
  /// layer that reads what a trained weight made.
  func apply(to special: inout Specialization, parameters: Set<String>, _ usedNames: inout Set<String>) {
    guard ratio != 0 else { return }
    special.types.types[step] = TensorType(.float32, .scalar)
    var nodes: [Node] = []
    var count = 0
    func dropping(_ input: String, _ output: String, _ name: String, _ ratio: Double) -> Node {
      count += 1
      var random = RandomSource(seed: seed).fork(UInt64(count))
      return Node(
        "DropoutTrain", domain: GradientRules.trainingDomain, name: name, inputs: [input, step], outputs: [output],
        attributes: [
          Attribute("ratio", .float(Float(ratio))), Attribute("key", .int(Int64(random.next() >> 33))),
        ])
    }
    for node in special.model.graph.nodes {
      guard node.isStandard, node.opType == "Dropout", node.outputs.dropFirst().allSatisfy(\.isEmpty),
        let input = node.input(0),
        let output = node.output(0), let share = ratio ?? nodeRatio(node, special), share > 0, share < 1
      else {
        nodes.append(node)
        continue
      }
      nodes.append(dropping(input, output, node.name, share))
    }
    if count == 0, let ratio {
      nodes = []
      var trained = parameters
      for node in special.model.graph.nodes {
        var copy = node
        if node.isStandard, ["Gemm", "MatMul"].contains(node.opType), let weight = node.input(1),
          parameters.contains(weight),
          let input = node.input(0), trained.contains(input)
        {
          let output = Graph.uniqueName("\(input).dropped", &usedNames)
          special.types.types[output] = special.types.types[input]
          nodes.append(dropping(input, output, "dropout/\(node.name)", ratio))
          copy.inputs[0] = output
        }
        nodes.append(copy)
        if node.allReads.contains(where: trained.contains) { trained.formUnion(node.outputs) }
      }
    }
    special.model.graph.nodes = nodes
  }

  /// The ratio a node declares: an attribute up to opset 11, an input after; 0.5 when it does not.
  private func nodeRatio(_ node: Node, _ special: Specialization) -> Double? {
    guard let name = node.input(1) else { return Double(node.float("ratio", default: 0.5)) }
    return (try? special.model.graph.initializer(name)?.array(of: Float.self).first).flatMap { $0 }.map { Double($0) }
  }
}
