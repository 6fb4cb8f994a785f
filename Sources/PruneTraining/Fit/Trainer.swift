import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// Trains the weights of one model, a batch at a time: one program run a step, which updates the weights in place.
final class Trainer {
  /// A compiled step; `update` where it is two programs, with the ranks' sum between them.
  struct Step {
    let graph: TrainingGraph
    let program: Program
    let update: Program?
  }

  /// The weights, their optimizer state and the running statistics, shared by the programs of all batch sizes.
  let variables: [String: Variable]
  private(set) var plan: TrainingGraph.Plan
  /// The ranks that make each step together.
  let communicator: Communicator?
  /// Where loss, gradients and statistics are summed over them.
  var bucket: Tensor?
  private var penalties: Penalties
  private var teachers: [[String: Shape]: Program] = [:]
  private var programs: [BatchType: Step] = [:]
  private var scorers: [BatchType: (graph: LossGraph, program: Program)] = [:]
  private var stepCount: Int
  /// Whether the optimizer's state is of weights that are not there any more.
  private var isStateStale = false

  /// - Parameter state: the optimizer's from an earlier fit. What is of another optimizer or shape is not used.
  init(
    _ plan: TrainingGraph.Plan, resuming state: OptimizerState? = nil, communicator: Communicator? = nil
  ) throws(PruneError) {
    self.plan = plan
    self.plan.isShared = communicator != nil
    self.communicator = communicator
    penalties = plan.penalties
    let saved = state?.optimizer == plan.optimizer.kind.rawValue ? state : nil
    stepCount = saved?.step ?? 0
    var variables: [String: Variable] = [:]
    for name in plan.trainable + plan.statistics.sorted() {
      guard let tensor = plan.initial(name) else {
        throw PruneError(.notFound, "the model has no parameter '\(name)'")
      }
      // Weights of its own: those of the model stay as they are until the fit is done.
      variables[name] = Variable(name: name, tensor: try tensor.copied())
    }
    for name in plan.trainable {
      for (state, variable) in zip(plan.optimizer.states, plan.optimizer.stateNames(of: name)) {
        guard let shape = variables[name]?.tensor.shape else { continue }
        var tensor = try Tensor(zeros: .float32, shape)
        if let old = saved?.tensors[name]?[state], old.shape == shape, old.dtype == .float32 {
          tensor = try old.copied()
        }
        variables[variable] = Variable(name: variable, tensor: tensor)
      }
    }
    self.variables = variables
  }

  /// The training graph for a number of samples of a data set, compiled at its first use.
  func graph(_ data: Dataset, _ targets: Tensor, count: Int) throws(PruneError) -> TrainingGraph {
    let type = BatchType(
      try plan.inputBinding.shapes(of: data, count: count),
      TensorType(targets.dtype, try Shape([count] + targets.shape.dims.dropFirst())))
    return try compiled(type, teacher: plan.distillation?.inputBinding.shapes(of: data, count: count) ?? [:]).graph
  }

  /// What a step came to.
  struct Outcome {
    /// Before the step.
    var loss: Double
    /// What the loss was taken of.
    var prediction: Tensor?
    /// The norm of each parameter's gradient, in the order of `parameters`, when the loss or one of them was not a
    /// finite number: nothing was changed then.
    var failure: [(parameter: String, norm: Float)]?
  }

  /// One step on a batch. `factor` is that of the schedule.
  func step(_ batch: Dataset, factor: Double) throws(PruneError) -> Outcome {
    try step(factor: factor, share: 1 / Double(communicator.size)) { () throws(PruneError) in batch }
  }

  /// One step, of all ranks together.
  /// - Parameters:
  ///   - share: how much this rank's part counts in the mean over the batch; those of all ranks sum to 1. With 0 the
  ///     part is there for its shape alone.
  ///   - batch: makes this rank's part; when it throws, all ranks throw that.
  func step(
    factor: Double, share: Double, _ batch: () throws(PruneError) -> Dataset
  ) throws(PruneError) -> Outcome {
    guard let communicator else {
      let (step, inputs) = try prepared(try batch(), factor)
      // A step is not cancelled half-way: either all weights are of this step, or all of the step before.
      return try finish(step.graph, try step.program.run(inputs))
    }
    var local: (Step, inputs: [String: Tensor], results: [String: Tensor])?, failure: PruneError?
    do throws(PruneError) {
      let (step, inputs) = try prepared(try batch(), factor)
      let results = try step.program.run(inputs.filter { step.program.inputTypes[$0.key] != nil })
      try fill(step.graph, results, share)
      local = (step, inputs, results)
    } catch { failure = error }
    let failures = try sumBucket(communicator, hasFailed: failure != nil)
    guard failures == 0, let (step, inputs, results) = local, let update = step.update else {
      try communicator.settle(failure)
      throw PruneError(.internal, "a rank failed and did not say why")
    }
    var updateInputs = inputs.filter { update.inputTypes[$0.key] != nil }
    var summed = try emptied(step.graph, results, into: &updateInputs)
    summed.merge(try update.run(updateInputs)) { $1 }
    return try finish(step.graph, results.merging(summed) { $1 })
  }

  /// The program for a batch, and everything that it and its update read.
  private func prepared(_ batch: Dataset, _ factor: Double) throws(PruneError) -> (Step, inputs: [String: Tensor]) {
    guard let targets = batch.y else { throw PruneError(.invalidArgument, "dataset '\(batch.name)' has no targets") }
    var inputs = try plan.inputBinding.inputs(of: batch)
    let teacherInputs = try plan.distillation?.inputBinding.inputs(of: batch) ?? [:]
    let step = try compiled(BatchType(inputs, targets), teacher: teacherInputs.mapValues(\.shape)), graph = step.graph
    inputs[graph.parts.target] = targets
    inputs[graph.step] = try Tensor(scalar: Float(stepCount + 1))
    for (name, rate) in zip(graph.rates, plan.groups.rates) { inputs[name] = try Tensor(scalar: Float(rate * factor)) }
    for growth in penalties.growths where graph.trained.contains(growth.parameter) {
      inputs[growth.input] = try Tensor(growth.strengths)
    }
    if plan.distillation != nil {
      let teacherOutputs = try teacher(teacherInputs.mapValues(\.shape)).run(teacherInputs)
      for (name, value) in graph.parts.teacherInputs { inputs[name] = teacherOutputs[value] }
    }
    return (step, inputs)
  }

  /// What the results of a step come to, and its statistics in place.
  private func finish(_ graph: TrainingGraph, _ results: [String: Tensor]) throws(PruneError) -> Outcome {
    let loss = try results[graph.parts.loss]?.array(of: Float.self).first ?? .nan
    var outcome = Outcome(loss: Double(loss), prediction: results[graph.parts.prediction])
    guard try results[graph.gate]?.array(of: Float.self).first != 0 else {
      let norms = try results[graph.norms]?.array(of: Float.self) ?? []
      outcome.failure = zip(graph.trained, norms).map { ($0, $1) }
      return outcome
    }
    stepCount += 1
    for (value, name) in graph.parts.newStatistics {
      if let tensor = results[value] { try copy(tensor, into: name) }
    }
    try penalties.grow(step: stepCount) { variables[$0]?.tensor }
    return outcome
  }

  /// The teacher for batches of these shapes.
  private func teacher(_ batch: [String: Shape]) throws(PruneError) -> Program {
    if let cached = teachers[batch] { return cached }
    guard let distillation = plan.distillation else { throw PruneError(.internal, "no teacher") }
    let outputs = distillation.values.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    let program = try Program(
      distillation.settings.teacher, ProgramOptions(inputShapes: batch, outputs: outputs))
    teachers[batch] = program
    return program
  }

  /// The loss of a batch with the weights as they are, nothing trained: normalizations use their running statistics.
  func score(
    _ batch: Dataset, _ targets: Tensor, cancel: CancelFlag?
  ) throws(PruneError) -> (loss: Double, prediction: Tensor?) {
    var inputs = try plan.inputBinding.inputs(of: batch)
    let (graph, program) = try scorer(BatchType(inputs, targets))
    inputs[graph.target] = targets
    let results = try program.run(inputs, cancel: cancel)
    let loss = try results[graph.loss]?.array(of: Float.self).first ?? .nan
    return (Double(loss), results[graph.prediction])
  }

  private func scorer(_ type: BatchType) throws(PruneError) -> (graph: LossGraph, program: Program) {
    if let cached = scorers[type] { return cached }
    let names = plan.statistics.union(plan.parameters)
    let graph = try LossGraph(
      plan.model, loss: plan.loss, batch: type.shapes, targets: type.targets, parameters: [], variables: names)
    let program = try Program(
      graph.model,
      ProgramOptions(
        outputs: [graph.loss, graph.prediction], variables: variables.filter { names.contains($0.key) }))
    scorers[type] = (graph, program)
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
      if let tensor = variables[name]?.tensor { result.graph.setInitializer(name, tensor) }
    }
    result.optimizerState = isStateStale ? nil : optimizerState()
    return result
  }

  /// Weights and statistics as they are now; the next step changes copies of them.
  func weights() -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for name in plan.trainable + plan.statistics.sorted() { result[name] = variables[name]?.tensor }
    return result
  }

  /// Puts weights and statistics of before back.
  func restore(_ weights: [String: Tensor]) throws(PruneError) {
    for (name, tensor) in weights { variables[name]?.tensor = tensor }
  }

  /// Everything that a step changes.
  struct Snapshot {
    fileprivate let tensors: [String: Tensor]
    fileprivate let penalties: Penalties
    fileprivate let stepCount: Int
  }

  func snapshot() -> Snapshot {
    Snapshot(tensors: variables.mapValues(\.tensor), penalties: penalties, stepCount: stepCount)
  }

  /// Steps from here do what they did from where the snapshot was taken.
  func restore(_ snapshot: Snapshot) throws(PruneError) {
    try restore(snapshot.tensors)
    (penalties, stepCount, isStateStale) = (snapshot.penalties, snapshot.stepCount, false)
  }

  /// The learning rate of all parameters without their own.
  func setRate(_ rate: Double) { plan.groups.setRate(rate) }

  /// Weights and statistics with a number that is none, by name.
  func nonFinite() throws(PruneError) -> [String] {
    var result: [String] = []
    for name in plan.trainable + plan.statistics.sorted() {
      if let tensor = variables[name]?.tensor, !(try tensor.isFinite()) { result.append(name) }
    }
    return result
  }

  /// Weights of before, whose optimizer state is gone.
  func fallBack(to weights: [String: Tensor]) throws(PruneError) {
    try restore(weights)
    isStateStale = true
  }

  func optimizerState() -> OptimizerState {
    var tensors: [String: [String: Tensor]] = [:]
    for name in plan.trainable {
      for (state, variable) in zip(plan.optimizer.states, plan.optimizer.stateNames(of: name)) {
        tensors[name, default: [:]][state] = variables[variable]?.tensor
      }
    }
    return OptimizerState(optimizer: plan.optimizer.kind.rawValue, step: stepCount, tensors: tensors)
  }

  /// The memory that a step needs besides weights and state.
  var workingByteCount: Int { programs.values.map(\.program.arenaByteCount).max() ?? 0 }

  /// The first node that reads a parameter.
  func layer(of parameter: String) -> String? {
    plan.model.graph.nodes.first { $0.inputs.contains(parameter) }?.label
  }

  private func compiled(_ type: BatchType, teacher shapes: [String: Shape]) throws(PruneError) -> Step {
    if let cached = programs[type] { return cached }
    let types = plan.distillation == nil ? [:] : try teacher(shapes).outputTypes
    let graph = try TrainingGraph(plan, batch: type.shapes, targets: type.targets, teacher: types)
    let decisions = [graph.gate, graph.norms]
    let values = [graph.parts.loss, graph.parts.prediction] + graph.parts.newStatistics.map(\.value)
    let states = Set(graph.trained.flatMap(plan.optimizer.stateNames))
    let tracked = variables.filter {
      states.contains($0.key) || graph.trained.contains($0.key) || plan.statistics.contains($0.key)
    }
    let step: Step
    if let update = graph.update {
      var outputs = values
      for name in Self.names(graph) where !outputs.contains(name) { outputs.append(name) }
      step = Step(
        graph: graph,
        program: try Program(
          graph.model, ProgramOptions(outputs: outputs, variables: tracked.filter { !states.contains($0.key) })),
        update: try Program(
          update, ProgramOptions(outputs: decisions, variables: tracked.filter { !plan.statistics.contains($0.key) })))
    } else {
      let outputs = values + decisions
      step = Step(
        graph: graph, program: try Program(graph.model, ProgramOptions(outputs: outputs, variables: tracked)),
        update: nil
      )
    }
    programs[type] = step
    return step
  }
}
