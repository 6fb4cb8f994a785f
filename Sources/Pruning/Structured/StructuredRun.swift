import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// A structured prune in progress: units of coupled groups go, step by step along the schedule.
final class StructuredRun {
  let plan: PrunePlan
  let options: PruneOptions
  let original: Model
  private(set) var model: Model
  private(set) var journal: [JournalEntry] = []
  private(set) var isStopped = false
  /// The last kept step: what went from which group, and what proved it.
  private(set) var steps: [Step] = []
  /// What each kept step removed of every group.
  private(set) var committed: [Allocation] = []
  /// Models after kept steps, by position in the journal.
  private(set) var snapshots: [Int: Model] = [:]
  let judge: MetricGuard?
  let before: Report
  let batchSize: Int
  /// The groups of the given model, and which of them may lose units.
  let groups: [UnitGroup]
  let chosen: [Bool]
  /// Weights that the criterion cannot score.
  let unreached: Set<String>
  let costBefore: CostModel.Cost
  /// Units, or layers, that may go.
  let unitCount: Int
  /// What the open extents of the inputs are, throughout the run.
  let extents: BoundExtents

  struct Step: Sendable {
    let rows: [Row]
    let certificate: StructuralCertificate.Result?
    let certificateMissing: String?
    let cost: CostModel.Cost
    let latency: LatencyPair?
    /// The fraction of the time that is left at least, where the target asks for less.
    let floor: Double?
    /// What is left of groups is a multiple of this.
    let roundTo: Int
    let unrounded: Unrounded?
    let notes: [String]
    let seconds: (groups: Double, scores: Double, surgery: Double)
  }

  struct Row: Sendable {
    let name: String
    let units: Int
    let removed: Int
  }

  struct JournalEntry: Sendable {
    let step: Int
    let removed: Int
    let amount: Double
    let cost: CostModel.Cost
    let metric: Double?
    let isKept: Bool
    /// Median latency of one sample, where the guard runs the model anyway.
    let milliseconds: Double?
    let normCut: Double?
    /// What the training after the cut did.
    let recovery: GuardedRecovery.Record?
  }

  init(_ model: Model, _ plan: PrunePlan, _ options: PruneOptions) throws(PruneError) {
    self.plan = plan
    self.options = options
    original = model
    self.model = model
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    if options.followsWidth, !plan.removes {
      throw PruneError(
        .invalidArgument, "width takes units out of what normalizations look at, which zeros in their place cannot show",
        hint: "leave out mode = \"mask\"")
    }
    let dependencies = try Dependencies(of: model, rules: options.rules, width: options.followsWidth)
    groups = dependencies.groups
    let weights = try PrunableWeights(of: model)
    unreached = try ScoringContext(weights: weights, data: options.data, batchSize: batchSize, output: options.output)
      .unreached(by: plan.importance)
    if plan.granularity == .layer {
      chosen = groups.map { _ in false }
      unitCount = try LayerChoice(ResidualBlocks(model), scope: options.scope, ignore: options.ignore).count
    } else {
      chosen = try GroupScope(dependencies, plan.granularity, scope: options.scope, ignore: options.ignore)
        .chosen(of: dependencies, without: unreached)
      unitCount = zip(groups, chosen).reduce(0) { $0 + ($1.1 ? $1.0.size : 0) }
    }
    extents = try options.extents(of: model)
    costBefore = CostModel(dependencies, extents).cost([:])
    try extents.check(plan.target?.kind, macs: costBefore.macs)
    before = try PruneRun.state(of: model, "before", options, batchSize, options.cancel, extents)
    if let settings = options.guard {
      judge = try MetricGuard(settings, model: model, batchSize: batchSize, cancel: options.cancel)
    } else {
      judge = nil
    }
  }

  var isRolledBack: Bool { journal.contains { !$0.isKept } }
  var result: Model { steps.isEmpty ? original : model }

  /// Bytes of models that snapshots may hold in all.
  private static let snapshotBytes = 1 << 30

  /// Runs the schedule, or the given steps, until the end, a refused step or a stop.
  func run(_ given: [Allocation]?) throws(PruneError) {
    let count = max(given?.count ?? plan.schedule.steps, 1)
    let isHalved = given == nil && judge != nil && plan.schedule.kind != .dynamic
    var way = StepProgress(halvings: isHalved ? StepProgress.halvings : 0)
    for step in 1...count {
      way.begin(plan.schedule.progress(step))
      var next = StepProgress.Next.again
      while next == .again {
        let progress = way.progress
        let entry: JournalEntry
        do {
          try options.cancel?.check()
          entry = try take(step, progress, given.flatMap { step <= $0.count ? $0[step - 1] : nil })
        } catch where error.status == .cancelled && !journal.isEmpty {
          isStopped = true
          return
        }
        journal.append(entry)
        if entry.isKept { commit(entry) }
        let event = PruneEvent(step: step, steps: count, sparsity: entry.amount, metric: entry.metric, isKept: entry.isKept)
        let wantsStop = try options.onStep?(event) ?? false
        next = way.next(isKept: entry.isKept)
        if wantsStop, next == .again || next == .step && step < count { isStopped = true }
        if isStopped || next == .end { return }
      }
    }
  }

  private func commit(_ entry: JournalEntry) {
    snapshots[journal.count - 1] = model
    let most = max(Self.snapshotBytes / max(entry.cost.bytes, 1), 1)
    for old in snapshots.keys.sorted().dropLast(most) { snapshots[old] = nil }
  }

  // MARK: - One step

  /// What a step would make of the model.
  struct Candidate {
    var model: Model
    var rows: [Row] = []
    /// What was asked of each group: more than went where a node would be left with nothing.
    var counts: [Int] = []
    var certificate: StructuralCertificate.Result?
    var certificateMissing: String?
    var cost: CostModel.Cost
    /// The fraction of the time that is left at least, where a target of latency asks for less.
    var floor: Double?
    var roundTo = 1
    var unrounded: Unrounded?
    var notes: [String] = []
    /// Seconds that finding the groups, scoring their units, and taking them out took.
    var seconds = (groups: 0.0, scores: 0.0, surgery: 0.0)
    /// The share of the squared norm of all weights that was in what went.
    var normCut: Double?

    var removed: Int { rows.reduce(0) { $0 + $1.removed } }
    var units: Int { rows.reduce(0) { $0 + $1.units } }
  }

  private func take(_ step: Int, _ progress: Double, _ given: Allocation?) throws(PruneError) -> JournalEntry {
    let (base, chosen) = try trained(progress, given)
    var candidate =
      plan.granularity == .layer ? try withoutLayers(base, progress, given) : try withoutUnits(base, progress, given, chosen)
    let normCut = plan.training == nil ? nil : candidate.normCut
    candidate.model.maskZeros(of: try PrunableWeights(of: candidate.model).weights.map(\.name))
    var recover = options.recover
    if let given = recover {
      recover = try plan.training?.recovery(given, try PrunableWeights(of: candidate.model), candidate.model) ?? given
      recover?.cancel = given.cancel ?? options.cancel
    }
    let recovered = try GuardedRecovery(judge: judge, settings: recover, data: options.recoverData ?? options.data)
      .run(candidate.model)
    candidate.model = recovered.model
    if recovered.isStopped { isStopped = true }
    let metric = recovered.metric
    let isKept = metric.flatMap { judge?.allows($0) } ?? true
    if isKept {
      model = candidate.model
      committed.append(.counts(candidate.counts))
      let isTimed = options.benchmarks || plan.target?.kind == .latency
      steps.append(
        Step(
          rows: candidate.rows, certificate: candidate.certificate, certificateMissing: candidate.certificateMissing,
          cost: candidate.cost, latency: isTimed ? try LatencyPair(original, candidate.model, extents, options.cancel) : nil,
          floor: candidate.floor, roundTo: candidate.roundTo, unrounded: candidate.unrounded, notes: candidate.notes,
          seconds: candidate.seconds))
    }
    var milliseconds: Double?
    if judge != nil {
      var timing = BenchmarkOptions()
      (timing.runs, timing.warmup, timing.cancel, timing.extents) = (5, 1, options.cancel, extents)
      milliseconds = (try? benchmark(candidate.model, timing))?.number("median_ms")
    }
    let left = candidate.units - candidate.removed
    let gone = plan.removes ? unitCount - left : candidate.removed
    return JournalEntry(
      step: step, removed: candidate.removed, amount: Double(gone) / Double(max(unitCount, 1)), cost: candidate.cost,
      metric: metric, isKept: isKept, milliseconds: milliseconds, normCut: normCut, recovery: recovered.record)
  }

  /// The model trained for the cut to come, and the units that were chosen before the training, for strategies that do so.
  private func trained(_ progress: Double, _ given: Allocation?) throws(PruneError) -> (Model, units: [[Int]]?) {
    guard let training = plan.training else { return (model, nil) }
    var units: [[Int]]?
    let result = try training.run(model, try PrunableWeights(of: model)) { model throws(PruneError) in
      guard plan.granularity != .layer else {
        throw PruneError(
          .unsupported, "regularizer '\(training.kind.rawValue)' grows on units, got granularity 'layer'",
          hint: "use regularizer = {kind = \"group_lasso\"}")
      }
      let dependencies = try Dependencies(of: model, rules: options.rules, width: options.followsWidth)
      let chosen = try chosen(dependencies)
      var allocation = try allocation(dependencies, chosen)
      let counts: [Int]
      if let given {
        counts = try self.counts(given, chosen, allocation)
      } else {
        let costs = CostModel(dependencies, extents)
        allocation = try rounded(allocation, progress, dependencies, costs)
        counts = try removals(progress, allocation, dependencies, costs).counts
      }
      let found = allocation.units(counts)
      units = found
      let masked = try UnitMasks.masked(dependencies, Cut(dependencies, removed: found))
      var selection: [String: Tensor] = [:]
      for value in model.graph.initializers where value.tensor.dtype == .float32 && value.tensor.shape.rank > 1 {
        guard let after = masked.graph.initializer(value.name), after.shape == value.tensor.shape,
          !after.bytes.isEqual(to: value.tensor.bytes)
        else { continue }
        selection[value.name] = try after.zipped(with: value.tensor) { $0 == 0 && $1 != 0 ? 1 : 0 }
      }
      return selection
    }
    return (result, units)
  }

  /// The counts of a recipe's step, by group.
  private func counts(
    _ given: Allocation, _ chosen: [Bool], _ allocation: UnitAllocation
  ) throws(PruneError) -> [Int] {
    let places = chosen.indices.filter { chosen[$0] }
    guard case .counts(let list) = given, list.count == places.count,
      zip(places, list).allSatisfy({ $0.1 >= 0 && $0.1 < max(allocation.groups[$0.0].size, 1) })
    else {
      throw PruneError(
        .mismatch, "the recipe's step does not fit the \(places.count) groups of the model",
        hint: "a recipe of channels goes with models of the same architecture")
    }
    var result = [Int](repeating: 0, count: chosen.count)
    for (place, count) in zip(places, list) { result[place] = count }
    return result
  }

  private func withoutUnits(
    _ base: Model, _ progress: Double, _ given: Allocation?, _ preset: [[Int]]?
  ) throws(PruneError) -> Candidate {
    let start = monotonicSeconds()
    let dependencies = try Dependencies(of: base, rules: options.rules, width: options.followsWidth)
    let chosen = try chosen(dependencies)
    let solved = monotonicSeconds()
    var allocation = try allocation(dependencies, chosen)
    let scored = monotonicSeconds()
    let costs = CostModel(dependencies, extents)
    let counts: [Int]
    var floor: Double?
    if let preset {
      counts = preset.map(\.count)
    } else if let given {
      counts = try self.counts(given, chosen, allocation)
    } else {
      allocation = try rounded(allocation, progress, dependencies, costs)
      (counts, floor) = try removals(progress, allocation, dependencies, costs)
    }
    let cut = Cut(dependencies, removed: preset ?? allocation.units(counts))
    var candidate = Candidate(model: base, cost: plan.removes ? costs.cost(of: cut) : costs.cost([:]), floor: floor)
    for (index, group) in dependencies.groups.enumerated() where chosen[index] {
      candidate.rows.append(Row(name: group.name, units: group.size, removed: cut.removed(of: group)))
      candidate.counts.append(counts[index])
    }
    guard !cut.isEmpty else {
      if case .threshold(let threshold) = plan.allocation, let lowest = allocation.lowest {
        candidate.notes = ["nothing scores below \(Self.text(threshold * progress)): the lowest score is \(Self.text(lowest))"]
      }
      return candidate
    }
    let chosenUnits = monotonicSeconds()
    candidate.model = try plan.removes ? Surgeon.operate(dependencies, cut) : UnitMasks.masked(dependencies, cut)
    if plan.training != nil { candidate.normCut = try Self.normCut(dependencies, cut) }
    candidate.seconds = (solved - start, scored - solved, monotonicSeconds() - chosenUnits)
    if given == nil, preset == nil {
      candidate.roundTo = allocation.roundTo
      candidate.unrounded = try unrounded(allocation, progress, dependencies, costs, reached: candidate.cost)
    }
    if options.certifies ?? true {
      let certificate = StructuralCertificate(dependencies: dependencies, cut: cut)
      (candidate.certificate, candidate.certificateMissing) = try certificate.compare(
        candidate.model, isShrunk: plan.removes, options.sampleInputs(of: dependencies.model))
    }
    if plan.removes {
      candidate.notes += try Recovery(options, batchSize: batchSize).repair(&candidate.model, dependencies, cut)
    }
    return candidate
  }

  private func chosen(_ dependencies: Dependencies) throws(PruneError) -> [Bool] {
    try GroupScope(dependencies, plan.granularity, scope: options.scope, ignore: options.ignore, checks: false)
      .chosen(of: dependencies, without: unreached)
  }

  private static func normCut(_ dependencies: Dependencies, _ cut: Cut) throws(PruneError) -> Double {
    let masked = try UnitMasks.masked(dependencies, cut)
    var before = 0.0, after = 0.0
    for weight in try PrunableWeights(of: dependencies.model).weights {
      before += try weight.tensor.zipped(with: weight.tensor, *).total()
      let left = masked.graph.initializer(weight.name) ?? weight.tensor
      after += try left.zipped(with: left, *).total()
    }
    return before > 0 ? max(1 - after / before, 0) : 0
  }

  private func allocation(_ dependencies: Dependencies, _ chosen: [Bool]) throws(PruneError) -> UnitAllocation {
    let importance = UnitImportance(
      importance: plan.importance, reduction: plan.reduction, normalization: plan.normalization)
    let context = ScoringContext(
      weights: try PrunableWeights(of: dependencies.model).without(unreached), data: options.data, batchSize: batchSize, seed: options.seed,
      output: options.output, cancel: options.cancel)
    var scores = try importance.scores(dependencies, chosen, context)
    if plan.strategy == .shared { scores = SharedWeights.joined(scores, dependencies) }
    var classes: [String: Int] = [:]
    let groups = dependencies.groups.enumerated().map { index, group in
      let signature = plan.isIsomorphic ? group.signature : ""
      let number = classes[signature] ?? classes.count
      classes[signature] = number
      return UnitAllocation.Group(
        size: group.size, scores: scores[index], normalized: importance.normalized(scores[index]), classNumber: number)
    }
    return UnitAllocation(groups, maxFraction: plan.maxFraction, roundTo: plan.rounding.multiple)
  }

  /// How many units of each group go in a step that ends at `progress` of the whole way, and the floor of a latency
  /// that cannot be had.
  func removals(
    _ progress: Double, _ allocation: UnitAllocation, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) -> (counts: [Int], floor: Double?) {
    if let target = plan.target {
      let goal = 1 - (1 - target.fraction) * progress
      if target.kind != .latency { try checkFloor(target, goal, allocation, dependencies, costs) }
      var isDivided = target.kind == .latency
      if case .amount(_, .costAware) = plan.allocation { isDivided = true }
      if isDivided {
        return try BudgetDivision(
          plan: plan, options: options, allocation: allocation, dependencies: dependencies, costs: costs, kind: target.kind,
          batchSize: batchSize, extents: extents
        ).counts(goal: goal, of: costBefore, original: original)
      }
      return (TargetSearch(plan, allocation, dependencies, costs).counts(target.kind, goal: goal, of: costBefore), nil)
    }
    switch plan.allocation {
    case .threshold(let threshold): return (allocation.removedCounts(.threshold(threshold * progress)), nil)
    case .amount(let amount, let division):
      // Of what is left, so that the share of what was there comes out.
      let left = Double(plan.removes ? allocation.count : unitCount) / Double(max(unitCount, 1))
      let share = left > 0 ? max(1 - (1 - amount * progress) / left, 0) : 0
      return (allocation.removedCounts(.amount(share, isLocal: division == .local)), nil)
    case .prescribed, .counts, .target:
      throw PruneError(.internal, "granularity '\(plan.granularity.name)' divides an amount over groups")
    }
  }
}

extension UnitGroup {
  /// Groups with equal signatures have the same place in blocks of the same kind.
  var signature: String {
    "\(size);\(roles.rawValue);" + members.map { "\($0.operation)\($0.axis)\($0.isInput)" }.sorted().joined(separator: ",")
  }
}
