import PruneEvaluation
import PruneGraph
import PruneTensor

extension SurgicalCutter {
  func addChoices(to report: inout Report) {
    if !plan.targets.isEmpty { report["target"] = .text(plan.targets.text) }
  }

  func addUnits(to report: inout Report) {
    report["units"] = .integer(unitCount)
    report["removed"] = .integer(removed)
  }

  private var removed: Int { rows.reduce(0) { $0 + $1.removed } }

  func addLayers(to report: inout Report) {
    if plan.targets.count > 1, let rows = try? plan.targets.rows({ kept($0, steps.last) }) { report["targets"] = rows }
    if let latency { report["latency_kept"] = .number(latency.ratio) }
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
  }

  /// Over all kept steps, by group.
  private var rows: [Row] {
    guard plan.removes else { return steps.last?.rows ?? [] }
    var result: [Row] = []
    var places: [String: Int] = [:]
    for row in steps.flatMap(\.rows) {
      if let place = places[row.name] {
        let old = result[place]
        result[place] = Row(name: row.name, units: old.units, removed: old.removed + row.removed)
      } else {
        places[row.name] = result.count
        result.append(row)
      }
    }
    return result
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

  /// Every step was certified when it was cut.
  func certify(_ model: Model, _ report: inout Report) {
    if let worst = steps.compactMap(\.certificate?.difference).max() { report["certificate"] = .number(worst) }
    if let most = steps.compactMap(\.certificate?.rounding).max() { report["certificate_rounding"] = .number(most) }
    if let reason = steps.last?.certificateMissing { report["certificate_missing"] = .text(reason) }
    if let seconds = steps.last?.seconds, seconds.groups > 0 {
      report["groups_ms"] = .number(seconds.groups * 1000)
      report["scores_ms"] = .number(seconds.scores * 1000)
      report["surgery_ms"] = .number(seconds.surgery * 1000)
    }
  }

  var openingNotes: [String] {
    (steps.last?.notes ?? []) + (plan.importance.note(unreached: unreached).map { [$0] } ?? [])
  }

  func closingNotes(_ ending: PruneEnding) -> [String] {
    var notes: [String] = []
    if removed == 0, !ending.isRolledBack, options.threshold == nil {
      notes.append("nothing was removed: the amount is less than one unit of any group")
    }
    if ending.isWhole, let short = shortfall { notes.append(short) }
    if ending.isWhole, let step = steps.last {
      notes += plan.targets.compactMap { miss($0, step) }
      if let decision = try? plan.targets.decision({ kept($0, step) }) { notes.append(decision) }
    }
    return notes
  }

  func shortcoming(_ ending: PruneEnding) -> String? {
    closingNotes(ending).first { plan.targets.count < 2 || !$0.hasPrefix("of the targets") }
  }

  /// Why less went than the amount says.
  private var shortfall: String? {
    // An amount of 1 is as much as may go; a recipe, which names the units itself, comes with it.
    guard let amount = options.amount, amount < 1, removed > 0, unitCount > 0,
      case let share = Double(removed) / Double(unitCount), abs(share - amount) > CostTarget.tolerance
    else { return nil }
    return "\(Self.text(share)) of the units went, the amount was \(Self.text(amount)): "
      + "one unit of each group stays, whole units go, and max_fraction and round_to hold back more"
  }

  /// The fraction of a target's cost that is left.
  private func kept(_ target: CostTarget, _ step: Step?) -> Double? {
    guard let step else { return 1 }
    return target.kind == .latency ? step.latency?.ratio ?? 1 : step.cost.share(target.kind, of: costBefore)
  }

  /// Why a target was not met.
  private func miss(_ target: CostTarget, _ step: Step) -> String? {
    let isTime = target.kind == .latency
    guard let reached = kept(target, step), target.isMissed(by: reached, isAlone: plan.targets.count == 1)
    else { return nil }
    let missed = "\(target.kind.rawValue) kept is \(Self.text(reached)), the target was \(Self.text(target.fraction))"
    if let floor = step.floor {
      return "\(missed): cutting on saves no time on this machine, where the floor is about \(Self.text(floor))"
    }
    let isExhausted = rows.allSatisfy { row in
      row.units - row.removed <= max(Int(Double(row.units) * (1 - plan.maxFraction)) + 1, step.roundTo)
    }
    let why =
      isTime && !isExhausted
      ? "times do not fall evenly with units, and vary from run to run"
      : reached > target.fraction ? heldBack : "units are too coarse to come closer"
    return "\(missed): \(why)"
  }
}
