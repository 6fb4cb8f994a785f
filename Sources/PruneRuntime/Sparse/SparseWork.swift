import PruneGraph
import PruneTensor

/// What the choice of kernels asks about an operation with constant weights that has both dense and sparse ones.
struct SparseWork {
  /// The share of the weights that is not zero.
  let share: Double
  /// Multiplications with no zeros left out.
  let multiplications: Double
  /// Whether each channel is convolved alone.
  let isDepthwise: Bool
  /// What the time depends on beside extents, density and what follows.
  let variant: String

  /// Nil where there are no sparse kernels, and where the weights change.
  init?(_ op: Dataflow.Op, _ flow: Dataflow) {
    if let problem = SparseProblem(op, flow), let tensor = flow.values[problem.weight].constant, tensor.count > 0 {
      share = Double(SparseWeights.nonzeros(tensor)) / Double(tensor.count)
      multiplications = problem.multiplications
      isDepthwise = problem.groupRows == 1
      switch problem.geometry {
      case .convolution(let geometry): variant = "\(geometry.groups) \(geometry.window)"
      case .product(let geometry): variant = "\(geometry.transposesA)\(geometry.transposesB)"
      }
    } else if RecurrentKernels.kernels[op.key] != nil, op.control == nil, op.quantized == nil,
      let x = op.input(0), let w = flow.constant(op.input(1)), let r = flow.constant(op.input(2)),
      w.dtype == .float32, r.dtype == .float32, w.count > 0, r.count > 0, flow.dims(x).count == 3
    {
      share = Double(SparseWeights.nonzeros(w) + SparseWeights.nonzeros(r)) / Double(w.count + r.count)
      multiplications = Double(w.count + r.count) * Double(flow.dims(x)[0] * flow.dims(x)[1])
      isDepthwise = false
      variant = ["direction", "layout", "linear_before_reset"].map { "\(op.node.attribute($0).debugDescription)" }
        .joined(separator: " ")
    } else {
      return nil
    }
  }
}
