import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// The one loop of pruning: step by step along the schedule a candidate is cut from the last kept model, recovered and
/// measured, and kept where the guard allows it. What is cut is the cutter's.
final class PruneRun<C: Cutter> {
  let context: PruneContext
  private(set) var cutter: C
  /// The last kept model, in the cutter's form.
  private(set) var model: Model
  private(set) var journal: [JournalEntry] = []
  private(set) var isStopped = false
  /// Whether the last step was kept in full, even if the guard refused something before.
  private(set) var isComplete = false
  /// Layers that the guard let go no further while others went on.
  var spared: [String] = []
  /// The rows of the strategy "layerwise", in the order of the graph.
  var layerImportances: [LayerImportance] = []
  /// The allocations of the steps that were kept.
  private var committed: [PruneRecipe.Step] = []
  /// Models after kept steps, by position in the journal.
  private var snapshots: [Int: Model] = [:]
  let metricGuard: MetricGuard?
  /// Sizes and metrics of the given model.
  let before: Report

  var plan: PrunePlan { context.plan }
  var options: PruneOptions { context.options }

  init(_ context: PruneContext) throws(PruneError) {
    self.context = context
    cutter = try C(context)
    model = cutter.start
    let options = context.options
    before = try context.state(of: context.original, "before", options.cancel)
    metricGuard = try options.guard.map { settings throws(PruneError) in
      try MetricGuard(
        settings, model: context.original, batchSize: context.batchSize, cancel: options.cancel,
        communicator: options.communicator)
    }
  }

  /// Runs all steps: those of the schedule, or of a recipe.
  func outcome(_ recipe: [PruneRecipe.Step]?) throws(PruneError) -> PruneOutcome {
    if plan.strategy == .layerwise, recipe == nil { try runLayerwise() } else { try run(recipe) }
    let result = try result()
    return PruneOutcome(
      model: result, report: try report(of: result), snapshots: snapshots,
      recipe: PruneRecipe(cutter.settledOptions, plan, committed)?.text)
  }

  /// The last kept model, or the very one that was given when nothing was kept or nothing was to be done.
  private func result() throws(PruneError) -> Model {
    !committed.isEmpty && cutter.isChanged(model) ? try cutter.finished(model) : context.original
  }

  /// Runs until the end or a stop. A step that the guard refuses is tried with less, then layer by layer.
  private func run(_ recipe: [PruneRecipe.Step]?) throws(PruneError) {
    let count = max(recipe?.count ?? plan.schedule.steps, 1)
    let isHalved =
      recipe == nil && metricGuard != nil && plan.schedule.kind != .dynamic && plan.allocation != .prescribed
    var stepProgress = StepProgress(halvings: isHalved ? StepProgress.halvings : 0)
    var layers: LayerTries?
    do {
      for step in 1...count {
        let progress = plan.schedule.progress(step)
        if layers != nil {
          guard try goOn(step, of: count, StepGoal(progress: progress, prescribed: nil), &layers) else { return }
          continue
        }
        stepProgress.begin(progress)
        let prescribed = recipe.flatMap { step <= $0.count ? $0[step - 1] : nil }
        var next = StepProgress.Next.again
        while next == .again {
          let (isKept, wantsStop) = try tried(
            step, of: count,
            StepGoal(
              progress: stepProgress.progress, prescribed: prescribed?.allocation, isReplayed: recipe != nil,
              recovery: prescribed?.recovery))
          next = stepProgress.next(isKept: isKept)
          if wantsStop, next == .again || next == .step && step < count { isStopped = true }
          if isStopped { return }
        }
        guard next == .end else { continue }
        guard isHalved else { return }
        layers = LayerTries()
        guard try goOn(step, of: count, StepGoal(progress: progress, prescribed: nil), &layers) else { return }
      }
      isComplete = layers == nil
    } catch let error where error.status == .cancelled && !journal.isEmpty {
      isStopped = true
    }
  }

  /// One step with its line in the journal and its event.
  func tried(_ step: Int, of count: Int, _ goal: StepGoal) throws(PruneError) -> (isKept: Bool, wantsStop: Bool) {
    try options.cancel?.check()
    let entry = try take(step, goal)
    journal.append(entry)
    if entry.isKept { try addSnapshot() }
    let event = PruneEvent(
      step: step, steps: count, sparsity: entry.size.amount, metric: entry.metric, isKept: entry.isKept)
    return (entry.isKept, try options.onStep?(event) ?? false)
  }

  /// Ends the run before its time.
  func stop() { isStopped = true }

  /// One step: a candidate is made from the last kept model, and kept if the guard allows it.
  private func take(_ step: Int, _ goal: StepGoal) throws(PruneError) -> JournalEntry {
    let (base, units) = try trained(step > 1 && plan.schedule.kind == .dynamic ? regrown(step) : model, goal)
    var candidate = try cutter.candidate(of: base, goal, units: units)
    var recover = options.recover
    if let settings = recover {
      recover = try plan.training?.recovery(settings, candidate.weights) ?? settings
      recover?.cancel = settings.cancel ?? options.cancel
    }
    let recovered = try GuardedRecovery(
      metricGuard: metricGuard, settings: recover, data: options.recoverData ?? options.data,
      isReplayed: goal.isReplayed, prescribed: goal.recovery
    )
    .run(candidate.model)
    candidate.model = recovered.model
    if recovered.isStopped { isStopped = true }
    try cutter.recount(&candidate)
    let isKept = recovered.metric.flatMap { metricGuard?.allows($0) } ?? true
    if isKept {
      try cutter.keep(candidate)
      model = candidate.model
      committed.append(PruneRecipe.Step(allocation: candidate.allocation, recovery: recovered.record?.prescribed))
    }
    return JournalEntry(
      step: step, size: try cutter.size(of: candidate), metric: recovered.metric, isKept: isKept,
      milliseconds: milliseconds(candidate.model), normCut: candidate.normCut, recovery: recovered.record)
  }

  /// The model trained for the cut to come, and the units that are to go where the training chose them; the model
  /// itself where the strategy does not train.
  private func trained(_ base: Model, _ goal: StepGoal) throws(PruneError) -> (Model, units: [[Int]]?) {
    guard let training = plan.training else { return (base, nil) }
    var units: [[Int]]?
    let result = try training.run(base, cutter.weights(of: base)) { model throws(PruneError) in
      let selection = try cutter.selection(in: model, goal)
      units = selection.units
      return selection.marks
    }
    return (result, units)
  }

  /// The last kept model with some of its pruned weights back, trained for as long as a step recovers: what of them
  /// matters by then stays when the step prunes again.
  private func regrown(_ step: Int) throws(PruneError) -> Model {
    guard let data = options.recoverData ?? options.data, let recover = options.recover else { return model }
    var base = try Regrowth(context, step: step).model(model, cutter.weights(of: model), data)
    var settings = recover
    settings.cancel = settings.cancel ?? options.cancel
    _ = try fit(&base, data, settings)
    try settings.cancel?.check()
    return base
  }

  /// Median latency of one sample, where the guard runs the model anyway.
  private func milliseconds(_ candidate: Model) -> Double? {
    guard metricGuard != nil else { return nil }
    var timing = BenchmarkOptions()
    (timing.runs, timing.warmup, timing.cancel, timing.extents) = (5, 1, options.cancel, context.extents)
    // What cannot be timed, such as a model of integer inputs that are no indices, still has a metric.
    return (try? benchmark(candidate, timing))?.number("median_ms")
  }

  private func addSnapshot() throws(PruneError) {
    snapshots[journal.count - 1] = try cutter.finished(model)
    let most = max(snapshotBytes / max(cutter.ownBytes, 1), 1)
    for old in snapshots.keys.sorted().dropLast(most) { snapshots[old] = nil }
  }
}

/// Bytes of models that snapshots may hold in all.
private let snapshotBytes = 1 << 30
