/// How long a figure has not improved.
struct Plateau {
  /// Whether larger is better.
  var isRising = false
  /// What counts as an improvement.
  var minDelta = 0.0
  private(set) var best: Double?
  private(set) var epochsWithout = 0

  init(isRising: Bool = false, minDelta: Double = 0) {
    self.isRising = isRising
    self.minDelta = minDelta
  }

  /// Whether `value` is better than all before.
  mutating func improves(_ value: Double) -> Bool {
    guard let best, !(isRising ? value > best + minDelta : value < best - minDelta) else {
      best = value
      epochsWithout = 0
      return true
    }
    epochsWithout += 1
    return false
  }

  /// Starts counting again.
  mutating func rest() { epochsWithout = 0 }

  /// - Parameter best: not a number for none.
  mutating func restore(best: Double, epochsWithout: Int) {
    self.best = best.isNaN ? nil : best
    self.epochsWithout = epochsWithout
  }
}
