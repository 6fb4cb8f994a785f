import PruneEvaluation
import PruneGraph
import PruneTensor

extension StructuredRun {
  /// What went, where, and what it cost.
  func report() throws(PruneError) -> Report {
    var report = Report(title: "prune")
    report["strategy"] = .text(plan.strategy.rawValue)
    report["criterion"] = .text(plan.importance.name)
    report["granularity"] = .text(plan.granularity.name)
    report["mode"] = .text(plan.removes ? "remove" : "mask")
    if let amount = options.amount { report["amount"] = .number(amount) }
    if let threshold = options.threshold { report["threshold"] = .number(threshold) }
    if let target = plan.target { report["target"] = .text("\(target.kind.rawValue) \(Self.text(target.fraction))") }
    report["schedule"] = .text(plan.schedule.kind.rawValue)
    report["steps"] = .integer(plan.schedule.steps)
    report["units"] = .integer(unitCount)
    let removed = rows.reduce(0) { $0 + $1.removed }
    report["removed"] = .integer(removed)
    report["rolled_back"] = .flag(isRolledBack)
    report["refused"] = .flag(isRolledBack && !journal.contains { $0.isKept })
    report["stopped"] = .flag(isStopped)
    report["before"] = .report(withLatency(before, steps.last?.latency?.before))
    let after = try PruneRun.state(
      of: result, "after", options, batchSize, isStopped ? nil : options.cancel, extents)
    report["after"] = .report(withLatency(after, steps.last?.latency?.after))
    if let latency = steps.last?.latency { report["latency_kept"] = .number(latency.ratio) }
    if plan.removes {
      let cost = steps.last?.cost ?? costBefore
      report["macs_kept"] = cost.share(.macs, of: costBefore).map { .number($0) } ?? .open
      report["params_kept"] = .number(Double(cost.params) / Double(max(costBefore.params, 1)))
    }
    if let step = steps.last, step.roundTo > 1 {
      report["round_to"] = .integer(step.roundTo)
      if let whole = step.unrounded {
        var row = Report(title: "")
        row["macs_kept"] = whole.cost.share(.macs, of: costBefore).map { .number($0) } ?? .open
        row["median_ms"] = .number(whole.latency.after)
        row["latency_kept"] = .number(whole.latency.ratio)
        report["with_round_to_1"] = .report(row)
      }
    }
    report["groups"] = .list(rows.map { .report(Self.row($0)) })
    let pinned = groups.filter { plan.granularity.takes($0) && $0.isPinned }
    if !pinned.isEmpty { report["pinned"] = .list(pinned.map { .report(Self.row(pinned: $0)) }) }
    if let training = plan.training { report["train"] = .text(training.kind.rawValue) }
    if plan.strategy == .shared { report["shared"] = .list(try SharedWeights(try PrunableWeights(of: original)).rows()) }
    report["journal"] = .list(journal.map { .report(row($0)) })
    if let worst = steps.compactMap(\.certificate?.difference).max() { report["certificate"] = .number(worst) }
    if let most = steps.compactMap(\.certificate?.rounding).max() { report["certificate_rounding"] = .number(most) }
    if let reason = steps.last?.certificateMissing { report["certificate_missing"] = .text(reason) }
    if let seconds = steps.last?.seconds, seconds.groups > 0 {
      report["groups_ms"] = .number(seconds.groups * 1000)
      report["scores_ms"] = .number(seconds.scores * 1000)
      report["surgery_ms"] = .number(seconds.surgery * 1000)
    }
    let notes = notes(removed)
    if !notes.isEmpty { report["notes"] = .list(notes.map { .text($0) }) }
    return report
  }

  /// Over all kept steps, by group.
  private var rows: [Row] {
    guard plan.removes else { return steps.last?.rows ?? [] }
    var result: [Row] = []
    var places: [String: Int] = [:]
    for step in steps {
      for row in step.rows {
        if let place = places[row.name] {
          let old = result[place]
          result[place] = Row(name: row.name, units: old.units, removed: old.removed + row.removed)
        } else {
          places[row.name] = result.count
          result.append(row)
        }
      }
    }
    return result
  }

  private func withLatency(_ report: Report, _ latency: Double?) -> Report {
    guard let latency else { return report }
    var report = report
    report["median_ms"] = .number(latency)
    return report
  }

  private static func row(_ row: Row) -> Report {
    var report = Report(title: "")
    report["name"] = .text(row.name)
    report["units"] = .integer(row.units)
    report["removed"] = .integer(row.removed)
    report["left"] = .integer(row.units - row.removed)
    return report
  }

  private static func row(pinned group: UnitGroup) -> Report {
    var report = Report(title: "")
    report["name"] = .text(group.name)
    report["units"] = .integer(group.size)
    report["reason"] = .text(group.pins.first.map { "\($0.place): \($0.reason)" } ?? "")
    return report
  }

  private func row(_ entry: JournalEntry) -> Report {
    var row = Report(title: "")
    row["step"] = .integer(entry.step)
    row["removed"] = .integer(entry.removed)
    row["amount"] = .number(entry.amount)
    row["macs"] = .count(entry.cost.macs)
    row["params"] = .integer(entry.cost.params)
    if let judge, let metric = entry.metric {
      row[judge.options.metric] = .number(metric)
      row["drop"] = .number(judge.drop(of: metric))
      let all = journal.compactMap(\.metric).filter(\.isFinite) + [judge.baseline]
      let low = all.min() ?? 0, high = all.max() ?? 0
      row["bar"] = .text(Draw.bar(fraction: high > low ? (metric - low) / (high - low) : 1, width: 12))
    }
    row["bytes"] = .integer(entry.cost.bytes)
    if let milliseconds = entry.milliseconds { row["ms"] = .number(milliseconds) }
    if let share = entry.normCut { row["norm_cut"] = .number(share) }
    entry.recovery?.add(to: &row, judge)
    row["kept"] = .flag(entry.isKept)
    return row
  }

  private func notes(_ removed: Int) -> [String] {
    var notes: [String] = steps.last?.notes ?? []
    if let note = plan.importance.note(unreached: unreached) { notes.append(note) }
    if let note = extents.note { notes.append(note) }
    if let judge, let entry = journal.last(where: { !$0.isKept }), let metric = entry.metric {
      let kept = journal.contains { $0.isKept } ? "the last model that was kept" : "the given model"
      notes.append(
        "step \(entry.step) was taken back: \(judge.refusal(of: metric)); this is \(kept)")
    }
    for entry in journal {
      if let note = entry.recovery?.note(step: entry.step, judge) { notes.append(note) }
    }
    if let last = journal.last(where: { $0.isKept })?.recovery, last.outcome != .takenBack {
      notes += last.warnings.map { "recovery: \($0)" }
    }
    if removed == 0, !isRolledBack, options.threshold == nil { notes.append("nothing was removed: the amount is less than one unit of any group") }
    if let short = shortfall(removed) { notes.append(short) }
    if let target = plan.target, let step = steps.last, !isStopped, !isRolledBack, let miss = miss(target, step) { notes.append(miss) }
    return notes
  }

  /// Why less went than the amount says.
  private func shortfall(_ removed: Int) -> String? {
    guard let amount = options.amount, removed > 0, !isStopped, !isRolledBack, unitCount > 0,
      case let share = Double(removed) / Double(unitCount), abs(share - amount) > TargetSearch.tolerance
    else { return nil }
    return "\(Self.text(share)) of the units went, the amount was \(Self.text(amount)): one unit of each group stays, whole units go, "
      + "and max_fraction and round_to hold back more"
  }

  /// Why a target was not met.
  private func miss(_ target: CostTarget, _ step: Step) -> String? {
    guard let reached = target.kind == .latency ? step.latency?.ratio ?? 1 : step.cost.share(target.kind, of: costBefore) else { return nil }
    guard abs(reached - target.fraction) > TargetSearch.tolerance else { return nil }
    let missed = "\(target.kind.rawValue) kept is \(Self.text(reached)), the target was \(Self.text(target.fraction))"
    if let floor = step.floor {
      return "\(missed): cutting on saves no time on this machine, where the floor is about \(Self.text(floor))"
    }
    let pinned = zip(groups, chosen).count { !$0.1 && plan.granularity.takes($0.0) }
    let least = step.roundTo
    let isExhausted = rows.allSatisfy { $0.units - $0.removed <= max(Int(Double($0.units) * (1 - plan.maxFraction)) + 1, least) }
    let why =
      target.kind == .latency && !isExhausted
      ? "times do not fall evenly with units, and vary from run to run"
      : reached > target.fraction
        ? "one unit of each group stays, \(pinned) groups are pinned or left out, and max_fraction and round_to hold back more"
        : "units are too coarse to come closer"
    return "\(missed): \(why)"
  }

  static func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
}
