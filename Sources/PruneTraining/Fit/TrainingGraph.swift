import PruneEvaluation
import PruneGraph
import PruneTensor

/// One training step as a model: forward pass, loss, gradients, updates.
///
/// Where ranks share the step it is two models: `model` ends with the gradients, `update` begins with them.
struct TrainingGraph {
  /// What the graphs of all batch sizes share.
  struct Plan {
    var model: Model
    /// What the data's columns are fed to.
    var inputBinding: InputBinding
    var loss: TrainingLoss
    var optimizer: Optimizer
    var groups: ParameterGroups
    /// Limit on the norm of all gradients together; 0 for none.
    var clipNorm: Double
    /// Weights to train.
    var parameters: [String]
    /// Masks (uint8) of those that were pruned.
    var masks: [String: Tensor]
    /// Running statistics that training moves: mean and variance of each BatchNormalization in training mode.
    var statistics: Set<String>
    var penalties: Penalties
    var dropout: TrainingDropout
    var distillation: DistillationPlan?
    var recomputes = false
    /// Whether gradients are reduced over ranks before the updates: those are a program of their own then.
    var isShared = false

    /// Everything an update changes: the model's weights and the adaptors of distillation.
    var trainable: [String] { parameters + (distillation?.adaptors.map(\.name) ?? []) }

    /// A trained tensor as it was before the fit.
    func initial(_ name: String) -> Tensor? {
      model.graph.initializer(name) ?? distillation?.adaptors.first { $0.name == name }?.tensor
    }
  }

  let model: Model
  /// The updates alone, with `reduced` as inputs; nil where `model` has them.
  let update: Model?
  /// Names in `update` of the loss and of the gradient of each of `trained`.
  let reduced: [String]
  let parts: LossGraph
  /// Inputs for the learning rate of each parameter group and the number of the step, from 1.
  let rates: [String]
  let step: String
  /// What gradients were multiplied by, 0 when the step was skipped, and the norm of each gradient of `trained`.
  let gate: String
  let norms: String
  /// Parameters that a gradient reaches.
  let trained: [String]

  /// - Parameter teacher: types of the teacher's values for such a batch.
  init(_ plan: Plan, batch: [String: Shape], targets: TensorType, teacher: [String: TensorType]) throws(PruneError) {
    var reserved = plan.model.graph.allNames
    step = Graph.uniqueName("step", &reserved)
    var dropout = plan.dropout
    dropout.step = step
    let parts = try LossGraph(
      plan.model, loss: plan.loss, batch: batch, targets: targets, parameters: plan.parameters,
      statistics: plan.statistics, dropout: dropout, distillation: plan.distillation.map { ($0, teacher) },
      recomputes: plan.recomputes)
    self.parts = parts
    trained = plan.trainable.filter { parts.gradients[$0] != nil }
    var result = parts.model
    var usedNames = result.graph.allNames.union(plan.trainable.flatMap(plan.optimizer.stateNames)).union([step])
    let scalar = TensorType(.float32, .scalar)
    var reduced: [String] = []
    if plan.isShared {
      result.graph.nodes = []
      reduced = [Graph.uniqueName("reduced.loss", &usedNames)]
      for name in trained { reduced.append(Graph.uniqueName("reduced/\(name)", &usedNames)) }
      result.graph.inputs = [ValueInfo(name: reduced[0], type: scalar)]
      for (name, input) in zip(trained, reduced.dropFirst()) {
        guard let shape = plan.initial(name)?.shape else { continue }
        result.graph.inputs.append(ValueInfo(name: input, type: TensorType(.float32, shape.dims.map(Dim.fixed))))
      }
    }
    self.reduced = reduced
    let loss = reduced.first ?? parts.loss
    var gradients: [String] = []
    for (index, name) in trained.enumerated() {
      guard let localGradient = parts.gradients[name] else { continue }
      let gradient = plan.isShared ? reduced[index + 1] : localGradient
      gradients.append(try plan.penalties.gradient(gradient, of: name, in: &result.graph, &usedNames))
    }
    rates = plan.groups.rates.indices.map { _ in Graph.uniqueName("learning_rate", &usedNames) }
    gate = Graph.uniqueName("gate", &usedNames)
    norms = Graph.uniqueName("norms", &usedNames)
    result.graph.nodes.append(
      Node(
        "GradientGate", domain: GradientRules.trainingDomain, name: "gate",
        inputs: [loss] + gradients, outputs: [gate, norms],
        attributes: [Attribute("max_norm", .float(Float(plan.clipNorm)))]))
    // Updates come last: no node may read a weight after its update.
    for (name, gradient) in zip(trained, gradients) {
      guard let weight = plan.initial(name) else { continue }
      var mask: String?
      if let tensor = plan.masks[name] {
        let constant = Graph.uniqueName("\(name).mask", &usedNames)
        result.graph.setInitializer(constant, tensor)
        mask = constant
      }
      let inputs = Optimizer.Inputs(
        gradient: gradient, mask: mask, rate: rates[plan.groups.index(of: name)], step: step, gate: gate)
      result.graph.nodes.append(
        plan.optimizer.node(
          weight: name, rank: weight.shape.rank, decay: plan.groups.decay(of: name), inputs,
          output: Graph.uniqueName("\(name).updated", &usedNames)))
    }
    let projections = plan.penalties.projections(of: trained, in: &result.graph, &usedNames)
    result.graph.nodes += projections
    for growth in plan.penalties.growths where trained.contains(growth.parameter) {
      let type = TensorType(.float32, [.fixed(growth.strengths.count)])
      result.graph.inputs.append(ValueInfo(name: growth.input, type: type))
    }
    for name in rates + [step] { result.graph.inputs.append(ValueInfo(name: name, type: scalar)) }
    guard plan.isShared else {
      (model, update) = (result, nil)
      return
    }
    result.graph.outputs = [ValueInfo(name: gate, type: scalar)]
    var forward = parts.model
    // What drops values asks for the number of the step.
    forward.graph.inputs.append(ValueInfo(name: step, type: scalar))
    (model, update) = (forward, result)
  }
}
