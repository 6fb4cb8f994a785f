import PruneTensor

extension StructuredRun {
  /// Refuses a target that is not met when every group keeps as little as it may, and a step of which the same holds.
  func checkFloor(
    _ target: CostTarget, _ goal: Double, _ allocation: UnitAllocation, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) {
    var unbounded = allocation
    unbounded.maxFraction = 1
    let pinned = zip(groups, chosen).count { !$0.1 && plan.granularity.takes($0.0) }
    for (bounds, fraction) in [(unbounded, target.fraction), (allocation, goal)] {
      let least = bounds.groups.indices.map { bounds.rounded(bounds.limit($0, 1), $0) }
      let cut = Cut(dependencies, removed: bounds.units(least))
      guard let floor = costs.cost(of: cut).share(target.kind, of: costBefore) else { return }
      try CostTarget(target.kind, fraction).check(
        floor: floor,
        "one unit of each group stays, \(pinned) groups are pinned or left out, "
          + "and max_fraction and round_to hold back more",
        hint: "raise the target; m:groups() says what is pinned and why")
    }
  }
}
