/// All rules, by operator: names of the standard domain as they are, others as `domain.name`.
package enum AxisRules {
  /// Every operator that has one, as tables of operators name it.
  package static var names: [String] { rules.keys.sorted() }

  static let rules: [String: AxisRule] = {
    var merged: [String: AxisRule] = [:]
    for family in [
      ElementwiseAxes.rules, ConvolutionAxes.rules, MatrixAxes.rules, NormalizationAxes.rules, ReductionAxes.rules,
      LayoutAxes.rules, JoinAxes.rules, ResizingAxes.rules, RecurrentAxes.rules, QuantizationAxes.rules,
      AttentionAxes.rules,
      ClassicAxes.rules,
    ] {
      merged.merge(family) { first, _ in first }
    }
    return merged
  }()
}
