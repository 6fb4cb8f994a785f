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
    /// Weights to train.
    var parameters: [String]
    /// Masks (uint8) of those that were pruned.
    var masks: [String: Tensor]
    /// Running statistics that training moves: mean and variance of each BatchNormalization in training mode.
    var statistics: Set<String>
  }

  let model: Model
  /// Inputs to feed besides the batch.
  let target: String
  let rate: String
  let step: String
  /// Values to return.
  let loss: String
  let prediction: String
  /// Running statistics by the value that holds their new version.
  let newStatistics: [(value: String, initializer: String)]
  /// Parameters that a gradient reaches.
  let trained: [String]
  let blocked: [Autodiff.Blocked]

  /// - Parameters:
  ///   - batch: shape of the input batch.
  ///   - targets: type of the target batch.
  init(_ plan: Plan, batch: Shape, targets: TensorType) throws(PruneError) {
    let variables = Set(plan.parameters).union(plan.statistics)
    var special = try Specialization(plan.model, inputs: [plan.input: batch], variables: variables)
    var taken = special.model.graph.allNames.union(variables)
    newStatistics = Self.trainNormalizations(&special, plan.statistics, &taken)

    target = Graph.uniqueName("target", &taken)
    rate = Graph.uniqueName("learning_rate", &taken)
    step = Graph.uniqueName("step", &taken)
    loss = Graph.uniqueName("loss", &taken)
    let seed = Graph.uniqueName("\(plan.loss.value).grad", &taken)
    prediction = try Self.rows(of: plan.loss, batch: batch, &special, &taken)
    try Self.check(plan.loss, special.types.shape(prediction), targets)
    let lossNode = Node(
      plan.loss.opType, domain: GradientRules.trainingDomain, name: "loss", inputs: [prediction, target],
      outputs: [loss, seed])
    special.model.graph.nodes.append(lossNode)
    let derived = try Autodiff.differentiate(
      special.model, types: special.types, seeds: [prediction: seed], wrt: plan.parameters)
    blocked = derived.blocked
    trained = plan.parameters.filter { derived.gradients[$0] != nil }

    var graph = derived.graph
    taken.formUnion(graph.allNames)
    // Updates come last: no node may read a weight after its update.
    for name in trained {
      guard let gradient = derived.gradients[name], let weight = plan.model.graph.initializer(name) else { continue }
      var mask: String?
      if let tensor = plan.masks[name] {
        let constant = Graph.uniqueName("\(name).mask", &taken)
        graph.setInitializer(constant, tensor)
        mask = constant
      }
      graph.nodes.append(
        plan.optimizer.node(
          weight: name, rank: weight.shape.rank, gradient: gradient, mask: mask, rate: rate, step: step,
          output: Graph.uniqueName("\(name).updated", &taken)))
    }
    graph.inputs.append(ValueInfo(name: target, type: targets))
    graph.inputs.append(ValueInfo(name: rate, type: TensorType(.float32, .scalar)))
    graph.inputs.append(ValueInfo(name: step, type: TensorType(.float32, .scalar)))
    graph.outputs = [ValueInfo(name: loss, type: TensorType(.float32, .scalar))]
    var result = special.model
    result.graph = graph
    model = result
  }

  /// Turns each BatchNormalization whose statistics are to be trained into its training form.
  private static func trainNormalizations(
    _ special: inout Specialization, _ statistics: Set<String>, _ taken: inout Set<String>
  ) -> [(value: String, initializer: String)] {
    var moved: [(String, String)] = []
    for (index, node) in special.model.graph.nodes.enumerated() {
      guard node.isStandard, node.opType == "BatchNormalization", let mean = node.input(3), let variance = node.input(4),
        let output = node.output(0), statistics.contains(mean), statistics.contains(variance)
      else { continue }
      let names = ["saved_mean", "saved_inv_std", "new_mean", "new_var"].map {
        Graph.uniqueName("\(output).\($0)", &taken)
      }
      let type = special.types.types[mean]
      for name in names { special.types.types[name] = type }
      special.model.graph.nodes[index] = Node(
        "BatchNormTrain", domain: GradientRules.trainingDomain, name: node.name, inputs: node.inputs,
        outputs: [output] + names, attributes: node.attributes.filter { ["epsilon", "momentum"].contains($0.name) })
      moved += [(names[2], mean), (names[3], variance)]
    }
    return moved
  }

  /// The value the loss reads, as [N, classes] where the model gives [N, classes, 1, …].
  private static func rows(
    of loss: TrainingLoss, batch: Shape, _ special: inout Specialization, _ taken: inout Set<String>
  ) throws(PruneError) -> String {
    guard loss.kind == .crossEntropy, let shape = special.types.shape(loss.value), shape.rank > 2,
      shape.dims[2...].allSatisfy({ $0 == 1 })
    else { return loss.value }
    let flat = try Shape(Array(shape.dims[..<2]))
    let name = Graph.uniqueName("\(loss.value).rows", &taken)
    let dims = Graph.uniqueName("\(name).shape", &taken)
    special.model.graph.setInitializer(dims, try Tensor(flat.dims.map(Int64.init)))
    special.model.graph.nodes.append(Node("Reshape", inputs: [loss.value, dims], outputs: [name]))
    special.types.types[name] = TensorType(.float32, flat)
    return name
  }

  /// - Throws: `.mismatch` when targets do not fit what the model gives, naming both.
  private static func check(_ loss: TrainingLoss, _ shape: Shape?, _ targets: TensorType) throws(PruneError) {
    guard let shape, let wanted = targets.shape else {
      throw PruneError(.unsupported, "the shape of output '\(loss.output.name)' depends on the data")
    }
    let place = "loss \(loss.kind.rawValue)"
    switch loss.kind {
    case .crossEntropy:
      guard shape.rank == 2 else {
        throw PruneError(.mismatch, "output '\(loss.output.name)' is \(shape), wanted [N, classes]", at: place)
      }
      guard targets.dtype == .int64 ? wanted.count == shape[0] : wanted == shape else {
        throw PruneError(
          .mismatch, "output '\(loss.output.name)' is \(shape) but the targets of a batch are \(targets)", at: place)
      }
    case .meanSquaredError:
      guard targets.dtype == .float32 else {
        throw PruneError(
          .mismatch, "targets are \(targets.dtype?.name ?? "unknown") labels, wanted float32 values", at: place,
          hint: "use loss cross_entropy for class labels")
      }
      guard wanted.count == shape.count else {
        throw PruneError(
          .mismatch, "output '\(loss.output.name)' is \(shape) but the targets of a batch are \(targets)", at: place)
      }
    }
  }
}
