import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// How to train. Zero where it makes no sense means the default.
package struct FitOptions {
  package var epochs = 1
  package var batchSize = 32
  /// "adam", "adamw", "sgd" or "rmsprop".
  package var optimizer = "adam"
  /// Nil: of a network that is not trained yet the optimizer's own (0.001, sgd and rmsprop 0.01), of a trained one what
  /// a range test finds, at most that. See `RateFinder`.
  package var lr: Double?
  package var momentum = 0.0
  package var nesterov = false
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var rho = 0.99
  package var epsilon = 1e-8
  /// Applies to weights with two axes or more, not to biases and scales of normalizations.
  package var weightDecay = 0.0
  /// Parameters with a learning rate or decay of their own.
  package var groups: [ParameterGroup] = []
  /// Limits on gradients, 0 for none: the norm of all of them together, and each number.
  package var clipNorm = 0.0
  package var clipValue = 0.0
  /// A name of `LossKind`; nil chooses by the targets: cross-entropy for int64 labels, else mse.
  package var loss: String?
  /// Name of the output that the loss is taken of; nil is the first.
  package var output: String?
  package var lossSettings = TrainingLoss.Settings()
  package var regularizers: [Regularizer] = []
  /// The share of values that a training step drops, in place of what the graph's Dropout nodes say; nil leaves it to
  /// them. A graph without such nodes drops before its fully connected layers.
  package var dropout: Double?
  /// A teacher network to learn from, in addition to the targets.
  package var distillation: Distillation?
  /// A name of `LearningRateSchedule.Kind`.
  package var schedule = "constant"
  /// Steps over which the learning rate rises at the start.
  package var warmup = 0
  package var stepEpochs = 0
  /// For the schedules "step" and "reduce_on_plateau"; 0 is 0.1.
  package var gamma = 0.0
  /// For the schedule "reduce_on_plateau", in epochs; 0 is 5.
  package var patience = 0
  /// Evaluated after each epoch.
  package var validation: Dataset?
  /// In place of `validation`: the fraction of the data that is held out, 0..<1.
  package var validationSplit = 0.0
  package var stopping = Stopping()
  /// Computes parts of the forward pass again for the backward pass rather than keeping them in memory.
  package var recomputes = false
  /// Weights with few distinct values keep their assignment; the values are trained. See `SharedValues`.
  package var palettes = false
  /// Zeros of trained weights of two axes or more stay zero, whoever made them; those of `Model.maskedParameters`
  /// always do.
  package var keepsZeros = false
  /// Convolutions whose batch normalization was folded have one while they are trained. See `RestoredNormalization`.
  package var restoresNormalization = false
  /// Random changes of the images that are trained on.
  package var augmentation: Augmentation?
  package var seed: UInt64 = 0
  package var shuffle = true
  /// The same bits at any number of threads: the fit uses one thread.
  package var isDeterministic = false
  /// Name patterns of parameters that stay as they are. A BatchNormalization whose scale and bias both stay keeps its
  /// statistics too.
  package var frozen: [String] = []
  package var resume = Resume.never
  /// Called every `checkpointEpochs` (0 is 1) with the state that a later fit needs to continue.
  package var onCheckpoint: ((FitState) throws(PruneError) -> Void)?
  package var checkpointEpochs = 0
  /// Called after every step and epoch; true stops the fit after the step it was called for.
  package var onEvent: ((FitEvent) throws(PruneError) -> Bool)?
  package var cancel: CancelFlag?
  /// The ranks that fit together: each takes its part of every batch, and all make the same step. Nil is one alone.
  package var communicator: Communicator?

  /// When to end before all epochs are done, and which weights to keep.
  package struct Stopping {
    /// Epochs without improvement after which the fit ends; 0: never.
    package var patience = 0
    package var minDelta = 0.0
    /// "loss", "accuracy", "validation_loss" or "validation_accuracy"; nil is the loss, of the validation data where
    /// there are any.
    package var monitor: String?
    /// The model gets the weights of the best epoch rather than of the last.
    package var restoresBest = false
    package init() {}
  }

  package enum Resume {
    case never
    /// The optimizer continues with the state that the model keeps of its last fit.
    case optimizer
    /// Weights, optimizer and count of epochs go on where a checkpoint was made.
    case checkpoint(FitState)
  }

  package init() {}

  /// The options with defaults in place and every value checked.
  struct Checked {
    var epochs: Int
    var batchSize: Int
    var rate: Double
    var optimizer: Optimizer
    var schedule: LearningRateSchedule
    var monitor: Monitor
  }

  /// - Throws: `.invalidArgument` naming the option, what it is and what it may be.
  func checked() throws(PruneError) -> Checked {
    let kind = try Optimizer.Kind("optimizer", named: optimizer)
    let scheduleKind = try LearningRateSchedule.Kind("schedule", named: schedule)
    try checkNumbers()
    guard validation == nil || validationSplit == 0 else {
      throw PruneError(.invalidArgument, "both validation and validation_split are given", hint: "give one of them")
    }
    guard !nesterov || momentum > 0 else {
      throw PruneError(.invalidArgument, "nesterov is set but momentum is 0", hint: "give a momentum such as 0.9")
    }
    let hasValidation = validation != nil || validationSplit > 0
    let name = stopping.monitor ?? (hasValidation ? Monitor.validationLoss.rawValue : Monitor.loss.rawValue)
    let monitor = try Monitor("monitor", named: name)
    guard hasValidation || !monitor.needsValidation else {
      throw PruneError(
        .invalidArgument, "monitor is '\(name)' but there is no validation data",
        hint: "give validation or validation_split")
    }
    var schedule = LearningRateSchedule(scheduleKind)
    (schedule.warmup, schedule.stepEpochs) = (warmup, stepEpochs)
    if gamma > 0 { schedule.gamma = gamma }
    if patience > 0 { schedule.patience = patience }
    return Checked(
      epochs: max(epochs, 1), batchSize: batchSize == 0 ? 32 : batchSize,
      rate: lr ?? Optimizer.defaultRate(kind),
      optimizer: Optimizer(
        kind: kind, momentum: momentum, isNesterov: nesterov, beta1: beta1 == 0 ? 0.9 : beta1,
        beta2: beta2 == 0 ? 0.999 : beta2, rho: rho == 0 ? 0.99 : rho, epsilon: epsilon == 0 ? 1e-8 : epsilon,
        weightDecay: weightDecay, clipValue: clipValue),
      schedule: schedule, monitor: monitor)
  }

  private func checkNumbers() throws(PruneError) {
    func require(_ name: String, _ value: Double, _ isValid: Bool, _ requirement: String) throws(PruneError) {
      guard isValid else { throw PruneError(.invalidArgument, "\(name) is \(value), wanted \(requirement)") }
    }
    let counts = [
      ("epochs", epochs), ("batch_size", batchSize), ("warmup", warmup), ("step_epochs", stepEpochs),
      ("patience", patience),
      ("early_stopping", stopping.patience), ("checkpoint_epochs", checkpointEpochs),
    ]
    for (name, count) in counts { try require(name, Double(count), count >= 0 && count < 1 << 31, "1 or more") }
    if let lr { try require("lr", lr, lr > 0 && lr.isFinite, "a number above 0") }
    for (name, value) in [("momentum", momentum), ("beta1", beta1), ("beta2", beta2), ("rho", rho)] {
      try require(name, value, value >= 0 && value < 1, "0..<1")
    }
    try require("epsilon", epsilon, epsilon >= 0 && epsilon.isFinite, "a small number above 0")
    let amounts = [
      ("weight_decay", weightDecay), ("clip_norm", clipNorm), ("clip_value", clipValue),
      ("min_delta", stopping.minDelta),
    ]
    for (name, value) in amounts { try require(name, value, value >= 0 && value.isFinite, "0 or more") }
    try require("gamma", gamma, gamma >= 0 && gamma <= 1, "0...1")
    try require("validation_split", validationSplit, validationSplit >= 0 && validationSplit < 1, "0..<1")
  }
}

/// The figure of an epoch that early stopping and plateaus look at.
enum Monitor: String, Choice {
  case loss, accuracy, validationLoss = "validation_loss", validationAccuracy = "validation_accuracy"

  var isRising: Bool { self == .accuracy || self == .validationAccuracy }
  var needsValidation: Bool { self == .validationLoss || self == .validationAccuracy }

  /// - Throws: `.unsupported` for the accuracy of a model that is no classifier.
  func value(of epoch: History.Epoch) throws(PruneError) -> Double {
    let value =
      switch self {
      case .loss: Optional(epoch.loss)
      case .accuracy: epoch.accuracy
      case .validationLoss: epoch.validationLoss
      case .validationAccuracy: epoch.validationAccuracy
      }
    guard let value else {
      throw PruneError(.unsupported, "monitor is '\(rawValue)', which this loss does not give", hint: "monitor a loss")
    }
    return value
  }
}
