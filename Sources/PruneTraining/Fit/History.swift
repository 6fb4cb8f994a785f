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
  }

  var epochs: [Epoch] = []
  var steps = 0
  var seconds = 0.0
  /// Why the fit ended early.
  var ending: Ending?
  var blocked: [Autodiff.Blocked] = []

  /// The report: "epochs", a list of {epoch, loss, accuracy, validation_loss, validation_accuracy, seconds}; "steps",
  /// "seconds", "stopped" with "reason" when it ended early, and "frozen", a list of {node, reason, parameters}.
  var report: Report {
    var report = Report(title: "fit")
    report.append("epochs", .list(epochs.map { .report(Self.report($0)) }))
    report.append("steps", .integer(steps))
    report.append("seconds", .number(seconds))
    report.append("stopped", .flag(ending != nil))
    if let ending { report.append("reason", .text(ending.rawValue)) }
    if !blocked.isEmpty {
      report.append(
        "frozen",
        .list(
          blocked.map { entry in
            var row = Report(title: "")
            row.append("node", .text(entry.node))
            row.append("reason", .text(entry.reason))
            row.append("parameters", .text(entry.parameters.joined(separator: ", ")))
            return .report(row)
          }))
    }
    return report
  }

  private static func report(_ epoch: Epoch) -> Report {
    var row = Report(title: "")
    row.append("epoch", .integer(epoch.number))
    row.append("loss", .number(epoch.loss))
    if let value = epoch.accuracy { row.append("accuracy", .number(value)) }
    if let value = epoch.validationLoss { row.append("validation_loss", .number(value)) }
    if let value = epoch.validationAccuracy { row.append("validation_accuracy", .number(value)) }
    row.append("seconds", .number(epoch.seconds))
    return row
  }
}
