import PruneGraph
import PruneTensor

/// A weight as the matrices that are factored, and the weights of the two layers that their factors make.
struct FactoredWeight {
  let shape: Shape
  let node: Node
  let operand: Int
  let matrix: LayerMatrix
  let form: FactorForm

  /// - Parameter form: what a convolution becomes where its kernel allows it; "channel" for all else.
  init(_ weight: Tensor, _ use: WeightUse, form: FactorForm) {
    (shape, node, operand, matrix) = (weight.shape, use.node, use.operand, use.matrix)
    let isSquare = node.opType == "Conv" && shape.rank == 4 && matrix.groups == 1 && shape[2] > 1 && shape[3] > 1
    self.form = isSquare ? form : .channel
  }

  private init(_ other: FactoredWeight, node: Node) {
    (shape, operand, matrix, form) = (other.shape, other.operand, other.matrix, other.form)
    self.node = node
  }

  /// The same weight in another layer that uses it, which may have strides or factors of its own.
  func used(by node: Node) -> FactoredWeight { FactoredWeight(self, node: node) }

  /// Matrices that are factored on their own, all to the same rank.
  var groups: Int { matrix.groups }
  var rows: Int { form == .spatial ? shape[0] * shape[3] : matrix.outputs }
  var columns: Int { form == .spatial ? shape[1] * shape[2] : matrix.columns }

  /// The matrix of a group, [rows, columns].
  func gathered(_ weight: Tensor, group: Int) throws(PruneError) -> Tensor {
    guard form == .spatial else { return try matrix.gathered(weight, group: group) }
    let (inputs, height, width) = (shape[1], shape[2], shape[3])
    var result = try Tensor(zeros: .float32, try Shape([rows, columns]))
    try weight.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for place in 0..<source.count {
          let (rest, x) = place.quotientAndRemainder(dividingBy: width)
          let (channels, y) = rest.quotientAndRemainder(dividingBy: height)
          let (output, input) = channels.quotientAndRemainder(dividingBy: inputs)
          target[(output * width + x) * columns + input * height + y] = source[place]
        }
      }
    }
    return result
  }

  /// The weights of the two layers: the first reads what the layer read, the second gives what it gave.
  /// - Parameter factors: of each group [rows, rank] and [rank, columns].
  func weights(_ factors: [(left: Tensor, right: Tensor)], rank: Int) throws(PruneError) -> (
    first: Tensor, second: Tensor
  ) {
    if form == .spatial, let factor = factors.first {
      let (height, width) = (shape[2], shape[3])
      return (
        try factor.right.reshaped(try Shape([rank, shape[1], height, 1])),
        try spread(factor.left, rank: rank, width: width)
      )
    }
    let shapes = try factorShapes(rank)
    var first = try Tensor(zeros: .float32, shapes.first), second = try Tensor(zeros: .float32, shapes.second)
    guard let firstMatrix = LayerMatrix(shapes.first, node: firstNode, operand: operand),
      let secondMatrix = LayerMatrix(shapes.second, node: secondNode, operand: operand)
    else { throw PruneError(.internal, "factors \(shapes.first) and \(shapes.second) are no layers") }
    for (group, factor) in factors.enumerated() {
      try firstMatrix.scatter(factor.right, group: group, into: &first)
      try secondMatrix.scatter(factor.left, group: group, into: &second)
    }
    return (first, second)
  }

  /// [outputs * width, rank] as the kernel [outputs, rank, 1, width].
  private func spread(_ left: Tensor, rank: Int, width: Int) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, try Shape([shape[0], rank, 1, width]))
    try left.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for row in 0..<rows {
          let (output, x) = row.quotientAndRemainder(dividingBy: width)
          for place in 0..<rank { target[(output * rank + place) * width + x] = source[row * rank + place] }
        }
      }
    }
    return result
  }

  private func factorShapes(_ rank: Int) throws(PruneError) -> (first: Shape, second: Shape) {
    switch node.opType {
    case "Conv", "ConvTranspose":
      let kernel = Array(shape.dims.dropFirst(2)), point = kernel.map { _ in 1 }
      let first = node.opType == "Conv" ? [groups * rank, matrix.inputs] : [groups * matrix.inputs, rank]
      return (try Shape(first + kernel), try Shape([groups * matrix.outputs, rank] + point))
    default:
      let stack = Array(shape.dims.dropLast(2))
      return operand == 0
        ? (try Shape(stack + [rank, columns]), try Shape(stack + [rows, rank]))
        : (try Shape(stack + [columns, rank]), try Shape(stack + [rank, rows]))
    }
  }

  // MARK: - The layers

  /// The layer that reads what this one read, without inputs and outputs.
  var firstNode: Node {
    switch node.opType {
    case "Gemm":
      // The weight lies as it is multiplied, the data as it did.
      let flag = operand == 0 ? "transB" : "transA"
      return Node("Gemm", inputs: [], outputs: [], attributes: node.attributes.filter { $0.name == flag })
    case "Conv" where form == .spatial: return along(axis: 0)
    default: return Node(node.opType, inputs: [], outputs: [], attributes: node.attributes)
    }
  }

  /// The layer that gives what this one gave.
  var secondNode: Node {
    switch node.opType {
    case "Gemm":
      let scales = node.attributes.filter { ["alpha", "beta"].contains($0.name) }
      return Node("Gemm", inputs: [], outputs: [], attributes: scales)
    case "MatMul": return Node("MatMul", inputs: [], outputs: [])
    case "Conv" where form == .spatial: return along(axis: 1)
    default:
      let groups = node.attributes.filter { $0.name == "group" }
      return Node("Conv", inputs: [], outputs: [], attributes: groups)
    }
  }

  /// The convolution along one of two axes alone.
  private func along(axis: Int) -> Node {
    var attributes: [Attribute] = []
    for attribute in node.attributes {
      guard let values = node.ints(attribute.name) else {
        attributes.append(attribute)
        continue
      }
      switch (attribute.name, values.count) {
      case ("pads", 4):
        var pads = [0, 0, 0, 0]
        (pads[axis], pads[axis + 2]) = (values[axis], values[axis + 2])
        attributes.append(Attribute("pads", .integers(pads)))
      case ("kernel_shape", 2), ("strides", 2), ("dilations", 2):
        var extents = [1, 1]
        extents[axis] = values[axis]
        attributes.append(Attribute(attribute.name, .integers(extents)))
      default: attributes.append(attribute)
      }
    }
    return Node("Conv", inputs: [], outputs: [], attributes: attributes)
  }
}
