import PruneEvaluation
import PruneGraph
import PruneTensor

extension PruneRun {
  /// What went, where, and what it cost.
  func report(of result: Model) throws(PruneError) -> Report {
    let journal = Journal(entries: journal, metricGuard: metricGuard, removedKey: C.removedKey)
    let ending = PruneEnding(isStopped: isStopped, isRolledBack: journal.isRolledBack)
    var report = Report(title: "prune")
    report["strategy"] = .text(plan.strategy.rawValue)
    report["criterion"] = .text(plan.importance.name)
    report["granularity"] = .text(plan.granularity.name)
    report["mode"] = .text(plan.removes ? "remove" : "mask")
    try cutter.addChoices(to: &report)
    if let training = plan.training { report["train"] = .text(training.kind.rawValue) }
    if let amounts = plan.layerAmounts { report["amounts"] = .text(amounts.text) }
    if let amount = options.amount { report["amount"] = .number(amount) }
    if let threshold = options.threshold { report["threshold"] = .number(threshold) }
    report["schedule"] = .text(plan.schedule.kind.rawValue)
    report["steps"] = .integer(plan.schedule.steps)
    cutter.addUnits(to: &report)
    report["rolled_back"] = .flag(ending.isRolledBack)
    report["refused"] = .flag(journal.isRefused)
    report["stopped"] = .flag(isStopped)
    report["before"] = .report(Self.timed(before, cutter.latency?.before))
    let after = try context.state(of: result, "after", isStopped ? nil : options.cancel)
    report["after"] = .report(Self.timed(after, cutter.latency?.after))
    cutter.addLayers(to: &report)
    if plan.strategy == .shared {
      report["shared"] = .list(try SharedWeights(cutter.weights(of: cutter.start)).rows())
    }
    if !layerImportances.isEmpty {
      report["layer_importance"] = .list(layerImportances.map { .report($0.row) })
    }
    report["journal"] = journal.rows
    cutter.certify(model, &report)
    var notes = cutter.openingNotes
    if let note = plan.criterionNote { notes.append(note) }
    if let note = context.extents.note { notes.append(note) }
    if let note = sparedNote { notes.append(note) }
    notes += try journal.notes + cutter.closingNotes(ending)
    let shortcoming = try cutter.shortcoming(ending)
    // Layer after layer goes as far as the guard allows: that it refuses some cuts is the strategy itself.
    let isPlanned = plan.strategy == .layerwise && !isStopped && !journal.isRefused
    report.headline = isPlanned ? nil : journal.headline(isStopped: isStopped, isComplete: isComplete) ?? shortcoming
    if !notes.isEmpty { report["notes"] = .list(notes.map { .text($0) }) }
    return report
  }

  private static func timed(_ report: Report, _ milliseconds: Double?) -> Report {
    guard let milliseconds else { return report }
    var report = report
    report["median_ms"] = .number(milliseconds)
    return report
  }
}
