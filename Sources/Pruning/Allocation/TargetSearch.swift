import PruneTensor

/// Finds how much has to go for a cost to be met.
struct TargetSearch {
  private let plan: PrunePlan
  private let allocation: UnitAllocation
  private let dependencies: Dependencies
  private let costs: CostModel

  init(
    _ plan: PrunePlan, _ allocation: UnitAllocation, _ dependencies: Dependencies, _ costs: CostModel
  ) {
    self.plan = plan
    self.allocation = allocation
    self.dependencies = dependencies
    self.costs = costs
  }

  /// - Parameter goal: the fraction to keep of `whole`; of latency see `BudgetDivision`.
  func counts(_ kind: CostTarget.Kind, goal: Double, of whole: CostModel.Cost) -> [Int] {
    func fraction(_ counts: [Int]) -> Double {
      costs.cost(dependencies.kept(counts)).share(kind == .latency ? .macs : kind, of: whole) ?? 1
    }
    var low = 0.0, high = 1.0
    var best = removed(0), distance = abs(fraction(best) - goal)
    if fraction(best) <= goal { return best }
    for _ in 0..<24 {
      let middle = (low + high) / 2, counts = removed(middle), reached = fraction(counts)
      if abs(reached - goal) < distance {
        best = counts
        distance = abs(reached - goal)
      }
      if reached > goal { low = middle } else { high = middle }
    }
    let all = removed(1)
    if abs(fraction(all) - goal) < distance { return all }
    return best
  }

  private func removed(_ amount: Double) -> [Int] {
    var isLocal = false
    if case .amount(_, .local) = plan.allocation { isLocal = true }
    return allocation.removedCounts(.amount(amount, isLocal: isLocal))
  }
}
