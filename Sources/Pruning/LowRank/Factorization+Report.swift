import PruneEvaluation
import PruneGraph
import PruneTensor

extension Factorization {
  private static let fewSamples = 32

  /// The model with its report.
  func finish(
    _ ranks: [Int?], _ result: Model, _ metricGuard: MetricGuard? = nil, _ metric: Double? = nil, refused: Double? = nil
  ) throws(PruneError) -> (model: Model, report: Report) {
    var report = Report(title: "factorize")
    let factored = zip(layers, ranks).compactMap { layer, rank in rank.map { (layer, $0) } }
    if factored.isEmpty {
      report.headline = "no layer was factored: none keeps what was asked for at a rank that saves anything"
    }
    report["method"] = .text(options.data == nil ? "svd" : "whitened")
    report["factored"] = .integer(factored.count)
    report["whole"] = .integer(layers.count - factored.count + skipped.count)
    if !factored.isEmpty {
      report["energy_kept"] = .number(
        factored.reduce(0.0) { $0 + $1.0.energy($1.1) } / Double(factored.count))
    }
    let before = try state(of: original, "before"), after = try state(of: result, "after")
    if let target = options.targets.first {
      report["target"] = .text(options.targets.text)
      report["kept"] = .number(division.kept(target.kind, ranks))
      if options.targets.count > 1 {
        report["targets"] = try options.targets.rows { target in division.kept(target.kind, ranks) }
      }
    }
    if let metricGuard, let metric {
      var row = Report(title: "guard")
      row["metric"] = .text(metricGuard.options.metric)
      row["before"] = .number(metricGuard.baseline)
      row["after"] = .number(metric)
      if let refused { row["refused"] = .number(refused) }
      report["guard"] = .report(row)
    }
    report["before"] = .report(before)
    report["after"] = .report(after)
    report["layers"] = .list(factored.map { .report(Self.row($0, rank: $1)) })
    if !skipped.isEmpty {
      report["skipped"] = .list(
        skipped.map { entry in
          var row = Report(title: "")
          row["name"] = .text(entry.weight.layer)
          row["weight"] = .text(entry.weight.name)
          row["reason"] = .text(entry.reason)
          return .report(row)
        })
    }
    let notes = notes(factored)
    if !notes.isEmpty { report["notes"] = .list(notes.map { .text($0) }) }
    return (result, report)
  }

  private func state(of model: Model, _ title: String) throws(PruneError) -> Report {
    var settings = EvaluateOptions()
    (settings.batchSize, settings.output, settings.cancel) = (options.batchSize, options.output, options.cancel)
    return try modelState(model, title, at: extents, validate: options.validate, settings)
  }

  private static func row(_ layer: FactorableLayer, rank: Int) -> Report {
    var row = Report(title: "")
    row["name"] = .text(layer.weight.layer)
    row["op"] = .text(layer.weight.operation)
    row["weight"] = .text(layer.weight.name)
    row["shape"] = .text("\(layer.weight.tensor.shape)")
    row["rank"] = .integer(rank)
    row["of"] = .integer(min(layer.factored.rows, layer.factored.columns))
    row["energy"] = .number(layer.energy(rank))
    row["params_before"] = .integer(layer.weight.tensor.count)
    row["params"] = .integer(Int(layer.cost(.params, rank: rank).rounded()))
    return row
  }

  private func notes(_ factored: [(FactorableLayer, Int)]) -> [String] {
    var notes: [String] = []
    if options.data == nil {
      notes.append(
        "ranks go by the weights alone: data = … makes them go by what layers compute on it, which loses less")
    } else if let data = options.data, data.count < Self.fewSamples {
      notes.append("\(data.count) samples settled the ranks: that is few, a few hundred are a better measure")
    }
    if options.data != nil, factored.contains(where: { $0.0.factored.form == .spatial }) {
      notes.append("kernels that were cut into a column and a row go by the weights alone")
    }
    let masked = Set(original.maskedParameters), lost = factored.filter { masked.contains($0.0.weight.name) }
    if !lost.isEmpty {
      notes.append(
        "\(lost.count) of the factored weights were pruned: their zeros are gone, factor first and prune afterwards")
    }
    if let note = extents.note { notes.append(note) }
    return notes
  }
}
