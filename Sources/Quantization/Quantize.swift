import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Quantizes a model into a new one that standard runtimes execute. Exact zeros of weights stay zero in every scheme.
///
/// - Throws: `.unsupported` for choices that this build does not have and for an opset that is too old;
///   `.invalidArgument` without the calibration data that a scheme needs or anything to quantize; `.numeric` for
///   numbers that are not finite; `.refused` when the guard's bound does not hold.
package func quantize(_ original: Model, _ options: QuantizeOptions) throws(PruneError) -> (
  model: Model, report: Report
) {
  let scheme = try QuantizationScheme(options)
  let isTrained = TrainedQuantization.applies(to: original)
  if !isTrained || options.qat || scheme.kind != .static { try checkIsFloat(original) }
  let model = isTrained ? original : try original.readable(by: scheme)
  var metricGuard: MetricGuard?
  if let settings = options.guard {
    metricGuard = try MetricGuard(settings, model: original, batchSize: scheme.batchSize, cancel: options.cancel)
  }
  var staticScheme = scheme.kind == .static && !isTrained ? try StaticScheme(model, options, scheme) : nil
  if options.keepFaster { try staticScheme?.keepFaster() }
  var result: QuantizedModel
  if let staticScheme {
    result = try staticScheme.build(keeping: [])
  } else {
    result =
      switch scheme.kind {
      case .static: try TrainedQuantization.finish(model, scheme)
      case .dynamic: try WeightSchemes.dynamic(model, options, scheme)
      case .weightOnly: try WeightSchemes.weightOnly(model, options, scheme)
      case .float32: QuantizedModel(model: model, layers: [], kept: [], provenance: "float32")
      case .float8: try WeightSchemes.float8(model, options, scheme)
      case .float16: try WeightSchemes.float16(model, scheme)
      case .bfloat16: try WeightSchemes.bfloat16(model, scheme)
      case .palette: try PaletteScheme.apply(model, options, scheme)
      case .joint: try JointBudget.apply(model, options, scheme)
      }
  }
  var damages: [MixedPrecision.Damage] = []
  if options.mixed, let metricGuard, let staticScheme, !metricGuard.allows(try metricGuard.measure(result.model)) {
    (result, damages) = try MixedPrecision(staticScheme, metricGuard, cancel: options.cancel).search(result)
  }
  if let data = options.calibration, scheme.kind != .float32, !isTrained, !options.qat {
    try result.measure(against: model, data, cancel: options.cancel)
  }
  result.model.graph.nameNodesApart(since: original.graph)
  result.model.metadata.removeAll { $0.key == provenanceKey }
  result.model.metadata.append(MetadataEntry(key: provenanceKey, value: result.provenance))

  var report = QuantizationReport(options, scheme, result).report
  if let timings = staticScheme?.timings, !timings.isEmpty {
    report["speed"] = .list(timings.map { .report($0.report) })
  }
  if !damages.isEmpty { report["damage"] = .list(damages.map { .report($0.report) }) }
  if let metricGuard { report["guard"] = .report(try judgement(metricGuard, try metricGuard.measure(result.model))) }
  report["before"] = .report(try QuantizationReport.state(original, options, scheme, title: "before"))
  report["after"] = .report(try QuantizationReport.state(result.model, options, scheme, title: "after"))
  return (result.model, report)
}

extension Model {
  /// The model in the form that schemes rewrite: its weights in the open, in float32, as their layers read them.
  fileprivate func readable(by scheme: QuantizationScheme) throws(PruneError) -> Model {
    var result = try opened()
    if scheme.kind == .float32 || result.hasOtherFloatWeights {
      result = try result.float32Form(keepsInterface: scheme.kind != .float32)
    }
    if scheme.kind == .float32 { return result }
    // A palette leaves the graph as it is, and a table of int8 rows can be read by other layers: a weight that several
    // layers share stays one.
    let keepsShared =
      scheme.kind == .palette || scheme.kind == .joint || scheme.kind == .weightOnly && scheme.format == .qdq
    return try DirectWeights.apply(result, keepsShared: keepsShared, keepsTables: scheme.kind == .dynamic)
  }
}

/// What a scheme made of a model.
struct QuantizedModel {
  var model: Model
  var layers: [QuantizedLayer]
  var kept: [QuantizationPlan.Kept]
  /// Calibrated activations, in the order of their names.
  var activations: [(name: String, range: (low: Float, high: Float), scale: AffineScale)] = []
  /// Calibration samples.
  var samples = 0
  /// Other numbers for the report.
  var steps: [(name: String, count: Int)] = []
  /// What options did beside rounding to the nearest.
  var outcomes: [OptionOutcome] = []
  /// The calibrator whose ranges were taken, and what others gave, the best first.
  var calibrator = ""
  var trials: [CalibratorChoice.Trial] = []
  /// What the model's outputs lost on calibration data.
  var outputs: [ValueDifference] = []
  /// How the model was made, for its metadata.
  var provenance: String

  /// Samples that layers are compared on, at most.
  private static let compared = 16

  /// Compares what layers and outputs compute with the float model, on some of the calibration data.
  mutating func measure(against float: Model, _ data: Dataset, cancel: CancelFlag?) throws(PruneError) {
    var options = DifferencesOptions()
    (options.samples, options.cancel) = (Self.compared, cancel)
    let found: [ValueDifference]
    do throws(PruneError) {
      found = try valueDifferences(float, model, data, options)
    } catch let error where error.status == .invalidArgument {
      return
    }
    let names = Set(float.graph.outputs.map(\.name))
    outputs = found.filter { names.contains($0.name) }
    let values = Dictionary(found.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let computed = Dictionary(
      float.graph.nodes.map { ($0.layerName, $0.outputs.first { !$0.isEmpty } ?? "") },
      uniquingKeysWith: { first, _ in first })
    for place in layers.indices {
      guard let value = computed[layers[place].name].flatMap({ values[$0] }) else { continue }
      (layers[place].outputDecibels, layers[place].outputCosine) = (value.decibels, value.cosine)
    }
  }
}

/// Metadata that says how a model was quantized.
let provenanceKey = "libprune.quantized"

/// - Throws: `.invalidArgument` for a model that is quantized already.
private func checkIsFloat(_ model: Model) throws(PruneError) {
  let marks: Set<String> = [
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QGemm", "MatMulNBits",
  ]
  guard let node = model.graph.nodes.first(where: { marks.contains($0.opType) || $0.opType.hasPrefix("QLinear") })
  else { return }
  throw PruneError(
    .invalidArgument, "the model is quantized already", at: node.label,
    hint: "quantize the float model it was made from")
}

/// - Throws: `.refused` with both values when the bound does not hold.
private func judgement(_ metricGuard: MetricGuard, _ metric: Double) throws(PruneError) -> Report {
  guard metricGuard.allows(metric) else {
    func text(_ value: Double) -> String { formatted(value, digits: 6, style: "g") }
    throw PruneError(
      .refused,
      "quantization takes \(metricGuard.options.metric) from \(text(metricGuard.baseline)) to \(text(metric)), more than max_drop "
        + "\(text(metricGuard.options.tolerance)) allows",
      hint: "calibrate on more data, or leave sensitive layers float with ignore = …")
  }
  var report = Report(title: "guard")
  report["metric"] = .text(metricGuard.options.metric)
  report["before"] = .number(metricGuard.baseline)
  report["after"] = .number(metric)
  report["drop"] = .number(metricGuard.drop(of: metric))
  report["max_drop"] = .number(metricGuard.options.tolerance)
  return report
}
