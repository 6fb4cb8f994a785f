import PruneGraph
import PruneTensor

/// Which initializers of a model are weights to train, and which are constants of its arithmetic.
package enum TrainableParameters {
  /// Operators whose constant operands are part of the formula: `x / sqrt(d)`, `(x - mean) / std`.
  private static let arithmetic: Set<String> = [
    "Sub", "Div", "Pow", "Where", "Max", "Min", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Resize",
    "Upsample", "DequantizeLinear", "Clip", "Pad", "Range", "OneHot", "Mod", "Dropout",
  ]

  /// Names of the float32 initializers that are weights, in file order.
  ///
  /// Every initializer that a differentiable input reads counts, but for operands of arithmetic and single numbers
  /// that are added or multiplied (the bias of a one-unit layer excepted).
  package static func names(in model: Model) -> [String] {
    let producers = model.graph.producers
    var names: Set<String> = []
    for node in model.graph.nodes {
      for (index, name) in node.inputs.enumerated() {
        guard let tensor = model.graph.initializer(name), tensor.dtype == .float32, tensor.count > 0 else { continue }
        if isWeight(node, index, tensor, { producers[$0].map { model.graph.nodes[$0].opType } }) { names.insert(name) }
      }
    }
    return model.graph.initializers.map(\.name).filter(names.contains)
  }

  private static func isWeight(
    _ node: Node, _ index: Int, _ tensor: Tensor, _ producer: (String) -> String?
  ) -> Bool {
    guard node.isStandard else { return true }
    // Scales of codes are constants unless they are computed from something that is trained.
    if arithmetic.contains(node.opType) || node.opType == "QuantizeLinear" && index > 0 { return false }
    if let allowed = GradientRules.rule(for: node)?.differentiable, !allowed.contains(index) { return false }
    guard tensor.count == 1, ["Add", "Mul", "Sum", "Mean"].contains(node.opType) else { return true }
    return node.opType == "Add" && tensor.shape.rank == 1
      && node.inputs.contains { ["MatMul", "Conv", "Gemm"].contains(producer($0) ?? "") }
  }

  /// The names without those that a pattern matches, and without constants that no training may touch; see
  /// `UntrainableWeight`.
  /// - Throws: `.notFound` for a pattern that matches none of them.
  package static func names(in model: Model, frozen patterns: [String]) throws(PruneError) -> [String] {
    var names = names(in: model)
    let all = names
    for text in patterns {
      let pattern = NamePattern(text)
      guard all.contains(where: pattern.matches) else {
        throw PruneError(
          .notFound, "no parameter matches the frozen pattern '\(text)'", hint: Suggestion.hint(for: text, among: all))
      }
      names.removeAll(where: pattern.matches)
    }
    var result: [String] = []
    for name in names where try UntrainableWeight(name, in: model) == nil { result.append(name) }
    return result
  }
}
