import PruneTensor

/// Operations with sparse weights: those for which `SparseChoice` found that they are faster so.
enum SparseKernels: KernelFamily {
  static let name = "sparse"
  static let kernels: [String: FastKernel] = [
    "Conv": sparse, "Gemm": sparse, "MatMul": sparse, "RNN": RecurrentKernels.sparse, "GRU": RecurrentKernels.sparse,
    "LSTM": RecurrentKernels.sparse,
  ]

  private static func sparse(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    try SparseProblem(op, emitter)?.emit(op, emitter) ?? false
  }
}
