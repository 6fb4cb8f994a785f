import PruneEvaluation
import PruneGraph
import PruneTensor

/// What was quantized, how precisely, and what stayed float.
struct QuantizationReport {
  private(set) var report = Report(title: "quantize")

  init(
    _ options: QuantizeOptions, _ scheme: QuantizationScheme, _ plan: QuantizationPlan,
    _ layers: [QDQRewriter.LayerResult], _ calibration: Calibration, _ scales: [String: AffineScale]
  ) {
    report["scheme"] = .text(options.scheme)
    report["bits"] = .integer(options.bits)
    report["format"] = .text(options.format)
    report["calibrator"] = .text(options.calibrator)
    report["samples"] = .integer(calibration.count)
    report["per_channel"] = .flag(options.perChannel)
    report["layers"] = .list(layers.map { .report(Self.row($0, bits: options.bits)) })
    report["activations"] = .list(
      scales.keys.sorted().compactMap { name in
        guard let scale = scales[name], let range = calibration.ranges[name] else { return nil }
        var row = Report(title: "")
        row["name"] = .text(name)
        row["min"] = .number(Double(range.low))
        row["max"] = .number(Double(range.high))
        row["scale"] = .number(Double(scale.scale))
        row["zero_point"] = .integer(scale.zeroPoint)
        return .report(row)
      })
    guard !plan.kept.isEmpty else { return }
    report["float_layers"] = .list(
      plan.kept.map { kept in
        var row = Report(title: "")
        row["name"] = .text(kept.name)
        row["op"] = .text(kept.operation)
        row["reason"] = .text(kept.reason)
        return .report(row)
      })
  }

  /// Sizes, and metrics where there is data to validate on.
  static func state(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme, title: String
  ) throws(PruneError) -> Report {
    var report = Report(title: title)
    report["bytes"] = .integer(model.graph.initializers.reduce(0) { $0 + $1.tensor.byteCount })
    guard let validate = options.validate else { return report }
    var settings = EvaluateOptions()
    settings.batchSize = scheme.batchSize
    settings.cancel = options.cancel
    let metrics = try evaluate(model, validate, settings)
    for (key, value) in metrics.entries where report[key] == nil { report[key] = value }
    return report
  }

  private static func row(_ layer: QDQRewriter.LayerResult, bits: Int) -> Report {
    var row = Report(title: "")
    row["name"] = .text(layer.name)
    row["op"] = .text(layer.operation)
    row["weight"] = .text(layer.weight)
    row["weights"] = .integer(layer.weights)
    row["bits"] = .integer(bits)
    row["scales"] = .integer(layer.channels)
    row["max_scale"] = .number(Double(layer.largestScale))
    if let decibels = layer.decibels { row["sqnr_db"] = .number(decibels) }
    row["bytes_before"] = .integer(layer.bytesBefore)
    row["bytes_after"] = .integer(layer.bytesAfter)
    return row
  }
}
