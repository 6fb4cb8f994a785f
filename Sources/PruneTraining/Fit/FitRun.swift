import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// The epochs and steps of one fit.
struct FitRun {
  @Boxed var setup: FitSetup
  let data: Dataset
  let validation: Dataset?
  @Boxed var options: FitOptions
  let checked: FitOptions.Checked
  var history = History()
  var stepsDone = 0
  private var plateau: Plateau
  private var stopping: Plateau
  private var rateFactor = 1.0
  /// What the schedule changes, and whether it was found for the network.
  var rate: Double
  var isRateFound = false
  /// The network before the fit, on samples that stay the same.
  let probe: FitProbe?
  var standing: FitStanding?
  /// The last loss on them, and whether it is that of the weights as they are.
  var probed: (loss: Double, isCurrent: Bool)?
  /// Weights of before the fit, and those of the last epoch's end, which were numbers.
  private(set) var before: [String: Tensor] = [:]
  private var lastFinite: [String: Tensor] = [:]
  private var bestWeights: [String: Tensor]?
  private let start = monotonicSeconds()

  init(setup: FitSetup, data: Dataset, validation: Dataset?, options: FitOptions, checked: FitOptions.Checked) {
    self.setup = setup
    self.data = data
    self.validation = validation
    self.options = options
    self.checked = checked
    rate = checked.rate
    probe = FitProbe(setup, data, validation: validation, seed: options.seed)
    plateau = Plateau(isRising: checked.monitor.isRising)
    stopping = Plateau(isRising: checked.monitor.isRising, minDelta: options.stopping.minDelta)
    if case .checkpoint(let state) = options.resume {
      rateFactor = state.rateFactor
      plateau.restore(best: state.plateau.best ?? .nan, epochsWithout: state.plateau.epochsWithout)
      stopping.restore(best: state.stopping.best ?? .nan, epochsWithout: state.stopping.epochsWithout)
    }
  }

  mutating func warn(_ warnings: [String]) { history.warnings += warnings }

  /// Says how many normalizations are there while the model is trained.
  mutating func restored(_ count: Int) {
    history.restoredNormalizations = count
    if count == 0 { warn(["batch_norm: there is no convolution to normalize"]) }
  }

  private var stepsInAll: Int { checked.epochs * setup.batches.count }

  mutating func train() throws(PruneError) -> History {
    history.blocked = setup.blocked
    history.warnings += setup.warnings
    before = setup.trainer.weights()
    lastFinite = before
    if case .checkpoint = options.resume {} else { standing = try FitStanding(probe, cancel: options.cancel) }
    try settleRate()
    var random = RandomSource(seed: options.seed)
    // A resumed fit repeats the random draws of the fit before, and continues.
    for _ in 0..<min(setup.epochsDone, checked.epochs) where options.shuffle { _ = random.permutation(data.count) }
    stepsDone = setup.epochsDone * setup.batches.count
    for epoch in (setup.epochsDone + 1)..<max(checked.epochs + 1, setup.epochsDone + 1) {
      let order = options.shuffle ? random.permutation(data.count) : Array(0..<data.count)
      let epochStart = monotonicSeconds()
      let progress = try epoch == setup.epochsDone + 1 ? self.first(epoch, order) : pass(epoch, order)
      try finish(epoch, progress, seconds: monotonicSeconds() - epochStart)
      if history.ending != nil { break }
      lastFinite = setup.trainer.weights()
    }
    if let bestWeights, history.ending.map({ !$0.isInterruption }) ?? true {
      try setup.trainer.restore(bestWeights)
      probed?.isCurrent = false
    }
    try compareWithBefore()
    if let warning = setup.zeros.warning(after: setup.trainer.weights()) { warn([warning]) }
    history.rate = rate
    history.steps = stepsDone
    history.workingByteCount = setup.trainer.workingByteCount
    history.seconds = monotonicSeconds() - start
    return history
  }

  /// The steps of an epoch.
  mutating func pass(_ epoch: Int, _ order: [Int]) throws(PruneError) -> Progress {
    var progress = Progress()
    for (index, range) in setup.batches.enumerated() {
      // Ranks ask each other after the step.
      if setup.communicator == nil, options.cancel?.isRequested == true { history.ending = .cancelled }
      guard history.ending == nil else { break }
      try step(epoch, index, order[range], &progress)
    }
    probed?.isCurrent = false
    try setup.trainer.synchronize()
    guard try setup.trainer.nonFinite().isEmpty else {
      throw self.failure(progress.loss, [], "the end of epoch \(epoch)", rate: rate * rateFactor)
    }
    return progress
  }

  private mutating func step(
    _ epoch: Int, _ index: Int, _ samples: ArraySlice<Int>, _ progress: inout Progress
  ) throws(PruneError) {
    let factor =
      rateFactor * checked.schedule.factor(step: stepsDone, of: stepsInAll, perEpoch: setup.batches.count)
    let part = setup.communicator?.part(of: samples.count) ?? 0..<samples.count
    let share = try self.share(of: samples, part)
    var targets: Tensor?
    let outcome = try setup.trainer.step(factor: factor, share: share) { () throws(PruneError) in
      let batch = try self.batch(samples, part)
      targets = batch.y
      return batch
    }
    if let failure = outcome.failure {
      throw self.failure(outcome.loss, failure, "step \(index + 1) of epoch \(epoch)", rate: rate * factor)
    }
    stepsDone += 1
    progress.add(outcome.loss, samples.count)
    if setup.loss.isClassifier {
      var counts = (correct: 0, decided: 0)
      if !part.isEmpty, let prediction = outcome.prediction, let targets {
        counts = try Accuracy.counts(prediction, targets)
      }
      if let communicator = setup.communicator {
        let sums = try communicator.sum([counts.correct, counts.decided])
        counts = (sums[0], sums[1])
      }
      progress.add(counts)
    }
    try notify(event(epoch, index + 1, progress, rate: rate * factor))
  }

  /// This rank's samples of a batch; the first where it has none, for its shape.
  private func batch(_ samples: ArraySlice<Int>, _ part: Range<Int>) throws(PruneError) -> Dataset {
    func rows(_ part: Range<Int>) throws(PruneError) -> Dataset {
      let (first, last) = (samples.startIndex + part.lowerBound, samples.startIndex + part.upperBound)
      // In the order of the data nothing needs to be copied.
      return try options.shuffle ? data.batch(samples[first..<last]) : data.rows(first, last)
    }
    let part = part.isEmpty ? 0..<1 : part
    guard let augmentation = options.augmentation else { return try rows(part) }
    // Seeded by the number of the step: a resumed fit draws the same. For the whole batch, as samples may be mixed.
    var random = RandomSource(seed: options.seed).fork(UInt64(stepsDone) &+ 0xA06)
    let whole = try augmentation.apply(rows(0..<samples.count), random: &random)
    return part.count == samples.count ? whole : try whole.rows(part.lowerBound, part.upperBound)
  }

  /// How much this rank's samples count in the mean over a batch: their number, or with class weights their weight.
  private func share(of samples: ArraySlice<Int>, _ part: Range<Int>) throws(PruneError) -> Double {
    guard let communicator = setup.communicator else { return 1 }
    guard !options.lossSettings.classWeights.isEmpty else { return Double(part.count) / Double(samples.count) }
    let local = try setup.communicator.each { () throws(PruneError) in
      part.isEmpty ? 0 : try weight(of: batch(samples, part).y)
    }
    let all = try communicator.sum([local])[0]
    return all > 0 ? local / all : Double(part.count) / Double(samples.count)
  }

  /// The class weights of labels, or of rows of targets, together.
  private func weight(of targets: Tensor?) throws(PruneError) -> Double {
    guard let targets else { return 0 }
    let weights = options.lossSettings.classWeights
    if targets.dtype == .int64 {
      return try targets.array(of: Int64.self).reduce(0) {
        $0 + (weights.indices.contains(Int($1)) ? weights[Int($1)] : 0)
      }
    }
    return try targets.array(of: Float.self).enumerated().reduce(0) {
      $0 + weights[$1.offset % weights.count] * Double($1.element)
    }
  }

  /// What to say when numbers ran away: the largest gradient, or the first that is none, tells where.
  private mutating func failure(
    _ loss: Double, _ gradients: [(parameter: String, norm: Float)], _ place: String, rate: Double
  ) -> PruneError {
    let worst = gradients.first { !$0.norm.isFinite } ?? gradients.max { $0.norm < $1.norm }
    var message = loss.isFinite ? "a gradient is not finite" : "the loss is \(loss)"
    message += " at \(place), with lr \(rate)"
    if let worst {
      let layer = setup.trainer.layer(of: worst.parameter)
      message +=
        "; the largest gradient is that of '\(worst.parameter)'\(layer.map { " (\($0))" } ?? ""): \(worst.norm)"
    }
    if let name = try? setup.trainer.nonFinite().first { message += "; '\(name)' is not finite" }
    // The steps before let them run away, which only this one could see.
    try? setup.trainer.fallBack(to: lastFinite)
    let kept =
      history.epochs.isEmpty
      ? "the model is as it was before the fit"
      : "the model is as it was at the end of epoch \(history.epochs.count + setup.epochsDone)"
    return PruneError(
      .numeric, message, at: "fit",
      hint: "lower lr, set clip_norm, or check the data for NaN and the scale of its values; \(kept)")
  }

  private mutating func finish(_ epoch: Int, _ progress: Progress, seconds: Double) throws(PruneError) {
    guard progress.samples > 0 else { return }
    let accuracy = setup.loss.isClassifier ? progress.accuracy : nil
    var entry = History.Epoch(number: epoch, loss: progress.loss, accuracy: accuracy, seconds: seconds)
    var last = event(epoch, setup.batches.count, progress, rate: rate * rateFactor)
    // A cancelled epoch is not validated.
    if let validation, history.ending == nil {
      let scores = try setup.validate(validation, cancel: options.cancel)
      (entry.validationLoss, entry.validationAccuracy) = (scores?.loss, scores?.accuracy)
      if scores == nil { history.ending = .cancelled }
      (last.validationLoss, last.validationAccuracy) = (entry.validationLoss, entry.validationAccuracy)
    }
    history.epochs.append(entry)
    guard history.ending == nil else { return }
    try checkStopping(entry)
    // All ranks have the same state: one writes it.
    let saves = setup.communicator.rank == 0
    if let save = options.onCheckpoint, epoch % max(options.checkpointEpochs, 1) == 0 || epoch == checked.epochs {
      let trainer = setup.trainer
      try setup.communicator.each { () throws(PruneError) in
        guard saves else { return }
        try save(
          FitState(
            epoch: epoch, parameters: trainer.weights(), optimizer: trainer.optimizerState(), rate: rate,
            rateFactor: rateFactor, plateau: plateau, stopping: stopping))
      }
    }
    last.isEpochEnd = true
    last.secondsElapsed = monotonicSeconds() - start
    try notify(last)
  }

  /// Notes the best epoch; lowers the rate or ends the fit when no epoch has improved for the patience.
  private mutating func checkStopping(_ epoch: History.Epoch) throws(PruneError) {
    if checked.schedule.kind == .plateau, !plateau.improves(try checked.monitor.value(of: epoch)),
      plateau.epochsWithout >= checked.schedule.patience
    {
      rateFactor *= checked.schedule.gamma
      plateau.rest()
    }
    guard options.stopping.patience > 0 || options.stopping.restoresBest else { return }
    if stopping.improves(try checked.monitor.value(of: epoch)) {
      history.bestEpoch = epoch.number
      if options.stopping.restoresBest { bestWeights = setup.trainer.weights() }
    } else if options.stopping.patience > 0, stopping.epochsWithout >= options.stopping.patience {
      history.ending = .earlyStopping
    }
  }

  private mutating func notify(_ event: FitEvent) throws(PruneError) {
    guard let communicator = setup.communicator else {
      if let listener = options.onEvent, try listener(event) { history.ending = .callback }
      return
    }
    // What one rank is told or asks for holds for all.
    let endings: [History.Ending?] = [nil, .earlyStopping, .callback, .cancelled]
    var failure: PruneError?
    do throws(PruneError) {
      if let listener = options.onEvent, try listener(event) { history.ending = .callback }
    } catch { failure = error }
    if options.cancel?.isRequested == true { history.ending = .cancelled }
    let local = failure == nil ? endings.firstIndex(of: history.ending) ?? 0 : endings.count
    let worst = try communicator.max([local])[0]
    guard worst < endings.count else { return try communicator.settle(failure) }
    history.ending = endings[worst]
  }

  private func event(_ epoch: Int, _ step: Int, _ progress: Progress, rate: Double) -> FitEvent {
    let elapsed = monotonicSeconds() - start
    let done = stepsDone - setup.epochsDone * setup.batches.count
    let left = Double(stepsInAll - stepsDone) / Double(max(done, 1))
    return FitEvent(
      epoch: epoch, epochs: checked.epochs, step: step, steps: setup.batches.count, loss: progress.loss,
      accuracy: setup.loss.isClassifier ? progress.accuracy : nil, learningRate: rate,
      secondsElapsed: elapsed, etaSeconds: elapsed * left, isEpochEnd: false)
  }
}
