import PruneTensor

/// The learning rate over a fit, as a factor on it.
package struct LearningRateSchedule: Sendable {
  package enum Kind: String, Choice {
    /// Always the same.
    case constant
    /// Down to zero in a straight line.
    case linear
    /// Down to zero along half a cosine (Loshchilov and Hutter 2017, without restarts).
    case cosine
    /// Times `gamma` every `stepEpochs`; by default after half of the steps and after three quarters.
    case step
    /// The rate rises from 1/25 of its maximum in the first 30 % of the steps, then falls to nearly 0, both along
    /// half a cosine (Smith and Topin 2018).
    case oneCycle = "one_cycle"
    /// Times `gamma` when `patience` epochs brought no improvement.
    case plateau = "reduce_on_plateau"
  }

  package var kind: Kind
  /// Steps at the start over which the rate rises from nothing, before the schedule begins.
  package var warmup = 0
  /// Epochs between the reductions of `step`; 0: after half and three quarters of the steps.
  package var stepEpochs = 0
  package var gamma = 0.1
  package var patience = 5

  package init(_ kind: Kind) { self.kind = kind }

  /// The factor at step `step` (from 0) of `steps`, `perEpoch` of them an epoch. What reduces on a plateau follows the
  /// losses: see `Plateau`.
  package func factor(step: Int, of steps: Int, perEpoch: Int) -> Double {
    if step < warmup { return Double(step + 1) / Double(warmup + 1) }
    let (done, all) = (step - warmup, max(steps - warmup, 1))
    let progress = min(Double(done) / Double(all), 1)
    switch kind {
    case .constant, .plateau: return 1
    case .linear: return 1 - progress
    case .cosine: return Self.between(1, 0, progress)
    case .oneCycle:
      let rise = 0.3
      return progress < rise
        ? Self.between(1.0 / 25, 1, progress / rise) : Self.between(1, 1e-4 / 25, (progress - rise) / (1 - rise))
    case .step:
      guard stepEpochs > 0 else { return progress < 0.5 ? 1 : progress < 0.75 ? gamma : gamma * gamma }
      var factor = 1.0
      for _ in 0..<min(done / max(perEpoch * stepEpochs, 1), 1000) { factor *= gamma }
      return factor
    }
  }

  /// Half a cosine from one value to another.
  private static func between(_ first: Double, _ last: Double, _ progress: Double) -> Double {
    last + (first - last) * 0.5 * (1 + PruneTensor.cosine(.pi * progress))
  }
}
