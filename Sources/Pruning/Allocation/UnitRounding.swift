import PruneEvaluation
import PruneRuntime
import PruneTensor

/// What is left of a group is a multiple of this.
struct UnitRounding: Sendable {
  let multiple: Int
  /// Whether nobody asked for it: then it gives way where it would hold back everything.
  let isImplied: Bool

  /// This machine's multiple is that of the layout its kernels for images like: other widths are filled up to it, and
  /// computed in full.
  /// - Throws: `.invalidArgument` for a multiple out of range.
  init(_ options: PruneOptions, _ granularity: Granularity, _ target: CostTarget?) throws(PruneError) {
    switch options.roundTo {
    case 0:
      isImplied = granularity == .channel && options.mode != "mask" && (options.benchmarks || target?.kind == .latency)
      multiple = isImplied ? OneDNN.block : 1
    case 1...65536: (multiple, isImplied) = (options.roundTo, false)
    case PruneOptions.machineRounding: (multiple, isImplied) = (OneDNN.block, false)
    default:
      throw PruneError(
        .invalidArgument, "round_to is \(options.roundTo), it must be 1 to 65536 or \"machine\"",
        hint: "leave it out for the default: \"machine\" where time is measured, else 1")
    }
  }
}

/// What whole units would have given in place of multiples, measured in the same way.
struct Unrounded: Sendable {
  let cost: CostModel.Cost
  let latency: LatencyPair
}

extension SurgicalCutter {
  /// The allocation with the plan's multiples, or whole units where nobody asked for multiples and they would leave the
  /// network as it is, or a target unmet.
  func rounded(
    _ allocation: UnitAllocation, _ progress: Double, _ dependencies: Dependencies, _ costs: CostModel
  ) throws(PruneError) -> UnitAllocation {
    guard plan.rounding.isImplied else { return allocation }
    var whole = allocation
    whole.roundTo = 1
    if let target = plan.target, target.kind != .latency {
      let goal = 1 - (1 - target.fraction) * progress
      let counts = TargetSearch(plan, allocation, dependencies, costs).counts(target.kind, goal: goal, of: costBefore)
      let cut = Cut(dependencies, removed: allocation.units(counts))
      let reached = costs.cost(of: cut).share(target.kind, of: costBefore) ?? goal
      return abs(reached - goal) > CostTarget.tolerance ? whole : allocation
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
    let counts: [Int]
    if let target = plan.target {
      let kind = target.kind == .latency ? .macs : target.kind
      let share = target.kind == .latency ? reached.share(.macs, of: costBefore) : target.fraction
      guard let goal = share else { return nil }
      counts = TargetSearch(plan, whole, dependencies, costs).counts(kind, goal: goal, of: costBefore)
    } else {
      counts = try removals(progress, whole, dependencies, costs).counts
    }
    let cut = Cut(dependencies, removed: whole.units(counts))
    guard !cut.isEmpty else { return nil }
    let model = try Surgeon.operate(dependencies, cut)
    return Unrounded(cost: costs.cost(of: cut), latency: try LatencyPair(original, model, extents, options.cancel))
  }
}
