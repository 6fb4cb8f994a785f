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
    for table in tables {
      if let kernel = table[node.isStandard ? node.opType : "\(node.domain).\(node.opType)"] { return kernel }
    }
    return nil
  }

  /// One table a family, keyed by operator (`Conv`) or, outside the standard domain, `domain.operator`.
  private static let tables: [[String: ReferenceKernel]] = [TrainingKernels.table]
}
