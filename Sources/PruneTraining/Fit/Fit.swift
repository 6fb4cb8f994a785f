import PruneData
import PruneEvaluation
import PruneGraph
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
  let checked = try options.checked()
  let (options, data) = try options.withTeachersAnswers(for: model, data)
  var (training, validation) = (data, options.validation)
  if options.validationSplit > 0 {
    let parts = try data.split(test: options.validationSplit, seed: options.seed)
    (training, validation) = (parts.train, parts.test)
  }
  let warnings =
    options.validationSplit > 0 ? try DataCheck.emptyClasses(of: data, training: training, validation: validation) : []
  training = try mixable(training, model, options)
  let source = model
  let restored = try restored(source, training, options, checked)
  let shared = options.palettes ? try SharedValues.split(source, frozen: options.frozen) : nil
  let setup = try FitSetup(shared?.model ?? restored?.model ?? source, training, options, checked)
  if let validation { _ = try DataCheck.check(validation, model, setup.loss) }
  var run = FitRun(setup: setup, data: training, validation: validation, options: options, checked: checked)
  run.warn(warnings)
  if let restored { run.restored(restored.count) }
  func trained() throws(PruneError) -> Model {
    let model = setup.trainer.model()
    if let shared { return try SharedValues.joined(model, shared.indices, as: source) }
    return try restored?.folded(model) ?? model
  }
  do {
    let history = try run.train()
    model = try trained()
    return history.report
  } catch {
    // What cannot be folded was no number from the start: the model stays as it was.
    if error.status == .numeric, let kept = try? trained() { model = kept }
    throw error
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
  let loss = try TrainingLoss(
    options.loss, model: model, targets: targets.dtype, output: options.output, options.lossSettings)
  _ = try DataCheck.check(data, model, loss)
  let declared = loss.output.type?.dims.flatMap { $0.count > 1 ? $0[1].value : nil }
  return try data.oneHot(declared ?? data.classCount ?? 0)
}
