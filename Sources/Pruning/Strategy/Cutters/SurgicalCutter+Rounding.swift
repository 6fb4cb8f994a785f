import PruneEvaluation
import PruneGraph
import PruneTensor

extension SurgicalCutter {
  /// The allocation with the plan's multiples, or whole units where nobody asked for multiples and they would leave the
  /// network as it is, or a target unmet.
  func rounded(
    _ allocation: UnitAllocation, _ progress: Double, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) -> UnitAllocation {
    guard plan.rounding.isImplied else { return allocation }
    var whole = allocation
    whole.roundTo = 1
    if !plan.targets.isEmpty, !plan.targets.isTimed {
      for target in plan.targets {
        let goal = target.goal(progress)
        let counts = TargetSearch(plan, allocation, dependencies, costs).counts(target.kind, goal: goal, of: costBefore)
        let cut = Cut(dependencies, removed: allocation.units(counts))
        let reached = costs.cost(of: cut).share(target.kind, of: costBefore) ?? goal
        if abs(reached - goal) > CostTarget.tolerance { return whole }
      }
      return allocation
    }
    let isStuck = allocation.groups.indices.allSatisfy { allocation.rounded(allocation.limit($0, 1), $0) == 0 }
    if isStuck { return whole }
    guard plan.target == nil else { return allocation }
    let counts = try removals(progress, allocation, dependencies, costs).counts
    return counts.allSatisfy { $0 == 0 } ? whole : allocation
  }

  /// The cut that whole units would have been, timed: of an amount or a budget the same, of a time the one of as many
  /// MACs.
  func unrounded(
    _ allocation: UnitAllocation, _ progress: Double, _ dependencies: Dependencies, _ costs: CostModel,
    reached: CostModel.Cost
  ) throws(PruneError) -> Unrounded? {
    guard plan.rounding.isImplied, allocation.roundTo > 1, progress >= 1 else { return nil }
    var whole = allocation
    whole.roundTo = 1
    var counts: [Int] = []
    if !plan.targets.isEmpty {
      for target in plan.targets {
        let kind = target.kind == .latency ? .macs : target.kind
        let share = target.kind == .latency ? reached.share(.macs, of: costBefore) : target.fraction
        guard let goal = share else { return nil }
        counts = larger(
          counts, TargetSearch(plan, whole, dependencies, costs).counts(kind, goal: goal, of: costBefore))
      }
    } else {
      counts = try removals(progress, whole, dependencies, costs).counts
    }
    let cut = Cut(dependencies, removed: whole.units(counts))
    guard !cut.isEmpty else { return nil }
    let model = try Surgeon.operate(dependencies, cut)
    return Unrounded(cost: costs.cost(of: cut), latency: try LatencyPair(original, model, extents, options.cancel))
  }
}
