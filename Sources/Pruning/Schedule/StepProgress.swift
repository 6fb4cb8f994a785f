/// The next progress of a run on its way to the target.
///
/// A step that the guard refuses is tried again at half of what it went beyond the last kept one; what is kept then is
/// followed by half of the rest, as long as there are tries left.
package struct StepProgress {
  /// The progress of the whole run, 0...1.
  package private(set) var progress: Double
  private var reached: Double
  private var refused: Double?
  private var triesLeft: Int

  /// Tries after the first that is refused.
  package static let halvings = 3
  /// Less of the way is not worth a try.
  private static let least = 1e-3

  package init(halvings: Int) { (progress, reached, triesLeft) = (0, 0, halvings) }

  package enum Next { case step, again, end }

  package mutating func begin(_ target: Double) { progress = target }

  /// What follows the step to `progress`.
  package mutating func next(isKept: Bool) -> Next {
    if isKept { reached = progress } else { refused = progress }
    guard let refused else { return .step }
    let half = (reached + refused) / 2
    guard triesLeft > 0, refused - reached >= 2 * Self.least else { return .end }
    triesLeft -= 1
    progress = half
    return .again
  }
}
