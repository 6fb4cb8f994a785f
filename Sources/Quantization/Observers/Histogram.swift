import PruneTensor

/// Counts of values in bins around zero, filled batch by batch in bounded memory.
///
/// The bins cover -reach..<reach. When a value lies outside, the reach doubles and pairs of bins are merged, which is
/// exact: the counts do not depend on how the data was cut into batches, except that the first batch chooses the reach.
package struct Histogram: Sendable {
  /// Bins on each side of zero.
  static let half = 4096

  /// 0 while nothing but zeros was seen.
  package private(set) var reach: Float = 0
  package private(set) var counts = [Int64](repeating: 0, count: 2 * half)
  package private(set) var low: Float = 0
  package private(set) var high: Float = 0
  private var isEmpty = true

  package init() {}

  /// - Parameters low, high: the least and the largest of the values, which are finite.
  package mutating func add(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    (self.low, self.high) = isEmpty ? (low, high) : (min(self.low, low), max(self.high, high))
    isEmpty = false
    let largest = max(-low, high)
    if reach == 0, largest > 0 {
      // Zeros seen so far stay in the bin of zero.
      reach = min(max(largest * 1.0001, .leastNormalMagnitude * 0x1p24), .greatestFiniteMagnitude / 4)
    }
    while reach > 0, reach <= largest, reach < .greatestFiniteMagnitude / 2 { widen() }
    let width = reach > 0 ? reach : 1
    try values.addHistogram(to: &counts, low: -width, high: width)
  }

  /// The middle of a bin. Zero is the lower edge of its bin, and most of what is in there for a rectified activation.
  func middle(_ bin: Int) -> Float { (Float(bin - Self.half) + 0.5) * step }

  var step: Float { reach / Float(Self.half) }

  /// A range cut to what was seen, whose ends rounding did not exchange.
  func clipped(_ low: Float, _ high: Float) -> (low: Float, high: Float) {
    let least = max(self.low, low), most = min(self.high, high)
    return least <= most ? (least, most) : (most, least)
  }

  /// Counts of absolute values.
  var magnitudes: [Double] {
    (0..<Self.half).map { Double(counts[Self.half + $0]) + Double(counts[Self.half - 1 - $0]) }
  }

  var total: Int64 { counts.reduce(0, +) }

  private mutating func widen() {
    var merged = [Int64](repeating: 0, count: counts.count)
    for bin in counts.indices { merged[Self.half / 2 + bin / 2] += counts[bin] }
    counts = merged
    reach *= 2
  }
}
