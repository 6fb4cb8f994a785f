import PruneGraph
import PruneTensor

/// What one node stores and computes.
package struct LayerStats: Sendable {
  package var name: String
  package var op: String
  /// The type of the first output, symbols kept.
  package var outputType: TensorType
  /// Parameters, those of a weight that an earlier layer has already brought left out.
  package var params: Int
  /// How many of them are not zero. NaN is not zero.
  package var nonzero: Int
  /// Multiply-accumulate operations for one sample; nil while they depend on an extent that is not known.
  package var macs: Int?
  /// MACs times the density of the weights they multiply by.
  package var effectiveMacs: Int?
  /// Bytes of the parameters as stored, with their scales and zero points.
  package var bytes: Int
  /// Initializers behind the parameters, shared ones included.
  package var weightNames: [String]
  /// Whether a summary leaves it out: shape arithmetic, constants, steps between storage types.
  package var isPlumbing: Bool

  /// The share of parameters that are zero; 0 without parameters.
  package var sparsity: Double { params == 0 ? 0 : 1 - Double(nonzero) / Double(params) }

  package var report: Report {
    Report(
      title: "",
      entries: [
        ("name", .text(name)), ("op", .text(op)), ("output", .text(outputType.description)),
        ("params", .integer(params)),
        ("nonzero", .integer(nonzero)), ("sparsity", .number(sparsity)), ("macs", .count(macs)),
        ("effective_macs", .count(effectiveMacs)), ("bytes", .integer(bytes)),
      ])
  }
}
