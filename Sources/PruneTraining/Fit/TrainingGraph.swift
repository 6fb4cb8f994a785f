import PruneGraph
import PruneTensor

/// One training step as a model: forward pass, loss, gradients, updates.
struct TrainingGraph {
  /// What a step is made of, whatever the batch.
  struct Plan {
    var model: Model
    var input: String
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
  }

  let model: Model
  let parts: LossGraph
  /// Inputs for the learning rate of each parameter group and the number of the step, from 1.
  let rates: [String]
  let step: String
  /// What gradients were multiplied by, 0 when the step was skipped, and the norm of each gradient of `trained`.
  let gate: String
  let norms: String
  /// Parameters that a gradient reaches.
  let trained: [String]

  init(_ plan: Plan, batch: Shape, targets: TensorType) throws(PruneError) {
    let parts = try LossGraph(
      plan.model, loss: plan.loss, input: plan.input, batch: batch, targets: targets, parameters: plan.parameters,
      statistics: plan.statistics)
    self.parts = parts
    trained = plan.parameters.filter { parts.gradients[$0] != nil }
    var result = parts.model
    var taken = result.graph.allNames.union(plan.parameters.flatMap(plan.optimizer.stateNames))
    rates = plan.groups.rates.indices.map { _ in Graph.uniqueName("learning_rate", &taken) }
    step = Graph.uniqueName("step", &taken)
    gate = Graph.uniqueName("gate", &taken)
    norms = Graph.uniqueName("norms", &taken)
    result.graph.nodes.append(
      Node(
        "GradientGate", domain: GradientRules.trainingDomain, name: "gate",
        inputs: [parts.loss] + trained.compactMap { parts.gradients[$0] }, outputs: [gate, norms],
        attributes: [Attribute("max_norm", .float(Float(plan.clipNorm)))]))
    // Updates come last: no node may read a weight after its update.
    for name in trained {
      guard let gradient = parts.gradients[name], let weight = plan.model.graph.initializer(name) else { continue }
      var mask: String?
      if let tensor = plan.masks[name] {
        let constant = Graph.uniqueName("\(name).mask", &taken)
        result.graph.setInitializer(constant, tensor)
        mask = constant
      }
      let inputs = Optimizer.Inputs(
        gradient: gradient, mask: mask, rate: rates[plan.groups.index(of: name)], step: step, gate: gate)
      result.graph.nodes.append(
        plan.optimizer.node(
          weight: name, rank: weight.shape.rank, decay: plan.groups.decay(of: name), inputs,
          output: Graph.uniqueName("\(name).updated", &taken)))
    }
    for name in rates + [step] { result.graph.inputs.append(ValueInfo(name: name, type: TensorType(.float32, .scalar))) }
    model = result
  }
}
