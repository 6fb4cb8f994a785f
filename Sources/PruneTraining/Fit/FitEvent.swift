/// The progress of a running fit, given to `FitOptions.onEvent` after every step and at the end of every epoch.
package struct FitEvent: Sendable {
  /// 1-based.
  package var epoch: Int
  package var epochs: Int
  /// Steps done in this epoch, of `steps`.
  package var step: Int
  package var steps: Int
  /// Mean training loss of the epoch so far.
  package var loss: Double
  /// Training accuracy of the epoch so far, for classifiers.
  package var accuracy: Double?
  /// Set at the end of an epoch when there is validation data.
  package var validationLoss: Double?
  package var validationAccuracy: Double?
  package var learningRate: Double
  /// Since the fit began.
  package var secondsElapsed: Double
  /// The estimated time until the fit ends, from the steps so far.
  package var etaSeconds: Double
  package var isEpochEnd: Bool
}
