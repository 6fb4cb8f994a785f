import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Trains a model on a dataset.
///
/// The graph stays as it is; only trained initializers (and running statistics of normalizations) are replaced.
/// Weights that pruning zeroed (`Model.maskedParameters`) stay exactly zero. The samples that do not fill the last batch
/// of an epoch make a smaller one.
///
/// - Returns: the history; see `History.report`. Stopped by `cancel` or `onEvent`, the model keeps the last complete
///   step and the history says so.
/// - Throws: `.mismatch` when data and model do not fit, `.invalidArgument` for options, `.unsupported` when nothing can
///   be trained, `.numeric` when the loss stops being a number. The model is then as it was.
package func fit(_ model: inout Model, _ data: Dataset, _ options: FitOptions) throws(PruneError) -> Report {
  let checked = try options.checked()
  var (training, validation) = (data, options.validation)
  if options.validationSplit > 0 {
    let parts = try data.split(test: options.validationSplit, seed: options.seed)
    (training, validation) = (parts.train, parts.test)
  }
  let setup = try FitSetup(model, training, options, checked)
  if let validation { _ = try DataCheck.check(validation, model, setup.loss) }
  var run = FitRun(setup: setup, data: training, validation: validation, options: options, checked: checked)
  let history = try run.train()
  model = setup.trainer.model()
  return history.report
}

/// The epochs and steps of one fit.
private struct FitRun {
  let setup: FitSetup
  let data: Dataset
  let validation: Dataset?
  let options: FitOptions
  let checked: FitOptions.Checked
  private var history = History()
  private var stepsDone = 0
  private let start = monotonicSeconds()

  init(
    setup: FitSetup, data: Dataset, validation: Dataset?, options: FitOptions, checked: FitOptions.Checked
  ) {
    self.setup = setup
    self.data = data
    self.validation = validation
    self.options = options
    self.checked = checked
  }

  private var stepsInAll: Int { checked.epochs * setup.batches.count }

  mutating func train() throws(PruneError) -> History {
    history.blocked = setup.blocked
    var random = RandomSource(seed: options.seed)
    for epoch in 1...checked.epochs {
      let order = options.shuffle ? random.permutation(data.count) : Array(0..<data.count)
      let epochStart = monotonicSeconds()
      var progress = Progress()
      for (index, range) in setup.batches.enumerated() {
        if options.cancel?.isRequested == true { history.ending = .cancelled }
        guard history.ending == nil else { break }
        try step(epoch, index, order[range], &progress)
      }
      try finish(epoch, progress, seconds: monotonicSeconds() - epochStart)
      if history.ending != nil { break }
    }
    history.steps = stepsDone
    history.seconds = monotonicSeconds() - start
    return history
  }

  private mutating func step(
    _ epoch: Int, _ index: Int, _ samples: ArraySlice<Int>, _ progress: inout Progress
  ) throws(PruneError) {
    let batch = try data.batch(samples)
    guard let targets = batch.y else { throw PruneError(.invalidArgument, "dataset '\(data.name)' has no targets") }
    let rate = checked.rate * checked.schedule.factor(step: stepsDone, of: stepsInAll)
    let (loss, prediction) = try setup.trainer.step(batch.x, targets, rate: rate)
    guard loss.isFinite else {
      throw PruneError(
        .numeric, "the loss is \(loss) at step \(index + 1) of epoch \(epoch), with lr \(rate)", at: "fit",
        hint: "lower lr, or check the data for NaN and the scale of its values; the model is as it was")
    }
    stepsDone += 1
    progress.add(loss, samples.count)
    if setup.loss.kind == .crossEntropy, let prediction {
      progress.correct += try Accuracy.correct(prediction, targets)
    }
    try notify(event(epoch, index + 1, progress, rate: rate))
  }

  private mutating func finish(_ epoch: Int, _ progress: Progress, seconds: Double) throws(PruneError) {
    guard progress.samples > 0 else { return }
    let accuracy = setup.loss.kind == .crossEntropy ? progress.accuracy : nil
    var entry = History.Epoch(number: epoch, loss: progress.loss, accuracy: accuracy, seconds: seconds)
    var last = event(epoch, setup.batches.count, progress, rate: checked.rate)
    // Stopped in the middle, nobody waits for a validation.
    if let validation, history.ending == nil {
      let scores = try setup.validate(validation, cancel: options.cancel)
      (entry.validationLoss, entry.validationAccuracy) = (scores?.loss, scores?.accuracy)
      if scores == nil { history.ending = .cancelled }
      (last.validationLoss, last.validationAccuracy) = (entry.validationLoss, entry.validationAccuracy)
    }
    history.epochs.append(entry)
    guard history.ending == nil else { return }
    last.isEpochEnd = true
    last.secondsElapsed = monotonicSeconds() - start
    try notify(last)
  }

  private mutating func notify(_ event: FitEvent) throws(PruneError) {
    if let listener = options.onEvent, try listener(event) { history.ending = .callback }
  }

  private func event(_ epoch: Int, _ step: Int, _ progress: Progress, rate: Double) -> FitEvent {
    let elapsed = monotonicSeconds() - start
    let left = Double(stepsInAll - stepsDone) / Double(max(stepsDone, 1))
    return FitEvent(
      epoch: epoch, epochs: checked.epochs, step: step, steps: setup.batches.count, loss: progress.loss,
      accuracy: setup.loss.kind == .crossEntropy ? progress.accuracy : nil, learningRate: rate,
      secondsElapsed: elapsed, etaSeconds: elapsed * left, isEpochEnd: false)
  }
}
