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
  init?(_ op: Dataflow.Op, _ values: some ValueTable) {
    guard let x = op.input(0), let weight = op.input(1), let y = op.output(0), values.constant(weight) != nil,
      op.quantized == nil, op.control == nil,
      (op.reads + op.outputs.compactMap { $0 }).allSatisfy({
        values.value($0).dtype == .float32 && values.value($0).shape != nil
      }),
      op.outputs.dropFirst().allSatisfy({ $0 == nil })
    else { return nil }
    (self.x, self.weight, self.y) = (x, weight, y)
    switch op.key {
    case "Conv":
      let (xDims, wDims, yDims) = (values.dims(x), values.dims(weight), values.dims(y))
      guard let extents = SparseConvolution.Geometry(op.node, x: xDims, w: wDims, y: yDims) else { return nil }
      (rows, groupRows, taps) = (wDims[0], wDims[0] / extents.groups, wDims.dropFirst().reduce(1, *))
      (rowStride, tapStride) = (taps, 1)
      geometry = .convolution(extents)
      guard let tail = Tail(op, values, bias: op.input(2), row: [rows]) else { return nil }
      self.tail = tail
    case "Gemm", "MatMul":
      guard let extents = SparseProduct.Geometry(op, values) else { return nil }
      (rows, groupRows, taps) = (extents.n, extents.n, extents.k)
      (rowStride, tapStride) = extents.transposesB ? (extents.k, 1) : (1, extents.n)
      geometry = .product(extents)
      guard let tail = Tail(op, values, bias: op.key == "Gemm" ? op.input(2) : nil, row: [extents.n]) else {
        return nil
      }
      self.tail = tail
    default: return nil
    }
    // Taps are numbered with 16 bits.
    guard taps <= 1 << 16, rows < 1 << 31, rows * taps < 1 << 32 else { return nil }
  }

  /// Multiplications of the same operation with no zeros left out.
  var multiplications: Double {
    switch geometry {
    case .convolution(let extents):
      Double(rows) * Double(taps) * Double(extents.images) * Double(extents.outputs.reduce(1, *))
    case .product(let extents): Double(rows) * Double(taps) * Double(extents.m)
    }
  }

  /// Adds the steps.
  func emit(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    switch geometry {
    case .convolution(let extents): try SparseConvolution.emit(self, extents, op, emitter)
    case .product(let extents): try SparseProduct.emit(self, extents, op, emitter)
    }
  }
}

extension SparseProblem.Tail {
  /// - Parameter row: the shape of what is added to each place alike.
  fileprivate init?(_ op: Dataflow.Op, _ values: some ValueTable, bias: Int?, row: [Int]) {
    let whole = op.output(0).map { values.dims($0) } ?? []
    if let bias {
      let dims = values.dims(bias)
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
        if op.key != "Conv", values.dims(other) == row, self.bias == nil, whole != row {
          self.bias = other
        } else if values.value(other).shape?.count == whole.reduce(1, *), residual == nil {
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
