import PruneGraph
import PruneTensor

/// One operator as a pure function: inputs (nil where absent) to all its outputs.
package typealias ReferenceKernel =
  @Sendable (_ node: Node, _ inputs: [Tensor?], _ opset: Int64) throws(PruneError) -> [Tensor]

/// The plain kernels: the oracle that fast kernels are tested against, the constant folder, and what runs operators
/// that have no fast kernel.
package enum ReferenceKernels {
  /// The kernel for a node, or nil when there is none.
  package static func kernel(for node: Node, opset: Int64) -> ReferenceKernel? {
    let name = node.operatorName
    if let training = TrainingKernels.table[name] { return training }
    guard let kernel = node.isStandard ? standard[name] : ClassicFeatures.table[name] else { return nil }
    return { (node, inputs, opset) throws(PruneError) in try kernel(node, inputs, opset) }
  }

  /// Every operator that has a kernel, as tables of operators name it.
  package static var names: [String] { (operators + ClassicFeatures.table.keys + TrainingKernels.table.keys).sorted() }

  /// The standard operators that have a kernel.
  package static var operators: [String] { standard.keys.sorted() }

  private static let standard: [String: Kernel] = {
    let families = [
      ElementwiseUnary.table, ElementwiseBinary.table, ElementwiseVariadic.table, Activations.table,
      SoftmaxFamily.table,
      Convolution.table, ConvolutionTransposed.table, ConvolutionDeformable.table, Pooling.table,
      MatrixProduct.table,
      Normalization.table,
      Reductions.table, Layouts.table, Slicing.table, Generators.table, Gathering.table,
      Quantizing.table,
      Einsum.table, Ordering.table, Scattering.table, Recurrent.table, Resampling.table,
      ImageSampling.table, DotProductAttention.table,
      NonMaxSuppression.table, Signals.table, StandardLosses.table, TextFeatures.table,
      RandomKernels.table,
    ]
    return families.reduce(into: [:]) { merged, family in merged.merge(family) { first, _ in first }
    }
  }()
}
