import PruneData
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
  /// Whether what is asked for are sums of the squared gradients of each sample.
  private let squaresSamples: Bool
  private var programs: [BatchType: (parts: LossGraph, values: [String: String], program: Program)] = [:]

  /// - Parameters:
  ///   - loss, settings: as in `FitOptions`.
  ///   - targets, form: dtype of the targets to come, and what they say of a sample.
  ///   - output: what the loss is taken of; nil is the first output.
  ///   - parameters: names of initializers; nil means all that training would train.
  ///   - squaresSamples: whether in place of gradients of the mean loss come the sums, over the samples of a batch, of
  ///     the squared gradients of each sample's own loss, where samples do not depend on each other.
  package init(
    _ model: Model, loss: String? = nil, settings: TrainingLoss.Settings = .init(), targets: DType,
    form: TargetForm = .plain, output: String? = nil, parameters: [String]? = nil, squaresSamples: Bool = false
  ) throws(PruneError) {
    self.model = model
    self.squaresSamples = squaresSamples
    self.parameters = parameters ?? TrainableParameters.names(in: model)
    self.loss = try TrainingLoss(loss, model: model, targets: targets, form: form, output: output, settings)
  }

  /// - Throws: `.mismatch` naming the first sample whose label is no class of the output.
  package func checkLabels(of data: Dataset) throws(PruneError) {
    if let targets = data.y { try DataCheck.checkLabels(data, targets, loss) }
  }

  /// Runs one batch, inputs by name: the mean loss, and the gradients by parameter. Parameters that the loss does not
  /// depend on, or that a node in `blocked` cuts off, are not among them.
  /// Squares of samples are of gradients of the mean loss: a sample's own loss has as many times those.
  /// - Throws: `.unsupported` when the samples of a batch cannot be told apart, which that of a batch of one always
  ///   can.
  package func run(
    _ inputs: [String: Tensor], _ y: Tensor, cancel: CancelFlag? = nil
  ) throws(PruneError) -> (loss: Double, gradients: [String: Tensor]) {
    let (parts, values, program) = try compiled(inputs, y)
    let results = try program.run(inputs.merging([parts.target: y]) { _, target in target }, cancel: cancel)
    var gradients: [String: Tensor] = [:]
    for (name, value) in values { gradients[name] = results[value] }
    let loss = try results[parts.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), gradients)
  }

  /// The parameters that the loss of such a batch does not depend on, without a run: neither a gradient nor a node in
  /// `blocked` is to blame.
  package func unreached(_ inputs: [String: Tensor], _ y: Tensor) throws(PruneError) -> [String] {
    let key = BatchType(inputs, y)
    let parts = try LossGraph(model, loss: loss, batch: key.shapes, targets: key.targets, parameters: parameters)
    let names = Set(parts.gradients.keys).union(parts.blocked.flatMap(\.parameters))
    return parameters.filter { !names.contains($0) }
  }

  private func compiled(
    _ inputs: [String: Tensor], _ y: Tensor
  ) throws(PruneError) -> (parts: LossGraph, values: [String: String], program: Program) {
    let key = BatchType(inputs, y)
    if let cached = programs[key] { return cached }
    let parts = try LossGraph(
      model, loss: loss, batch: key.shapes, targets: key.targets, parameters: parameters)
    blocked = parts.blocked
    var (source, values) = (parts.model, parts.gradients)
    if squaresSamples {
      guard let squares = try SampleSquares(parts, count: y.shape.dims.first ?? 1) else {
        throw PruneError(.unsupported, "the samples of a batch cannot be told apart in the gradients of its loss")
      }
      (source, values) = (squares.model, squares.values)
    }
    let program = try Program(source, ProgramOptions(outputs: [parts.loss] + values.values.sorted()))
    programs[key] = (parts, values, program)
    return (parts, values, program)
  }
}
