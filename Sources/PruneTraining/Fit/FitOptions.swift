import PruneData
import PruneTensor

/// How to train. Zero where it makes no sense means the default.
package struct FitOptions {
  package var epochs = 1
  package var batchSize = 32
  /// "adam", "adamw" or "sgd".
  package var optimizer = "adam"
  /// 0 is the optimizer's own: 0.001, sgd 0.01.
  package var lr = 0.0
  package var momentum = 0.0
  package var nesterov = false
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  /// Of weights with two axes or more: biases and scales of normalizations are not decayed.
  package var weightDecay = 0.0
  /// "cross_entropy" or "mse"; nil chooses by the targets: cross-entropy for int64 labels, else mse.
  package var loss: String?
  /// "constant", "linear", "cosine" or "step".
  package var schedule = "constant"
  /// Evaluated after each epoch.
  package var validation: Dataset?
  /// In place of `validation`: the fraction of the data that is held out, 0..<1.
  package var validationSplit = 0.0
  package var seed: UInt64 = 0
  package var shuffle = true
  /// Name patterns of parameters that stay as they are. A BatchNormalization whose scale and bias both stay keeps its
  /// statistics too.
  package var frozen: [String] = []
  /// Called after every step and epoch; true stops the fit after the step it was called for.
  package var onEvent: ((FitEvent) throws(PruneError) -> Bool)?
  package var cancel: CancelFlag?

  package init() {}

  /// The options with defaults in place and every value checked.
  struct Checked {
    var epochs: Int
    var batchSize: Int
    var rate: Double
    var optimizer: Optimizer
    var schedule: LearningRateSchedule
  }

  /// - Throws: `.invalidArgument` naming the option, what it is and what it may be.
  func checked() throws(PruneError) -> Checked {
    guard let kind = Optimizer.Kind(rawValue: optimizer) else {
      throw unknown("optimizer", optimizer, Optimizer.Kind.allCases.map(\.rawValue))
    }
    guard let schedule = LearningRateSchedule(rawValue: schedule) else {
      throw unknown("schedule", schedule, LearningRateSchedule.allCases.map(\.rawValue))
    }
    func require(_ name: String, _ value: Double, _ isValid: Bool, _ wanted: String) throws(PruneError) {
      guard isValid else { throw PruneError(.invalidArgument, "\(name) is \(value), wanted \(wanted)") }
    }
    try require("epochs", Double(epochs), epochs >= 0 && epochs < 1 << 31, "1 or more")
    try require("batch_size", Double(batchSize), batchSize >= 0 && batchSize < 1 << 31, "1 or more")
    try require("lr", lr, lr >= 0 && lr.isFinite, "a number above 0")
    try require("momentum", momentum, momentum >= 0 && momentum < 1, "0..<1")
    try require("beta1", beta1, beta1 >= 0 && beta1 < 1, "0..<1")
    try require("beta2", beta2, beta2 >= 0 && beta2 < 1, "0..<1")
    try require("epsilon", epsilon, epsilon >= 0 && epsilon.isFinite, "a small number above 0")
    try require("weight_decay", weightDecay, weightDecay >= 0 && weightDecay.isFinite, "0 or more")
    try require("validation_split", validationSplit, validationSplit >= 0 && validationSplit < 1, "0..<1")
    guard validation == nil || validationSplit == 0 else {
      throw PruneError(.invalidArgument, "both validation and validation_split are given", hint: "give one of them")
    }
    guard !nesterov || momentum > 0 else {
      throw PruneError(.invalidArgument, "nesterov is set but momentum is 0", hint: "give a momentum such as 0.9")
    }
    return Checked(
      epochs: max(epochs, 1), batchSize: batchSize == 0 ? 32 : batchSize,
      rate: lr == 0 ? Optimizer.defaultRate(kind) : lr,
      optimizer: Optimizer(
        kind: kind, momentum: momentum, isNesterov: nesterov, beta1: beta1 == 0 ? 0.9 : beta1,
        beta2: beta2 == 0 ? 0.999 : beta2, epsilon: epsilon == 0 ? 1e-8 : epsilon, weightDecay: weightDecay),
      schedule: schedule)
  }

  private func unknown(_ option: String, _ value: String, _ known: [String]) -> PruneError {
    PruneError(.invalidArgument, "\(option) is '\(value)'", hint: Suggestion.hint(for: value, among: known))
  }
}
