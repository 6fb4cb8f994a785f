import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Trains a model on a dataset.
///
/// The graph stays as it is; only trained initializers (and running statistics of normalizations) are replaced.
/// Weights that pruning zeroed (`Model.maskedParameters`) stay exactly zero; with `palettes` weights that are equal
/// stay so. The samples that do not fill the last batch of an epoch make a smaller one. Samples without targets are
/// learnt from a teacher alone, where there is one.
///
/// - Returns: the history; see `History.report`. Stopped by `cancel` or `onEvent`, the model keeps the last complete
///   step and the history says so.
/// - Throws: `.mismatch` when data and model do not fit, `.invalidArgument` for options, `.unsupported` when nothing
///   can be trained: the model is then as it was. `.numeric` when the loss or a gradient stops being a number, naming
///   the step and the parameter whose gradient is largest: the model then has the weights of the step before.
package func fit(_ model: inout Model, _ data: Dataset, _ options: FitOptions) throws(PruneError) -> Report {
  let threads = Parallel.threads
  // oneDNN sums the gradients of convolutions in as many parts as there are threads, and chooses its kernels by their
  // number.
  if options.isDeterministic { Parallel.threads = 1 }
  defer { if options.isDeterministic { Parallel.threads = threads } }
  var report = try fitted(&model, data, options)
  report["seed"] = .integer(Int(bitPattern: UInt(options.seed)))
  report["threads"] = .integer(Parallel.threads)
  return report
}

private func fitted(_ model: inout Model, _ data: Dataset, _ options: FitOptions) throws(PruneError) -> Report {
  if let communicator = options.communicator { try communicator.agree("fit", options.shared(model, data)) }
  let communicator = options.communicator, original = model, whole = data
  let prepared = try communicator.each { () throws(PruneError) in try PreparedFit(original, whole, options) }
  var run = prepared.run
  do {
    let history = try run.train()
    model = try prepared.trained()
    return history.report
  } catch {
    // What cannot be folded was no number from the start: the model stays as it was.
    if error.status == .numeric, let kept = try? prepared.trained() { model = kept }
    throw error
  }
}

/// A fit that can begin: everything that data, model and options have to be is checked.
private struct PreparedFit {
  let run: FitRun
  private let source: Model
  private let restored: RestoredNormalization?
  private let shared: (model: Model, indices: [String: Tensor])?

  init(_ model: Model, _ data: Dataset, _ options: FitOptions) throws(PruneError) {
    let checked = try options.checked()
    let (options, data) = try options.withTeachersAnswers(for: model, data)
    var (training, validation) = (data, options.validation)
    if options.validationSplit > 0 {
      let parts = try data.split(test: options.validationSplit, seed: options.seed)
      (training, validation) = (parts.train, parts.test)
    }
    let warnings =
      options.validationSplit > 0
      ? try DataCheck.emptyClasses(of: data, training: training, validation: validation) : []
    training = try mixable(training, model, options)
    source = model
    restored = try PruneTraining.restored(source, training, options, checked)
    shared = options.palettes ? try SharedValues.split(source, frozen: options.frozen) : nil
    let setup = try FitSetup(shared?.model ?? restored?.model ?? source, training, options, checked)
    if let validation { _ = try DataCheck.check(validation, model, setup.loss) }
    var run = FitRun(setup: setup, data: training, validation: validation, options: options, checked: checked)
    run.warn(warnings)
    if let restored { run.restored(restored.count) }
    self.run = run
  }

  /// The model with the weights as they are now.
  func trained() throws(PruneError) -> Model {
    let model = run.setup.trainer.model()
    if let shared { return try SharedValues.joined(model, shared.indices, as: source) }
    return try restored?.folded(model) ?? model
  }
}

/// The model with its folded normalizations back, when that is wanted.
private func restored(
  _ model: Model, _ data: Dataset, _ options: FitOptions, _ checked: FitOptions.Checked
) throws(PruneError) -> RestoredNormalization? {
  guard options.restoresNormalization else { return nil }
  guard !options.palettes else {
    throw PruneError(
      .invalidArgument,
      "both batch_norm and palettes are given: weights that are scaled do not keep the values they share", at: "fit",
      hint: "give one of them")
  }
  return try RestoredNormalization(
    model, data, batchSize: checked.batchSize, frozen: options.frozen, cancel: options.cancel)
}

/// Targets that can be mixed where they have to be: class numbers become rows.
private func mixable(_ data: Dataset, _ model: Model, _ options: FitOptions) throws(PruneError) -> Dataset {
  guard let augmentation = options.augmentation else { return data }
  try augmentation.check()
  guard augmentation.mixes, let targets = data.y, targets.dtype == .int64 else { return data }
  try Augmentation.check(targets, of: data)
  let loss = try TrainingLoss(
    options.loss, model: model, targets: targets.dtype, form: data.targetForm, output: options.output,
    options.lossSettings)
  _ = try DataCheck.check(data, model, loss)
  let declared = loss.output.type?.dims.flatMap { $0.count > 1 ? $0[1].value : nil }
  return try data.oneHot(declared ?? data.classCount ?? 0)
}

extension FitOptions {
  /// What all ranks must have alike before they fit together.
  fileprivate func shared(_ model: Model, _ data: Dataset) -> [SharedFact] {
    var weights = Fingerprint(), samples = Fingerprint(), settings = Fingerprint()
    weights.add(model)
    for column in data.columns { for extent in column.dims { samples.add(extent) } }
    // The targets stand for the samples: those may be a folder of images.
    if let targets = data.y { samples.add(targets) }
    let numbers = [
      lr ?? -1, momentum, beta1, beta2, rho, epsilon, weightDecay, clipNorm, clipValue, gamma, validationSplit,
      dropout ?? -1, stopping.minDelta, lossSettings.labelSmoothing, lossSettings.delta,
    ]
    for number in numbers + lossSettings.classWeights { settings.add(number) }
    for count in [warmup, stepEpochs, patience, stopping.patience, checkpointEpochs, validation?.count ?? -1] {
      settings.add(count)
    }
    let flags = [
      nesterov, recomputes, palettes, keepsZeros, restoresNormalization, augmentation != nil, shuffle, isDeterministic,
      distillation != nil, stopping.restoresBest, onCheckpoint != nil,
    ]
    for flag in flags { settings.add(flag) }
    for text in [optimizer, loss ?? "", output ?? "", schedule, stopping.monitor ?? ""] + frozen { settings.add(text) }
    for regularizer in regularizers { settings.add(regularizer.strength) }
    if case .checkpoint(let state) = resume { settings.add(state.epoch) }
    return [
      .count("the number of samples", data.count), .count("epochs", epochs), .count("batch_size", batchSize),
      .count("seed", Int(bitPattern: UInt(seed))), .hash("the model", weights), .hash("the data", samples),
      .hash("an option", settings),
    ]
  }
}
