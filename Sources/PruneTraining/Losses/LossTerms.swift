import PruneData
import PruneGraph
import PruneTensor

/// The losses as nodes. Each is the mean over the batch: over its rows for cross-entropy and kl, else over all
/// elements.
extension LossWriter {
  /// Appends a loss and returns the scalar that holds it.
  ///
  /// - Parameters:
  ///   - prediction: what the loss reads.
  ///   - target: the input for the targets, of type `type`.
  /// - Throws: `.mismatch` when prediction and targets do not fit each other, naming them.
  mutating func loss(
    _ loss: TrainingLoss, _ prediction: String, _ target: String, _ type: TensorType
  ) throws(PruneError) -> String {
    let shape = try checked(loss, prediction, type)
    let domain = GradientRules.trainingDomain
    switch loss.kind {
    case .crossEntropy where loss.settings.classWeights.isEmpty:
      var attributes = [Attribute("label_smoothing", .float(Float(loss.settings.labelSmoothing)))]
      if Self.isDense(type) { attributes.append(Attribute("ignore_index", .int(Dataset.ignoredClass))) }
      let opType = loss.readsProbabilities ? "CrossEntropy" : "SoftmaxCrossEntropy"
      return try emit(opType, [prediction, target], attributes, domain: domain, outputs: 2)
    case .crossEntropy: return try weightedCrossEntropy(loss, prediction, target, type, shape)
    case .meanSquaredError: return try emit("MeanSquaredError", [prediction, target], domain: domain, outputs: 2)
    case nil: return try graph(loss, prediction, target, type)
    case .meanAbsoluteError:
      let targetRows = try rows(target, type, shape)
      return try total(emit("Abs", [emit("Sub", [prediction, targetRows])]), mean: true)
    case .huber: return try huber(prediction, rows(target, type, shape), loss.settings.delta)
    case .binaryCrossEntropy:
      let targetRows = try rows(target, type, shape)
      guard loss.readsProbabilities else {
        let product = try emit("Mul", [prediction, targetRows])
        return try total(emit("Sub", [emit("Softplus", [prediction]), product]), mean: true)
      }
      let one = try number(1)
      let hit = try emit("Mul", [targetRows, logarithm(prediction)])
      let miss = try emit("Mul", [emit("Sub", [one, targetRows]), logarithm(emit("Sub", [one, prediction]))])
      return try emit("Neg", [total(emit("Add", [hit, miss]), mean: true)])
    case .divergence:
      let targetRows = try rows(target, type, shape)
      let predicted = loss.readsProbabilities ? try logarithm(prediction) : try emit("LogSoftmax", [prediction])
      let difference = try emit("Sub", [logarithm(targetRows), predicted])
      return try perRow(emit("Mul", [targetRows, difference]), shape)
    }
  }

  /// -Σ w·t·log p over Σ w of the labels: a class weighs as much in the mean as in the sum.
  private mutating func weightedCrossEntropy(
    _ loss: TrainingLoss, _ prediction: String, _ target: String, _ type: TensorType, _ shape: Shape
  ) throws(PruneError) -> String {
    let (classes, smoothing) = (shape[1], loss.settings.labelSmoothing)
    guard loss.settings.classWeights.count == classes else {
      throw PruneError(
        .mismatch,
        "there are \(loss.settings.classWeights.count) class_weights, output '\(loss.output.name)' has \(classes) classes"
      )
    }
    let weights = constant(try Tensor(loss.settings.classWeights.map { Float($0) }))
    let weighted = try emit("Mul", [rows(target, type, shape), weights])
    var distribution = weighted
    if smoothing > 0 {
      let even = constant(try Tensor(loss.settings.classWeights.map { Float($0 * smoothing / Double(classes)) }))
      distribution = try emit("Add", [emit("Mul", [weighted, number(1 - smoothing)]), even])
      if let counted = try counted(target, type) { distribution = try emit("Mul", [distribution, counted]) }
    }
    let predicted = loss.readsProbabilities ? try logarithm(prediction) : try emit("LogSoftmax", [prediction])
    let sum = try emit("Neg", [total(emit("Mul", [distribution, predicted]))])
    // A batch of classes that weigh nothing has a loss of 0.
    let mass = try emit("Max", [total(weighted), number(1e-15)])
    return try emit("Div", [sum, mass])
  }

  /// c·(|d| - c/2) with c = min(|d|, delta): a square up to delta, a straight line from there (Huber 1964).
  private mutating func huber(
    _ prediction: String, _ target: String, _ delta: Double
  ) throws(PruneError) -> String {
    let distance = try emit("Abs", [emit("Sub", [prediction, target])])
    let near = try emit("Min", [distance, number(delta)])
    let rest = try emit("Sub", [distance, emit("Mul", [near, number(0.5)])])
    return try total(emit("Mul", [near, rest]), mean: true)
  }

  /// Targets as float32 of the prediction's shape: labels of several classes become one-hot rows.
  private mutating func rows(_ target: String, _ type: TensorType, _ shape: Shape) throws(PruneError) -> String {
    guard type.dtype == .int64 else { return try reshape(target, to: shape) }
    if type.shape?.count == shape.count {
      return try reshape(emit("Cast", [target], [Attribute("to", .int(Int64(DType.float32.rawValue)))]), to: shape)
    }
    var labels = try reshape(target, to: Shape([shape[0]]))
    let depth = constant(try Tensor([Int64(shape[1])]))
    let values = constant(try Tensor([0, 1] as [Float]))
    guard let counted = try counted(target, type) else { return try emit("OneHot", [labels, depth, values]) }
    // Negative numbers would count from the end.
    labels = try emit("Mul", [labels, reshape(emit("Cast", [counted], [Self.toInt64]), to: Shape([shape[0]]))])
    return try emit("Mul", [emit("OneHot", [labels, depth, values]), counted])
  }

  private static let toInt64 = Attribute("to", .int(Int64(DType.int64.rawValue)))
  private static let toFloat = Attribute("to", .int(Int64(DType.float32.rawValue)))

  /// Whether targets are classes of positions.
  private static func isDense(_ type: TensorType) -> Bool {
    type.dtype == .int64 && type.shape.map { $0.rank > 1 && $0.count != $0[0] } == true
  }

  /// [positions, 1] of 1 and, where the class is ignored, 0; nil where none can be.
  private mutating func counted(_ target: String, _ type: TensorType) throws(PruneError) -> String? {
    guard Self.isDense(type), let count = type.shape?.count else { return nil }
    let zero = constant(try Tensor(scalar: Int64(0)))
    let ignored = try emit("Less", [reshape(target, to: Shape([count, 1])), zero])
    return try emit("Cast", [emit("Not", [ignored])], [Self.toFloat])
  }

  private mutating func perRow(_ value: String, _ shape: Shape) throws(PruneError) -> String {
    try emit("Div", [total(value), number(Double(shape[0]))])
  }

  /// The shape of the prediction.
  private func checked(_ loss: TrainingLoss, _ prediction: String, _ targets: TensorType) throws(PruneError) -> Shape {
    guard let shape = special.types.shape(prediction), let targetShape = targets.shape else {
      if let node = special.model.graph.controlFlow(behind: prediction) {
        throw PruneError(
          .unsupported, "no gradient passes \(node.opType), and output '\(loss.output.name)' depends on it",
          at: node.label, hint: Graph.controlFlowHint)
      }
      throw PruneError(.unsupported, "the shape of output '\(loss.output.name)' depends on the data")
    }
    let place = "loss \(loss.kind?.rawValue ?? "graph")"
    let misfit = PruneError(
      .mismatch, "output '\(loss.output.name)' is \(shape) but the targets of a batch are \(targets)", at: place)
    let isLabels = targets.dtype == .int64
    guard shape.count > 0 else { throw misfit }
    switch loss.kind {
    case nil: break
    case .crossEntropy, .divergence:
      guard shape.rank == 2 else {
        throw PruneError(
          .mismatch, "output '\(loss.output.name)' is \(shape), wanted [N, classes]", at: place,
          hint: "classes of positions, int64 [N, …], go with [N, classes, …] and [N, …, classes]")
      }
      guard isLabels ? targetShape.count == shape[0] : targetShape == shape else { throw misfit }
    case .binaryCrossEntropy:
      guard targetShape.count == shape.count || (isLabels && shape.rank == 2 && targetShape.count == shape[0]) else {
        throw misfit
      }
    case .meanSquaredError, .meanAbsoluteError, .huber:
      guard targets.dtype == .float32 else {
        throw PruneError(
          .mismatch, "targets are \(targets.dtype?.name ?? "unknown") labels, wanted float32 values", at: place,
          hint: "use loss cross_entropy for class labels")
      }
      guard targetShape.count == shape.count else { throw misfit }
    }
    return shape
  }
}
