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

  package let model: Model
  private let loss: TrainingLoss
  private var programs: [BatchType: (parts: LossGraph, program: Program)] = [:]

  /// - Parameters:
  ///   - loss, settings: as in `FitOptions`.
  ///   - targets: dtype of the targets to come.
  ///   - output: what the loss is taken of; nil is the first output.
  ///   - parameters: names of initializers; nil means all that training would train.
  package init(
    _ model: Model, loss: String? = nil, settings: TrainingLoss.Settings = .init(), targets: DType, output: String? = nil,
    parameters: [String]? = nil
  ) throws(PruneError) {
    self.model = model
    self.parameters = parameters ?? TrainableParameters.names(in: model)
    self.loss = try TrainingLoss(loss, model: model, targets: targets, output: output, settings)
  }

  /// Runs one batch, inputs by name: the mean loss, and the gradients by parameter. Parameters that the loss does not depend on, or
  /// that a node in `blocked` cuts off, are not among them.
  package func run(
    _ inputs: [String: Tensor], _ y: Tensor, cancel: CancelFlag? = nil
  ) throws(PruneError) -> (loss: Double, gradients: [String: Tensor]) {
    let (parts, program) = try compiled(inputs, y)
    let results = try program.run(inputs.merging([parts.target: y]) { _, target in target }, cancel: cancel)
    var gradients: [String: Tensor] = [:]
    for (name, value) in parts.gradients { gradients[name] = results[value] }
    let loss = try results[parts.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), gradients)
  }

  /// The parameters that the loss of such a batch does not depend on, without a run: neither a gradient nor a node in `blocked` is to
  /// blame.
  package func unreached(_ inputs: [String: Tensor], _ y: Tensor) throws(PruneError) -> [String] {
    let key = BatchType(inputs, y)
    let parts = try LossGraph(model, loss: loss, batch: key.shapes, targets: key.targets, parameters: parameters)
    let known = Set(parts.gradients.keys).union(parts.blocked.flatMap(\.parameters))
    return parameters.filter { !known.contains($0) }
  }

  private func compiled(
    _ inputs: [String: Tensor], _ y: Tensor
  ) throws(PruneError) -> (parts: LossGraph, program: Program) {
    let key = BatchType(inputs, y)
    if let found = programs[key] { return found }
    let parts = try LossGraph(
      model, loss: loss, batch: key.shapes, targets: key.targets, parameters: parameters)
    let program = try Program(
      parts.model, ProgramOptions(outputs: [parts.loss] + parts.gradients.values.sorted()))
    blocked = parts.blocked
    programs[key] = (parts, program)
    return (parts, program)
  }
}
