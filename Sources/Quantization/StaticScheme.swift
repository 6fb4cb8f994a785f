import PruneData
import PruneGraph
import PruneTensor

/// Batch norms are folded, weights become int8 (symmetric), activations get scales from calibration data, all as
/// QuantizeLinear/DequantizeLinear pairs that ONNX runtimes fuse.
struct StaticScheme {
  /// The float model that is rewritten: folded, equalized.
  private(set) var model: Model
  let data: Dataset
  private var index: GraphIndex
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
    folded = try PlainProducts.apply(folded, ignore: scheme.ignore)
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
    try choose(on: held, from: seen)
    // What the samples that were held back reach, activations may reach.
    guard calibrator == MinMaxObserver.name, data.count > seen.count else { return }
    calibration.widen(
      by: try Calibration(model, held, values: values, scheme: scheme, cancel: options.cancel))
    scales = Self.scales(calibration.ranges, scheme)
  }

  private static func scales(_ ranges: [String: (low: Float, high: Float)], _ scheme: QuantizationScheme) -> [String:
    AffineScale]
  {
    ranges.mapValues { AffineScale(low: $0.low, high: $0.high, codes: scheme.calibrator.codes) }
  }

  /// Takes the ranges, corrected biases or not, and layers evened out or not, that serve best on samples that were held
  /// back.
  private mutating func choose(on held: Dataset, from seen: Dataset) throws(PruneError) {
    guard let probe = try CalibratorChoice.probe(model, held, cancel: options.cancel) else {
      return take(MinMaxObserver.name, corrections: options.biasCorrection ? corrections : [])
    }
    try choose(with: probe, of: AutoObserver.tried, equalizes: false)
    guard var even = try evened(seen, probe) else { return }
    // What served best without, and what cuts off most: channels that are alike have fewer values far out.
    let order = trials.map(\.calibrator)
    let calibrators = AutoObserver.tried.filter { order.prefix(2).contains($0) || $0 == PercentileObserver.name }
    try even.choose(with: probe, of: calibrators, equalizes: true)
    let merged = CalibratorChoice.merged(trials, even.trials)
    if merged.first?.equalizes ?? false { self = even }
    trials = merged
  }

  private mutating func choose(with probe: OutputProbe, of calibrators: [String], equalizes: Bool) throws(PruneError) {
    let all = corrections, forced = options.biasCorrection
    var candidate = self
    candidate.options.qat = false
    candidate.options.learnScales = false
    trials = try CalibratorChoice.trials(
      probe, of: calibrators, hasCorrections: !all.isEmpty && !forced, equalizes: equalizes, cancel: options.cancel
    ) { calibrator, corrects throws(PruneError) in
      candidate.take(calibrator, corrections: corrects || forced ? all : [])
      return try candidate.quantized(keeping: [:]).model
    }
    let best = trials.first
    take(best?.calibrator ?? MinMaxObserver.name, corrections: best?.correctsBiases ?? false || forced ? all : [])
  }

  /// Samples that activations between layers are looked at again on, at most.
  private static let secondLook = 64
  /// How far outputs of the float model may be from what they were, on samples that were held back: behind an upper
  /// bound a channel may get there on what calibration did not see.
  private static let exact = 0.01

  /// The same with ranges of channels evened out between layers: only the activations between them are other ones. Nil
  /// where there are none, and where the float network would not compute what it did.
  private func evened(_ seen: Dataset, _ probe: OutputProbe) throws(PruneError) -> StaticScheme? {
    guard !options.equalize, options.smooth == 0, !options.qat, !options.mixed, scheme.rounding == .nearest else {
      return nil
    }
    let between = Set(Equalize.activations(model, scheme.ignore)), plan = try plan()
    let wanted = calibration.channels.filter { between.contains($0.key) }
    guard !wanted.isEmpty else { return nil }
    var pairs = OptionOutcome("equalize", step: "equalized_pairs")
    let even = try Equalize.apply(
      model, scheme.ignore, maxima: wanted.mapValues(\.magnitudes), layers: plan.layers.map(\.node), &pairs)
    guard try probe.distance(of: even) < Self.exact else { return nil }
    let count = min(seen.count, Self.secondLook)
    let found = try Calibration(
      even, try seen.subset((0..<count).map { $0 * seen.count / count }),
      values: between.intersection(calibration.ranges.keys).sorted(),
      channels: wanted.mapValues(\.isLast), scheme: scheme, cancel: options.cancel)
    var result = self
    (result.model, result.index) = (even, GraphIndex(even.graph))
    result.calibration.replace(by: found)
    var ignored = OptionOutcome("bias_correction", step: "corrected_biases")
    result.corrections =
      corrections.isEmpty
      ? []
      : try BiasCorrection.apply(
        even, plan, means: result.calibration.channels.mapValues(\.means), perChannel: options.perChannel,
        rounded: rounded, &ignored)
    var served = OptionOutcome("equalize", step: "equalized_pairs")
    served.serve(pairs.served)
    result.outcomes.append(served)
    return result
  }

  private mutating func take(_ calibrator: String, corrections: [BiasCorrection.Change]) {
    calibration.choose(calibrator)
    scales = Self.scales(calibration.ranges, scheme)
    (self.calibrator, self.corrections) = (calibrator, corrections)
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
    let rest = options.qat ? nil : try stored(result, plan, except: reasons)
    let used = Set(plan.quantized.map { plan.source(of: $0) }).sorted()
    let activations = used.compactMap { name in
      scales[name].flatMap { scale in calibration.ranges[name].map { (name: name, range: $0, scale: scale) } }
    }
    return QuantizedModel(
      model: rest?.model ?? result, layers: written.layers + (rest?.layers ?? []), kept: rest?.kept ?? plan.kept,
      activations: activations, samples: data.count,
      outcomes: outcomes, calibrator: calibrator, trials: trials, provenance: provenance)
  }

  /// What has no integer form is stored in 8 bits all the same, and computes in float.
  private func stored(
    _ model: Model, _ plan: QuantizationPlan, except reasons: [String: String]
  ) throws(PruneError) -> (model: Model, layers: [QuantizedLayer], kept: [QuantizationPlan.Kept])? {
    let edit = GraphEdit(model)
    let rest = try WeightPlan(
      edit.index, ignore: scheme.ignore, operators: WeightPlan.storable, isRest: true, except: Set(reasons.keys))
    guard !rest.layers.isEmpty else { return nil }
    var rewriter = WeightOnlyRewriter(
      edit, rest, [:], .init(bits: 8, blockSize: 0, symmetric: false, perChannel: options.perChannel, fused: false))
    var result = try rewriter.rewrite(cancel: options.cancel)
    for place in result.layers.indices {
      let name = result.layers[place].name
      result.layers[place].floatReason =
        plan.kept.first { $0.name == name }?.reason ?? "integer runtimes have no \(result.layers[place].operation)"
    }
    let names = Set(rest.layers.map { edit.index.graph.nodes[$0.node].layerName })
    return (result.model, result.layers, plan.kept.filter { !names.contains($0.name) })
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
