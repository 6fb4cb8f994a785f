import PruneEvaluation
import PruneGraph
import PruneTensor

/// Divides a budget over groups of units by a table of what each width of each group loses and saves: the knapsack of
/// the strategy "cost_aware" and of every target of latency.
struct BudgetDivision {
  let context: PruneContext
  let allocation: UnitAllocation
  let dependencies: Dependencies
  let costs: CostModel
  let kind: CostTarget.Kind

  private var plan: PrunePlan { context.plan }
  private var options: PruneOptions { context.options }
  private var extents: BoundExtents { context.extents }

  /// How often the sum of the separate savings of groups is corrected by their common saving.
  private static let corrections = 8
  /// Cuts that are timed to find where cutting on saves no time.
  private static let parts = 6

  /// How many units of each group go, and for a target of latency that cannot be met the fraction of the time that is
  /// left at least.
  /// - Parameters:
  ///   - goal: the fraction to keep of `whole`, or of the time that the given model takes.
  func counts(goal: Double, of whole: CostModel.Cost) throws(PruneError) -> (counts: [Int], floor: Double?) {
    let times = LayerTimes(extents, cancel: options.cancel)
    let before = kind == .latency ? try times.times(of: dependencies.model) : [:]
    // Times are shares of the original's time; the original was timed in turns with the current model.
    let pair = kind == .latency ? try LatencyPair(context.original, dependencies.model, extents, options.cancel) : nil
    let start = pair?.ratio ?? value(costs.cost([:]))
    func saved(_ group: Int, _ count: Int) throws(PruneError) -> Double {
      var removed = [Int](repeating: 0, count: allocation.groups.count)
      removed[group] = count
      guard kind == .latency else { return start - value(costs.cost(dependencies.kept(removed))) }
      let after = try times.times(of: shrunk(removed))
      // Sums in the order of names: no result depends on hashing.
      let saved = before.keys.sorted().reduce(0) { $0 + (before[$1] ?? 0) - (after[$1] ?? before[$1] ?? 0) }
      return saved / max(pair?.before ?? 1, 1e-9)
    }
    let table = try WidthTable(
      limits: allocation.groups.indices.map { allocation.limit($0, 1) }, rounded: { allocation.rounded($0, $1) },
      loss: try losses(), saving: (saved, kind == .latency))
    let budget = kind == .latency ? goal : goal * value(whole), current = start
    let none = allocation.groups.map { _ in 0 }
    guard current > budget else { return (none, nil) }
    var saving = current - budget, low = 0.0, high = Double.infinity
    var best = table.counts(saving: saving), distance = Double.infinity, least = current
    func reached(_ counts: [Int]) throws(PruneError) -> Double {
      guard kind == .latency else { return value(costs.cost(dependencies.kept(counts))) }
      return try LatencyPair(context.original, shrunk(counts), extents, options.cancel).ratio
    }
    for _ in 0..<Self.corrections {
      try options.cancel?.check()
      let counts = table.counts(saving: saving)
      let reached = try reached(counts)
      least = min(least, reached)
      if abs(reached - budget) < distance { (best, distance) = (counts, abs(reached - budget)) }
      if distance <= CostTarget.tolerance / 4 * max(budget, 1e-12) { break }
      // Together groups save less than by themselves where one's outputs are the other's inputs.
      if reached > budget { low = max(low, saving) } else { high = min(high, saving) }
      let next = saving * (current - budget) / max(current - reached, (current - budget) / 16)
      saving = next > low && next < high ? next : high.isFinite ? (low + high) / 2 : saving * 1.25
    }
    guard kind == .latency else { return (try refined(best, budget), nil) }
    guard least > budget + CostTarget.tolerance else { return (best, nil) }
    // The target cannot be met. The choice is the smallest cut that is as fast as the fastest; it may be empty.
    var tried: [(counts: [Int], floor: Double?)] = [(none, current)]
    for part in 1...Self.parts {
      try options.cancel?.check()
      let counts = table.counts(saving: table.mostSaved * Double(part) / Double(Self.parts))
      tried.append((counts, try reached(counts)))
    }
    let place = LatencyFloor.choice(tried.compactMap(\.floor)) ?? 0
    return tried[place]
  }

  /// The counts with single units more or fewer, which the table's widths are too coarse for.
  private func refined(_ counts: [Int], _ budget: Double) throws(PruneError) -> [Int] {
    guard allocation.roundTo <= 1 else { return counts }
    var best = counts, distance = abs(value(costs.cost(dependencies.kept(counts))) - budget)
    for _ in 0..<64 where distance > CostTarget.tolerance / 8 * budget {
      try options.cancel?.check()
      let isTooMuch = value(costs.cost(dependencies.kept(best))) > budget
      var step: (counts: [Int], distance: Double)?
      for group in best.indices {
        var next = best
        next[group] += isTooMuch ? 1 : -1
        guard next[group] >= 0, next[group] <= allocation.limit(group, 1) else { continue }
        let reached = abs(value(costs.cost(dependencies.kept(next))) - budget)
        if reached < step?.distance ?? distance { step = (next, reached) }
      }
      guard let step else { break }
      (best, distance) = step
    }
    return best
  }

  /// What units lose: measured for a cost-aware strategy, else the sum of their scores.
  private func losses() throws(PruneError) -> (value: (Int, Int) throws(PruneError) -> Double, isMeasured: Bool) {
    guard case .amount(_, .costAware) = plan.allocation else {
      let sums = allocation.groups.map { group in
        group.normalized.sorted().reduce(into: [0.0]) { $0.append(($0.last ?? 0) + max($1, 0)) }
      }
      return ({ group, count in sums[group][min(count, sums[group].count - 1)] }, false)
    }
    let metricGuard = try MetricGuard(
      GuardOptions(
        data: options.guard?.data ?? options.data, metric: plan.metric, custom: plan.customMetric,
        output: options.guard?.output ?? options.output),
      model: dependencies.model, batchSize: context.batchSize, cancel: options.cancel)
    return (
      { group, count throws(PruneError) in
        try options.cancel?.check()
        var removed = [Int](repeating: 0, count: allocation.groups.count)
        removed[group] = count
        let masked = try UnitMasks.masked(dependencies, Cut(dependencies, removed: allocation.units(removed)))
        return metricGuard.drop(of: try metricGuard.measure(masked))
      }, true
    )
  }

  private func value(_ cost: CostModel.Cost) -> Double { cost.value(kind) }

  private func shrunk(_ counts: [Int]) throws(PruneError) -> Model {
    let cut = Cut(dependencies, removed: allocation.units(counts))
    return cut.isEmpty ? dependencies.model : try Surgeon.operate(dependencies, cut)
  }
}
