import PruneEvaluation
import PruneTensor

/// One step of a prune, kept or not.
struct JournalEntry: Sendable {
  let step: Int
  /// Of the candidate.
  let size: CutSize
  let metric: Double?
  let isKept: Bool
  /// Median latency of one sample, where the guard runs the model anyway.
  let milliseconds: Double?
  /// After training before the cut: the share of the weights' squared norm that the cut took.
  let normCut: Double?
  /// What the training after the cut did.
  let recovery: GuardedRecovery.Record?
}

/// The journal in reports.
struct Journal {
  let entries: [JournalEntry]
  let metricGuard: MetricGuard?
  /// How rows call what went.
  let removedKey: String

  var isRolledBack: Bool { entries.contains { !$0.isKept } }
  private var isAnyKept: Bool { entries.contains { $0.isKept } }
  /// Whether the guard allowed nothing.
  var isRefused: Bool { isRolledBack && !isAnyKept }

  var rows: ReportValue {
    let metrics = entries.compactMap(\.metric).filter(\.isFinite) + (metricGuard.map { [$0.baseline] } ?? [])
    let low = metrics.min() ?? 0, high = metrics.max() ?? 0
    return .list(
      entries.map { entry in
        var row = Report(title: "")
        row["step"] = .integer(entry.step)
        row[removedKey] = .integer(entry.size.removed)
        row["amount"] = .number(entry.size.amount)
        row["macs"] = .count(entry.size.macs)
        if let params = entry.size.params { row["params"] = .integer(params) }
        row["bytes"] = .integer(entry.size.bytes)
        if let metricGuard, let metric = entry.metric {
          row[metricGuard.options.metric] = .number(metric)
          row["drop"] = .number(metricGuard.drop(of: metric))
          row["bar"] = .drawing(Draw.bar(fraction: high > low ? (metric - low) / (high - low) : 1, width: 12))
        }
        if let share = entry.normCut { row["norm_cut"] = .number(share) }
        if let milliseconds = entry.milliseconds { row["ms"] = .number(milliseconds) }
        entry.recovery?.add(to: &row, metricGuard)
        row["kept"] = .flag(entry.isKept)
        return .report(row)
      })
  }

  /// What a reader must know first: that less was done than was asked for, and how to get further.
  func headline(isStopped: Bool, isComplete: Bool) -> String? {
    if !isComplete, let metricGuard, isRolledBack, let metric = entries.last(where: { !$0.isKept })?.metric {
      let ways =
        "ask for less, repair each step with recover = {epochs = 1}, take more steps, or allow a larger max_drop"
      return isRefused
        ? "nothing was pruned, the guard undid every step: \(metricGuard.refusal(of: metric)). To get further, \(ways)"
        : "less was pruned than asked for, the guard took the rest back: \(metricGuard.refusal(of: metric)). To get further, \(ways)"
    }
    guard isStopped else { return nil }
    return isAnyKept
      ? "stopped before its end: this is the last step that was kept"
      : "stopped before anything was kept: this is the given model"
  }

  /// What was taken back, and how recoveries went.
  var notes: [String] {
    var notes: [String] = []
    if let metricGuard, let entry = entries.last(where: { !$0.isKept }), let metric = entry.metric {
      let kept = isAnyKept ? "the last model that was kept" : "the given model"
      notes.append("step \(entry.step) was taken back: \(metricGuard.refusal(of: metric)); this is \(kept)")
    }
    for entry in entries {
      if let note = entry.recovery?.note(step: entry.step, metricGuard) { notes.append(note) }
    }
    if let last = entries.last(where: { $0.isKept })?.recovery, last.outcome != .takenBack {
      notes += last.warnings.map { "recovery: \($0)" }
    }
    return notes
  }
}
