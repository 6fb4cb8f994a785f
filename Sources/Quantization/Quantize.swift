import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Quantizes a model into a new one: batch norms are folded, weights become int8 (symmetric, exact zeros stay zero),
/// activations get scales from calibration data, all as QuantizeLinear/DequantizeLinear pairs that ONNX runtimes fuse.
///
/// - Throws: `.unsupported` for choices that this build does not have and for an opset that is too old;
///   `.invalidArgument` without calibration data or anything to quantize; `.numeric` for numbers that are not finite;
///   `.refused` when the guard's bound does not hold.
package func quantize(_ model: Model, _ options: QuantizeOptions) throws(PruneError) -> (model: Model, report: Report) {
  let scheme = try QuantizationScheme(options)
  guard let data = options.calibration else {
    throw PruneError(
      .invalidArgument, "scheme 'static' takes the scales of activations from calibration data, and there is none",
      hint: "give calibration = some hundred samples")
  }
  try check(model, perChannel: options.perChannel)
  var judge: MetricGuard?
  if let settings = options.guard {
    judge = try MetricGuard(settings, model: model, batchSize: scheme.batchSize, cancel: options.cancel)
  }

  let folded = try FoldBatchNormalization.apply(model)
  let index = GraphIndex(folded.graph)
  let plan = try QuantizationPlan(index, ignore: scheme.ignore)
  guard !plan.layers.isEmpty else {
    let why = plan.kept.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }.joined(separator: "; ")
    throw PruneError(
      .invalidArgument, "the model has no layer to quantize: a Conv, Gemm or MatMul with a constant float32 weight",
      hint: why)
  }
  let values = Set(plan.quantized.map { plan.source(of: $0) }).sorted()
  let calibration = try Calibration(
    folded, data, values: values, observer: scheme.observer, batchSize: scheme.batchSize, cancel: options.cancel)
  var scales: [String: AffineScale] = [:]
  for value in values {
    guard let range = calibration.ranges[value] else {
      throw PruneError(.unsupported, "activation '\(value)' is not float32", hint: "leave its layer out with ignore = …")
    }
    scales[value] = AffineScale(low: range.low, high: range.high, codes: scheme.codes)
  }
  var rewriter = QDQRewriter(folded, plan, index, scales: scales, perChannel: options.perChannel)
  var result = try rewriter.rewrite()
  result.metadata.removeAll { $0.key == provenanceKey }
  result.metadata.append(
    MetadataEntry(
      key: provenanceKey,
      value: "\(options.scheme) int\(options.bits) \(options.calibrator) \(calibration.count) samples of \(data.name)"))

  var report = QuantizationReport(options, scheme, plan, rewriter.results, calibration, scales).report
  if let judge {
    let metric = try judge.measure(result)
    report["guard"] = .report(try judgement(judge, metric))
  }
  report["before"] = .report(try QuantizationReport.state(model, options, scheme, title: "before"))
  report["after"] = .report(try QuantizationReport.state(result, options, scheme, title: "after"))
  return (result, report)
}

/// Metadata that says how a model was quantized.
private let provenanceKey = "libprune.quantized"

/// What has to be true of a model before anything is run.
private func check(_ model: Model, perChannel: Bool) throws(PruneError) {
  if let node = model.graph.nodes.first(where: { ["QuantizeLinear", "DequantizeLinear"].contains($0.opType) }) {
    throw PruneError(
      .invalidArgument, "the model is quantized already", at: node.label, hint: "quantize the float model it was made from")
  }
  let least: Int64 = perChannel ? 13 : 10
  guard let opset = model.opset(), opset >= least else {
    let found = model.opset().map { "opset is \($0)" } ?? "the model imports no standard opset"
    throw PruneError(
      .unsupported, "\(found), \(perChannel ? "one scale a channel" : "QuantizeLinear") needs \(least) or later",
      hint: "export the model at opset \(least) or later"
        + (perChannel && (model.opset() ?? 0) >= 10 ? ", or quantize with one scale a tensor" : ""))
  }
}

/// - Throws: `.refused` with both values when the bound does not hold.
private func judgement(_ judge: MetricGuard, _ metric: Double) throws(PruneError) -> Report {
  guard judge.allows(metric) else {
    func text(_ value: Double) -> String { formatted(value, digits: 6, style: "g") }
    throw PruneError(
      .refused,
      "quantization takes \(judge.options.metric) from \(text(judge.baseline)) to \(text(metric)), more than max_drop "
        + "\(text(judge.options.maxDrop)) allows",
      hint: "calibrate on more data, or leave sensitive layers float with ignore = …")
  }
  var report = Report(title: "guard")
  report["metric"] = .text(judge.options.metric)
  report["before"] = .number(judge.baseline)
  report["after"] = .number(metric)
  report["drop"] = .number(judge.drop(of: metric))
  report["max_drop"] = .number(judge.options.maxDrop)
  return report
}
