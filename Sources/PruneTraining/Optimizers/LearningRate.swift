import PruneTensor

/// The learning rate over a fit.
package enum LearningRateSchedule: String, CaseIterable, Sendable {
  /// Always the same.
  case constant
  /// Down to zero in a straight line.
  case linear
  /// Down to zero along half a cosine (Loshchilov and Hutter 2017, without restarts).
  case cosine
  /// A tenth of it after half of the steps, a hundredth after three quarters.
  case step

  /// The factor on the learning rate at step `step` (from 0) of `steps`.
  package func factor(step: Int, of steps: Int) -> Double {
    let progress = Double(step) / Double(max(steps, 1))
    return switch self {
    case .constant: 1
    case .linear: 1 - progress
    case .cosine: 0.5 * (1 + PruneTensor.cosine(.pi * progress))
    case .step: progress < 0.5 ? 1 : progress < 0.75 ? 0.1 : 0.01
    }
  }
}
