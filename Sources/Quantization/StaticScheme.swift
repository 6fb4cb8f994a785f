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
  private var calibration: Calibration
  private var scales: [String: AffineScale] = [:]
  private let unobserved: Set<String>
  @Boxed private var options: QuantizeOptions
  private let scheme: QuantizationScheme
  private let rounded: [String: GPTQ.Rounded]
  private let bothSides: Bool
  /// What `keepFaster` found: how long layers take, and why some stay float.
  private(set) var timings: [LayerSpeed.Timing] = []
  private var slow: [String: String] = [:]
  private var outcomes: [OptionOutcome]
  /// The calibrator that gave the ranges, and what was tried before.
  private var calibrator: String
  private var trials: [CalibratorChoice.Trial] = []
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
    var folded = try FoldBatchNormalization.apply(try ResizeAxes.apply(try RaiseOpset.apply(original, to: 13)))
    let bothSides = options.symmetric && (folded.opset() ?? 0) >= 21
    self.bothSides = bothSides
    var outcomes: [OptionOutcome] = []
    if options.equalize { folded = try Self.equalized(folded, options, scheme, &outcomes) }
    if options.smooth > 0 { folded = try Self.smoothed(folded, options, scheme, &outcomes) }
    let isAuto = scheme.observer == AutoObserver.self, correctsBiases = options.biasCorrection || isAuto
    if correctsBiases { folded = try BiasCorrection.prepared(folded, try Self.plan(folded, scheme)) }
    let plan = try QuantizationPlan(GraphIndex(folded.graph), ignore: scheme.ignore, bothSides: bothSides)
    guard !plan.layers.isEmpty else {
      let why = plan.kept.prefix(3).map { "\($0.operation) '\($0.name)': \($0.reason)" }.joined(separator: "; ")
      throw PruneError(
        .invalidArgument, "the model has no layer to quantize: a Conv, Gemm or MatMul with a constant float32 weight",
        hint: why)
    }
    let rounded = scheme.rounding == .nearest ? [:] : try Self.rounded(folded, plan, options, scheme, &outcomes)
    self.rounded = rounded
    // With fewer layers other activations may need scales of their own.
    let values = Set(
      options.mixed || options.keepFaster ? Array(plan.quantized) : plan.quantized.map { plan.source(of: $0) }
    ).sorted()
    var channels: [String: Bool] = [:]
    if correctsBiases {
      for layer in plan.layers { channels[layer.input] = folded.graph.nodes[layer.node].opType != "Conv" }
    }
    let (seen, held) = isAuto ? try CalibratorChoice.divided(data, folded) : (data, data)
    calibration = try Calibration(
      folded, seen, values: values, channels: channels, scheme: scheme, cancel: options.cancel)
    if correctsBiases {
      var outcome = OptionOutcome("bias_correction", step: "corrected_biases")
      corrections = try BiasCorrection.apply(
        folded, plan, means: calibration.channels.mapValues(\.means), perChannel: options.perChannel, rounded: rounded,
        &outcome)
      if options.biasCorrection { outcomes.append(try outcome.checked()) }
    }
    (model, index, calibrator, self.outcomes) = (folded, GraphIndex(folded.graph), options.calibrator, outcomes)
    scales = Self.scales(calibration.ranges, scheme)
    unobserved = try Self.unobserved(plan, scales) { unobserved throws(PruneError) in
      try QuantizationPlan(
        GraphIndex(folded.graph), ignore: scheme.ignore, unobserved: unobserved, bothSides: bothSides)
    }
    guard isAuto else { return }
    try choose(on: held)
    // What the samples that were held back reach, activations may reach.
    guard calibrator == MinMaxObserver.name, data.count > seen.count else { return }
    calibration.widen(
      by: try Calibration(folded, held, values: values, scheme: scheme, cancel: options.cancel))
    scales = Self.scales(calibration.ranges, scheme)
  }

  private static func scales(_ ranges: [String: (low: Float, high: Float)], _ scheme: QuantizationScheme) -> [String:
    AffineScale]
  {
    ranges.mapValues { AffineScale(low: $0.low, high: $0.high, codes: scheme.calibrator.codes) }
  }

  /// Takes the ranges, and corrected biases or not, that serve best on samples that were held back.
  private mutating func choose(on held: Dataset) throws(PruneError) {
    let all = corrections, forced = options.biasCorrection
    var candidate = self
    candidate.options.qat = false
    candidate.options.learnScales = false
    trials = try CalibratorChoice.trials(model, held, hasCorrections: !all.isEmpty && !forced, cancel: options.cancel) {
      calibrator, corrects throws(PruneError) in
      candidate.take(calibrator, corrections: corrects || forced ? all : [])
      return try candidate.quantized(keeping: [:]).model
    }
    let best = trials.first
    take(best?.calibrator ?? MinMaxObserver.name, corrections: best?.correctsBiases ?? false || forced ? all : [])
  }

  private mutating func take(_ calibrator: String, corrections: [BiasCorrection.Change]) {
    calibration.choose(calibrator)
    scales = Self.scales(calibration.ranges, scheme)
    (self.calibrator, self.corrections) = (calibrator, corrections)
  }

  private static func plan(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizationPlan {
    try QuantizationPlan(GraphIndex(model.graph), ignore: scheme.ignore)
  }

  /// The model with the ranges of channels evened out between layers.
  private static func equalized(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme, _ outcomes: inout [OptionOutcome]
  ) throws(PruneError) -> Model {
    let between = Equalize.activations(model, scheme.ignore)
    let wanted = Dictionary(between.map { ($0, false) }, uniquingKeysWith: { first, _ in first })
    var outcome = OptionOutcome("equalize", step: "equalized_pairs")
    let result = try Equalize.apply(
      model, scheme.ignore, maxima: try magnitudes(model, wanted, options, scheme),
      layers: try plan(model, scheme).layers.map(\.node),
      &outcome)
    outcomes.append(try outcome.checked())
    return result
  }

  /// The model with ranges moved from activations into weights.
  private static func smoothed(
    _ model: Model, _ options: QuantizeOptions, _ scheme: QuantizationScheme, _ outcomes: inout [OptionOutcome]
  ) throws(PruneError) -> Model {
    let smooth = Smooth(model, scheme.ignore, layers: try plan(model, scheme).layers.map(\.node))
    var outcome = OptionOutcome("smooth", step: "smoothed_groups")
    let result = try smooth.apply(
      model, magnitudes: try magnitudes(model, smooth.wanted, options, scheme), strength: Float(options.smooth),
      perChannel: options.perChannel, &outcome)
    outcomes.append(try outcome.checked())
    return result
  }

  /// The largest magnitudes of activations by channel.
  private static func magnitudes(
    _ model: Model, _ wanted: [String: Bool], _ options: QuantizeOptions, _ scheme: QuantizationScheme
  ) throws(PruneError) -> [String: [Float]] {
    guard !wanted.isEmpty, let data = options.calibration else { return [:] }
    return try Calibration(model, data, values: [], channels: wanted, scheme: scheme, cancel: options.cancel).channels
      .mapValues(\.magnitudes)
  }

  /// Weights that are rounded with regard to what their layers are fed.
  private static func rounded(
    _ model: Model, _ plan: QuantizationPlan, _ options: QuantizeOptions, _ scheme: QuantizationScheme,
    _ outcomes: inout [OptionOutcome]
  ) throws(PruneError) -> [String: GPTQ.Rounded] {
    guard let data = options.calibration else { return [:] }
    let name = scheme.rounding.rawValue
    var outcome = OptionOutcome("rounding '\(name)'", step: name + "_layers")
    var targets: [GPTQ.Target] = []
    for layer in plan.layers {
      let node = model.graph.nodes[layer.node]
      guard plan.layers.count(where: { $0.weight == layer.weight }) == 1 else {
        outcome.leave(node, "other layers use its weight as well")
        continue
      }
      guard let axis = layer.axis, let weight = model.graph.initializer(layer.weight) else {
        outcome.leave(
          node, layer.axis == nil ? "its weight is a stack of matrices" : "its weight is not an initializer")
        continue
      }
      let maxima = try weight.absoluteMaxima(axis: options.perChannel ? axis : nil)
      let grid = RoundingGrid(scales: WeightScale.symmetric(maxima: maxima, biasBounds: [0]), low: -127, high: 127)
      targets.append(GPTQ.Target(node: layer.node, input: layer.input, weight: layer.weight, axis: axis, grid: grid))
    }
    let result =
      targets.isEmpty
      ? [:]
      : try GPTQ.apply(model, data, targets, settles: scheme.rounding == .adaround, &outcome, cancel: options.cancel)
    outcomes.append(try outcome.checked())
    return result
  }

  /// Activations that have no range because they held no float32 value, as those of a loop that ran no iteration: what
  /// cannot be observed stays float, and says so, rather than ending the call.
  private static func unobserved(
    _ first: QuantizationPlan, _ scales: [String: AffineScale],
    _ plan: (Set<String>) throws(PruneError) -> QuantizationPlan
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
      try plan(keeping: slow).layers.map { index.graph.nodes[$0.node].layerName }
    }
  }

  /// The quantized model, without the layers that are kept float.
  func build(keeping: Set<String>) throws(PruneError) -> QuantizedModel {
    var reasons = slow
    for layer in keeping { reasons[layer] = "the guard does not hold with it" }
    let plan = try plan(keeping: reasons)
    let written = try quantized(keeping: reasons)
    var result = written.model
    if options.learnScales { result = try TrainedQuantization.learningScales(result) }
    if scheme.format == .qOperator { result = try QOperatorRewriter.apply(result) }
    let used = Set(plan.quantized.map { plan.source(of: $0) }).sorted()
    let activations = used.compactMap { name in
      scales[name].flatMap { scale in calibration.ranges[name].map { (name: name, range: $0, scale: scale) } }
    }
    return QuantizedModel(
      model: result, layers: written.layers, kept: plan.kept, activations: activations, samples: data.count,
      outcomes: outcomes, calibrator: calibrator, trials: trials, provenance: provenance)
  }

  private var provenance: String {
    var words = [
      options.qat ? TrainedQuantization.mark : "static int8", calibrator, "\(data.count) samples of \(data.name)",
    ]
    words += outcomes.map { "\($0.step) \($0.served)" }
    if !trials.isEmpty, !options.biasCorrection, !corrections.isEmpty {
      words.append("corrected_biases \(corrections.count)")
    }
    if scheme.format != .qdq { words.append(scheme.format.rawValue) }
    return words.joined(separator: " ")
  }

  /// The model with its layers in integers, without those that have a reason to stay float.
  private func quantized(keeping reasons: [String: String]) throws(PruneError) -> (
    model: Model, layers: [QuantizedLayer]
  ) {
    let plan = try plan(keeping: reasons)
    var model = model
    let quantized = Set(plan.layers.map(\.node))
    for change in corrections where quantized.contains(change.layer) {
      model.graph.setInitializer(change.bias, change.after)
    }
    let index = corrections.isEmpty ? index : GraphIndex(model.graph)
    var rewriter = QDQRewriter(
      model, plan, index, scales: scales, perChannel: options.perChannel, trainable: options.qat, rounded: rounded)
    return (try rewriter.rewrite(), rewriter.results)
  }
}
