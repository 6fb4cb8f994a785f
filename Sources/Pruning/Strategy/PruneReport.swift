import PruneEvaluation
import PruneGraph
import PruneTensor

extension PruneRun {
  /// What went, where, and what it cost.
  func report() throws(PruneError) -> Report {
    var report = Report(title: "prune")
    report["strategy"] = .text(plan.strategy.rawValue)
    report["criterion"] = .text(plan.importance.name)
    report["granularity"] = .text(plan.granularity.name)
    report["mode"] = .text(plan.granularity.modes[0].rawValue)
    switch plan.allocation {
    case .amount(_, let division), .target(_, let division): report["allocation"] = .text(division.rawValue)
    case .threshold, .prescribed, .counts: break
    }
    if let target = plan.target {
      report["target"] = .text("\(target.kind.rawValue) \(Self.text(target.fraction))")
      report["kept"] = .number(try MaskTarget(target.kind, dense, extents).kept(layers.map(\.zeros)))
    }
    if let training = plan.training { report["train"] = .text(training.kind.rawValue) }
    if let reconstruction = plan.reconstruction { report["reconstruct"] = .text(reconstruction.rawValue) }
    if let amount = options.amount { report["amount"] = .number(amount) }
    if let threshold = options.threshold { report["threshold"] = .number(threshold) }
    report["schedule"] = .text(plan.schedule.kind.rawValue)
    report["steps"] = .integer(plan.schedule.steps)
    report["weights"] = .integer(dense.count)
    report["pruned"] = .integer(zeros)
    report["newly_pruned"] = .integer(zeros - layers.reduce(0) { $0 + $1.zerosBefore })
    report["sparsity"] = .number(sparsity)
    report["rolled_back"] = .flag(isRolledBack)
    report["refused"] = .flag(isRolledBack && !journal.contains { $0.isKept })
    report["stopped"] = .flag(isStopped)
    let result = try result()
    report["before"] = .report(before)
    report["after"] = .report(try Self.state(of: result, "after", options, batchSize, isStopped ? nil : options.cancel, extents))
    report["layers"] = .list(layers.map { .report(Self.row($0)) })
    report["journal"] = .list(journal.map { .report(row($0)) })
    if plan.strategy == .shared { report["shared"] = .list(try SharedWeights(dense).rows()) }
    certify(&report)
    var notes = notes
    if let target = plan.target, let kept = report["kept"]?.number, let miss = miss(target, kept) { notes.append(miss) }
    if !notes.isEmpty { report["notes"] = .list(notes.map { .text($0) }) }
    if !dense.skipped.isEmpty {
      report["skipped"] = .list(
        dense.skipped.map { skipped in
          var row = Report(title: "")
          row["name"] = .text(skipped.layer)
          row["weight"] = .text(skipped.name)
          row["reason"] = .text(skipped.reason)
          return .report(row)
        })
    }
    return report
  }

  /// Sizes, and metrics where there is data to validate on.
  static func state(
    of model: Model, _ title: String, _ options: PruneOptions, _ batchSize: Int, _ cancel: CancelFlag?,
    _ extents: BoundExtents
  ) throws(PruneError) -> Report {
    var report = try ModelStats.of(model, at: extents).report
    report.title = title
    report["layers"] = nil
    guard let validate = options.validate else { return report }
    var settings = EvaluateOptions()
    (settings.batchSize, settings.output) = (batchSize, options.output)
    settings.cancel = cancel
    let metrics = try evaluate(model, validate, settings)
    for (key, value) in metrics.entries where report[key] == nil { report[key] = value }
    return report
  }

  private static func row(_ layer: Layer) -> Report {
    var row = Report(title: "")
    row["name"] = .text(layer.weight.layer)
    row["op"] = .text(layer.weight.operation)
    row["weight"] = .text(layer.weight.name)
    row["weights"] = .integer(layer.weight.tensor.count)
    row["pruned"] = .integer(layer.zeros)
    row["sparsity"] = .number(Double(layer.zeros) / Double(max(layer.weight.tensor.count, 1)))
    if let threshold = layer.threshold { row["threshold"] = .number(threshold) }
    return row
  }

  private func row(_ entry: JournalEntry) -> Report {
    var row = Report(title: "")
    row["step"] = .integer(entry.step)
    row["pruned"] = .integer(entry.zeros)
    row["amount"] = .number(entry.sparsity)
    row["macs"] = .count(entry.macs)
    row["bytes"] = .integer(entry.bytes)
    if let judge, let metric = entry.metric {
      row[judge.options.metric] = .number(metric)
      row["drop"] = .number(judge.drop(of: metric))
      let all = journal.compactMap(\.metric).filter(\.isFinite) + [judge.baseline]
      let low = all.min() ?? 0, high = all.max() ?? 0
      row["bar"] = .text(Draw.bar(fraction: high > low ? (metric - low) / (high - low) : 1, width: 12))
    }
    if let share = entry.normCut { row["norm_cut"] = .number(share) }
    if let milliseconds = entry.milliseconds { row["ms"] = .number(milliseconds) }
    entry.recovery?.add(to: &row, judge)
    row["kept"] = .flag(entry.isKept)
    return row
  }

  private func certify(_ report: inout Report) {
    let changed = layers.filter { $0.isChanged && $0.zeros > $0.zerosBefore }
    guard !changed.isEmpty, options.certifies ?? isCertifiedByDefault(changed) else { return }
    let outcome = MaskCertificate.measure(
      model, dense: changed.map { ($0.weight.name, $0.weight.tensor) }, options)
    switch outcome {
    case .difference(let value): report["certificate"] = .number(value)
    case .unavailable(let reason): report["certificate_missing"] = .text(reason)
    }
  }

  /// Two runs of a large network cost more than pruning it: unasked only where the model is run anyway.
  private func isCertifiedByDefault(_ changed: [Layer]) -> Bool {
    judge != nil || options.validate != nil || plan.importance.needsData || options.recover != nil
      || changed.reduce(0) { $0 + $1.weight.tensor.count } <= 4 << 20
  }

  /// Layers of which one unit alone was left.
  private var floored: [String] {
    layers.filter { layer in
      let left = layer.weight.tensor.count - layer.zeros
      guard left > 0, layer.zeros > layer.zerosBefore else { return false }
      switch plan.granularity {
      case .block(let rows, let columns): return left <= rows.multipliedReportingOverflow(by: columns).partialValue
      case .kernel: return left <= layer.weight.tensor.shape.dims.dropFirst(2).reduce(1, *)
      default: return left == 1
      }
    }.map(\.weight.layer)
  }

  /// Why a target was not met.
  private func miss(_ target: CostTarget, _ kept: Double) -> String? {
    guard !isStopped, !isRolledBack, abs(kept - target.fraction) > MaskTarget.tolerance else { return nil }
    return "\(target.kind.rawValue) kept is \(Self.text(kept)), the target was \(Self.text(target.fraction)): "
      + "units are too coarse to come closer"
  }

  /// What a reader should know besides the numbers.
  private var notes: [String] {
    var notes = plan.importance.note(unreached: unreached, "neither scores nor prunes").map { [$0] } ?? []
    if let note = extents.note { notes.append(note) }
    if !splits.layers.isEmpty {
      notes.append(
        "of weights that several layers use the first use was pruned, and \(splits.layers.map { "'\($0)'" }.joined(separator: ", ")) "
          + "got a whole copy, \(splits.bytes) bytes more in a file; shared = \"all\" prunes all uses")
    }
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
    let before = layers.reduce(0) { $0 + $1.zerosBefore }
    if before > 0 {
      notes.append("\(before) of the \(dense.count) weights were zero before: they count as pruned, and stay zero when the model is trained")
    }
    let empty = layers.filter { $0.zeros == $0.weight.tensor.count }.map { "'\($0.weight.layer)'" }
    if !empty.isEmpty { notes.append("\(empty.joined(separator: ", ")) had no weight left before: nothing was done there") }
    if !floored.isEmpty {
      notes.append(
        "the last unit of \(floored.map { "'\($0)'" }.joined(separator: ", ")) was kept: no layer is emptied, "
          + "for what lies behind it would see only biases")
    }
    return notes
  }

  private static func text(_ value: Double) -> String { formatted(value, digits: 6, style: "g") }
}
