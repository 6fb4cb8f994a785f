import PruneGraph
import PruneTensor

/// Adds the steps of an operation, or says false when it cannot do this one: then its reference kernel runs. All
/// values it touches are static. What a refusal already added is taken back.
typealias FastKernel = @Sendable (_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool

/// The kernels that are faster than the reference, by operator.
package enum FastKernels {
  static func kernel(for op: Dataflow.Op) -> FastKernel? {
    for table in tables { if let kernel = table[op.key] { return kernel } }
    return nil
  }

  /// Every operator that has one, as tables of operators name it.
  package static var names: [String] { Set(tables.flatMap(\.keys)).sorted() }

  /// One table a family, keyed by operator (`Conv`) or, outside the standard domain, `domain.operator`.
  private static let tables: [[String: FastKernel]] = [
    ConvolutionKernels.table, PoolingKernels.table, NormalizationKernels.table, ElementwiseKernels.table,
    BinaryKernels.table, MatrixKernels.table, MovementKernels.table, ReductionKernels.table,
    TrainingStepKernels.table, QuantizationKernels.table, IndexKernels.table, ElementKernels.table,
    LayerNormKernels.table,
    RecurrentKernels.table, AttentionKernels.table, ResizeKernels.table, ProductKernels.table,
    QuantizedLayerKernels.table,
    CodeKernels.table, CodeProductKernels.table, RegularizationStepKernels.table, GradientStepKernels.table,
    DeconvolutionKernels.table,
  ]
}
