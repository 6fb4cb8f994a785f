import PruneData
import PruneGraph
import PruneTensor
import PruneTraining

/// The training of the strategies "penalty" and "regularized": before each cut weights are driven to where cutting them
/// costs little.
struct TrainingPhase {
  let kind: Regularizer.Kind
  @Boxed private var options: FitOptions
  private let data: Dataset
  private let strategy: Strategy

  /// Epochs when the caller does not say.
  private static let epochs = 5
  /// The default growth of a growing strength: after this share of all steps it is at its limit.
  private static let rise = 0.6
  /// The strength of GReg-2 at which it picks the units (Wang et al. 2021, section 4).
  private static let picking = 0.01

  private static let kinds: [Strategy: [Regularizer.Kind]] = [
    .penalty: [.sign, .signConstraint], .regularized: [.l1, .l2, .groupLasso, .scales, .growing, .greg1, .greg2],
  ]

  /// Nil for strategies without training.
  /// - Throws: `.invalidArgument` for training that is not the strategy's, or has no data with targets.
  static func settled(
    _ options: PruneOptions, _ strategy: Strategy, _ granularity: Granularity
  ) throws(PruneError) -> TrainingPhase? {
    guard let allowedKinds = kinds[strategy] else {
      guard options.train == nil, options.trainData == nil else {
        throw PruneError(
          .invalidArgument,
          "train is the training of strategies 'penalty' and 'regularized', got strategy '\(strategy.rawValue)'",
          hint: "use recover = {…} for training after each step, or fit before pruning")
      }
      return nil
    }
    guard let data = options.trainData ?? options.data, data.y != nil else {
      let problem =
        (options.trainData ?? options.data).map { "data set '\($0.name)' has no targets" } ?? "there is none"
      throw PruneError(
        .invalidArgument, "strategy '\(strategy.rawValue)' trains on data with targets, and \(problem)",
        hint: "give data = …")
    }
    var train = options.train ?? options.recover ?? FitOptions()
    if options.train == nil {
      train.regularizers = []
      train.epochs = max(train.epochs, epochs)
    }
    if train.regularizers.isEmpty { train.regularizers = [implied(strategy, granularity, options.criterion)] }
    guard let first = train.regularizers.first(where: { allowedKinds.contains($0.kind) }) else {
      throw PruneError(
        .invalidArgument,
        "strategy '\(strategy.rawValue)' trains with \(allowedKinds.map(\.rawValue).joined(separator: ", ")), got \(train.regularizers.map(\.kind.rawValue).joined(separator: ", "))",
        hint: strategy == .penalty
          ? "strategy = \"regularized\" has the others" : "strategy = \"penalty\" has sign and sign_constraint")
    }
    if first.kind == .scales, let criterion = options.criterion, criterion != FilterImportance.Kind.scale.rawValue {
      throw PruneError(
        .invalidArgument,
        "bn_l1 drives scales of batch normalizations to zero, criterion '\(criterion)' does not look at them",
        hint: "leave criterion out, or use criterion = \"bn_scale\"")
    }
    for index in train.regularizers.indices where train.regularizers[index].scope.isEmpty {
      train.regularizers[index].scope = train.regularizers[index].kind == .scales ? [] : options.scope
    }
    train.cancel = train.cancel ?? options.cancel
    // A rate that spares the network would not move its weights to where they are to go.
    if train.lr == nil, let optimizer = Optimizer.Kind(rawValue: train.optimizer) {
      train.lr = Optimizer.defaultRate(optimizer)
    }
    return TrainingPhase(kind: first.kind, options: train, data: data, strategy: strategy)
  }

  private static func implied(_ strategy: Strategy, _ granularity: Granularity, _ criterion: String?) -> Regularizer {
    if strategy == .penalty { return Regularizer(.signConstraint, 0) }
    if criterion == FilterImportance.Kind.scale.rawValue { return Regularizer(.scales, 1e-4) }
    return granularity.isStructural ? Regularizer(.groupLasso, 1e-4) : Regularizer(.l1, 1e-4)
  }

  /// Network slimming: the scales of batch normalizations say what goes.
  var isSlimming: Bool { kind == .scales }

  /// The model after its training.
  /// - Parameter select: 1 where a weight of the given model is to go, for the kinds that grow on those alone. They are
  ///   zero afterwards.
  func run(
    _ model: Model, _ weights: PrunableWeights, select: (Model) throws(PruneError) -> [String: Tensor]
  ) throws(PruneError) -> Model {
    var result = model
    switch kind {
    case .greg1: try drive(&result, select(model), epochs: max(options.epochs, 1))
    case .greg2:
      // First all alike, until the curvature of the loss has told them apart; then those that stayed behind alone.
      let half = max(options.epochs / 2, 1)
      try train(&result, epochs: half) { $0.limit = min($0.limit, Self.picking) }
      try drive(&result, select(result), epochs: max(options.epochs - half, 1))
    case .sign, .signConstraint:
      let shared = try SharedWeights(weights.current(in: model)).names
      try train(&result, epochs: options.epochs) {
        if $0.scope.isEmpty, [.sign, .signConstraint].contains($0.kind) { $0.scope = shared }
      }
    default: try train(&result, epochs: options.epochs) { _ in }
    }
    return result
  }

  /// What recovery after the cut keeps: the constraint holds for what stays, and is lifted from what went, which has no
  /// sign any more.
  /// - Parameter weights: those of the model as it is when it is cut.
  func recovery(_ recover: FitOptions, _ weights: PrunableWeights) throws(PruneError) -> FitOptions {
    guard strategy == .penalty else { return recover }
    var recover = recover
    let shared = try SharedWeights(weights).names
    recover.regularizers += options.regularizers.filter { [.sign, .signConstraint].contains($0.kind) }.map {
      var kept = $0
      if kept.scope.isEmpty { kept.scope = shared }
      return kept
    }
    return recover
  }

  /// GReg-1: a growing pull on what was selected, which then is zero.
  private func drive(_ model: inout Model, _ selection: [String: Tensor], epochs: Int) throws(PruneError) {
    try train(&model, epochs: epochs) { regularizer in
      guard [.greg1, .greg2].contains(regularizer.kind) else { return }
      (regularizer.kind, regularizer.selection) = (.greg1, selection)
    }
    for (name, selected) in selection.sorted(by: { $0.key < $1.key }) {
      guard let tensor = model.graph.initializer(name) else { continue }
      model.graph.setInitializer(name, try tensor.zipped(with: selected) { $1 != 0 ? 0 : $0 })
    }
  }

  private func train(
    _ model: inout Model, epochs: Int, _ change: (inout Regularizer) -> Void
  ) throws(PruneError) {
    var settings = options
    settings.epochs = epochs
    let batches = (data.count + max(settings.batchSize, 1) - 1) / max(settings.batchSize, 1)
    for index in settings.regularizers.indices {
      change(&settings.regularizers[index])
      let regularizer = settings.regularizers[index]
      guard regularizer.isGrowing, regularizer.growth == 0 else { continue }
      let increases = Double(epochs * batches) * Self.rise / Double(max(regularizer.interval, 1))
      settings.regularizers[index].growth = max((regularizer.limit - regularizer.strength) / max(increases, 1), 1e-9)
    }
    // A selection of nothing pulls at nothing.
    settings.regularizers.removeAll { $0.kind == .greg1 && $0.selection.isEmpty }
    _ = try fit(&model, data, settings)
    try settings.cancel?.check()
  }
}
