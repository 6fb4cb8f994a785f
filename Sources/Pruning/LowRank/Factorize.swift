import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Low rank: replaces matrix products and convolutions by two smaller ones each, of standard operators, where that saves
/// parameters and multiplications.
///
/// The report has method ("svd", or "whitened" with data), layers (name, op, weight, shape, rank, of, energy, params and
/// params_before), skipped (name, weight, reason), energy_kept (of all factored layers, the mean), before and after, and
/// with a target the share of it that is kept. Where nothing is given, each layer keeps 0.99 of its energy; with a guard
/// alone, as much is saved as it allows.
/// - Throws: what `FactorizeOptions.check` throws; `.invalidArgument` for a target that cannot be met; `.numeric` for
///   weights or activations that are not finite.
package func factorize(_ model: Model, _ options: FactorizeOptions) throws(PruneError) -> (
  model: Model, report: Report
) {
  try options.check()
  return try Factorization(model, options).outcome()
}

/// A factorization on the way.
private struct Factorization {
  private let original: Model
  private let options: FactorizeOptions
  private let weights: PrunableWeights
  private let extents: BoundExtents
  private let layers: [FactorableLayer]
  private let skipped: [(weight: PrunableWeight, reason: String)]
  private let division: RankDivision

  /// How often a goal that the guard refuses is eased, and how finely what it allows is looked for.
  private static let tries = 4
  private static let halvings = 7
  private static let leastParams = 0.05
  private static let defaultEnergy = 0.99

  init(_ model: Model, _ options: FactorizeOptions) throws(PruneError) {
    original = model
    self.options = options
    let weights = try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore)
    let samples = InputBinding.sampleShapes(options.validate ?? options.data ?? options.guard?.data, model)
    let extents = try BoundExtents(model, shapes: options.shapes, samples: samples, assumes: true)
    let stats = try ModelStats.of(weights.model, at: extents)
    if options.targets.contains(where: { $0.kind == .macs }) { try extents.check(.macs, macs: stats.macs) }
    (layers, skipped) = try Self.layers(of: weights, stats, options)
    division = RankDivision(
      layers: layers,
      whole: [.params: Double(stats.params), .bytes: Double(stats.bytes), .macs: Double(stats.macs ?? 0)])
    (self.weights, self.extents) = (weights, extents)
  }

  // MARK: - Layers

  private static func layers(
    of weights: PrunableWeights, _ stats: ModelStats, _ options: FactorizeOptions
  ) throws(PruneError) -> ([FactorableLayer], [(weight: PrunableWeight, reason: String)]) {
    var macs: [String: Int] = [:]
    for layer in stats.layers { macs[layer.name, default: 0] += layer.macs ?? 0 }
    let uses = weights.uses()
    var skipped: [(weight: PrunableWeight, reason: String)] = []
    var chosen: [Int] = []
    let form = try FactorForm("form", named: options.form)
    let unobserved = options.data == nil ? [] : weights.unobserved()
    for (index, weight) in weights.weights.enumerated() {
      if let reason = refusal(of: weight, uses[index]) ?? unobserved.first(where: { $0.weight.name == weight.name })?.reason {
        skipped.append((weight, reason))
      } else {
        chosen.append(index)
      }
    }
    var layers: [Int: FactorableLayer] = [:]
    func add(_ index: Int, _ moments: Tensor?) throws(PruneError) {
      try options.cancel?.check()
      let weight = weights.weights[index]
      let factored = FactoredWeight(weight.tensor, uses[index][0], form: form)
      let known = stats.macs == nil ? nil : Set(weight.layers).reduce(0) { $0 + (macs[$1] ?? 0) }
      do throws(PruneError) {
        let spectrum = try spectrum(of: weight.tensor, factored, factored.form == .spatial ? nil : moments)
        layers[index] = FactorableLayer(weight, uses[index], factored, spectrum, macs: known, roundTo: options.roundTo)
      } catch { throw error.located(at: uses[index][0].node.label) }
    }
    if let data = options.data {
      let moments = LayerMoments(
        weights: weights, uses: uses, data: data, batchSize: options.batchSize, cancel: options.cancel)
      for part in moments.parts(of: chosen) {
        let means = try moments.means(of: part, in: weights.model)
        for index in part { try add(index, means[index]) }
      }
    } else {
      for index in chosen { try add(index, nil) }
    }
    for index in chosen where layers[index]?.ranks.isEmpty ?? false {
      skipped.append((weights.weights[index], "no rank saves anything"))
      layers[index] = nil
    }
    return (chosen.compactMap { layers[$0] }, skipped)
  }

  /// Why a weight cannot become a product of two.
  private static func refusal(of weight: PrunableWeight, _ uses: [WeightUse]) -> String? {
    guard let first = uses.first else { return "\(weight.operation) has no form of two matrices" }
    guard uses.allSatisfy({ $0.matrix == first.matrix && $0.operand == first.operand && $0.node.opType == first.node.opType })
    else { return "its layers use it in different ways" }
    guard Set(weight.layers).count == uses.count else { return "it is also the table or the operand of another layer" }
    return nil
  }

  private static func spectrum(
    of weight: Tensor, _ factored: FactoredWeight, _ moments: Tensor?
  ) throws(PruneError) -> WeightSpectrum {
    var matrices: [Tensor] = [], inputs: [Tensor]?
    for group in 0..<factored.groups { matrices.append(try factored.gathered(weight, group: group)) }
    if let moments {
      let side = factored.columns, parts = try moments.reshaped(try Shape([factored.groups, side * side]))
      var list: [Tensor] = []
      for group in 0..<factored.groups {
        list.append(try parts.rows(group, group + 1).reshaped(try Shape([side, side])))
      }
      inputs = list
    }
    return try WeightSpectrum(matrices, moments: inputs)
  }

  // MARK: - Ranks

  func outcome() throws(PruneError) -> (model: Model, report: Report) {
    var goal = RankDivision.Goal.energy(options.energy ?? Self.defaultEnergy)
    if options.rank > 0 { goal = .rank(options.rank) }
    if !options.targets.isEmpty { goal = .targets(options.targets) }
    let ranks = try division.ranks(goal)
    guard let settings = options.guard else { return try finish(ranks, try applied(ranks)) }
    let metricGuard = try MetricGuard(
      settings, model: original, batchSize: options.batchSize, cancel: options.cancel)
    let isOpen = options.rank == 0 && options.energy == nil && options.targets.isEmpty
    return isOpen ? try mostAllowed(metricGuard) : try eased(goal, metricGuard)
  }

  /// The goal, or the nearest to it on the way back to the dense model that the guard allows.
  private func eased(
    _ goal: RankDivision.Goal, _ metricGuard: MetricGuard
  ) throws(PruneError) -> (model: Model, report: Report) {
    var share = 1.0, refused: Double?
    for _ in 0..<Self.tries {
      let ranks = try division.ranks(goal.eased(share, of: layers)), result = try applied(ranks)
      let metric = try metricGuard.measure(result)
      if metricGuard.allows(metric) { return try finish(ranks, result, metricGuard, metric, refused: refused) }
      refused = refused ?? metric
      share /= 2
    }
    return try undone(metricGuard, refused)
  }

  /// The least parameters that the guard allows.
  private func mostAllowed(_ metricGuard: MetricGuard) throws(PruneError) -> (model: Model, report: Report) {
    let floor = max(division.kept(.params, layers.map(\.ranks.first)), Self.leastParams)
    var (low, high) = (floor, 1.0)
    var best: (ranks: [Int?], model: Model, metric: Double)?, refused: Double?
    for step in 0..<Self.halvings {
      try options.cancel?.check()
      let fraction = step == 0 ? floor : (low + high) / 2
      let ranks = try division.ranks(.targets([CostTarget(.params, fraction)])), result = try applied(ranks)
      let metric = try metricGuard.measure(result)
      if metricGuard.allows(metric) {
        best = (ranks, result, metric)
        high = fraction
        if step == 0 { break }
      } else {
        refused = refused ?? metric
        low = fraction
      }
    }
    guard let best else { return try undone(metricGuard, refused) }
    return try finish(best.ranks, best.model, metricGuard, best.metric)
  }

  private func undone(_ metricGuard: MetricGuard, _ refused: Double?) throws(PruneError) -> (model: Model, report: Report) {
    var (model, report) = try finish(layers.map { _ in nil }, original, metricGuard, metricGuard.baseline)
    report.headline =
      "the guard undid everything: \(refused.map { metricGuard.refusal(of: $0) } ?? ""); raise max_drop, ask for less, "
      + "or factor a model that is trained afterwards"
    return (model, report)
  }

  private func applied(_ ranks: [Int?]) throws(PruneError) -> Model {
    guard ranks.contains(where: { $0 != nil }) else { return original }
    // Least squares are of float32 alone.
    let fits = options.data != nil && weights.stored == nil
    var surgery = try FactorSurgery(weights.stored ?? weights.model, addsBiases: fits)
    for (layer, rank) in zip(layers, ranks) {
      try options.cancel?.check()
      if let rank { try surgery.replace(layer, rank: rank) }
    }
    var result = surgery.finished
    if fits, let data = options.data { try fit(&result, surgery.outputs, data) }
    return result
  }

  /// Second layers take back what the first ones, and all layers before them, lost: each is fitted to what the layer
  /// gave that it stands for.
  private func fit(_ model: inout Model, _ outputs: Set<String>, _ data: Dataset) throws(PruneError) {
    let batches = try RepairSamples.batches(of: data, for: original, batchSize: options.batchSize)
    guard !batches.isEmpty else { return }
    let consumers = model.graph.consumers, producers = model.graph.producers
    var jobs: [LayerFit.Job] = []
    for (position, node) in model.graph.nodes.enumerated() {
      guard let output = node.output(0), outputs.contains(output), let weight = node.input(1),
        consumers[weight]?.count == 1, let layer = FittedLayer(node, model.graph)
      else { continue }
      jobs.append(
        LayerFit.Job(
          layer: layer, output: output, position: position,
          sum: ResidualSum(behind: output, model.graph, consumers, producers)))
    }
    try LayerFit(original: weights.model, batches: batches, seed: options.seed, cancel: options.cancel).run(jobs, &model)
  }

  // MARK: - The report

  private func finish(
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
      notes.append("ranks go by the weights alone: data = … makes them go by what layers compute on it, which loses less")
    } else if factored.contains(where: { $0.0.factored.form == .spatial }) {
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
