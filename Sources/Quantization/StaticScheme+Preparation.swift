import PruneData
import PruneGraph
import PruneTensor

/// What options ask for before activations get their ranges.
extension StaticScheme {
  static func plan(_ model: Model, _ scheme: QuantizationScheme) throws(PruneError) -> QuantizationPlan {
    try QuantizationPlan(GraphIndex(model.graph), ignore: scheme.ignore)
  }

  /// The model with the ranges of channels evened out between layers.
  static func equalized(
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
  static func smoothed(
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
  static func rounded(
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
}
