import PruneData
import PruneGraph
import PruneTensor

/// Batch norms are folded, weights become int8 (symmetric), activations get scales from calibration data, all as
/// QuantizeLinear/DequantizeLinear pairs that ONNX runtimes fuse.
enum StaticScheme {
  static func apply(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> QuantizedModel {
    guard let data = options.calibration else {
      throw PruneError(
        .invalidArgument, "scheme 'static' takes the scales of activations from calibration data, and there is none",
        hint: "give calibration = some hundred samples")
    }
    let isOld = (model.opset() ?? 0) >= 10
    try checkOpset(
      model, atLeast: options.perChannel ? 13 : 10, for: options.perChannel ? "one scale a channel" : "QuantizeLinear",
      hint: options.perChannel && isOld ? ", or quantize with one scale a tensor" : "")
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
      folded, data, values: values, scheme: scheme, cancel: options.cancel)
    var scales: [String: AffineScale] = [:]
    for value in values {
      guard let range = calibration.ranges[value] else {
        throw PruneError(.unsupported, "activation '\(value)' is not float32", hint: "leave its layer out with ignore = …")
      }
      scales[value] = AffineScale(low: range.low, high: range.high, codes: scheme.calibrator.codes)
    }
    var rewriter = QDQRewriter(folded, plan, index, scales: scales, perChannel: options.perChannel)
    let result = try rewriter.rewrite()
    let activations = values.compactMap { name in
      scales[name].flatMap { scale in calibration.ranges[name].map { (name: name, range: $0, scale: scale) } }
    }
    return QuantizedModel(
      model: result, layers: rewriter.results, kept: plan.kept, activations: activations, samples: calibration.count,
      provenance: "static int8 \(options.calibrator) \(calibration.count) samples of \(data.name)")
  }
}
