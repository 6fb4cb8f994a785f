import PruneGraph
import PruneTensor

/// A convolution or product whose weights are constant, as sparse kernels see it: rows of taps times places.
struct SparseProblem {
  /// What follows the sums, in that order.
  struct Tail {
    var bias: Int?
    /// A value of the result's own shape that is added.
    var residual: Int?
    var activation: Activation?
  }

  enum Geometry {
    case convolution(SparseConvolution.Geometry)
    case product(SparseProduct.Geometry)
  }

  let x: Int
  let weight: Int
  let y: Int
  /// Outputs, and those of one group.
  let rows: Int
  let groupRows: Int
  /// Weights of a row.
  let taps: Int
  /// How far apart weights are from row to row and from tap to tap.
  let rowStride: Int
  let tapStride: Int
  let geometry: Geometry
  let tail: Tail

  /// Nil when the operation is of another kind, its weights change, or something follows that these kernels do not do.
  init?(_ op: Dataflow.Op, _ flow: Dataflow) {
    guard let x = op.input(0), let weight = op.input(1), let y = op.output(0), flow.values[weight].constant != nil,
      op.quantized == nil, op.control == nil,
      (op.reads + op.outputs.compactMap { $0 }).allSatisfy({ flow.isFloat($0) }),
      op.outputs.dropFirst().allSatisfy({ $0 == nil })
    else { return nil }
    (self.x, self.weight, self.y) = (x, weight, y)
    switch op.key {
    case "Conv":
      let (xDims, wDims, yDims) = (flow.dims(x), flow.dims(weight), flow.dims(y))
      guard let made = SparseConvolution.Geometry(op.node, x: xDims, w: wDims, y: yDims) else { return nil }
      (rows, groupRows, taps) = (wDims[0], wDims[0] / made.groups, wDims.dropFirst().reduce(1, *))
      (rowStride, tapStride) = (taps, 1)
      geometry = .convolution(made)
      guard let tail = Tail(op, flow, bias: op.input(2), row: [rows]) else { return nil }
      self.tail = tail
    case "Gemm", "MatMul":
      guard let made = SparseProduct.Geometry(op, flow) else { return nil }
      (rows, groupRows, taps) = (made.n, made.n, made.k)
      (rowStride, tapStride) = made.transposesB ? (made.k, 1) : (1, made.n)
      geometry = .product(made)
      guard let tail = Tail(op, flow, bias: op.key == "Gemm" ? op.input(2) : nil, row: [made.n]) else { return nil }
      self.tail = tail
    default: return nil
    }
    // Taps are numbered with 16 bits.
    guard taps <= 1 << 16, rows < 1 << 31, rows * taps < 1 << 32 else { return nil }
  }

  /// Multiplications of the same operation with no zeros left out.
  var multiplications: Double {
    switch geometry {
    case .convolution(let made): Double(rows) * Double(taps) * Double(made.images) * Double(made.outputs.reduce(1, *))
    case .product(let made): Double(rows) * Double(taps) * Double(made.m)
    }
  }

  /// Adds the steps.
  func emit(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    switch geometry {
    case .convolution(let made): try SparseConvolution.emit(self, made, op, lowering)
    case .product(let made): try SparseProduct.emit(self, made, op, lowering)
    }
  }
}

extension SparseProblem.Tail {
  /// - Parameter row: the shape of what is added to each place alike.
  fileprivate init?(_ op: Dataflow.Op, _ flow: Dataflow, bias: Int?, row: [Int]) {
    let whole = op.output(0).map { flow.dims($0) } ?? []
    if let bias {
      let dims = flow.dims(bias)
      if dims == row || op.key == "Gemm" && dims == [1] + row {
        self.bias = bias
      } else if dims == whole {
        residual = bias
      } else {
        return nil
      }
      if op.key == "Gemm", op.node.float("beta", default: 1) != 1 { return nil }
    }
    for (index, item) in op.epilogue.enumerated() {
      switch item {
      case .add(let other):
        if op.key != "Conv", flow.dims(other) == row, self.bias == nil, whole != row {
          self.bias = other
        } else if flow.values[other].shape?.count == whole.reduce(1, *), residual == nil {
          residual = other
        } else {
          return nil
        }
      case .activation(let function):
        guard index == op.epilogue.count - 1 else { return nil }
        activation = function
      }
    }
  }
}
