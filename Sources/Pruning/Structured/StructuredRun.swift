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
  let judge: MetricGuard?
  let before: Report
  let batchSize: Int
  /// The groups of the given model, and which of them may lose units.
  let groups: [UnitGroup]
  let chosen: [Bool]
  let costBefore: CostModel.Cost
  /// Units, or layers, that may go.
  let unitCount: Int

  struct Step: Sendable {
    let rows: [Row]
    let certificate: Double?
    let certificateMissing: String?
    let cost: CostModel.Cost
    let latency: LatencyPair?
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
    if plan.granularity == .layer {
      chosen = groups.map { _ in false }
      unitCount = try LayerChoice(ResidualBlocks(model), scope: options.scope, ignore: options.ignore).count
    } else {
      chosen = try GroupScope(dependencies, plan.granularity, scope: options.scope, ignore: options.ignore).chosen
      unitCount = zip(groups, chosen).reduce(0) { $0 + ($1.1 ? $1.0.size : 0) }
    }
    costBefore = CostModel(dependencies).cost([:])
    before = try PruneRun.state(
      of: model, "before", options, batchSize, options.cancel, inputs: CostModel.openInputs(model))
    if let settings = options.guard {
      judge = try MetricGuard(settings, model: model, batchSize: batchSize, cancel: options.cancel)
    } else {
      judge = nil
    }
  }

  var isRolledBack: Bool { journal.contains { !$0.isKept } }
  var result: Model { steps.isEmpty ? original : model }

  /// Runs the schedule until its end, a refused step or a stop.
  func run() throws(PruneError) {
    let count = max(plan.schedule.steps, 1)
    for step in 1...count {
      let entry: JournalEntry
      do {
        try options.cancel?.check()
        entry = try take(step)
      } catch where error.status == .cancelled && !journal.isEmpty {
        isStopped = true
        return
      }
      journal.append(entry)
      let event = PruneEvent(step: step, steps: count, sparsity: entry.amount, metric: entry.metric, isKept: entry.isKept)
      let wantsStop = try options.onStep?(event) ?? false
      if !entry.isKept { return }
      if wantsStop, step < count {
        isStopped = true
        return
      }
    }
  }

  // MARK: - One step

  /// What a step would make of the model.
  struct Candidate {
    var model: Model
    var rows: [Row] = []
    var certificate: Double?
    var certificateMissing: String?
    var cost: CostModel.Cost
    var notes: [String] = []
    /// Seconds that finding the groups, scoring their units, and taking them out took.
    var seconds = (groups: 0.0, scores: 0.0, surgery: 0.0)

    var removed: Int { rows.reduce(0) { $0 + $1.removed } }
    var units: Int { rows.reduce(0) { $0 + $1.units } }
  }

  private func take(_ step: Int) throws(PruneError) -> JournalEntry {
    let progress = plan.schedule.progress(step)
    var candidate = plan.granularity == .layer ? try withoutLayers(progress) : try withoutUnits(progress)
    if let recover = options.recover, let data = options.recoverData ?? options.data {
      var settings = recover
      settings.cancel = settings.cancel ?? options.cancel
      _ = try fit(&candidate.model, data, settings)
      try settings.cancel?.check()
    }
    let metric = try judge?.measure(candidate.model)
    let isKept = metric.flatMap { judge?.allows($0) } ?? true
    if isKept {
      model = candidate.model
      let isTimed = options.benchmarks || plan.target?.kind == .latency
      steps.append(
        Step(
          rows: candidate.rows, certificate: candidate.certificate, certificateMissing: candidate.certificateMissing,
          cost: candidate.cost, latency: isTimed ? try LatencyPair(original, candidate.model, options.cancel) : nil,
          notes: candidate.notes, seconds: candidate.seconds))
    }
    let left = candidate.units - candidate.removed
    let gone = plan.removes ? unitCount - left : candidate.removed
    return JournalEntry(
      step: step, removed: candidate.removed, amount: Double(gone) / Double(max(unitCount, 1)), cost: candidate.cost,
      metric: metric, isKept: isKept)
  }

  private func withoutUnits(_ progress: Double) throws(PruneError) -> Candidate {
    let start = monotonicSeconds()
    let dependencies = try Dependencies(of: model, rules: options.rules, width: options.followsWidth)
    let chosen = try GroupScope(dependencies, plan.granularity, scope: options.scope, ignore: options.ignore, checks: false).chosen
    let solved = monotonicSeconds()
    let allocation = try allocation(dependencies, chosen)
    let scored = monotonicSeconds()
    let costs = CostModel(dependencies)
    let counts = try removals(progress, allocation, dependencies, costs)
    let cut = Cut(dependencies, removed: allocation.units(counts))
    var candidate = Candidate(model: model, cost: costs.cost(plan.removes ? cut.counts : [:]))
    for (index, group) in dependencies.groups.enumerated() where chosen[index] {
      candidate.rows.append(Row(name: group.name, units: group.size, removed: counts[index]))
    }
    guard !cut.isEmpty else {
      if case .threshold(let threshold) = plan.allocation, let lowest = allocation.lowest {
        candidate.notes = ["nothing scores below \(Self.text(threshold * progress)): the lowest score is \(Self.text(lowest))"]
      }
      return candidate
    }
    let chosenUnits = monotonicSeconds()
    candidate.model = try plan.removes ? Surgeon.operate(dependencies, cut) : UnitMasks.masked(dependencies, cut)
    candidate.seconds = (solved - start, scored - solved, monotonicSeconds() - chosenUnits)
    (candidate.certificate, candidate.certificateMissing) = try certify(dependencies, cut, candidate.model)
    if plan.removes {
      candidate.notes = try Recovery(options, batchSize: batchSize).repair(&candidate.model, dependencies, cut)
    }
    return candidate
  }

  private func allocation(_ dependencies: Dependencies, _ chosen: [Bool]) throws(PruneError) -> UnitAllocation {
    let importance = UnitImportance(
      importance: plan.importance, reduction: plan.reduction, normalization: plan.normalization)
    let context = ScoringContext(
      weights: PrunableWeights(of: dependencies.model), data: options.data, batchSize: batchSize, seed: options.seed,
      cancel: options.cancel)
    let scores = try importance.scores(dependencies, chosen, context)
    var classes: [String: Int] = [:]
    let groups = dependencies.groups.enumerated().map { index, group in
      let signature = plan.isIsomorphic ? group.signature : ""
      let number = classes[signature] ?? classes.count
      classes[signature] = number
      return UnitAllocation.Group(
        size: group.size, scores: scores[index], normalized: importance.normalized(scores[index]), classNumber: number)
    }
    return UnitAllocation(groups, maxFraction: plan.maxFraction, roundTo: options.roundTo)
  }

  /// How many units of each group go in a step that ends at `progress` of the whole way.
  private func removals(
    _ progress: Double, _ allocation: UnitAllocation, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) -> [Int] {
    if let target = plan.target {
      let goal = 1 - (1 - target.fraction) * progress
      return try TargetSearch(plan, options, allocation, dependencies, costs).counts(
        target.kind, goal: goal, of: costBefore, original: original)
    }
    switch plan.allocation {
    case .threshold(let threshold): return allocation.removedCounts(.threshold(threshold * progress))
    case .amount(let amount, let division):
      // Of what is left, so that the share of what was there comes out.
      let left = Double(plan.removes ? allocation.count : unitCount) / Double(max(unitCount, 1))
      let share = left > 0 ? max(1 - (1 - amount * progress) / left, 0) : 0
      return allocation.removedCounts(.amount(share, isLocal: division == .local))
    case .prescribed, .counts:
      throw PruneError(.internal, "granularity '\(plan.granularity.name)' divides an amount over groups")
    }
  }

  private func certify(_ dependencies: Dependencies, _ cut: Cut, _ candidate: Model) throws(PruneError) -> (Double?, String?) {
    guard options.certifies ?? true else { return (nil, nil) }
    let certificate = StructuralCertificate(dependencies: dependencies, cut: cut)
    let shapes = Feed.sampleShapes(options.validate ?? options.data ?? options.guard?.data, model)
    let difference: Double
    do {
      guard let inputs = try StructuralCertificate.inputs(of: model, sampleShapes: shapes, seed: options.seed) else {
        return (nil, "the shapes of the model's inputs are open, and there is no data to take them from")
      }
      // What the given model cannot do tells nothing about the shrunk one.
      let reference: [String: Tensor]
      do { reference = try certificate.reference(inputs) } catch { return (nil, "the model does not run here: \(error)") }
      difference = try certificate.difference(candidate, from: reference, inputs: inputs, isShrunk: plan.removes)
    } catch {
      throw PruneError(
        .refused, "the pruned model does not run: \(error.message)", at: error.place, hint: "the model is left as it was")
    }
    guard difference <= StructuralCertificate.tolerance else { throw StructuralCertificate.failure(difference) }
    return (difference, nil)
  }
}

extension UnitGroup {
  /// Groups with equal signatures have the same place in blocks of the same kind.
  var signature: String {
    "\(size);\(roles.rawValue);" + members.map { "\($0.operation)\($0.axis)\($0.isInput)" }.sorted().joined(separator: ",")
  }
}
