import PruneGraph
import PruneTensor

/// Computes products of dynamically quantized activations (MatMulInteger, ConvInteger with constant weights) in
/// float32, for which there are fast kernels. The codes are small integers: sums below 2^24 are exact, larger ones are
/// rounded as every float32 product is.
enum IntegerProducts {
  static func run(_ model: Model) throws(PruneError) -> Model {
    func weight(_ node: Node) -> Tensor? {
      guard node.isStandard, ["ConvInteger", "MatMulInteger"].contains(node.opType), node.outputs.count == 1 else {
        return nil
      }
      guard let name = node.input(1), let tensor = model.graph.initializer(name), tensor.dtype == .int8,
        isZero(node, model.graph)
      else { return nil }
      return tensor
    }
    guard model.graph.nodes.contains(where: { weight($0) != nil }) else { return model }
    var result = model
    var names = model.graph.allNames
    var nodes: [Node] = []
    func cast(_ from: String, _ to: String, _ dtype: DType) -> Node {
      Node("Cast", name: to, inputs: [from], outputs: [to], attributes: [Attribute("to", .int(Int64(dtype.rawValue)))])
    }
    for node in model.graph.nodes {
      guard let codes = weight(node), let data = node.input(0), let output = node.output(0) else {
        nodes.append(node)
        continue
      }
      func name(_ end: String) -> String { Graph.uniqueName(output + end, &names) }
      let stored = name("_weight")
      result.graph.setInitializer(stored, try codes.cast(to: .float32))
      var input = name("_data")
      nodes.append(cast(data, input, .float32))
      if let zero = node.input(2) {
        let point = name("_zero"), centred = name("_centred")
        nodes.append(cast(zero, point, .float32))
        nodes.append(Node("Sub", name: centred, inputs: [input, point], outputs: [centred]))
        input = centred
      }
      let sums = name("_sums")
      nodes.append(
        Node(
          node.opType == "ConvInteger" ? "Conv" : "MatMul", name: node.name, inputs: [input, stored], outputs: [sums],
          attributes: node.attributes))
      nodes.append(cast(sums, output, .int32))
    }
    result.graph.nodes = nodes
    return result
  }

  /// Whether the weight's zero point is 0 and the activation's is one number.
  private static func isZero(_ node: Node, _ graph: Graph) -> Bool {
    if let name = node.input(2), let point = graph.initializer(name), point.count != 1 { return false }
    guard let name = node.input(3) else { return true }
    guard let point = graph.initializer(name), let values = try? point.integers() else { return false }
    return values.allSatisfy { $0 == 0 }
  }
}
