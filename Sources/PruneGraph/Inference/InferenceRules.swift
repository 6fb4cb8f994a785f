import PruneTensor

/// The types of a node's outputs from those of its inputs. Symbolic extents keep their names; what cannot be told is
/// unknown; a contradiction throws `.mismatch` naming the node.
package typealias InferenceRule =
  @Sendable (_ node: Node, _ inputs: [TensorType?], _ constants: [Tensor?], _ opset: Int64)
  throws(PruneError)
  -> [TensorType]

/// A rule as it is written: on operands that were checked.
struct Rule: Sendable {
  private let infer: @Sendable (Operands) throws(PruneError) -> [TensorType]

  init(_ infer: @escaping @Sendable (Operands) throws(PruneError) -> [TensorType]) {
    self.infer = infer
  }
  func callAsFunction(_ operands: Operands) throws(PruneError) -> [TensorType] {
    try infer(operands)
  }
}

/// All inference rules, by operator.
package enum InferenceRules {
  /// The rule of a node's operator, nil when there is none.
  package static func rule(for node: Node, opset: Int64) -> InferenceRule? {
    guard let rule = lookup(node) else { return nil }
    return { (node, inputs, constants, opset) throws(PruneError) in
      try apply(rule, Operands(node, types: inputs, constants: constants, opset: opset))
    }
  }

  /// The output types of a node, nil when its operator has no rule.
  package static func infer(_ operands: Operands) throws(PruneError) -> [TensorType]? {
    guard let rule = lookup(operands.node) else { return nil }
    return try apply(rule, operands)
  }

  /// Every operator that has a rule: names of the standard domain as they are, others as `domain.name`.
  package static var operators: [String] { rules.keys.sorted() }

  private static func lookup(_ node: Node) -> Rule? {
    rules[node.operatorName]
  }

  private static func apply(_ rule: Rule, _ operands: Operands) throws(PruneError) -> [TensorType] {
    let outputs: [TensorType]
    do { outputs = try rule(operands) } catch { throw error.located(at: operands.node.label) }
    for output in outputs {
      guard let dims = output.dims else { continue }
      let extents = dims.compactMap(\.value)
      do { _ = try Shape(extents) } catch { throw operands.fail(error.message) }
    }
    return outputs
  }

  private static let rules: [String: Rule] = {
    let families = [
      ElementwiseRules.table, WindowRules.table, MatrixRules.table, NormalizationRules.table,
      ReductionRules.table,
      LayoutRules.table, GeneratorRules.table, SlicingRules.table, IndexingRules.table,
      QuantizationRules.table,
      RecurrentRules.table, ImageRules.table, SignalRules.table, MiscellaneousRules.table, VendorRules.table,
      AttentionRules.table, ClassicRules.table,
    ]
    var merged: [String: Rule] = [:]
    for family in families { merged.merge(family) { first, _ in first } }
    for (name, rule) in TrainingRules.table { merged["ai.libprune.\(name)"] = rule }
    return merged
  }()
}
