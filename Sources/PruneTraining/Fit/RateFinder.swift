import PruneData
import PruneRuntime
import PruneTensor

/// A learning rate that does not ruin a trained network: a range test (Smith 2017).
///
/// The rate rises from step to step while a few batches come round again. What their losses are with the weights as
/// they were is measured first, so that no difference between batches is taken for one between rates. The largest rate
/// before the losses rise, divided by a margin, is the answer. Afterwards the trainer is as it was.
struct RateFinder {
  let setup: FitSetup
  let data: Dataset
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
    guard largest.isRisen else {
      return Outcome(
        rate: bound, reason: "the optimizer's own: in a range test of \(steps) steps the loss rose at no rate")
    }
    let rate = min(bound, largest.rate / Self.margin)
    let name = rate == bound ? "the optimizer's own" : "a quarter of the largest rate that did not raise the loss"
    return Outcome(rate: rate, reason: "\(name) in a range test of \(steps) steps on the trained network")
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
