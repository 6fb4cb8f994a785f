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
  init(_ options: PruneOptions, _ granularity: Granularity, _ targets: [CostTarget]) throws(PruneError) {
    switch options.roundTo {
    case 0:
      isImplied =
        granularity == .channel && options.mode != PruneMode.mask.rawValue
        && (options.benchmarks || targets.isTimed)
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
