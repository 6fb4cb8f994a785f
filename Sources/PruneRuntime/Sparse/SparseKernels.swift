import PruneTensor

/// Operations with sparse weights.
enum SparseKernels {
  static let kernel: FastKernel = { (op: Dataflow.Op, lowering: Lowering) throws(PruneError) -> Bool in
    try SparseProblem(op, lowering.flow)?.emit(op, lowering) ?? false
  }
}
