import PruneEvaluation
import PruneGraph
import PruneTensor

extension SurgicalCutter {
  /// The units of each group by their scores.
  func allocation(_ dependencies: Dependencies, _ chosen: [Bool]) throws(PruneError) -> UnitAllocation {
    let importance = UnitImportance(
      importance: plan.importance, reduction: plan.reduction, normalization: plan.normalization)
    let weights = try PrunableWeights(of: dependencies.model).without(unreached)
    var scores = try importance.scores(dependencies, chosen, context.scoring(weights))
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
    if !plan.targets.isEmpty {
      // Each target asks for its own counts; each group loses the largest of them.
      var most: [Int] = [], floor: Double?
      for target in plan.targets {
        let removal = try removals(for: target, target.goal(progress), allocation, dependencies, costs)
        most = larger(most, removal.counts)
        floor = floor ?? removal.floor
      }
      return (most, floor)
    }
    switch plan.allocation {
    case .threshold(let threshold): return (allocation.removedCounts(.threshold(threshold * progress)), nil)
    case .amount where plan.layerAmounts != nil:
      let sizes = Dictionary(groups.map { ($0.name, $0.size) }, uniquingKeysWith: { first, _ in first })
      return (
        allocation.removedCounts(
          .each(
            dependencies.groups.map { group in
              // Of what is left, so that the share of what was there comes out.
              let whole = sizes[group.name] ?? group.size, removedCount = max(whole - group.size, 0)
              return max(
                Allocation.units((plan.layerAmounts?.amount(of: group.names) ?? 0) * progress, of: whole)
                  - (plan.removes ? removedCount : 0), 0)
            })), nil
      )
    case .amount(let amount, let division):
      // Of what is left, so that the share of what was there comes out.
      let left = Double(plan.removes ? allocation.count : unitCount) / Double(max(unitCount, 1))
      let share = left > 0 ? max(1 - (1 - amount * progress) / left, 0) : 0
      return (allocation.removedCounts(.amount(share, isLocal: division == .local)), nil)
    case .prescribed, .counts, .target:
      throw PruneError(.internal, "granularity '\(plan.granularity.name)' divides an amount over groups")
    }
  }

  private func removals(
    for target: CostTarget, _ goal: Double, _ allocation: UnitAllocation, _ dependencies: Dependencies,
    _ costs: CostModel
  ) throws(PruneError) -> (counts: [Int], floor: Double?) {
    if target.kind != .latency { try checkFloor(target, goal, allocation, dependencies, costs) }
    var isDivided = target.kind == .latency
    if case .amount(_, .costAware) = plan.allocation { isDivided = true }
    if isDivided {
      return try BudgetDivision(
        context: context, allocation: allocation, dependencies: dependencies, costs: costs, kind: target.kind
      ).counts(goal: goal, of: costBefore)
    }
    return (TargetSearch(plan, allocation, dependencies, costs).counts(target.kind, goal: goal, of: costBefore), nil)
  }

  /// Refuses a target that is not met when every group keeps as little as it may, and a step of which the same holds.
  private func checkFloor(
    _ target: CostTarget, _ goal: Double, _ allocation: UnitAllocation, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) {
    var unbounded = allocation
    unbounded.maxFraction = 1
    for (bounds, fraction) in [(unbounded, target.fraction), (allocation, goal)] {
      let least = bounds.groups.indices.map { bounds.rounded(bounds.limit($0, 1), $0) }
      let cut = Cut(dependencies, removed: bounds.units(least))
      guard let floor = costs.cost(of: cut).share(target.kind, of: costBefore) else { return }
      try CostTarget(target.kind, fraction).check(
        floor: floor, heldBack, hint: "raise the target; m:groups() says what is pinned and why")
    }
  }

  /// What keeps units from going.
  var heldBack: String {
    let pinned = zip(groups, chosen).count { !$0.1 && plan.granularity.takes($0.0) }
    return "one unit of each group stays, \(pinned) groups are pinned or left out, "
      + "and max_fraction and round_to hold back more"
  }
}

extension UnitGroup {
  /// Groups with equal signatures have the same place in blocks of the same kind.
  var signature: String {
    let kinds = members.map { "\($0.operation)\($0.axis)\($0.isInput)" }.sorted()
    return "\(size);\(roles.rawValue);" + kinds.joined(separator: ",")
  }
}
