import PruneGraph
import PruneTensor

/// Recurrent operators that specialization left as they are: what keeps them from being written out step by step.
enum RecurrentRules {
  static let table: [String: GradientRule] = ["RNN": refusal, "GRU": refusal, "LSTM": refusal]

  private static let refusal = GradientRule([0, 1, 2, 3, 5, 6, 7], takesAllOutputs: true) {
    (writer: GradientWriter) throws(PruneError) in
    var shapes: [Shape?] = []
    for name in writer.node.inputs { shapes.append(name.isEmpty ? nil : try writer.shape(name)) }
    throw PruneError(
      .unsupported, RecurrentUnrolling.refusal(of: writer.node, shapes: shapes) ?? "has no gradient",
      at: writer.node.label)
  }
}
