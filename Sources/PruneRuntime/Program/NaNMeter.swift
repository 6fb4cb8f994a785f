import CPruneSupport
import PruneTensor

/// When a run looks whether a NaN became a number.
///
/// oneDNN's ReLU, Clip and max-pools take NaN for a number too small. The processor notes it: a maximum that meets a
/// NaN raises the flag "invalid operation" of IEEE 754, as does the operation that makes one. So a run works at full
/// speed, looks at the flag when it is done, and is done again, more slowly, only when there is something to keep.
enum LooksForNaN {
  case never
  /// At the end: the flag may also be up because of a NaN that was kept, or of a conversion of a large number.
  case once
  /// Around each step that loses NaN: the flag is up when one did.
  case everywhere
}

/// What a program learned about NaN in its runs.
struct Caution: Sendable {
  /// The program that keeps NaN.
  var program: Program?
  /// Runs in which the flag was up at the end.
  var alarms = 0
  /// After this many alarms, a program checks every step.
  static let patience = 3
}

/// Looks for lost NaN during one run.
struct NaNMeter {
  private let plan: Plan
  private let looks: LooksForNaN
  private let threads: Int32
  private var isUp = false

  init(_ plan: Plan, _ looks: LooksForNaN, threads: Int) {
    self.plan = plan
    self.looks = looks
    self.threads = plan.steps.allSatisfy(\.isSingleThreaded) ? 1 : Int32(clamping: threads)
  }

  /// Says true where the run must end.
  mutating func isLost(before index: Int) -> Bool {
    switch looks {
    case .never: return false
    case .once:
      // Programs inside a step take the flag down; what a step wrote to a variable cannot be taken back.
      if plan.steps[index].runsPrograms || index == plan.firstUpdate { isUp = ps_invalid_take(threads) != 0 || isUp }
      return isUp && index == plan.firstUpdate
    case .everywhere:
      if loses(index) { _ = ps_invalid_take(threads) }
      return false
    }
  }

  mutating func isLost(after index: Int) -> Bool {
    looks == .everywhere && loses(index) && ps_invalid_take(threads) != 0
  }

  mutating func isLost(atEnd: Void) -> Bool {
    guard looks == .once, plan.firstUpdate >= plan.steps.count else { return false }
    return ps_invalid_take(threads) != 0 || isUp
  }

  private func loses(_ index: Int) -> Bool { plan.steps[index].losesNaN && index < plan.firstUpdate }
}
