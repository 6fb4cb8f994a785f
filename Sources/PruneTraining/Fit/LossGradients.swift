import PruneGraph
import PruneRuntime
import PruneTensor

/// The loss of batches and the gradients of a model's parameters, with nothing updated: what importance criteria and
/// gradient checks ask for. Normalizations keep their running statistics.
package final class LossGradients {
  /// The parameters that are asked for, in order.
  package let parameters: [String]
  /// Nodes that no gradient passes, once a batch was run.
  package private(set) var blocked: [Autodiff.Blocked] = []

  private let model: Model
  private let input: String
  private let loss: TrainingLoss
  private var programs: [[TensorType]: (parts: LossGraph, program: Program)] = [:]

  /// - Parameters:
  ///   - loss, settings: as in `FitOptions`.
  ///   - targets: dtype of the targets to come.
  ///   - parameters: names of initializers; nil means all that training would train.
  package init(
    _ model: Model, loss: String? = nil, settings: TrainingLoss.Settings = .init(), targets: DType,
    parameters: [String]? = nil
  ) throws(PruneError) {
    self.model = model
    self.parameters = parameters ?? TrainableParameters.names(in: model)
    self.loss = try TrainingLoss(loss, model: model, targets: targets, settings)
    input = try DataCheck.input(of: model).name
  }

  /// Runs one batch: the mean loss, and the gradients by parameter. Parameters that the loss does not depend on, or
  /// that a node in `blocked` cuts off, are not among them.
  package func run(
    _ x: Tensor, _ y: Tensor, cancel: CancelFlag? = nil
  ) throws(PruneError) -> (loss: Double, gradients: [String: Tensor]) {
    let (parts, program) = try compiled(x, y)
    let results = try program.run([input: x, parts.target: y], cancel: cancel)
    var gradients: [String: Tensor] = [:]
    for (name, value) in parts.gradients { gradients[name] = results[value] }
    let loss = try results[parts.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), gradients)
  }

  private func compiled(_ x: Tensor, _ y: Tensor) throws(PruneError) -> (parts: LossGraph, program: Program) {
    let key = [TensorType(x.dtype, x.shape), TensorType(y.dtype, y.shape)]
    if let found = programs[key] { return found }
    let parts = try LossGraph(
      model, loss: loss, input: input, batch: x.shape, targets: key[1], parameters: parameters)
    let program = try Program(
      parts.model, ProgramOptions(outputs: [parts.loss] + parts.gradients.values.sorted()))
    blocked = parts.blocked
    programs[key] = (parts, program)
    return (parts, program)
  }
}
