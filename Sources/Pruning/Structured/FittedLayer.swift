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
    guard node.isStandard, let weight = node.input(1), let tensor = graph.initializer(weight), tensor.dtype == .float32 else { return nil }
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
    if let bias { guard graph.initializer(bias)?.dtype == .float32, graph.initializer(bias)?.shape.rank == 1 else { return nil } }
    outputs = isRowMajor ? dims[0] : dims[1]
    features = tensor.count / max(outputs, 1)
  }

  /// The weights, and a last row of biases, as [features + 1, outputs].
  func weights(_ graph: Graph) throws(PruneError) -> [Double] {
    let values = try graph.initializer(weight)?.doubles() ?? []
    var result = [Double](repeating: 0, count: (features + 1) * outputs)
    for feature in 0..<features {
      for output in 0..<outputs {
        result[feature * outputs + output] = values[isRowMajor ? output * features + feature : feature * outputs + output]
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
        values[isRowMajor ? output * features + feature : feature * outputs + output] = Float(solution[feature * outputs + output])
      }
    }
    model.graph.setInitializer(weight, try Tensor(values, try Shape(dims)))
    if let bias {
      model.graph.setInitializer(bias, try Tensor((0..<outputs).map { Float(solution[features * outputs + $0]) }))
    }
  }

  /// Adds rows of inputs, each with a 1 behind when there is a bias and a 0 when there is none, and what they should give.
  func sample(
    _ x: Tensor, _ y: Tensor, count: Int, _ random: inout RandomSource, _ inputs: inout [Float], _ targets: inout [Float]
  ) throws(PruneError) {
    guard x.dtype == .float32, y.dtype == .float32 else { return }
    let constant: Float = bias == nil ? 0 : 1
    if node.opType == "Conv" { return try sampleWindows(x, y, count, &random, &inputs, &targets) }
    let rows = x.count / max(features, 1)
    guard rows * outputs == y.count, rows > 0 else { return }
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      try y.withSpan(of: Float.self) { wanted throws(PruneError) in
        for pick in 0..<min(count, rows) {
          let row = rows <= count ? pick : Int(random.next() % UInt64(rows))
          for feature in 0..<features { inputs.append(source[row * features + feature]) }
          inputs.append(constant)
          for output in 0..<outputs { targets.append(wanted[row * outputs + output]) }
        }
      }
    }
  }

  private func sampleWindows(
    _ x: Tensor, _ y: Tensor, _ count: Int, _ random: inout RandomSource, _ inputs: inout [Float], _ targets: inout [Float]
  ) throws(PruneError) {
    guard x.shape.rank == 4, y.shape.rank == 4, x.shape[1] == dims[1], y.shape[1] == outputs, x.shape[0] == y.shape[0], y.count > 0 else { return }
    let window = try Window(node, kernel: Array(dims[2...]), input: x.shape.dims[2...].map(Dim.fixed))
    let (height, width) = (x.shape[2], x.shape[3]), (rows, columns) = (y.shape[2], y.shape[3])
    let constant: Float = bias == nil ? 0 : 1
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      try y.withSpan(of: Float.self) { wanted throws(PruneError) in
        for _ in 0..<count {
          let image = Int(random.next() % UInt64(x.shape[0]))
          let row = Int(random.next() % UInt64(rows)), column = Int(random.next() % UInt64(columns))
          for channel in 0..<dims[1] {
            let plane = (image * dims[1] + channel) * height
            for i in 0..<dims[2] {
              let v = row * window.strides[0] - window.padsBegin[0] + i * window.dilations[0]
              for j in 0..<dims[3] {
                let h = column * window.strides[1] - window.padsBegin[1] + j * window.dilations[1]
                let isInside = v >= 0 && v < height && h >= 0 && h < width
                inputs.append(isInside ? source[(plane + v) * width + h] : 0)
              }
            }
          }
          inputs.append(constant)
          for output in 0..<outputs { targets.append(wanted[((image * outputs + output) * rows + row) * columns + column]) }
        }
      }
    }
  }
}
