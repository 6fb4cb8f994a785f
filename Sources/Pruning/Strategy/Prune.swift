import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// Prunes a model into a new one that shares every tensor that did not change.
///
/// Step by step along the schedule: score, mask, recover, measure; a step that the guard refuses is taken back and ends
/// the run. When the caller cancels after a step was kept, the last kept model is returned and the report says stopped.
/// - Throws: whatever is wrong with the options, before any work; `.numeric` for weights that are not finite;
///   `.cancelled` when nothing was kept yet.
package func prune(_ model: Model, _ options: PruneOptions) throws(PruneError) -> (model: Model, report: Report) {
  let outcome = try pruned(model, options)
  return (outcome.model, outcome.report)
}

/// `prune`, with what its journal needs to be used again.
package func pruned(_ model: Model, _ options: PruneOptions) throws(PruneError) -> PruneOutcome {
  let recipe = try options.recipe.map { text throws(PruneError) in try PruneRecipe(text) }
  let options = try (recipe?.applied(to: options) ?? options).withOutput(of: model)
  let plan = try PrunePlan(options)
  if plan.granularity.isStructural {
    let run = try StructuredRun(model, plan, options)
    try run.run(recipe?.steps)
    return PruneOutcome(
      model: run.result, report: try run.report(), snapshots: run.snapshots, recipe: PruneRecipe(options, plan, run.committed)?.text)
  }
  var run = try PruneRun(model, plan, options)
  try run.steps(recipe?.steps)
  return PruneOutcome(
    model: try run.result(), report: try run.report(), snapshots: run.snapshots,
    recipe: PruneRecipe(options, plan, run.committed)?.text)
}

/// A pruned model, what is known of it, and the way it was reached.
package struct PruneOutcome: Sendable {
  package let model: Model
  package let report: Report
  /// The model after each kept step, by its position in the report's journal. The oldest are left out when they take more
  /// than 1 GiB in all.
  package let snapshots: [Int: Model]
  /// The steps that were kept, for `PruneOptions.recipe`; nil when the criterion is not one of libprune's own.
  package let recipe: String?
}

/// A prune in progress.
struct PruneRun {
  let plan: PrunePlan
  @Boxed var options: PruneOptions
  /// The model as it was given.
  let original: Model
  /// The last kept model; at first the given one, its constant weights made initializers.
  private(set) var model: Model
  /// The weights as they were given.
  let dense: PrunableWeights
  /// The weights of `model`, with their zeros and where they were cut.
  private(set) var layers: [Layer]
  private(set) var journal: [JournalEntry] = []
  private(set) var isStopped = false
  /// The allocations of the steps that were kept.
  private(set) var committed: [Allocation] = []
  /// What the last step's allocation came to: an amount where a target was given.
  private var resolved: Allocation?
  /// Models after kept steps, by position in the journal.
  private(set) var snapshots: [Int: Model] = [:]
  /// Weights that the criterion cannot score.
  let unreached: Set<String>
  /// Layers that got a whole copy of a weight of which only the first use is pruned.
  private(set) var splits: (layers: [String], bytes: Int) = ([], 0)
  let judge: MetricGuard?
  /// Sizes and metrics of the given model.
  let before: Report
  let batchSize: Int
  /// What the open extents of the inputs are, throughout the run.
  let extents: BoundExtents

  /// One weight on the way.
  struct Layer {
    let weight: PrunableWeight
    let zerosBefore: Int
    var zeros: Int
    var threshold: Double?
    /// Whether its tensor is no longer the given one.
    var isChanged = false
  }

  /// One step, kept or not.
  struct JournalEntry {
    let step: Int
    let zeros: Int
    let sparsity: Double
    let metric: Double?
    let isKept: Bool
    /// Of the candidate: MACs that zeros do not save, and bytes with zeros left out (a bit a weight says which).
    let macs: Int?
    let bytes: Int
    /// Median latency of one sample, where the guard runs the model anyway.
    let milliseconds: Double?
    /// After training before the cut: the share of the weights' squared norm that the cut took.
    let normCut: Double?
    /// What the training after the cut did.
    let recovery: GuardedRecovery.Record?
  }

  init(_ model: Model, _ plan: PrunePlan, _ options: PruneOptions) throws(PruneError) {
    self.plan = plan
    original = model
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    let all = try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore)
    unreached = try ScoringContext(weights: all, data: options.data, batchSize: batchSize, output: options.output)
      .unreached(by: plan.importance)
    // Whatever else lists weights leaves them out too.
    var options = options
    options.ignore += unreached.sorted()
    self.options = options
    var dense = all.without(unreached)
    if plan.strategy == .local, !plan.prunesAllUses { splits = dense.splitUses() }
    self.dense = dense
    self.model = dense.model
    var layers: [Layer] = []
    for weight in dense.weights {
      let zeros = try WeightRanking([weight.tensor]).zeroCount
      layers.append(Layer(weight: weight, zerosBefore: zeros, zeros: zeros))
    }
    self.layers = layers
    extents = try options.extents(of: model)
    let saved = plan.target?.kind ?? (CurveDivision.divides(plan.allocation) ? plan.cost : nil)
    if saved == .macs { try extents.check(.macs, macs: try ModelStats.of(model, at: extents).macs) }
    before = try Self.state(of: model, "before", options, batchSize, options.cancel, extents)
    if let settings = options.guard {
      judge = try MetricGuard(settings, model: model, batchSize: batchSize, cancel: options.cancel)
    } else {
      judge = nil
    }
  }

  /// Bytes of a weight in the given model.
  private var elementBytes: Int {
    dense.weights.first.flatMap { weight in dense.stored.flatMap { WeightSources($0.graph).source(of: weight.name)?.tensor.dtype.bitWidth } }
      .map { $0 / 8 } ?? 4
  }

  var zeros: Int { layers.reduce(0) { $0 + $1.zeros } }
  var sparsity: Double { Double(zeros) / Double(max(dense.count, 1)) }
  /// Whether the guard took a step back.
  var isRolledBack: Bool { journal.contains { !$0.isKept } }

  /// The last kept model, or the very one that was given when nothing was kept or nothing was to be done.
  func result() throws(PruneError) -> Model {
    let isChanged = layers.contains { $0.isChanged } || model.maskedParameters != original.maskedParameters
    return isChanged ? try asGiven(model) : original
  }

  /// A model of this run with its numbers in the types of the given one.
  private func asGiven(_ model: Model) throws(PruneError) -> Model { try dense.stored?.restoringTypes(of: model) ?? model }

  /// Bytes of weights that snapshots may hold in all.
  private static let snapshotBytes = 1 << 30

  /// Runs the schedule, or the given steps, until the end, a refused step or a stop.
  mutating func steps(_ given: [Allocation]?) throws(PruneError) {
    let start = sparsity, count = given?.count ?? plan.schedule.steps
    let isHalved = given == nil && judge != nil && plan.schedule.kind != .dynamic && plan.allocation != .prescribed
    var way = StepProgress(halvings: isHalved ? StepProgress.halvings : 0)
    for step in 1...max(count, 1) {
      way.begin(plan.schedule.progress(step))
      var next = StepProgress.Next.again
      while next == .again {
        let progress = way.progress
        let allocation = given.flatMap { step <= $0.count ? $0[step - 1] : nil } ?? plan.allocation.partial(progress, from: start)
        let entry: JournalEntry
        do {
          try options.cancel?.check()
          entry = try take(step, allocation)
        } catch where error.status == .cancelled && !journal.isEmpty {
          isStopped = true
          return
        }
        journal.append(entry)
        if entry.isKept { try commit(resolved ?? allocation) }
        let event = PruneEvent(
          step: step, steps: count, sparsity: entry.sparsity, metric: entry.metric, isKept: entry.isKept)
        let wantsStop = try options.onStep?(event) ?? false
        next = way.next(isKept: entry.isKept)
        if wantsStop, next == .again || next == .step && step < count { isStopped = true }
        if isStopped || next == .end { return }
      }
    }
  }

  private mutating func commit(_ allocation: Allocation) throws(PruneError) {
    committed.append(allocation)
    snapshots[journal.count - 1] = try asGiven(model)
    let own = layers.reduce(0) { $0 + ($1.isChanged ? $1.weight.tensor.byteCount : 0) }
    let most = max(Self.snapshotBytes / max(own, 1), 1)
    for old in snapshots.keys.sorted().dropLast(most) { snapshots[old] = nil }
  }

  /// The units that go of a model at its scores.
  private mutating func chosen(
    _ base: Model, _ current: PrunableWeights, _ allocation: Allocation
  ) throws(PruneError) -> (results: [Allocation.Result], scores: Scores) {
    let context = ScoringContext(
      weights: current, data: options.data, batchSize: batchSize, seed: options.seed, output: options.output,
      cancel: options.cancel)
    var (scores, ranking) = try plan.importance.ranking(context)
    let shared = plan.strategy == .shared ? try SharedWeights(current) : nil
    if let shared {
      scores = try shared.joined(scores)
      if case .tensors(let list) = scores { ranking = try WeightRanking(current.weights.map(\.tensor), scores: list) }
    }
    let division = try CurveDivision(plan, options, batchSize).divider(allocation, base, current, scores)
    let granularity = plan.granularity
    func results(_ allocation: Allocation) throws(PruneError) -> [Allocation.Result] {
      try StepMask(granularity: granularity, allocation: division(allocation)).results(current, scores, ranking)
    }
    resolved = allocation
    if case .target(let fraction, let division) = allocation, let target = plan.target {
      let end = min(fraction, target.fraction), costs = try MaskTarget(target.kind, current, extents)
      let amount = try costs.amount(leaving: fraction, end: end) { amount throws(PruneError) in
        try options.cancel?.check()
        return try results(.amount(amount, division)).map(\.zeros)
      }
      resolved = .amount(amount, division)
    }
    let found = try results(resolved ?? allocation)
    return (try shared?.together(found) ?? found, scores)
  }

  /// The model trained for the cut to come; the last kept one where the strategy does not train.
  private mutating func trained(_ base: Model, _ allocation: Allocation) throws(PruneError) -> Model {
    guard let training = plan.training else { return base }
    var run = self
    return try training.run(base, dense) { model throws(PruneError) in
      let current = run.dense.current(in: model)
      let results = try run.chosen(model, current, allocation).results
      var selection: [String: Tensor] = [:]
      for (weight, result) in zip(current.weights, results) {
        let selected = try result.tensor.zipped(with: weight.tensor) { $0 == 0 && $1 != 0 ? 1 : 0 }
        if try selected.total() > 0 { selection[weight.name] = selected }
      }
      return selection
    }
  }

  /// The share of the weights' squared norm that is not in the results any more.
  private static func normCut(_ current: PrunableWeights, _ results: [Allocation.Result]) throws(PruneError) -> Double {
    var before = 0.0, after = 0.0
    for (weight, result) in zip(current.weights, results) {
      before += try weight.tensor.zipped(with: weight.tensor, *).total()
      after += try result.tensor.zipped(with: result.tensor, *).total()
    }
    return before > 0 ? max(1 - after / before, 0) : 0
  }

  /// One step: a candidate is made from the last kept model, and kept if the guard allows it.
  private mutating func take(_ step: Int, _ allocation: Allocation) throws(PruneError) -> JournalEntry {
    let base = try trained(step > 1 && plan.schedule.kind == .dynamic ? regrown(step) : model, allocation)
    let current = dense.current(in: base)
    var results = try chosen(base, current, allocation).results
    let normCut = try plan.training == nil ? nil : Self.normCut(current, results)
    if let reconstruction = plan.reconstruction, let data = options.data {
      results = try LayerReconstruction(
        method: reconstruction, granularity: plan.granularity, data: data, batchSize: batchSize, cancel: options.cancel
      ).results(current, masked: results)
    }
    var (candidate, candidateLayers) = apply(results, to: base)
    if let rewind = options.rewind { try Rewinding.apply(rewind, to: &candidate) }
    var recover = options.recover
    if let given = recover {
      recover = try plan.training?.recovery(given, dense, base) ?? given
      recover?.cancel = given.cancel ?? options.cancel
    }
    let recovered = try GuardedRecovery(judge: judge, settings: recover, data: options.recoverData ?? options.data).run(candidate)
    candidate = recovered.model
    if recovered.isStopped { isStopped = true }
    if options.rewind != nil || options.recover != nil || plan.training != nil {
      for index in candidateLayers.indices {
        guard let tensor = candidate.graph.initializer(candidateLayers[index].weight.name) else { continue }
        candidateLayers[index].zeros = try WeightRanking([tensor]).zeroCount
        candidateLayers[index].isChanged = true
      }
    }
    let metric = recovered.metric
    let isKept = metric.flatMap { judge?.allows($0) } ?? true
    if isKept {
      model = candidate
      layers = candidateLayers
    }
    return try entry(step, candidate, candidateLayers, metric, isKept, normCut, recovered.record)
  }

  private func entry(
    _ step: Int, _ candidate: Model, _ layers: [Layer], _ metric: Double?, _ isKept: Bool, _ normCut: Double?,
    _ recovery: GuardedRecovery.Record?
  ) throws(PruneError) -> JournalEntry {
    let zeros = layers.reduce(0) { $0 + $1.zeros }
    let stats = try ModelStats.of(asGiven(candidate), at: extents)
    var milliseconds: Double?
    if judge != nil {
      var timing = BenchmarkOptions()
      (timing.runs, timing.warmup, timing.cancel, timing.extents) = (5, 1, options.cancel, extents)
      // What cannot be timed, such as a model of integer inputs that are no indices, still has a metric.
      milliseconds = (try? benchmark(candidate, timing))?.number("median_ms")
    }
    return JournalEntry(
      step: step, zeros: zeros, sparsity: Double(zeros) / Double(max(dense.count, 1)), metric: metric, isKept: isKept,
      macs: stats.effectiveMacs, bytes: stats.bytes - zeros * elementBytes + (zeros > 0 ? (dense.count + 7) / 8 : 0),
      milliseconds: milliseconds, normCut: normCut, recovery: recovery)
  }

  /// The last kept model with some of its pruned weights back, trained for as long as a step recovers: what of them matters
  /// by then stays when the step prunes again.
  private func regrown(_ step: Int) throws(PruneError) -> Model {
    guard let data = options.recoverData ?? options.data, let recover = options.recover else { return model }
    var base = try Regrowth(plan, step: step, batchSize: batchSize, options).model(model, dense.current(in: model), data)
    var settings = recover
    settings.cancel = settings.cancel ?? options.cancel
    _ = try fit(&base, data, settings)
    try settings.cancel?.check()
    return base
  }

  /// The last kept model with the masked weights, and what is in each. A weight that lost nothing keeps its tensor; one that
  /// holds zeros is masked, whoever made them.
  private func apply(_ results: [Allocation.Result], to base: Model) -> (Model, [Layer]) {
    var candidate = base
    var updated = layers
    for (index, result) in results.enumerated() where index < updated.count {
      let name = updated[index].weight.name
      updated[index].threshold = result.threshold.isNaN ? nil : result.threshold
      updated[index].zeros = result.zeros
      guard let current = candidate.graph.initializer(name), !current.bytes.isEqual(to: result.tensor.bytes) else { continue }
      candidate.graph.setInitializer(name, result.tensor)
      updated[index].isChanged = true
    }
    candidate.maskZeros(of: updated.map(\.weight.name))
    return (candidate, updated)
  }
}
