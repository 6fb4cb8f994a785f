import PruneGraph
import PruneTensor

/// A weight as the matrix that its layer multiplies by: a row for each output, a column for each input at each tap of
/// the kernel, inputs of one tap together. Grouped layers are several such matrices, one below the other.
package struct LayerMatrix: Sendable, Hashable {
  /// Independent parts: the groups of a convolution, the batches of a stack of matrices.
  package let groups: Int
  /// Outputs and inputs of one group.
  package let outputs: Int
  package let inputs: Int
  /// Positions of the kernel; 1 for matrices.
  package let taps: Int
  /// Elements between neighbours.
  private let groupStride: Int
  private let outputStride: Int
  private let inputStride: Int

  package var rows: Int { groups * outputs }
  package var columns: Int { inputs * taps }

  /// The matrix that `node` makes of a weight of this shape at input `operand`; `isTransposed` when a Transpose
  /// before it swaps its two axes. Nil when the node multiplies no matrix.
  package init?(_ shape: Shape, node: Node, operand: Int, isTransposed: Bool = false) {
    let dims = shape.dims
    guard dims.count >= 2, shape.count > 0 else { return nil }
    let rest = dims.dropFirst(2).reduce(1, *)
    switch node.opType {
    case "Conv" where !isTransposed:
      let parts = max(node.int("group", default: 1), 1)
      guard dims[0] % parts == 0 else { return nil }
      (groups, outputs, inputs, taps) = (parts, dims[0] / parts, dims[1], rest)
      (groupStride, outputStride, inputStride) = (dims[0] / parts * dims[1] * rest, dims[1] * rest, rest)
    case "ConvTranspose" where !isTransposed:
      let parts = max(node.int("group", default: 1), 1)
      guard dims[0] % parts == 0 else { return nil }
      (groups, outputs, inputs, taps) = (parts, dims[1], dims[0] / parts, rest)
      (groupStride, outputStride, inputStride) = (dims[0] / parts * dims[1] * rest, rest, dims[1] * rest)
    case "Gemm", "MatMul":
      guard node.opType == "MatMul" || dims.count == 2, !isTransposed || dims.count == 2 else { return nil }
      let transposed = node.opType == "Gemm" && node.int(operand == 0 ? "transA" : "transB", default: 0) != 0
      // Behind the weight stands the input, before it the output: as stored, rows are outputs for operand 0.
      let isRowMajor = (operand == 0) != (transposed != isTransposed)
      let first = dims[dims.count - 2], last = dims[dims.count - 1]
      (groups, taps) = (shape.count / (first * last), 1)
      (outputs, inputs) = isRowMajor ? (first, last) : (last, first)
      groupStride = first * last
      (outputStride, inputStride) = isRowMajor ? (last, 1) : (1, last)
    case "Einsum":
      // Outputs lie together before the summed axes, or behind them.
      guard !isTransposed, let kept = Self.keptAxes(node, operand, rank: dims.count),
        let first = kept.first, let last = kept.last, last - first + 1 == kept.count, kept.count < dims.count,
        first == 0 || last == dims.count - 1
      else { return nil }
      (groups, taps, groupStride) = (1, 1, 0)
      outputs = kept.map { dims[$0] }.reduce(1, *)
      inputs = shape.count / outputs
      (outputStride, inputStride) = first == 0 ? (inputs, 1) : (1, outputs)
    case "LSTM", "GRU", "RNN":
      // Gates of all units below each other, one matrix a direction.
      guard dims.count == 3, !isTransposed else { return nil }
      (groups, outputs, inputs, taps) = (dims[0], dims[1], dims[2], 1)
      (groupStride, outputStride, inputStride) = (dims[1] * dims[2], dims[2], 1)
    default: return nil
    }
  }

  /// The axes of an Einsum's weight that its result has and its input has not; nil where the others are not all summed.
  private static func keptAxes(_ node: Node, _ operand: Int, rank: Int) -> [Int]? {
    let terms = node.string("equation", default: "").filter { $0 != " " && $0 != "-" }.split { $0 == "," || $0 == ">" }
    guard terms.count == 3, node.inputs.count == 2, operand < 2, terms[operand].count == rank else { return nil }
    let letters = Array(terms[operand]), input = terms[1 - operand], output = terms[2]
    guard letters.allSatisfy({ $0.isLetter && input.contains($0) != output.contains($0) }) else { return nil }
    return letters.indices.filter { output.contains(letters[$0]) }
  }

  /// Where the element of a row and column is stored.
  @inline(__always) func offset(_ row: Int, _ column: Int) -> Int {
    let (group, output) = row.quotientAndRemainder(dividingBy: outputs)
    let (tap, input) = column.quotientAndRemainder(dividingBy: inputs)
    return group * groupStride + output * outputStride + input * inputStride + tap
  }

  /// The rows and columns of one group as a tensor [outputs, columns]; all groups with nil.
  package func gathered(_ weight: Tensor, group: Int? = nil) throws(PruneError) -> Tensor {
    let first = (group ?? 0) * outputs, count = group == nil ? rows : outputs
    var result = try Tensor(zeros: .float32, try Shape([count, columns]))
    try weight.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for row in 0..<count {
          for column in 0..<columns { target[row * columns + column] = source[offset(first + row, column)] }
        }
      }
    }
    return result
  }

  /// Writes a group's matrix back to where its elements are stored.
  package func scatter(_ matrix: Tensor, group: Int, into weight: inout Tensor) throws(PruneError) {
    let first = group * outputs
    try matrix.withSpan(of: Float.self) { source throws(PruneError) in
      try weight.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for row in 0..<outputs {
          for column in 0..<columns { target[offset(first + row, column)] = source[row * columns + column] }
        }
      }
    }
  }

  /// The mean of each row of a tensor of the weight's shape.
  func rowMeans(_ values: Tensor) throws(PruneError) -> [Float] {
    let divisor = Double(max(columns, 1))
    // Rows that lie one behind the other.
    if inputStride == taps, values.count == rows * columns, (0..<rows).allSatisfy({ offset($0, 0) == $0 * columns }) {
      return try values.sums(rows: rows).map { Float($0 / divisor) }
    }
    return try values.withSpan(of: Float.self) { span throws(PruneError) in
      var result = [Float](repeating: 0, count: rows)
      for row in 0..<rows {
        var sum = 0.0
        let first = offset(row, 0)
        for input in 0..<inputs {
          for tap in 0..<taps { sum += Double(span[first + input * inputStride + tap]) }
        }
        result[row] = Float(sum / divisor)
      }
      return result
    }
  }

  /// A tensor of a weight's shape that has a row's number at each of its elements.
  package func spread(_ values: [Float], shape: Shape) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, shape)
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for row in 0..<min(rows, values.count) {
        for column in 0..<columns { span[offset(row, column)] = values[row] }
      }
    }
    return result
  }
}

/// A use of a weight: the layer that multiplies a value of the graph by it, and at which input. What a recurrent layer
/// multiplies by its gates inside is no value of the graph.
struct WeightUse {
  let node: Node
  let operand: Int
  let matrix: LayerMatrix
  /// The value that the layer multiplies by the weight.
  let input: String
  let output: String

  /// Every use of a weight that is a matrix, through Transpose, Identity and Cast.
  static func all(of weight: PrunableWeight, in graph: Graph, _ consumers: [String: [Int]]) -> [WeightUse] {
    var uses: [WeightUse] = []
    var open: [(name: String, isTransposed: Bool)] = [(weight.name, false)]
    // Chains of Transpose and Identity are short; one that is not, is a cycle.
    var steps = 0
    while let (name, isTransposed) = open.popLast(), steps < 1000 {
      steps += 1
      for position in consumers[name] ?? [] {
        let node = graph.nodes[position]
        guard node.isStandard, let output = node.output(0) else { continue }
        switch node.opType {
        case "Identity", "Cast": open.append((output, isTransposed))
        case "Transpose" where weight.tensor.shape.rank == 2:
          open.append((output, isTransposed != ((node.ints("perm") ?? [1, 0]) == [1, 0])))
        case "Conv", "ConvTranspose", "Gemm", "MatMul":
          guard let operand = node.inputs.firstIndex(of: name), operand < 2,
            let matrix = LayerMatrix(weight.tensor.shape, node: node, operand: operand, isTransposed: isTransposed),
            let input = node.input(1 - operand)
          else { continue }
          uses.append(WeightUse(node: node, operand: operand, matrix: matrix, input: input, output: output))
        default: break
        }
      }
    }
    return uses
  }
}

extension PrunableWeights {
  /// The uses of each weight.
  func uses() -> [[WeightUse]] {
    let consumers = model.graph.consumers
    return weights.map { WeightUse.all(of: $0, in: model.graph, consumers) }
  }

  /// The matrix that each weight is to its first layer; nil for those that are none.
  func matrices() -> [LayerMatrix?] {
    zip(weights, uses()).map { weight, uses in
      uses.first?.matrix
        ?? LayerMatrix(weight.tensor.shape, node: Node(weight.operation, inputs: [], outputs: []), operand: 1)
    }
  }
}
