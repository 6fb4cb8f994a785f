import PruneEvaluation
import PruneGraph
import PruneTensor

extension MaskingCutter {
  func addChoices(to report: inout Report) throws(PruneError) {
    switch plan.allocation {
    case .amount(_, let division), .target(_, let division): report["allocation"] = .text(division.rawValue)
    case .threshold, .prescribed, .counts: break
    }
    if let target = plan.target {
      report["target"] = .text(plan.targets.text)
      report["kept"] = .number(try kept(target))
      if plan.targets.count > 1 {
        report["targets"] = try plan.targets.rows { target throws(PruneError) in try kept(target) }
      }
    }
    if let reconstruction = plan.reconstruction { report["reconstruct"] = .text(reconstruction.rawValue) }
  }

  /// The fraction of the target's cost that is left.
  private func kept(_ target: CostTarget) throws(PruneError) -> Double {
    if target.kind == .latency { return latency?.ratio ?? 1 }
    return try MaskTarget(target.kind, dense, extents).kept(layers.map(\.zeros))
  }

  func addUnits(to report: inout Report) {
    report["weights"] = .integer(dense.count)
    report["pruned"] = .integer(zeros)
    report["newly_pruned"] = .integer(zeros - zerosBefore)
    report["sparsity"] = .number(share(zeros))
  }

  func addLayers(to report: inout Report) {
    report["layers"] = .list(layers.map { .report(Self.row($0)) })
    guard !dense.skipped.isEmpty else { return }
    report["skipped"] = .list(
      dense.skipped.map { skipped in
        var row = Report(title: "")
        row["name"] = .text(skipped.layer)
        row["weight"] = .text(skipped.name)
        row["reason"] = .text(skipped.reason)
        return .report(row)
      })
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

  func certify(_ model: Model, _ report: inout Report) {
    let changed = layers.filter { $0.isChanged && $0.zeros > $0.zerosBefore }
    guard !changed.isEmpty, options.certifies ?? isCertifiedByDefault(changed) else { return }
    switch MaskCertificate.measure(model, dense: changed.map { ($0.weight.name, $0.weight.tensor) }, options) {
    case .difference(let value): report["certificate"] = .number(value)
    case .unavailable(let reason): report["certificate_missing"] = .text(reason)
    }
  }

  /// Two runs of a large network cost more than pruning it: unasked only where the model is run anyway.
  private func isCertifiedByDefault(_ changed: [Layer]) -> Bool {
    options.guard != nil || options.validate != nil || plan.importance.needsData || options.recover != nil
      || changed.reduce(0) { $0 + $1.weight.tensor.count } <= 4 << 20
  }

  var openingNotes: [String] {
    var notes = plan.importance.note(unreached: unreached, "neither scores nor prunes").map { [$0] } ?? []
    if !matrices.isEmpty {
      notes.append("sub-blocks are of kernels: \(Self.list(matrices)) stayed whole, for matrices have none")
    }
    for (weight, reason) in unobserved {
      notes.append("'\(weight.layer)' was pruned by the size of its weights alone: \(reason)")
    }
    if !splits.layers.isEmpty {
      notes.append(
        "of weights that several layers use the first use was pruned, and \(Self.list(splits.layers)) "
          + "got a whole copy, \(splits.bytes) bytes more in a file; shared = \"all\" prunes all uses")
    }
    return notes
  }

  func closingNotes(_ ending: PruneEnding) throws(PruneError) -> [String] {
    var notes: [String] = []
    if zerosBefore > 0 {
      notes.append(
        "\(zerosBefore) of the \(dense.count) weights were zero before: they count as pruned, "
          + "and stay zero when the model is trained")
    }
    let empty = layers.filter { $0.zeros == $0.weight.tensor.count }.map(\.weight.layer)
    if !empty.isEmpty { notes.append("\(Self.list(empty)) had no weight left before: nothing was done there") }
    if !floored.isEmpty {
      notes.append(
        "the last unit of \(Self.list(floored)) was kept: no layer is emptied, "
          + "for what lies behind it would see only biases")
    }
    if let missed = try shortcoming(ending) { notes.append(missed) }
    if ending.isWhole,
      let decision = try plan.targets.decision({ target throws(PruneError) in try kept(target) })
    {
      notes.append(decision)
    }
    return notes
  }

  func shortcoming(_ ending: PruneEnding) throws(PruneError) -> String? {
    guard ending.isWhole else { return nil }
    var missed: (target: CostTarget, kept: Double)?
    for target in plan.targets where missed == nil {
      let kept = try kept(target)
      if target.isMissed(by: kept, isAlone: plan.targets.count == 1) { missed = (target, kept) }
    }
    guard let (target, kept) = missed else { return nil }
    return "\(target.kind.rawValue) kept is \(Self.text(kept)), the target was \(Self.text(target.fraction)): "
      + "units are too coarse to come closer"
  }

  /// Layers of which one unit alone was left.
  private var floored: [String] {
    layers.filter { layer in
      let left = layer.weight.tensor.count - layer.zeros
      guard left > 0, layer.zeros > layer.zerosBefore else { return false }
      switch plan.granularity {
      case .block(let rows, let columns): return left <= rows.multipliedReportingOverflow(by: columns).partialValue
      case .subBlock(let block): return left <= block.count
      case .kernel: return left <= layer.weight.tensor.shape.dims.dropFirst(2).reduce(1, *)
      default: return left == 1
      }
    }.map(\.weight.layer)
  }

  private static func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
  private static func text(_ value: Double) -> String { formatted(value, digits: 6, style: "g") }
}
