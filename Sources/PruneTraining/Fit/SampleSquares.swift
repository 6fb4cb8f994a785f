import PruneGraph
import PruneTensor

/// Sums, over the samples of a batch, of the squared gradients of each sample's loss: what the Fisher information is
/// the mean of, at about the cost of the batch.
///
/// A gradient of weights is a sum over samples. The nodes that compute it are recognized: a convolution's as one
/// of a group a sample, a matrix's as a product a sample. Of a matrix that sees one row a sample the squares are the
/// product of squares.
struct SampleSquares {
  /// The graph with the squares in place of the gradients.
  private(set) var model: Model
  /// The value that holds each parameter's sum of squares.
  private(set) var values: [String: String] = [:]
  private let count: Int
  private var usedNames: Set<String>
  private var nodes: [Node] = []

  /// Nil when the gradient of a parameter is made in another way.
  /// - Parameter count: samples of the batch.
  init?(_ parts: LossGraph, count: Int) throws(PruneError) {
    self.count = count
    model = parts.model
    usedNames = model.graph.allNames
    if count == 1 {
      // A sample alone has the gradient of the batch, however it is made.
      for (parameter, value) in parts.gradients.sorted(by: { $0.key < $1.key }) {
        values[parameter] = emit("Mul", [value, value])
      }
      model.graph.nodes += nodes
      return
    }
    var owners: [String: String] = [:]
    for (parameter, value) in parts.gradients {
      // A value that is the gradient of two is of shared weights.
      guard owners.updateValue(parameter, forKey: value) == nil else { return nil }
    }
    for node in model.graph.nodes {
      guard let parameter = node.outputs.first.flatMap({ owners[$0] }) else {
        nodes.append(node)
        continue
      }
      guard let shape = parts.model.graph.initializer(parameter)?.shape,
        let value = try squares(node, shape, parts.shapes)
      else { return nil }
      values[parameter] = value
      // The gradient of a bias is made by the same node.
      if node.outputs.dropFirst().contains(where: { !$0.isEmpty }) { nodes.append(node) }
    }
    guard values.count == parts.gradients.count else { return nil }
    model.graph.nodes = nodes
  }

  private mutating func squares(_ node: Node, _ shape: Shape, _ shapes: [String: Shape]) throws(PruneError) -> String? {
    guard node.inputs.count >= 2 else { return nil }
    let (first, second) = (node.inputs[0], node.inputs[1])
    if node.domain == GradientRules.trainingDomain, node.opType == "ConvGradWeight",
      node.ints("weight_shape") == shape.dims
    {
      let still = [Int](repeating: 0, count: shape.rank - 2)
      let dy = try reshaped(first, [1, -1] + still), x = try reshaped(second, [1, -1] + still)
      let (outputs, overflow) = shape.dims[0].multipliedReportingOverflow(by: count)
      guard !overflow else { return nil }
      var attributes = node.attributes.filter { !["group", "weight_shape"].contains($0.name) }
      attributes.append(Attribute("group", .int(Int64(node.int("group", default: 1) * count))))
      attributes.append(Attribute("weight_shape", .integers([outputs] + shape.dims.dropFirst())))
      let all = emit("ConvGradWeight", [dy, x], attributes, domain: GradientRules.trainingDomain)
      return try summed(try reshaped(all, [count, -1]), shape)
    }
    guard node.isStandard, node.opType == "Gemm", node.int("transA", default: 0) != 0,
      node.int("transB", default: 0) == 0, node.inputs.count == 2, shape.rank == 2, node.float("alpha", default: 1) == 1
    else { return nil }
    if shapes[first]?.dims == [count, shape.dims[0]] || shapes[second]?.dims == [count, shape.dims[1]] {
      return emit("Gemm", [emit("Mul", [first, first]), emit("Mul", [second, second])], node.attributes)
    }
    let rows = try reshaped(first, [count, -1, shape.dims[0]])
    let left = emit("Transpose", [rows], [Attribute("perm", .integers([0, 2, 1]))])
    let all = emit("MatMul", [left, try reshaped(second, [count, -1, shape.dims[1]])])
    return try summed(try reshaped(all, [count, -1]), shape)
  }

  /// The sum of squares over the first axis, in a weight's shape.
  private mutating func summed(_ value: String, _ shape: Shape) throws(PruneError) -> String {
    let square = emit("Mul", [value, value])
    let sum = emit(
      "SumToShape", [square], [Attribute("shape", .integers([1, shape.count]))], domain: GradientRules.trainingDomain)
    return try reshaped(sum, shape.dims)
  }

  private mutating func reshaped(_ value: String, _ dims: [Int]) throws(PruneError) -> String {
    let name = Graph.uniqueName("samples.shape", &usedNames)
    model.graph.setInitializer(name, try Tensor(dims.map(Int64.init)))
    return emit("Reshape", [value, name])
  }

  private mutating func emit(
    _ opType: String, _ inputs: [String], _ attributes: [Attribute] = [], domain: String = ""
  ) -> String {
    let output = Graph.uniqueName("samples.\(opType)", &usedNames)
    nodes.append(Node(opType, domain: domain, name: output, inputs: inputs, outputs: [output], attributes: attributes))
    return output
  }
}
