import PruneEvaluation
import PruneGraph
import PruneTensor

/// What was quantized, how precisely, and what stayed float.
struct QuantizationReport {
  private(set) var report = Report(title: "quantize")

  init(_ options: QuantizeOptions, _ scheme: QuantizationScheme, _ result: QuantizedModel) {
    report["scheme"] = .text(options.scheme)
    report["bits"] = .integer(scheme.bits)
    if scheme.kind == .static {
      report["format"] = .text(scheme.format.rawValue)
      report["calibrator"] = .text(result.calibrator.isEmpty ? options.calibrator : result.calibrator)
      if !result.trials.isEmpty { report["tried"] = .list(result.trials.map { .report($0.report) }) }
      report["samples"] = .integer(result.samples)
    }
    if scheme.kind == .weightOnly {
      report["format"] = .text(scheme.format.rawValue)
      report["block_size"] = .integer(scheme.blockSize)
      let stored = WeightOnlyRewriter.Form.stored(scheme.bits)
      if stored != scheme.bits { report["stored_bits"] = .integer(stored) }
    }
    if scheme.kind.hasScales { report["per_channel"] = .flag(options.perChannel) }
    for step in result.steps { report[step.name] = .integer(step.count) }
    for outcome in result.outcomes { report[outcome.step] = .integer(outcome.served) }
    report["layers"] = .list(result.layers.map { .report(Self.row($0)) })
    if !result.activations.isEmpty {
      report["activations"] = .list(
        result.activations.map { activation in
          var row = Report(title: "")
          row["name"] = .text(activation.name)
          row["min"] = .number(Double(activation.range.low))
          row["max"] = .number(Double(activation.range.high))
          row["scale"] = .number(Double(activation.scale.scale))
          row["zero_point"] = .integer(activation.scale.zeroPoint)
          return .report(row)
        })
    }
    let warnings = Self.warnings(result)
    if !warnings.isEmpty { report["warnings"] = .list(warnings.map { .text($0) }) }
    if !result.outputs.isEmpty {
      report["outputs"] = .list(
        result.outputs.map { output in
          var row = Report(title: "", entries: [("name", .text(output.name))])
          if let decibels = output.decibels { row["sqnr_db"] = .number(decibels) }
          row["cosine"] = .number(output.cosine)
          return .report(row)
        })
    }
    let unserved = result.outcomes.flatMap { outcome in outcome.unserved.map { Self.row($0, option: outcome.option) } }
    if !unserved.isEmpty { report["not_served"] = .list(unserved) }
    if !result.kept.isEmpty { report["float_layers"] = .list(result.kept.map { Self.row($0, option: nil) }) }
  }

  private static func row(_ layer: QuantizationPlan.Kept, option: String?) -> ReportValue {
    var row = Report(title: "")
    row["name"] = .text(layer.name)
    row["op"] = .text(layer.operation)
    if let option { row["option"] = .text(option) }
    row["reason"] = .text(layer.reason)
    if !layer.advice.isEmpty { row["advice"] = .text(layer.advice) }
    return .report(row)
  }

  /// Fewer samples than this say little about the rest.
  private static let fewSamples = 32

  /// What may go wrong later with what calibration saw.
  private static func warnings(_ result: QuantizedModel) -> [String] {
    var warnings: [String] = []
    if (1..<fewSamples).contains(result.samples) {
      warnings.append(
        "calibrated on \(result.samples) \(result.samples == 1 ? "sample" : "samples"), \(fewSamples) or more are wanted, some hundred are better"
      )
    }
    let silent = result.activations.filter { $0.range == (0, 0) }.map { "'\($0.name)'" }
    if !silent.isEmpty {
      warnings.append(
        "always 0 on the calibration data, so rounded to whole numbers: \(silent.prefix(3).joined(separator: ", "))"
          + (silent.count > 3 ? " and \(silent.count - 3) more" : ""))
    }
    return warnings
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

  private static func row(_ layer: QuantizedLayer) -> Report {
    var row = Report(title: "")
    row["name"] = .text(layer.name)
    if !layer.operation.isEmpty { row["op"] = .text(layer.operation) }
    row["weight"] = .text(layer.weight)
    row["weights"] = .integer(layer.weights)
    row["bits"] = .integer(layer.bits)
    if let reason = layer.floatReason { row["float"] = .text(reason) }
    if let density = layer.density { row["density"] = .number(density) }
    if layer.channels > 0 {
      row["scales"] = .integer(layer.channels)
      row["max_scale"] = .number(Double(layer.largestScale))
    }
    if let decibels = layer.decibels { row["sqnr_db"] = .number(decibels) }
    if let decibels = layer.outputDecibels { row["output_sqnr_db"] = .number(decibels) }
    if let cosine = layer.outputCosine { row["output_cosine"] = .number(cosine) }
    row["bytes_before"] = .integer(layer.bytesBefore)
    row["bytes_after"] = .integer(layer.bytesAfter)
    return row
  }
}
