import PruneGraph
import PruneRuntime
import PruneTensor

/// Products with a constant as integer operators have them: the input on the left, the matrix on the right, no factors.
///
/// `alpha` and `beta` of Gemm go into the weight and the bias, a transposed input gets a Transpose, C that is no bias an
/// Add. W·X with W constant becomes (Xᵀ·Wᵀ)ᵀ. Einsum by a weight becomes a MatMul between a Reshape and a Transpose where
/// its equation needs them: "bsd,dhe->bshe" is a product with the weight as [d, h·e].
struct PlainProducts {
  private var edit: GraphEdit
  private let ignore: [NamePattern]
  private let types: GraphTypes

  /// The model with such products; what none of them is stays as it is.
  static func apply(_ model: Model, ignore: [NamePattern]) throws(PruneError) -> Model {
    guard model.graph.nodes.contains(where: { $0.has(.matrixProduct) || $0.opType == "Einsum" }) else { return model }
    var rewriter = PlainProducts(model, ignore)
    var nodes: [Node] = [], isChanged = false
    for node in model.graph.nodes {
      guard node.isStandard, !rewriter.isIgnored(node) else { nodes.append(node); continue }
      do throws(PruneError) {
        let made = try rewriter.product(node)
        isChanged = isChanged || made != nil
        nodes += made ?? [node]
      } catch { throw error.located(at: node.label) }
    }
    return isChanged ? rewriter.edit.finish(nodes) : model
  }

  private init(_ model: Model, _ ignore: [NamePattern]) {
    (edit, self.ignore) = (GraphEdit(model), ignore)
    types = (try? ShapeInference.run(model)) ?? GraphTypes()
  }

  private func isIgnored(_ node: Node) -> Bool {
    ignore.contains { pattern in pattern.matches(node.layerName) || node.inputs.contains { pattern.matches($0) } }
  }

  private mutating func product(_ node: Node) throws(PruneError) -> [Node]? {
    switch node.opType {
    case "Gemm": return try weight(node, at: 1) != nil ? try gemm(node) : try leftGemm(node)
    case "MatMul": return try leftMatMul(node)
    case "Einsum": return try einsum(node)
    default: return nil
    }
  }

  /// The constant float32 operand at `place`, where the other one is computed.
  private func weight(_ node: Node, at place: Int) throws(PruneError) -> Tensor? {
    guard let name = node.input(place), let other = node.input(1 - place), !edit.index.isConstant(other),
      let weight = try edit.index.weight(name), weight.dtype == .float32, weight.count > 0,
      try weight.finiteRange() != nil
    else { return nil }
    return weight
  }

  // MARK: - Gemm and MatMul

  private mutating func gemm(_ node: Node) throws(PruneError) -> [Node]? {
    guard let weight = try weight(node, at: 1), weight.shape.rank == 2, let output = node.output(0) else { return nil }
    let alpha = node.float("alpha", default: 1), beta = node.float("beta", default: 1)
    let isTransposed = node.int("transA", default: 0) != 0
    let channels = weight.shape[node.int("transB", default: 0) == 0 ? 1 : 0]
    let bias = edit.index.constant(node.input(2))
    let isBias = node.input(2) == nil || bias.map { $0.count == channels && $0.shape.dims.last == channels } ?? false
    guard alpha != 1 || isTransposed || !isBias || node.input(2) != nil && beta != 1 else { return nil }
    guard alpha.isFinite, beta.isFinite else { return nil }
    var nodes: [Node] = [], plain = node
    for name in ["alpha", "beta", "transA"] { plain.set(name, nil) }
    if isTransposed {
      nodes.append(transpose(node.inputs[0], [1, 0]))
      plain.inputs[0] = nodes[0].outputs[0]
    }
    if alpha != 1 { plain.inputs[1] = try store(node.inputs[1], try weight.scaled(by: alpha)) }
    guard let name = node.input(2) else { return nodes + [plain] }
    plain.inputs = Array(plain.inputs.prefix(2))
    if beta == 0 { return nodes + [plain] }
    if let bias, bias.dtype == .float32, isBias || bias.count == 1 {
      let values = try bias.array(of: Float.self).map { $0 * beta }
      let row = bias.count == channels ? values : [Float](repeating: values[0], count: channels)
      plain.inputs.append(beta == 1 && isBias ? name : try store(name, try Tensor(row)))
      return nodes + [plain]
    }
    let product = edit.name(output + "_product")
    plain.outputs = [product]
    return nodes + [plain] + (try sum(node, product, name, bias, beta))
  }

  /// The Add of beta·C behind a product.
  private mutating func sum(
    _ node: Node, _ product: String, _ name: String, _ constant: Tensor?, _ beta: Float
  ) throws(PruneError) -> [Node] {
    var nodes: [Node] = [], term = name
    if beta != 1 {
      if let constant, constant.dtype == .float32 {
        term = try store(name, try constant.scaled(by: beta))
      } else {
        let factor = edit.add(node.outputs[0] + "_beta", try Tensor(scalar: beta))
        term = edit.name(node.outputs[0] + "_term")
        nodes.append(Node("Mul", name: term, inputs: [name, factor], outputs: [term]))
      }
    }
    return nodes + [
      Node("Add", name: edit.name(node.layerName + "_sum"), inputs: [product, term], outputs: node.outputs)
    ]
  }

  private mutating func leftGemm(_ node: Node) throws(PruneError) -> [Node]? {
    guard let weight = try weight(node, at: 0), weight.shape.rank == 2, let output = node.output(0) else { return nil }
    let alpha = node.float("alpha", default: 1), beta = node.float("beta", default: 1)
    guard alpha.isFinite, beta.isFinite else { return nil }
    let isTurned = node.int("transA", default: 0) != 0, hasSum = node.input(2) != nil && beta != 0
    let matrix = isTurned ? weight : try weight.permuted([1, 0])
    let stored = try store(node.inputs[0], alpha == 1 ? matrix : try matrix.scaled(by: alpha))
    var nodes: [Node] = [], input = node.inputs[1]
    if node.int("transB", default: 0) == 0 {
      nodes.append(transpose(input, [1, 0]))
      input = nodes[0].outputs[0]
    }
    let turned = edit.name(output + "_turned"), product = hasSum ? edit.name(output + "_product") : output
    nodes.append(Node("MatMul", name: node.name, inputs: [input, stored], outputs: [turned]))
    nodes.append(transpose(turned, [1, 0], to: product))
    guard hasSum, let name = node.input(2) else { return nodes }
    return nodes + (try sum(node, product, name, edit.index.constant(name), beta))
  }

  private mutating func leftMatMul(_ node: Node) throws(PruneError) -> [Node]? {
    guard let weight = try weight(node, at: 0), weight.shape.rank >= 2, let output = node.output(0),
      let rank = types.types[node.inputs[1]]?.dims?.count, rank >= 1
    else { return nil }
    func swapped(_ rank: Int) -> [Int] { Array(0..<(rank - 2)) + [rank - 1, rank - 2] }
    let stored = try store(node.inputs[0], try weight.permuted(swapped(weight.shape.rank)))
    // A vector has no axes to exchange.
    if rank == 1 {
      guard weight.shape.rank == 2 else { return nil }
      return [Node("MatMul", name: node.name, inputs: [node.inputs[1], stored], outputs: [output])]
    }
    let input = transpose(node.inputs[1], swapped(rank)), turned = edit.name(output + "_turned")
    return [
      input, Node("MatMul", name: node.name, inputs: [input.outputs[0], stored], outputs: [turned]),
      transpose(turned, swapped(max(rank, weight.shape.rank)), to: output),
    ]
  }

  // MARK: - Einsum

  private mutating func einsum(_ node: Node) throws(PruneError) -> [Node]? {
    guard node.inputs.count == 2, let output = node.output(0) else { return nil }
    for place in [1, 0] {
      guard let weight = try weight(node, at: place), let dims = types.types[node.inputs[1 - place]]?.dims,
        let form = EinsumProduct(node, weightAt: place, weight.shape.dims, input: dims)
      else { continue }
      let matrix = try weight.permuted(form.weightOrder).reshaped(try Shape(form.weightDims))
      let stored = try store(node.inputs[place], matrix)
      var nodes: [Node] = [], value = node.inputs[1 - place]
      if form.inputOrder != Array(form.inputOrder.indices) {
        nodes.append(transpose(value, form.inputOrder))
        value = nodes[nodes.count - 1].outputs[0]
      }
      if let dims = form.inputDims { value = try reshape(value, dims, &nodes) }
      let isTurned = form.outputOrder != Array(form.outputOrder.indices), isSplit = form.outputDims != nil
      let product = isTurned || isSplit ? edit.name(output + "_product") : output
      nodes.append(Node("MatMul", name: node.name, inputs: [value, stored], outputs: [product]))
      value = product
      if let dims = form.outputDims { value = try reshape(value, dims, to: isTurned ? nil : output, &nodes) }
      if isTurned { nodes.append(transpose(value, form.outputOrder, to: output)) }
      return nodes
    }
    return nil
  }

  // MARK: - Parts

  private mutating func transpose(_ value: String, _ order: [Int], to output: String? = nil) -> Node {
    let output = output ?? edit.name(value + "_turned")
    return Node(
      "Transpose", name: edit.name(output + "_transpose"), inputs: [value], outputs: [output],
      attributes: [Attribute("perm", .integers(order))])
  }

  private mutating func reshape(
    _ value: String, _ dims: [Int], to output: String? = nil, _ nodes: inout [Node]
  ) throws(PruneError) -> String {
    let output = output ?? edit.name(value + "_reshaped")
    let shape = edit.add(output + "_shape", try Tensor(dims.map(Int64.init)))
    nodes.append(Node("Reshape", name: edit.name(output + "_reshape"), inputs: [value, shape], outputs: [output]))
    return output
  }

  /// Stores what stands for a constant from now on: under its name where nothing else reads it.
  private mutating func store(_ name: String, _ tensor: Tensor) throws(PruneError) -> String {
    if edit.index.isOwned(name), !edit.model.graph.inputs.contains(where: { $0.name == name }) {
      edit.model.graph.setInitializer(name, tensor)
      return name
    }
    let stored = edit.add(name + "_plain", tensor)
    edit.replace(name, by: stored)
    return stored
  }
}

extension Tensor {
  /// A float32 tensor with every element multiplied.
  fileprivate func scaled(by factor: Float) throws(PruneError) -> Tensor {
    try Tensor(try array(of: Float.self).map { $0 * factor }, shape)
  }

  /// The tensor with its axes in another order.
  fileprivate func permuted(_ order: [Int]) throws(PruneError) -> Tensor {
    let node = Node(
      "Transpose", name: "", inputs: ["x"], outputs: ["y"],
      attributes: [Attribute("perm", .integers(order))])
    guard order != Array(order.indices), let kernel = ReferenceKernels.kernel(for: node, opset: 13),
      let result = try kernel(node, [self], 13).first
    else { return self }
    return result
  }
}
