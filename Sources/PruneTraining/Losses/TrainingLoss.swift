import PruneGraph
import PruneTensor

/// What training minimises, and the value of the graph it is taken of.
package struct TrainingLoss: Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    case crossEntropy = "cross_entropy", meanSquaredError = "mse"
  }

  package var kind: Kind
  /// The value that the loss reads: logits, also where the model goes on to make probabilities of them.
  package var value: String
  /// The model's own output, in its order of classes.
  package var output: ValueInfo

  /// Chooses the loss for a model and its targets.
  ///
  /// - Parameter name: "cross_entropy", "mse", or nil: cross-entropy for int64 labels, else mean squared error.
  /// - Throws: `.invalidArgument` for an unknown name, `.unsupported` for a model without a float32 output.
  package init(_ name: String?, model: Model, targets: DType) throws(PruneError) {
    if let name {
      guard let kind = Kind(rawValue: name) else {
        throw PruneError(
          .invalidArgument, "there is no loss '\(name)'", hint: Suggestion.hint(for: name, among: Kind.allCases.map(\.rawValue)))
      }
      self.kind = kind
    } else {
      kind = targets.isFloatingPoint ? .meanSquaredError : .crossEntropy
    }
    guard let output = model.graph.outputs.first(where: { $0.type?.dtype ?? .float32 == .float32 }) else {
      throw PruneError(.unsupported, "the model has no float32 output to train")
    }
    self.output = output
    value = output.name
    if kind == .crossEntropy { value = Self.logits(of: output.name, in: model) }
  }

  /// The operator that computes the loss and its gradient.
  package var opType: String { kind == .crossEntropy ? "SoftmaxCrossEntropy" : "MeanSquaredError" }

  /// What a softmax that ends the model reads, else the output itself. The loss of logits is the same number as the
  /// loss of their probabilities, and its gradient does not vanish where a probability does.
  private static func logits(of output: String, in model: Model) -> String {
    guard let node = model.graph.nodes.last(where: { $0.outputs.contains(output) }), node.isStandard,
      node.opType == "Softmax" || node.opType == "LogSoftmax", let input = node.input(0)
    else { return output }
    let axis = node.int("axis", default: (model.opset() ?? Model.defaultOpset) >= 13 ? -1 : 1)
    let rank = model.graph.outputs.first { $0.name == output }?.type?.dims?.count ?? 2
    return axis == -1 || axis == rank - 1 ? input : output
  }
}
