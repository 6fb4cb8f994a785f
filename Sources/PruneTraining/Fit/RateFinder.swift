import PruneData
import PruneRuntime
import PruneTensor

/// A learning rate that does not ruin a trained network: a range test (Smith 2017).
///
/// The rate rises from step to step while a few batches come round again. What their losses are with the weights as
/// they were is measured first, so that no difference between batches is taken for one between rates. The largest rate
/// before the losses rise, divided by a margin, is tried: some steps with it, and then the loss of the network as it is
/// used, whose normalizations take the statistics that moved along. Where that is worse, a quarter of the rate is tried.
/// Afterwards the trainer is as it was.
struct RateFinder {
  let setup: FitSetup
  let data: Dataset
  let probe: FitProbe?
  let standing: FitStanding
  let seed: UInt64
  let cancel: CancelFlag?
  /// The optimizer's own rate: never more.
  let bound: Double

  /// What a fit of many steps is to stay below the rate that a few steps bore.
  private static let margin = 4.0
  /// The first rate of the test is the bound divided by this.
  private static let span = 2000.0
  /// Steps of a test, and the share of an epoch that it may take beyond the fewest.
  private static let steps = (fewest: 8, most: 24, share: 8)
  private static let distinct = 8
  /// How often a rate is divided by the margin when steps with it make the network worse.
  private static let trials = 4

  struct Outcome {
    let rate: Double
    let reason: String
  }

  /// Nil when cancelled.
  func find() throws(PruneError) -> Outcome? {
    let size = setup.scoreSize
    let budget = setup.batches.count / Self.steps.share
    let steps = min(max(budget, Self.steps.fewest), Self.steps.most)
    let count = max(min(steps / 3, Self.distinct, data.count / size), 1)
    var random = RandomSource(seed: seed).fork(0x2A7E)
    let order = random.permutation(data.count)
    var batches: [Dataset] = []
    for index in 0..<count { batches.append(try data.batch(order[index * size..<(index + 1) * size])) }
    let start = setup.trainer.snapshot()
    var losses: [Double] = []
    for batch in batches {
      if try isStopped() { return nil }
      setup.trainer.setRate(0)
      losses.append(try setup.trainer.step(batch, factor: 1).loss)
      try setup.trainer.restore(start)
    }
    let largest = try largest(batches, losses, steps)
    try setup.trainer.restore(start)
    guard let largest else { return nil }
    let first = largest.isRisen ? min(bound, largest.rate / Self.margin) : bound
    guard let borne = try borne(first, order, size, steps: min(steps, setup.batches.count), start) else { return nil }
    let name =
      first < bound
      ? "a quarter of the largest rate that did not raise the loss in a range test of \(steps) steps"
      : "the optimizer's own, at which the loss did not rise in a range test of \(steps) steps"
    let trial =
      borne == first
      ? "the trained network bore it for \(min(steps, setup.batches.count)) steps"
      : "divided by \(Int((first / borne).rounded())), with which the trained network got no worse in a trial"
    return Outcome(rate: borne, reason: "\(name); \(trial)")
  }

  /// The rate, or a part of it, at which steps do not make the network (in inference) worse; nil when cancelled.
  private func borne(
    _ first: Double, _ order: [Int], _ size: Int, steps: Int, _ start: Trainer.Snapshot
  ) throws(PruneError) -> Double? {
    guard let probe else { return first }
    var rate = first
    for _ in 0..<Self.trials {
      setup.trainer.setRate(rate)
      var isFinite = true
      for step in 0..<steps where isFinite {
        if try isStopped() { return nil }
        let samples = (0..<size).map { order[(step * size + $0) % order.count] }
        isFinite = try setup.trainer.step(try data.batch(samples[...]), factor: 1).failure == nil
      }
      let loss = isFinite ? try probe.loss(cancel: cancel) : .nan
      try setup.trainer.restore(start)
      guard let loss else { return nil }
      if !standing.isWorse(loss) { break }
      rate /= Self.margin
    }
    return rate
  }

  /// Whether one of the ranks was asked to stop.
  private func isStopped() throws(PruneError) -> Bool {
    let isRequested = cancel?.isRequested == true
    return try setup.communicator?.max([isRequested ? 1 : 0])[0] ?? (isRequested ? 1 : 0) > 0
  }

  /// The largest rate before the losses rose, or the last of the test; nil when cancelled.
  private func largest(
    _ batches: [Dataset], _ losses: [Double], _ steps: Int
  ) throws(PruneError) -> (rate: Double, isRisen: Bool)? {
    let factor = power(Self.span * Self.margin, 1 / Double(max(steps - 1, 1)))
    let mean = losses.reduce(0, +) / Double(max(losses.count, 1))
    let tolerance = standing.tolerance() + 0.03 * abs(mean)
    var rate = bound / Self.span, excess = 0.0
    // The rates of the steps before, the latest first.
    var (last, before) = (rate, rate)
    // The step after the last sees what the last did.
    for step in 0...steps {
      if try isStopped() { return nil }
      setup.trainer.setRate(step < steps ? rate : 0)
      let outcome = try setup.trainer.step(batches[step % batches.count], factor: 1)
      let rise = outcome.loss - losses[step % losses.count]
      guard outcome.failure == nil, rise.isFinite, rise <= 5 * tolerance, rise + excess <= 2 * tolerance else {
        return (before, true)
      }
      (excess, before, last, rate) = (rise, last, rate, rate * factor)
    }
    return (last, false)
  }
}
