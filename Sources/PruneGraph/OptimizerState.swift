import PruneTensor

/// What an optimizer remembers of a model's weights from one fit to the next. Not part of the model's file.
package struct OptimizerState: Sendable {
  /// "adam", …: another optimizer starts anew.
  package var optimizer: String
  /// Steps done.
  package var step: Int
  /// Tensors by parameter and by the optimizer's name ("m", "v"), each of the parameter's shape. Code that removes
  /// channels of a parameter must remove the same channels of these.
  package var tensors: [String: [String: Tensor]]

  package init(optimizer: String, step: Int, tensors: [String: [String: Tensor]]) {
    self.optimizer = optimizer
    self.step = step
    self.tensors = tensors
  }

  /// Applies what was done to a parameter to its state.
  package mutating func transform(
    _ parameter: String, _ change: (Tensor) throws(PruneError) -> Tensor
  ) throws(PruneError) {
    guard let entries = tensors[parameter] else { return }
    for (name, tensor) in entries { tensors[parameter]?[name] = try change(tensor) }
  }
}
