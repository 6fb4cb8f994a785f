import PruneGraph
import PruneTensor

/// A model with its loss and the gradients of its parameters, for one batch shape.
struct LossGraph {
  /// The forward pass, the loss and the gradients; the loss is the output.
  private(set) var model: Model
  /// The input for the targets.
  let target: String
  /// Values to ask for: the mean loss of the batch, and what it was taken of.
  let loss: String
  let prediction: String
  /// How many classes a classifier tells apart.
  let classes: Int?
  /// Running statistics by the value that holds their new version.
  let newStatistics: [(value: String, initializer: String)]
  /// The value that holds each parameter's gradient, where one reaches it.
  let gradients: [String: String]
  let blocked: [Autodiff.Blocked]
  /// The shapes of values of the forward pass.
  let shapes: [String: Shape]
  /// Inputs for what the teacher says, with the teacher's values.
  let teacherInputs: [(name: String, value: String)]

  /// - Parameters:
  ///   - source: the model as it is, with open or other batch sizes.
  ///   - batch: shapes of the inputs.
  ///   - targets: type of the target batch.
  ///   - statistics: running means and variances that are to move with the data; their normalizations work in
  ///     training mode.
  ///   - others: more initializers that change between runs.
  ///   - dropout: what a training step drops; nil drops nothing.
  ///   - distillation: the teacher to learn from beside the targets, with the types of the teacher's values.
  ///   - recomputes: keeps little of the forward pass for the backward pass; see `Recomputation`.
  /// - Throws: `.mismatch` when batch, targets and model do not fit each other, naming them.
  init(
    _ source: Model, loss kind: TrainingLoss, batch: [String: Shape], targets: TensorType, parameters: [String],
    statistics: Set<String> = [], variables others: Set<String> = [], dropout: TrainingDropout? = nil,
    distillation: (DistillationPlan, types: [String: TensorType])? = nil, recomputes: Bool = false
  ) throws(PruneError) {
    let adaptors = distillation?.0.adaptors ?? []
    let variables = others.union(parameters).union(statistics).union(adaptors.map(\.name))
    var special = try Specialization(source, inputs: batch, variables: variables)
    var usedNames = special.model.graph.allNames.union(variables)
    newStatistics = Self.trainNormalizations(&special, statistics, &usedNames)
    dropout?.apply(to: &special, parameters: Set(parameters), &usedNames)
    for adaptor in adaptors { special.define(adaptor.name, adaptor.tensor) }
    target = Graph.uniqueName("target", &usedNames)
    special.types.types[target] = targets
    var writer = LossWriter(special, usedNames: usedNames)
    let axis = special.types.shape(kind.value).flatMap { kind.classAxis($0, targets: targets.shape) }
    prediction = try Self.rows(of: kind, axis, &writer)
    classes = kind.isClassifier ? writer.special.types.shape(prediction)?.dims.last : nil
    let task = try writer.loss(kind, prediction, target, targets)
    if let (distillation, types) = distillation {
      (loss, teacherInputs) = try writer.teach(
        distillation, task, prediction, isClassifier: kind.isClassifier, axis: axis, types)
    } else {
      (loss, teacherInputs) = (task, [])
    }
    let seed = try writer.number(1)
    let derived = try Autodiff.differentiate(
      writer.special.model, types: writer.special.types, seeds: [loss: seed], wrt: parameters + adaptors.map(\.name))
    blocked = derived.blocked
    gradients = derived.gradients
    shapes = writer.special.types.types.compactMapValues(\.shape)
    model = writer.special.model
    let count = model.graph.nodes.count
    model.graph =
      recomputes
      ? Recomputation.apply(
        to: derived.graph, forward: count, types: writer.special.types,
        keeping: Set([loss, prediction] + newStatistics.map(\.value) + derived.gradients.values)) : derived.graph
    model.graph.inputs.append(ValueInfo(name: target, type: targets))
    for (name, _) in teacherInputs {
      model.graph.inputs.append(ValueInfo(name: name, type: writer.special.types.types[name]))
    }
    model.graph.outputs = [ValueInfo(name: loss, type: TensorType(.float32, .scalar))]
  }

  /// Turns each BatchNormalization whose statistics are to be trained into its training form.
  private static func trainNormalizations(
    _ special: inout Specialization, _ statistics: Set<String>, _ usedNames: inout Set<String>
  ) -> [(value: String, initializer: String)] {
    var updates: [(String, String)] = []
    for (index, node) in special.model.graph.nodes.enumerated() {
      guard node.isStandard, node.opType == "BatchNormalization", let mean = node.input(3),
        let variance = node.input(4),
        let output = node.output(0), statistics.contains(mean), statistics.contains(variance)
      else { continue }
      let names = ["saved_mean", "saved_inv_std", "new_mean", "new_var"].map {
        Graph.uniqueName("\(output).\($0)", &usedNames)
      }
      let type = special.types.types[mean]
      for name in names { special.types.types[name] = type }
      special.model.graph.nodes[index] = Node(
        "BatchNormTrain", domain: GradientRules.trainingDomain, name: node.name, inputs: node.inputs,
        outputs: [output] + names, attributes: node.attributes.filter { ["epsilon", "momentum"].contains($0.name) })
      updates += [(names[2], mean), (names[3], variance)]
    }
    return updates
  }

  /// The value the loss reads, as [N, classes] where the model gives [N, classes, 1, …], and as [positions, classes]
  /// where it gives classes for each position along an axis.
  private static func rows(
    of loss: TrainingLoss, _ axis: Int?, _ writer: inout LossWriter
  ) throws(PruneError) -> String {
    if let axis { return try writer.rows(of: loss.value, classes: axis) }
    guard loss.isClassifier, let shape = writer.special.types.shape(loss.value), shape.rank > 2,
      shape.dims[2...].allSatisfy({ $0 == 1 })
    else { return loss.value }
    return try writer.reshape(loss.value, to: Shape(Array(shape.dims[..<2])))
  }
}
