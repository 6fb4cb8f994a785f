import PruneData
import PruneGraph
import PruneTensor

/// Batch norms are folded, weights become int8 (symmetric), activations get scales from calibration data, all as
/// QuantizeLinear/DequantizeLinear pairs that ONNX runtimes fuse.
struct StaticScheme {
  /// The float model that is rewritten: folded, equalized.
  let model: Model
  let data: Dataset
  private let index: GraphIndex
  private let calibration: Calibration
  private let scales: [String: AffineScale]
  private let unobserved: Set<String>
  @Boxed private var options: QuantizeOptions
  private let scheme: QuantizationScheme
  private let rounded: [String: GPTQ.Rounded]
  private let bothSides: Bool
  /// What `keepFaster` found: how long layers take, and why some stay float.
  private(set) var timings: [LayerSpeed.Timing] = []
  private var slow: [String: String] = [:]
  private var steps: [(name: String, count: Int)] = []
  /// What the biases of layers become with the layer's weights in int8.
  private var corrections: [BiasCorrection.Change] = []

  /// Calibrates.
  init(_ original: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme) throws(PruneError) {
    guard let data = options.calibration else {
      throw PruneError(
        .invalidArgument, "scheme 'static' takes the scales of activations from calibration data, and there is none",
        hint: "give calibration = some hundred samples")
    }
    (self.data, self.options, self.scheme) = (data, options, scheme)
    var folded = try FoldBatchNormalization.apply(try RaiseOpset.apply(original, to: 13))
    if options.equalize {
      let between = Equalize.activations(folded, scheme.ignore)
      var maxima: [String: [Float]] = [:]
      if !between.isEmpty {
        let wanted = Dictionary(between.map { ($0, false) }, uniquingKeysWith: { first, _ in first })
        maxima = try Calibration(folded, data, values: [], channels: wanted, scheme: scheme, cancel: options.cancel)
          .channels.mapValues(\.magnitudes)
      }
      let made = try Equalize.apply(folded, scheme.ignore, maxima: maxima)
      folded = made.model
      steps.append(("equalized_pairs", made.pairs))
    }
    if options.smooth > 0 {
      let smooth = Smooth(folded, scheme.ignore), wanted = smooth.wanted
      var magnitudes: [String: [Float]] = [:]
      if !wanted.isEmpty {
        magnitudes = try Calibration(folded, data, values: [], channels: wanted, scheme: scheme, cancel: options.cancel)
          .channels.mapValues(\.magnitudes)
      }
      let made = try smooth.apply(
        folded, magnitudes: magnitudes, strength: Float(options.smooth), perChannel: options.perChannel)
      folded = made.model
      steps.append(("smoothed_groups", made.groups))
    }
    let bothSides = options.symmetric && (folded.opset() ?? 0) >= 21
    self.bothSides = bothSides
    let plan = try QuantizationPlan(GraphIndex(folded.graph), ignore: scheme.ignore, bothSides: bothSides)
    guard !plan.layers.isEmpty else {
      let why = plan.kept.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }.joined(separator: "; ")
      throw PruneError(
        .invalidArgument, "the model has no layer to quantize: a Conv, Gemm or MatMul with a constant float32 weight",
        hint: why)
    }
    var rounded: [String: GPTQ.Rounded] = [:]
    if scheme.rounding != .nearest {
      var targets: [GPTQ.Target] = []
      for layer in plan.layers where plan.layers.count(where: { $0.weight == layer.weight }) == 1 {
        guard let axis = layer.axis, let weight = folded.graph.initializer(layer.weight), try weight.finiteRange() != nil else { continue }
        let maxima = try weight.absoluteMaxima(axis: options.perChannel ? axis : nil)
        targets.append(
          GPTQ.Target(
            node: layer.node, input: layer.input, weight: layer.weight, axis: axis,
            scales: WeightScale.symmetric(maxima: maxima, biasBounds: [0]), low: -127, high: 127))
      }
      rounded = try GPTQ.apply(folded, data, targets, settles: scheme.rounding == .adaround, cancel: options.cancel)
      steps.append((scheme.rounding.rawValue + "_layers", rounded.count))
    }
    self.rounded = rounded
    // With fewer layers other activations may need scales of their own.
    let values = Set(options.mixed || options.keepFaster ? Array(plan.quantized) : plan.quantized.map { plan.source(of: $0) }).sorted()
    var channels: [String: Bool] = [:]
    if options.biasCorrection {
      for layer in plan.layers { channels[layer.input] = folded.graph.nodes[layer.node].opType != "Conv" }
    }
    calibration = try Calibration(
      folded, data, values: values, channels: channels, scheme: scheme, cancel: options.cancel)
    if options.biasCorrection {
      corrections = try BiasCorrection.apply(
        folded, plan, means: calibration.channels.mapValues(\.means), perChannel: options.perChannel, rounded: rounded)
      steps.append(("corrected_biases", corrections.count))
    }
    var scales: [String: AffineScale] = [:]
    for (value, range) in calibration.ranges {
      scales[value] = AffineScale(low: range.low, high: range.high, codes: scheme.calibrator.codes)
    }
    (model, self.scales, index) = (folded, scales, GraphIndex(folded.graph))
    unobserved = try Self.unobserved(plan, scales) { unobserved throws(PruneError) in
      try QuantizationPlan(GraphIndex(folded.graph), ignore: scheme.ignore, unobserved: unobserved, bothSides: bothSides)
    }
  }

  /// Activations that have no range because they held no float32 value, as those of a loop that ran no iteration: what cannot
  /// be observed stays float, and says so, rather than ending the call.
  private static func unobserved(
    _ first: QuantizationPlan, _ scales: [String: AffineScale], _ plan: (Set<String>) throws(PruneError) -> QuantizationPlan
  ) throws(PruneError) -> Set<String> {
    var (current, result) = (first, Set<String>())
    while true {
      // With fewer layers other activations need scales of their own, which may not have been observed either.
      let missing = current.quantized.filter { scales[current.source(of: $0)] == nil }
      if missing.isEmpty { return result }
      result.formUnion(missing)
      current = try plan(result)
    }
  }

  private func plan(keeping reasons: [String: String] = [:]) throws(PruneError) -> QuantizationPlan {
    try QuantizationPlan(index, ignore: scheme.ignore, keeping: reasons, unobserved: unobserved, bothSides: bothSides)
  }

  /// Leaves the layers float that are slower in integers on this machine.
  mutating func keepFaster() throws(PruneError) {
    let plan = try plan()
    timings = try LayerSpeed(
      model: model, plan: plan, scales: scales, perChannel: options.perChannel, cancel: options.cancel
    ).measured(on: data)
    for timing in timings where timing.isSlower { slow[timing.layer] = timing.reason }
  }

  /// Titles of the layers that are quantized.
  var layers: [String] {
    get throws(PruneError) {
      try plan(keeping: slow).layers.map { index.graph.nodes[$0.node].title }
    }
  }

  /// The quantized model, without the layers that are kept float.
  func build(keeping: Set<String>) throws(PruneError) -> QuantizedModel {
    var reasons = slow
    for layer in keeping { reasons[layer] = "the guard does not hold with it" }
    let plan = try plan(keeping: reasons)
    var model = model
    let quantized = Set(plan.layers.map(\.node))
    for change in corrections where quantized.contains(change.layer) { model.graph.setInitializer(change.bias, change.after) }
    let index = corrections.isEmpty ? index : GraphIndex(model.graph)
    var rewriter = QDQRewriter(model, plan, index, scales: scales, perChannel: options.perChannel, trainable: options.qat, rounded: rounded)
    var result = try rewriter.rewrite()
    if options.learnScales { result = try TrainedQuantization.learningScales(result) }
    if scheme.format == .qOperator { result = try QOperatorRewriter.apply(result) }
    let used = Set(plan.quantized.map { plan.source(of: $0) }).sorted()
    let activations = used.compactMap { name in
      scales[name].flatMap { scale in calibration.ranges[name].map { (name: name, range: $0, scale: scale) } }
    }
    let extras = steps.map { " \($0.name) \($0.count)" }.joined()
    return QuantizedModel(
      model: result, layers: rewriter.results, kept: plan.kept, activations: activations, samples: calibration.count,
      steps: steps, provenance: "\(options.qat ? TrainedQuantization.mark : "static int8") \(options.calibrator) \(calibration.count) samples of \(data.name)" + extras + (scheme.format == .qdq ? "" : " \(scheme.format.rawValue)"))
  }
}
