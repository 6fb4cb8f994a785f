import PruneGraph
import PruneTensor

/// A layer whose weights regression can set: outputs are linear in windows of its input. A Conv of one group, Gemm, or
/// MatMul by a stored matrix.
struct FittedLayer {
  let node: Node
  private let weight: String
  private let bias: String?
  private let dims: [Int]
  /// Weights an output.
  let features: Int
  let outputs: Int
  /// Whether stored weights are [outputs, features]; else [features, outputs].
  private let isRowMajor: Bool

  init?(_ node: Node, _ graph: Graph) {
    guard node.isStandard, let weight = node.input(1), let tensor = graph.initializer(weight), tensor.dtype == .float32
    else { return nil }
    self.node = node
    self.weight = weight
    dims = tensor.shape.dims
    switch node.opType {
    case "Conv":
      guard node.int("group", default: 1) == 1, dims.count == 4 else { return nil }
      isRowMajor = true
    case "Gemm":
      guard dims.count == 2, node.int("transA", default: 0) == 0, node.float("alpha", default: 1) == 1,
        node.float("beta", default: 1) == 1
      else { return nil }
      isRowMajor = node.int("transB", default: 0) != 0
    case "MatMul":
      guard dims.count == 2 else { return nil }
      isRowMajor = false
    default: return nil
    }
    bias = node.opType == "MatMul" ? nil : node.input(2)
    if let bias {
      guard graph.initializer(bias)?.dtype == .float32, graph.initializer(bias)?.shape.rank == 1 else { return nil }
    }
    outputs = isRowMajor ? dims[0] : dims[1]
    features = tensor.count / max(outputs, 1)
  }

  /// The weights, and a last row of biases, as [features + 1, outputs].
  func weights(_ graph: Graph) throws(PruneError) -> [Double] {
    let values = try graph.initializer(weight)?.doubles() ?? []
    var result = [Double](repeating: 0, count: (features + 1) * outputs)
    for feature in 0..<features {
      for output in 0..<outputs {
        result[feature * outputs + output] =
          values[isRowMajor ? output * features + feature : feature * outputs + output]
      }
    }
    if let bias, let values = try graph.initializer(bias)?.doubles(), values.count == outputs {
      for output in 0..<outputs { result[features * outputs + output] = values[output] }
    }
    return result
  }

  func store(_ solution: [Double], _ model: inout Model) throws(PruneError) {
    var values = [Float](repeating: 0, count: features * outputs)
    for feature in 0..<features {
      for output in 0..<outputs {
        values[isRowMajor ? output * features + feature : feature * outputs + output] = Float(
          solution[feature * outputs + output])
      }
    }
    model.graph.setInitializer(weight, try Tensor(values, try Shape(dims)))
    if let bias {
      model.graph.setInitializer(bias, try Tensor((0..<outputs).map { Float(solution[features * outputs + $0]) }))
    }
  }

  // MARK: - Samples

  /// Adds what the layer should give at some places: rows of a matrix, positions of an image.
  func sampleTargets(
    _ y: Tensor, count: Int, _ random: inout RandomSource, _ targets: inout [Float]
  ) throws(PruneError) {
    guard y.dtype == .float32, y.count > 0 else { return }
    guard node.opType == "Conv" else {
      let rows = y.count / max(outputs, 1)
      return try y.withSpan(of: Float.self) { expected throws(PruneError) in
        for _ in 0..<count {
          let row = Int(random.next() % UInt64(max(rows, 1)))
          for output in 0..<outputs { targets.append(expected[row * outputs + output]) }
        }
      }
    }
    guard y.shape.rank == 4, y.shape[1] == outputs else { return }
    let (rows, columns) = (y.shape[2], y.shape[3])
    try y.withSpan(of: Float.self) { expected throws(PruneError) in
      for _ in 0..<count {
        let (image, row, column) = Self.place(&random, y.shape[0], rows, columns)
        for output in 0..<outputs {
          targets.append(expected[((image * outputs + output) * rows + row) * columns + column])
        }
      }
    }
  }

  private static func place(_ random: inout RandomSource, _ images: Int, _ rows: Int, _ columns: Int) -> (Int, Int, Int)
  {
    let image = Int(random.next() % UInt64(max(images, 1)))
    let row = Int(random.next() % UInt64(max(rows, 1))), column = Int(random.next() % UInt64(max(columns, 1)))
    return (image, row, column)
  }

  /// Adds what the layer reads at the same places, each with a 1 behind when there is a bias and a 0 when there is
  /// none.
  func sampleInputs(
    _ x: Tensor, count: Int, _ random: inout RandomSource, _ inputs: inout [Float]
  ) throws(PruneError) {
    guard x.dtype == .float32, x.count > 0 else { return }
    let constant: Float = bias == nil ? 0 : 1
    guard node.opType == "Conv" else {
      let rows = x.count / max(features, 1)
      return try x.withSpan(of: Float.self) { source throws(PruneError) in
        for _ in 0..<count {
          let row = Int(random.next() % UInt64(max(rows, 1)))
          for feature in 0..<features { inputs.append(source[row * features + feature]) }
          inputs.append(constant)
        }
      }
    }
    guard x.shape.rank == 4, x.shape[1] == dims[1] else { return }
    let window = try Window(node, kernel: Array(dims[2...]), input: x.shape.dims[2...].map(Dim.fixed))
    let (height, width) = (x.shape[2], x.shape[3]), extents = window.outputExtents
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      for _ in 0..<count {
        let (image, row, column) = Self.place(&random, x.shape[0], extents[0], extents[1])
        let top = row * window.strides[0] - window.padsBegin[0], left = column * window.strides[1] - window.padsBegin[1]
        for channel in 0..<dims[1] {
          let plane = (image * dims[1] + channel) * height
          for i in 0..<dims[2] {
            let v = top + i * window.dilations[0]
            for j in 0..<dims[3] {
              let h = left + j * window.dilations[1]
              let isInside = v >= 0 && v < height && h >= 0 && h < width
              inputs.append(isInside ? source[(plane + v) * width + h] : 0)
            }
          }
        }
        inputs.append(constant)
      }
    }
  }
}
