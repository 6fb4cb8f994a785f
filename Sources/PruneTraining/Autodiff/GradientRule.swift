import PruneGraph
import PruneTensor

/// How the gradient of one operator is written.
struct GradientRule: Sendable {
  typealias Writer = @Sendable (GradientWriter) throws(PruneError) -> Void

  /// Positions of the inputs that a gradient can reach; nil means all. Others are settings: shapes, indices, limits.
  let differentiable: Set<Int>?
  /// Whether more outputs than the first carry gradients.
  let takesAllOutputs: Bool
  /// Writes the gradient of every input that needs one.
  let write: Writer

  /// A rule for every input.
  init(_ write: @escaping Writer) {
    differentiable = nil
    takesAllOutputs = false
    self.write = write
  }

  /// A rule for some inputs only.
  init(_ differentiable: Set<Int>, takesAllOutputs: Bool = false, _ write: @escaping Writer) {
    self.differentiable = differentiable
    self.takesAllOutputs = takesAllOutputs
    self.write = write
  }
}

/// Gradient rules by operator, a family a file.
package enum GradientRules {
  /// The rule of a node's operator, nil when there is none.
  static func rule(for node: Node) -> GradientRule? {
    node.isStandard ? standard[node.opType] : node.domain == trainingDomain ? training[node.opType] : nil
  }

  /// Operators whose results do not change with small changes of their inputs and are meant so: the gradient ends
  /// here, and that is no loss.
  static func isGradientFree(_ node: Node) -> Bool { node.operation?.traits.contains(.endsGradient) ?? false }

  /// Every operator that has a rule, as tables of operators name it.
  package static var names: [String] { (standard.keys + training.keys.map { "\(trainingDomain).\($0)" }).sorted() }

  static let trainingDomain = "ai.libprune"

  private static let standard: [String: GradientRule] = {
    let families = [
      ActivationRules.table, ElementwiseRules.table, UnaryRules.table, MatrixRules.table, ConvolutionRules.table,
      PoolingRules.table, ShapeRules.table, SlicingRules.table, ReductionRules.table, NormalizationRules.table,
      TranscendentalRules.table, ScatterRules.table, GroupNormRules.table, EinsumRules.table, RecurrentRules.table,
      ["Resize": LinearMapRules.resize, "Upsample": LinearMapRules.resize],
      FakeQuantizationRules.table,
    ]
    var merged: [String: GradientRule] = [:]
    for family in families { merged.merge(family) { first, _ in first } }
    return merged
  }()

  private static let training: [String: GradientRule] = [
    "BatchNormTrain": NormalizationRules.batchNormTrain, "SoftmaxCrossEntropy": loss, "CrossEntropy": loss,
    "MeanSquaredError": loss, "DropoutTrain": dropout,
  ]

  /// The same elements pass, by the same factor.
  private static let dropout = GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
    let inputs = [try writer.gradient, try writer.input(1)]
    writer.add(writer.emitTraining("DropoutTrain", inputs, writer.node.attributes)[0], toInput: 0)
  }

  /// Losses compute their gradient as they go.
  private static let loss = GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
    writer.add(writer.multiply(try writer.gradient, try writer.output(1)), toInput: 0)
  }
}
