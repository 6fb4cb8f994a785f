import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// The preparation of a fit: loss, parameters and batches, checked for contradictions.
struct FitSetup {
  let loss: TrainingLoss
  let trainer: Trainer
  /// Positions, in the order of an epoch, of the samples of each batch.
  let batches: [Range<Int>]
  let blocked: [Autodiff.Blocked]
  /// The weights that hold zeros which nothing keeps.
  let zeros: ZeroCensus
  /// What a checkpoint did before.
  let epochsDone: Int
  private(set) var warnings: [String] = []
  /// Whether the model takes batches of one size only.
  let isFixed: Bool
  /// Samples that are scored at once: a batch, or a rank's part of it for a model of one size.
  let scoreSize: Int
  let communicator: Communicator?

  init(
    _ source: Model, _ data: Dataset, _ options: FitOptions, _ checked: FitOptions.Checked
  ) throws(PruneError) {
    if let ratio = options.dropout, !(ratio >= 0 && ratio < 1) {
      throw PruneError(.invalidArgument, "dropout is \(ratio), wanted 0..<1")
    }
    communicator = options.communicator
    let ranks = communicator.size
    guard data.count >= ranks else {
      throw PruneError(
        .invalidArgument, "there are \(ranks) ranks, dataset '\(data.name)' has \(data.count) samples", at: "fit",
        hint: "start at most one rank a sample")
    }
    guard ranks == 1 || options.lossSettings.classWeights.isEmpty || options.distillation == nil else {
      throw PruneError(
        .unsupported, "class_weights and a teacher are given, and the fit is shared by \(ranks) ranks", at: "fit",
        hint: "their means over a batch are of different weights: leave one of them out")
    }
    let (model, optimizerState, epochs) = try Self.resumed(source, options.resume)
    epochsDone = epochs
    guard let targets = data.y else {
      throw PruneError(.invalidArgument, "dataset '\(data.name)' has no targets to train on")
    }
    loss = try TrainingLoss(
      options.loss, model: model, targets: data.classCount == nil ? targets.dtype : .int64, form: data.targetForm,
      output: options.output, options.lossSettings)
    if options.lossSettings.graph == nil,
      let warning = data.warning(ofLoss: options.loss, isChance: loss.kind == .binaryCrossEntropy)
    {
      warnings.append(warning)
    }
    let inputBinding = try DataCheck.check(data, model, loss), fixed = inputBinding.fixedBatch
    let parameters = try TrainableParameters.names(in: model, frozen: options.frozen)
    let untrainable = try UntrainableWeight.all(in: model)
    guard !parameters.isEmpty else {
      let note = untrainable.first.map { "; '\($0.name)' \($0.reason)" } ?? ""
      throw PruneError(
        .unsupported, "there is nothing to train: no float32 weight is left\(note)", at: "fit",
        hint: !options.frozen.isEmpty
          ? "freeze fewer parameters"
          : model.hasOtherFloatWeights
            ? "its weights have another precision: quantize{scheme = \"float32\"} makes them float32"
            : "is the model quantized?")
    }
    let statistics = Self.statistics(of: model, trained: Set(parameters))
    let plan = TrainingGraph.Plan(
      model: model, inputBinding: inputBinding, loss: loss, optimizer: checked.optimizer,
      groups: try ParameterGroups(
        options.groups, parameters: parameters, rate: checked.rate, decay: checked.optimizer.weightDecay),
      clipNorm: options.clipNorm, parameters: parameters,
      masks: try Self.masks(of: model, parameters, keepsZeros: options.keepsZeros), statistics: statistics,
      penalties: try Penalties(options.regularizers, model: model, parameters: parameters),
      // Ranks drop different values.
      dropout: TrainingDropout(
        ratio: options.dropout, seed: options.seed &+ UInt64(communicator.rank) &* 0x9E37_79B9_7F4A_7C15),
      distillation: try Self.distillation(
        options, model, loss, data, inputBinding, batch: min(checked.batchSize, data.count)),
      recomputes: options.recomputes)
    trainer = try Trainer(plan, resuming: optimizerState, communicator: communicator)
    zeros = ZeroCensus(trainer.weights(), parameters, masked: Set(plan.masks.keys))
    if let optimizerState, optimizerState.optimizer != checked.optimizer.kind.rawValue {
      warnings.append(
        "the state to resume is of \(optimizerState.optimizer), the optimizer is \(checked.optimizer.kind.rawValue): it starts anew"
      )
    }

    // A graph that was made for one batch size may take others; if not, it gets its own.
    let requested = min(checked.batchSize, data.count)
    let (graph, localBatch, isFixed) = try Self.graph(
      trainer, data, targets, batch: (requested + ranks - 1) / ranks, fixed: fixed)
    let size = isFixed ? localBatch * ranks : requested
    scoreSize = isFixed ? localBatch : size
    blocked = untrainable.map(\.blocked) + graph.blocked
    try DataCheck.checkLabels(data, targets, loss, classes: graph.classes)
    self.isFixed = isFixed
    guard !graph.gradients.isEmpty else {
      let first = graph.blocked.first.map { "\($0.node) \($0.reason)" } ?? "the loss depends on none of them"
      throw PruneError(
        .unsupported, "none of the \(parameters.count) parameters can be trained: \(first)", at: "fit")
    }
    // Statistics of a single sample may be no statistics at all.
    let smallest = isFixed ? size : statistics.isEmpty || size == 1 ? 1 : 2 * ranks
    guard ranks == 1 || isFixed || statistics.isEmpty || size >= smallest else {
      throw PruneError(
        .invalidArgument, "a batch of \(size) leaves \(ranks) ranks too little for the statistics of normalizations",
        at: "fit", hint: "use batch_size = \(smallest) or more, or freeze the normalizations")
    }
    batches = stride(from: 0, to: data.count, by: size).map { $0..<min($0 + size, data.count) }
      .filter { $0.count >= smallest }
    guard !batches.isEmpty else {
      throw PruneError(
        .mismatch, "the model is made for batches of \(size), dataset '\(data.name)' has \(data.count) samples")
    }
  }

  /// The model to start from, the optimizer's state and how many epochs are done.
  private static func resumed(
    _ model: Model, _ resume: FitOptions.Resume
  ) throws(PruneError) -> (Model, OptimizerState?, epochs: Int) {
    switch resume {
    case .never: return (model, nil, 0)
    case .optimizer:
      guard let state = model.optimizerState else {
        throw PruneError(
          .notFound, "the model has no optimizer state to resume",
          hint: "it keeps that of its last fit until it is saved")
      }
      return (model, state, 0)
    case .checkpoint(let state):
      var result = model
      for (name, tensor) in state.parameters.sorted(by: { $0.key < $1.key }) {
        // The adaptors that distillation trained with the model; see `DistillationPlan`.
        if name.hasPrefix("adaptor/"), !model.graph.hasInitializer(name) { continue }
        guard let old = model.graph.initializer(name), old.dtype == tensor.dtype, old.shape == tensor.shape else {
          throw PruneError(
            .mismatch,
            "the checkpoint's '\(name)' is \(tensor.dtype.name) \(tensor.shape), the model's \(model.graph.initializer(name).map { "\($0.dtype.name) \($0.shape)" } ?? "is missing")",
            at: "resume",
            hint: "the checkpoint was written before units were removed, or by another network: train on without it, "
              + "and it is written anew")
        }
        // What was pruned since the checkpoint was written stays so.
        let isMasked = model.maskedParameters.contains(name) && old.dtype == .float32
        result.graph.setInitializer(name, isMasked ? try Self.masked(tensor, as: old) : tensor)
      }
      return (result, state.optimizer, state.epoch)
    }
  }

  /// Zero wherever another tensor of that shape is.
  private static func masked(_ tensor: Tensor, as old: Tensor) throws(PruneError) -> Tensor {
    var result = tensor
    try old.withSpan(of: Float.self) { zeros throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { values throws(PruneError) in
        for index in values.indices where zeros[index] == 0 { values[index] = 0 }
      }
    }
    return result
  }

  private static func distillation(
    _ options: FitOptions, _ model: Model, _ loss: TrainingLoss, _ data: Dataset, _ inputBinding: InputBinding,
    batch: Int
  ) throws(PruneError) -> DistillationPlan? {
    guard let distillation = options.distillation else { return nil }
    var restored: [String: Tensor] = [:]
    if case .checkpoint(let state) = options.resume { restored = state.parameters }
    let fixed = inputBinding.fixedBatch
    func settled(_ count: Int) throws(PruneError) -> DistillationPlan {
      try DistillationPlan(
        distillation, student: model, inputBinding, loss: loss, data, batch: count, seed: options.seed,
        restored: restored)
    }
    do { return try settled(batch) } catch {
      guard let fixed, fixed > 0, fixed != batch, error.status == .mismatch else { throw error }
      return try settled(fixed)
    }
  }

  /// The graph for whole batches: of the wanted size, or of the size that the model fixes when it takes no other.
  private static func graph(
    _ trainer: Trainer, _ data: Dataset, _ targets: Tensor, batch: Int, fixed: Int?
  ) throws(PruneError) -> (LossGraph, size: Int, isFixed: Bool) {
    do {
      return (try trainer.graph(data, targets, count: batch).parts, batch, false)
    } catch {
      guard let fixed, fixed > 0, fixed != batch, error.status == .mismatch else { throw error }
      return (try trainer.graph(data, targets, count: fixed).parts, fixed, true)
    }
  }

  /// Running means and variances of the normalizations that have something to train.
  private static func statistics(of model: Model, trained: Set<String>) -> Set<String> {
    var result: Set<String> = []
    for node in model.graph.nodes where node.isStandard && node.opType == "BatchNormalization" {
      guard let mean = node.input(3), let variance = node.input(4),
        [1, 2].contains(where: { node.input($0).map(trained.contains) ?? false }),
        [mean, variance].allSatisfy({ model.graph.initializer($0)?.dtype == .float32 })
      else { continue }
      result.formUnion([mean, variance])
    }
    return result
  }

  /// 1 where a pruned parameter has a weight left, 0 where it was removed.
  /// - Parameter keepsZeros: whether every weight with a zero counts as pruned.
  private static func masks(
    of model: Model, _ parameters: [String], keepsZeros: Bool
  ) throws(PruneError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    let masked = Set(model.maskedParameters)
    for name in parameters {
      guard let weight = model.graph.initializer(name),
        masked.contains(name) || keepsZeros && weight.shape.rank > 1 && weight.nonzeroCount < weight.count
      else { continue }
      var mask = try Tensor(zeros: .uint8, weight.shape)
      try weight.withSpan(of: Float.self) { values throws(PruneError) in
        try mask.withMutableSpan(of: UInt8.self) { bits throws(PruneError) in
          for index in 0..<values.count { bits[index] = values[index] == 0 ? 0 : 1 }
        }
      }
      result[name] = mask
    }
    return result
  }

  /// Loss and accuracy of the weights as they are, nil when cancelled.
  func validate(
    _ data: Dataset, cancel: CancelFlag?
  ) throws(PruneError) -> (loss: Double, accuracy: Double?)? {
    var progress = Progress(), isStopped = false
    let size = scoreSize
    try communicator.each { () throws(PruneError) in
      for (index, first) in stride(from: 0, to: data.count, by: size).enumerated() where communicator.owns(index) {
        // A model of one batch size leaves out what does not fill the last batch.
        let last = min(first + size, data.count)
        if isFixed, last - first < size { break }
        isStopped = cancel?.isRequested == true
        if isStopped { break }
        let batch = try data.rows(first, last)
        guard let targets = batch.y else { continue }
        let (loss, prediction) = try trainer.score(batch, targets, cancel: nil)
        progress.add(loss, last - first)
        if self.loss.isClassifier, let prediction { progress.add(try Accuracy.counts(prediction, targets)) }
      }
    }
    if let communicator { isStopped = try progress.sum(over: communicator, isStopped: isStopped) }
    guard !isStopped, data.y != nil else { return nil }
    return (progress.loss, loss.isClassifier ? progress.accuracy : nil)
  }
}
