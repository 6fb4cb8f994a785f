import PruneEvaluation
import PruneTensor

/// What happened during a fit, epoch by epoch.
struct History {
  struct Epoch {
    var number: Int
    var loss: Double
    var accuracy: Double?
    var validationLoss: Double?
    var validationAccuracy: Double?
    var seconds: Double
  }

  enum Ending: String {
    /// The cancel flag was set.
    case cancelled
    /// `onEvent` asked for it.
    case callback
    /// No improvement for as long as the options allow.
    case earlyStopping = "early_stopping"

    /// Whether the caller ended it.
    var isInterruption: Bool { self != .earlyStopping }
  }

  var epochs: [Epoch] = []
  var steps = 0
  var seconds = 0.0
  /// Why the fit ended early.
  var ending: Ending?
  var blocked: [Autodiff.Blocked] = []
  /// The epoch with the best monitored value, where the fit monitors one.
  var bestEpoch: Int?
  var warnings: [String] = []
  var workingByteCount = 0
  /// The learning rate that a schedule then changes, and where it is from.
  var rate = 0.0
  var rateReason = ""
  /// The normalizations that the model had during the training; nil where the caller asked for none.
  var restoredNormalizations: Int?

  /// The report: "epochs", a list of {epoch, loss, accuracy, validation_loss, validation_accuracy, seconds}; "steps",
  /// "seconds", "lr" and "lr_reason", "stopped" when the caller ended it, "reason" when it ended early,
  /// "working_bytes", "best_epoch", "batch_norms", "warnings", and "frozen", a list of {node, reason, parameters}.
  var report: Report {
    var report = Report(title: "fit")
    report["epochs"] = .list(epochs.map { .report(Self.report($0)) })
    report["steps"] = .integer(steps)
    report["seconds"] = .number(seconds)
    report["lr"] = .number(rate)
    report["lr_reason"] = .text(rateReason)
    report["stopped"] = .flag(ending?.isInterruption ?? false)
    report["reason"] = ending.map { .text($0.rawValue) }
    report["working_bytes"] = .integer(workingByteCount)
    report["best_epoch"] = bestEpoch.map { .integer($0) }
    report["batch_norms"] = restoredNormalizations.map { .integer($0) }
    if !warnings.isEmpty { report["warnings"] = .list(warnings.map { .text($0) }) }
    if !blocked.isEmpty { report["frozen"] = .list(blocked.map { .report(Self.report($0)) }) }
    return report
  }

  private static func report(_ entry: Autodiff.Blocked) -> Report {
    Report(
      title: "",
      entries: [
        ("node", .text(entry.node)), ("reason", .text(entry.reason)),
        ("parameters", .text(entry.parameters.joined(separator: ", "))),
      ])
  }

  private static func report(_ epoch: Epoch) -> Report {
    var row = Report(title: "", entries: [("epoch", .integer(epoch.number)), ("loss", .number(epoch.loss))])
    row["accuracy"] = epoch.accuracy.map { .number($0) }
    row["validation_loss"] = epoch.validationLoss.map { .number($0) }
    row["validation_accuracy"] = epoch.validationAccuracy.map { .number($0) }
    row["seconds"] = .number(epoch.seconds)
    return row
  }
}
