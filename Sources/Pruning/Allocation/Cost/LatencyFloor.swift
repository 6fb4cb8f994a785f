/// The point where a latency target cannot be met: more cutting saves no time and only loses accuracy.
package enum LatencyFloor {
  /// Times within so much of each other are the same: runs differ by as much.
  package static let noise = 0.03

  /// The first of the candidates, from the smallest cut to the largest, that is as fast as the fastest.
  /// - Parameter ratios: the fraction of the time that each leaves.
  package static func choice(_ ratios: [Double]) -> Int? {
    guard let least = ratios.min() else { return nil }
    return ratios.firstIndex { $0 <= least * (1 + noise) }
  }
}
