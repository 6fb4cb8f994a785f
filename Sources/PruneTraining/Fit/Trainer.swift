import PruneGraph
import PruneRuntime
import PruneTensor

/// Trains the weights of one model, a batch at a time: one program run a step, which updates the weights in place.
final class Trainer {
  /// The weights, their optimizer state and the running statistics, shared by the programs of all batch sizes.
  let variables: [String: Variable]
  private let plan: TrainingGraph.Plan
  private var programs: [[TensorType]: (graph: TrainingGraph, program: Program)] = [:]
  private var scorers: [[TensorType]: (graph: LossGraph, program: Program)] = [:]
  private var stepCount = 0

  init(_ plan: TrainingGraph.Plan) throws(PruneError) {
    self.plan = plan
    var variables: [String: Variable] = [:]
    let graph = plan.model.graph
    for name in plan.parameters + plan.statistics.sorted() {
      guard let tensor = graph.initializer(name) else {
        throw PruneError(.notFound, "the model has no parameter '\(name)'")
      }
      // Weights of its own: those of the model stay as they are until the fit is done.
      variables[name] = Variable(name: name, tensor: try tensor.copied())
    }
    for name in plan.parameters {
      for state in plan.optimizer.stateNames(of: name) {
        guard let shape = variables[name]?.tensor.shape else { continue }
        variables[state] = Variable(name: state, tensor: try Tensor(zeros: .float32, shape))
      }
    }
    self.variables = variables
  }

  /// The training graph for batches of these types, compiled when they are new.
  @discardableResult
  func graph(_ batch: TensorType, _ targets: TensorType) throws(PruneError) -> TrainingGraph {
    try compiled(batch, targets).graph
  }

  /// One step on a batch. Returns the loss before the step, and what the loss was taken of.
  func step(_ x: Tensor, _ y: Tensor, rate: Double) throws(PruneError) -> (loss: Double, prediction: Tensor?) {
    let (graph, program) = try compiled(TensorType(x.dtype, x.shape), TensorType(y.dtype, y.shape))
    stepCount += 1
    // Not cancelled half-way: weights are either all of this step or all of the one before.
    let results = try program.run([
      plan.input: x, graph.parts.target: y, graph.rate: Tensor(scalar: Float(rate)),
      graph.step: Tensor(scalar: Float(stepCount)),
    ])
    for (value, name) in graph.parts.newStatistics {
      if let tensor = results[value] { try copy(tensor, into: name) }
    }
    let loss = try results[graph.parts.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), results[graph.parts.prediction])
  }

  /// The loss of a batch with the weights as they are, nothing trained: normalizations use their running statistics.
  func score(
    _ x: Tensor, _ y: Tensor, cancel: CancelFlag?
  ) throws(PruneError) -> (loss: Double, prediction: Tensor?) {
    let (graph, program) = try scorer(x.shape, [TensorType(x.dtype, x.shape), TensorType(y.dtype, y.shape)])
    let results = try program.run([plan.input: x, graph.target: y], cancel: cancel)
    let loss = try results[graph.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), results[graph.prediction])
  }

  private func scorer(_ batch: Shape, _ types: [TensorType]) throws(PruneError) -> (graph: LossGraph, program: Program) {
    if let found = scorers[types] { return found }
    let names = plan.statistics.union(plan.parameters)
    let graph = try LossGraph(
      plan.model, loss: plan.loss, input: plan.input, batch: batch, targets: types[1], parameters: [], variables: names)
    let program = try Program(
      graph.model,
      ProgramOptions(
        outputs: [graph.loss, graph.prediction], variables: variables.filter { names.contains($0.key) }))
    scorers[types] = (graph, program)
    return (graph, program)
  }

  /// Keeps the variable where it is: programs are bound to its address.
  private func copy(_ tensor: Tensor, into name: String) throws(PruneError) {
    guard let variable = variables[name], variable.tensor.count == tensor.count else { return }
    try tensor.withSpan(of: Float.self) { source throws(PruneError) in
      try variable.tensor.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for index in 0..<target.count { target[index] = source[index] }
      }
    }
  }

  /// The model with the weights as they are now.
  func model() -> Model {
    var result = plan.model
    for name in plan.parameters + plan.statistics.sorted() {
      if let variable = variables[name] { result.graph.setInitializer(name, variable.tensor) }
    }
    return result
  }

  private func compiled(
    _ batch: TensorType, _ targets: TensorType
  ) throws(PruneError) -> (graph: TrainingGraph, program: Program) {
    if let found = programs[[batch, targets]] { return found }
    guard let shape = batch.shape else { throw PruneError(.internal, "a batch of open shape \(batch)") }
    let graph = try TrainingGraph(plan, batch: shape, targets: targets)
    let outputs = [graph.parts.loss, graph.parts.prediction] + graph.parts.newStatistics.map(\.value)
    let used = Set(graph.trained).union(graph.trained.flatMap(plan.optimizer.stateNames)).union(plan.statistics)
    let program = try Program(
      graph.model, ProgramOptions(outputs: outputs, variables: variables.filter { used.contains($0.key) }))
    programs[[batch, targets]] = (graph, program)
    return (graph, program)
  }
}
