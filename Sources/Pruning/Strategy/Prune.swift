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
  let plan = try PrunePlan(options)
  if plan.granularity.isStructural {
    let run = try StructuredRun(model, plan, options)
    try run.run()
    return (run.result, try run.report())
  }
  var run = try PruneRun(model, plan, options)
  try run.steps()
  return (run.result, try run.report())
}

/// A prune in progress.
struct PruneRun {
  let plan: PrunePlan
  let options: PruneOptions
  /// The model as it was given.
  let original: Model
  /// The last kept model; at first the given one, its constant weights made initializers.
  private var model: Model
  /// The weights as they were given.
  let dense: PrunableWeights
  /// The weights of `model`, with their zeros and where they were cut.
  private(set) var layers: [Layer]
  private(set) var journal: [JournalEntry] = []
  private(set) var isStopped = false
  let judge: MetricGuard?
  /// Sizes and metrics of the given model.
  let before: Report
  let batchSize: Int

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
  }

  init(_ model: Model, _ plan: PrunePlan, _ options: PruneOptions) throws(PruneError) {
    self.plan = plan
    self.options = options
    original = model
    dense = try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore)
    self.model = dense.model
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    var layers: [Layer] = []
    for weight in dense.weights {
      let zeros = try WeightRanking([weight.tensor]).zeroCount
      layers.append(Layer(weight: weight, zerosBefore: zeros, zeros: zeros))
    }
    self.layers = layers
    before = try Self.state(of: model, "before", options, batchSize, options.cancel)
    if let settings = options.guard {
      judge = try MetricGuard(settings, model: model, batchSize: batchSize, cancel: options.cancel)
    } else {
      judge = nil
    }
  }

  var zeros: Int { layers.reduce(0) { $0 + $1.zeros } }
  var sparsity: Double { Double(zeros) / Double(max(dense.count, 1)) }
  /// Whether the guard took a step back.
  var isRolledBack: Bool { journal.contains { !$0.isKept } }

  /// The last kept model, or the very one that was given when nothing was kept or nothing was to be done.
  var result: Model { layers.contains { $0.isChanged } ? model : original }

  /// Runs the schedule until its end, a refused step or a stop.
  mutating func steps() throws(PruneError) {
    let start = sparsity, count = plan.schedule.steps
    for step in 1...max(count, 1) {
      let allocation = plan.allocation.partial(plan.schedule.progress(step), from: start)
      let entry: JournalEntry
      do {
        try options.cancel?.check()
        entry = try take(step, allocation)
      } catch where error.status == .cancelled && !journal.isEmpty {
        isStopped = true
        return
      }
      journal.append(entry)
      let event = PruneEvent(
        step: step, steps: count, sparsity: entry.sparsity, metric: entry.metric, isKept: entry.isKept)
      let wantsStop = try options.onStep?(event) ?? false
      if !entry.isKept { return }
      if wantsStop, step < count {
        isStopped = true
        return
      }
    }
  }

  /// One step: a candidate is made from the last kept model, and kept if the guard allows it.
  private mutating func take(_ step: Int, _ allocation: Allocation) throws(PruneError) -> JournalEntry {
    let current = dense.current(in: model)
    let context = ScoringContext(
      weights: current, data: options.data, batchSize: batchSize, seed: options.seed, cancel: options.cancel)
    let (scores, ranking) = try plan.importance.ranking(context)
    var results = try StepMask(granularity: plan.granularity, allocation: allocation).results(current, scores, ranking)
    if let reconstruction = plan.reconstruction, let data = options.data {
      results = try LayerReconstruction(
        method: reconstruction, granularity: plan.granularity, data: data, batchSize: batchSize, cancel: options.cancel
      ).results(current, masked: results)
    }
    var (candidate, candidateLayers) = apply(results)
    if let recover = options.recover, let data = options.recoverData ?? options.data {
      var settings = recover
      settings.cancel = settings.cancel ?? options.cancel
      _ = try fit(&candidate, data, settings)
      try settings.cancel?.check()
      for index in candidateLayers.indices {
        guard let tensor = candidate.graph.initializer(candidateLayers[index].weight.name) else { continue }
        candidateLayers[index].zeros = try WeightRanking([tensor]).zeroCount
        candidateLayers[index].isChanged = true
      }
    }
    let metric = try judge?.measure(candidate)
    let isKept = metric.flatMap { judge?.allows($0) } ?? true
    if isKept {
      model = candidate
      layers = candidateLayers
    }
    let zeros = candidateLayers.reduce(0) { $0 + $1.zeros }
    return JournalEntry(
      step: step, zeros: zeros, sparsity: Double(zeros) / Double(max(dense.count, 1)), metric: metric, isKept: isKept)
  }

  /// The last kept model with the masked weights, and what is in each. A weight that lost nothing keeps its tensor.
  private func apply(_ results: [Allocation.Result]) -> (Model, [Layer]) {
    var candidate = model
    var masked = candidate.maskedParameters
    var known = Set(masked)
    var updated = layers
    for (index, result) in results.enumerated() where index < updated.count {
      let name = updated[index].weight.name
      updated[index].threshold = result.threshold.isNaN ? nil : result.threshold
      guard result.zeros != updated[index].zeros || plan.reconstruction != nil else { continue }
      candidate.graph.setInitializer(name, result.tensor)
      if known.insert(name).inserted { masked.append(name) }
      updated[index].zeros = result.zeros
      updated[index].isChanged = true
    }
    candidate.maskedParameters = masked
    return (candidate, updated)
  }
}
