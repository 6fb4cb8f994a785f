import PruneEvaluation
import PruneGraph
import PruneTensor

/// What a prune is to save: the fraction that is kept of a cost.
package struct CostTarget: Sendable, Hashable {
  package enum Kind: String, Sendable, CaseIterable { case macs, params, bytes, latency }
  package var kind: Kind
  package var fraction: Double
  package init(_ kind: Kind, _ fraction: Double) {
    self.kind = kind
    self.fraction = fraction
  }

  /// How far from the target still hits it.
  static let tolerance = 0.02

  /// Refuses what cannot be met: it would take everything and still not save enough.
  /// - Parameters:
  ///   - floor: the fraction that is left when all goes that may go.
  ///   - why: what holds the rest back.
  /// - Throws: `.invalidArgument` when the floor is above the target.
  func check(floor: Double, _ why: String, hint: String) throws(PruneError) {
    guard floor > fraction + Self.tolerance else { return }
    func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
    throw PruneError(
      .invalidArgument,
      "target \(kind.rawValue) is \(text(fraction)), and \(text(floor)) is the least that can be left: \(why)",
      hint: hint)
  }
}

/// Finds how much has to go for a cost to be met.
struct TargetSearch {
  static let tolerance = CostTarget.tolerance

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
      costs.cost(kept(counts)).share(kind == .latency ? .macs : kind, of: whole) ?? 1
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

  private func kept(_ counts: [Int]) -> [SpaceForest.ID: Int] {
    var result: [SpaceForest.ID: Int] = [:]
    for (group, count) in zip(dependencies.groups, counts) where count > 0 { result[group.space] = group.size - count }
    return result
  }
}
