import PruneData
import PruneEvaluation
import PruneTensor

/// What keeps a fit from ruining a network that is trained already.
extension FitRun {
  /// The rate that was given, or what suits the network.
  mutating func settleRate() throws(PruneError) {
    var reason = "given"
    defer { history.rateReason = reason }
    guard options.lr == nil else { return }
    if case .checkpoint(let state) = options.resume {
      reason = "the checkpoint's"
      if let rate = state.rate { setRate(rate) } else { reason = "the optimizer's own" }
      return
    }
    guard let standing else {
      reason = "the optimizer's own"
      return
    }
    guard standing.isTrained else {
      reason = "the optimizer's own: the network is not trained yet"
      return
    }
    let finder = RateFinder(
      setup: setup, data: data, probe: probe, standing: standing, seed: options.seed, cancel: options.cancel,
      bound: checked.rate)
    guard let proposal = try finder.find() else { return }
    setRate(proposal.rate)
    (reason, isRateFound) = (proposal.reason, true)
  }

  private mutating func setRate(_ rate: Double) {
    self.rate = rate
    setup.trainer.setRate(rate)
  }

  /// Whether a higher loss on the targets is a failure: a teacher or a penalty may be wanted more than they.
  private var isLossWhatCounts: Bool { options.distillation == nil && options.regularizers.isEmpty }

  /// The first epoch, and again at a lower rate when the rate was not given and the loss rose.
  mutating func first(_ epoch: Int, _ order: [Int]) throws(PruneError) -> Progress {
    guard isRateFound, isLossWhatCounts, let standing else {
      let progress = try pass(epoch, order)
      try measure()
      return progress
    }
    let start = setup.trainer.snapshot(), steps = stepsDone
    // The last epoch is not taken back: its result is compared with the original network when the fit ends.
    for share in [0.25, 0.25] {
      var lowered = share, cause = "the loss on \(probe?.count ?? 0) samples rose from \(Self.text(standing.loss))"
      do {
        let progress = try pass(epoch, order)
        try measure()
        guard history.ending == nil, let loss = probed?.loss, standing.isWorse(loss) else { return progress }
        cause += " to \(Self.text(loss))"
      } catch {
        guard error.status == .numeric else { throw error }
        // A quarter of what gave no numbers at all is not enough.
        (lowered, cause) = (0.1, "the loss or a gradient was no number")
      }
      try setup.trainer.restore(start)
      stepsDone = steps
      let old = rate
      setRate(old * lowered)
      warn(["the first epoch was taken back and done again with lr \(Self.text(rate)): with \(Self.text(old)) \(cause)"]
      )
      history.rateReason += "; lowered after the first epoch, which made the loss worse"
    }
    let progress = try pass(epoch, order)
    try measure()
    return progress
  }

  /// The loss after the first epoch; it should be below the loss before.
  private mutating func measure() throws(PruneError) {
    guard standing != nil, history.ending == nil, let loss = try probe?.loss(cancel: options.cancel) else { return }
    probed = (loss, true)
  }

  /// Says when the network is worse than it was; where the rate was not given, it then becomes what it was.
  mutating func compareWithBefore() throws(PruneError) {
    guard let standing, standing.loss.isFinite, isLossWhatCounts, history.ending.map({ !$0.isInterruption }) ?? true
    else { return }
    let first = probed?.loss
    var last = probed.flatMap { $0.isCurrent ? $0.loss : nil }
    if last == nil { last = try probe?.loss(cancel: options.cancel) }
    guard let last else { return }
    let samples =
      "the loss on \(probe?.count ?? 0) samples of the \(validation == nil ? "training" : "validation") data"
    if standing.isWorse(last) {
      let change = "\(samples) was \(Self.text(standing.loss)) and \(isRateFound ? "became" : "is") \(Self.text(last))"
      if isRateFound {
        try setup.trainer.restore(before)
        probed = (standing.loss, true)
        warn([
          "the network was left as it was before: \(change), with lr \(Self.text(rate)), the lowest of those tried; "
            + "give a lower lr, or more data"
        ])
      } else {
        let mend = options.lr == nil ? "give a lower lr" : "lower lr, or leave it out"
        warn(["the network is worse than before: \(change); \(mend) (it was \(Self.text(rate)))"])
      }
    } else if let first, standing.isWorse(first) {
      warn(["after the first epoch \(samples) was \(Self.text(first)), above the \(Self.text(standing.loss)) before"])
    }
  }

  private static func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
}
