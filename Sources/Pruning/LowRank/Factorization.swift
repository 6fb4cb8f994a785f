import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// A factorization on the way.
struct Factorization {
  let original: Model
  let options: FactorizeOptions
  let weights: PrunableWeights
  let extents: BoundExtents
  let layers: [FactorableLayer]
  let skipped: [(weight: PrunableWeight, reason: String)]
  let division: RankDivision

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
    let consumers = weights.model.graph.consumers
    let form = try FactorForm("form", named: options.form)
    let unobserved = options.data == nil ? [] : weights.unobserved()
    for (index, weight) in weights.weights.enumerated() {
      if let reason = refusal(of: weight, uses[index], in: weights.model.graph, consumers)
        ?? unobserved.first(where: { $0.weight.name == weight.name })?.reason
      {
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
  private static func refusal(
    of weight: PrunableWeight, _ uses: [WeightUse], in graph: Graph, _ consumers: [String: [Int]]
  ) -> String? {
    guard let first = uses.first else { return "\(weight.operation) has no form of two matrices" }
    guard
      uses.allSatisfy({
        $0.matrix == first.matrix && $0.operand == first.operand && $0.node.opType == first.node.opType
      })
    else { return "its layers use it in different ways" }
    let side = min(first.matrix.outputs, first.matrix.columns)
    guard side <= WeightSpectrum.largestSide else {
      return "its smaller side is \(side), more than \(WeightSpectrum.largestSide)"
    }
    // Both forms would be stored.
    if isKept(weight.name, beside: Set(uses.map(\.output)), graph, consumers) {
      return "something else reads it as well"
    }
    return nil
  }

  /// Whether a weight stays in the model when the layers of these outputs no longer read it.
  private static func isKept(
    _ name: String, beside outputs: Set<String>, _ graph: Graph, _ consumers: [String: [Int]]
  ) -> Bool {
    var values = [name], steps = 0
    while let value = values.popLast(), steps < 1000 {
      steps += 1
      if graph.outputs.contains(where: { $0.name == value }) { return true }
      for position in consumers[value] ?? [] {
        let node = graph.nodes[position]
        guard let output = node.output(0) else { return true }
        if outputs.contains(output) { continue }
        guard node.isStorage, node.subgraphs.isEmpty else { return true }
        values.append(output)
      }
      if graph.nodes.contains(where: { $0.captures.contains(value) }) { return true }
    }
    return false
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
      if metricGuard.allows(metric) {
        let (small, full) = try finish(ranks, result, metricGuard, metric, refused: refused)
        var report = full
        if share < 1, let refused {
          report.headline =
            "less was factored than asked for: all of it would cost too much (\(metricGuard.refusal(of: refused)))"
        }
        return (small, report)
      }
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

  private func undone(_ metricGuard: MetricGuard, _ refused: Double?) throws(PruneError) -> (
    model: Model, report: Report
  ) {
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
    try LayerFit(original: weights.model, batches: batches, seed: 0, cancel: options.cancel).run(
      jobs, &model)
  }
}
