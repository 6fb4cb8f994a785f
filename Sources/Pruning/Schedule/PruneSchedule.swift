import PruneTensor

/// How the target is approached, step by step.
package struct PruneSchedule: Sendable, Hashable {
  package enum Kind: String, Choice {
    /// All at once.
    case oneShot = "one_shot"
    /// The same share more at every step.
    case linear
    /// Much at first and little at the end: s_f + (s_i - s_f)(1 - t/n)³ (Zhu and Gupta, 2017).
    case cubic
    /// The first step prunes to the target; each next step regrows some weights and prunes as many others: dynamic
    /// surgery (Guo et al., 2016), with the regrown weights chosen by the gradient (RigL, Evci et al., 2020).
    case dynamic
  }

  package let kind: Kind
  package let steps: Int

  /// Steps of units that are scored and fitted on data, where nobody says how many.
  package static let impliedSteps = 4

  /// - Parameter steps: 0 picks 1 for one_shot and 5 for the others.
  /// - Throws: `.invalidArgument` for an unknown kind, or a number of steps that does not go with it.
  package init(kind name: String, steps: Int) throws(PruneError) {
    let kind = try Kind("schedule", named: name)
    guard (0...100_000).contains(steps) else {
      throw PruneError(.invalidArgument, "a schedule has 1 to 100000 steps, got \(steps)")
    }
    if kind == .oneShot, steps > 1 {
      throw PruneError(
        .invalidArgument, "schedule 'one_shot' has one step, got \(steps)",
        hint: "use 'linear', 'cubic' or 'dynamic' for several")
    }
    self.kind = kind
    self.steps = steps > 0 ? steps : kind == .oneShot ? 1 : 5
  }

  /// The share of the way from where pruning begins to its target that is done after `step` (1...steps); exactly 1
  /// after the last.
  package func progress(_ step: Int) -> Double {
    guard step < steps else { return 1 }
    let time = Double(max(step, 0)) / Double(steps)
    switch kind {
    case .oneShot, .dynamic: return 1
    case .linear: return time
    case .cubic:
      let left = 1 - time
      return 1 - left * left * left
    }
  }
}
