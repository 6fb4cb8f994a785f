import PruneTensor

/// A few values that stand for all of a weight: k-means in one dimension, weighted.
///
/// The values are counted in fine bins of equal width first, so that a pass costs k·log(bins) whatever the size of the
/// weight.
struct Codebook {
  /// In rising order.
  private(set) var centres: [Float]

  private static let binCount = 1 << 14

  /// - Parameters:
  ///   - values, weights: what to represent and how much each one matters; no weights means all the same.
  ///   - size: the most centres.
  init(_ values: Span<Float>, _ places: Range<Int>, weights: Span<Float>?, size: Int, skipsZeros: Bool) {
    var low = Float.infinity, high = -Float.infinity
    for place in places where !(skipsZeros && values[place] == 0) {
      low = min(low, values[place])
      high = max(high, values[place])
    }
    guard low < high, size > 1 else {
      centres = low.isFinite ? [low == high ? low : (low + high) / 2] : []
      return
    }
    // Where nothing matters, all count the same.
    var matters = false
    if let weights {
      for place in places where weights[place] > 0 && !(skipsZeros && values[place] == 0) { matters = true }
    }
    // Sums up to each bin: of weights, and of weighted values.
    var mass = [Double](repeating: 0, count: Self.binCount + 1), moment = mass
    // In double precision: between subnormal floats lie ranges whose reciprocals floats cannot hold.
    let scale = Double(Self.binCount) / (Double(high) - Double(low))
    for place in places where !(skipsZeros && values[place] == 0) {
      let bin = min(Int(max((Double(values[place]) - Double(low)) * scale, 0)), Self.binCount - 1)
      let weight = matters ? Double(weights?[place] ?? 1) : 1
      mass[bin + 1] += weight
      moment[bin + 1] += weight * Double(values[place])
    }
    for bin in 0..<Self.binCount {
      mass[bin + 1] += mass[bin]
      moment[bin + 1] += moment[bin]
    }
    var even: [Double] = [], dense: [Double] = []
    for index in 0..<size {
      even.append(Double(low) + (Double(index) + 0.5) * (Double(high) - Double(low)) / Double(size))
      let target = (Double(index) + 0.5) / Double(size) * mass[Self.binCount]
      dense.append(Double(low) + Double(Self.first(in: mass, atLeast: target)) / scale)
    }
    let edges = Edges(low: Double(low), scale: scale)
    // Evenly spaced beginnings keep the large weights, which matter most (Han et al., 2016); dense ones fit the many
    // small.
    let found = [even, dense].map { Self.lloyd($0, mass, moment, edges) }
    let best = found[0].error <= found[1].error ? found[0].centres : found[1].centres
    centres = best.map { Float($0) }
  }

  /// The nearest centre.
  func nearest(_ value: Float) -> Float {
    var first = 0, last = centres.count - 1
    guard last >= 0 else { return value }
    while last - first > 1 {
      let middle = (first + last) / 2
      if centres[middle] <= value { first = middle } else { last = middle }
    }
    return value - centres[first] <= centres[last] - value ? centres[first] : centres[last]
  }

  private struct Edges {
    let low: Double
    let scale: Double
    func bin(_ value: Double) -> Int { Int(min(max((value - low) * scale, 0), Double(Codebook.binCount)).rounded()) }
  }

  /// Lloyd's iteration. The error is up to a constant that all beginnings share.
  private static func lloyd(
    _ start: [Double], _ mass: [Double], _ moment: [Double], _ edges: Edges
  ) -> (centres: [Double], error: Double) {
    var centres = start
    for _ in 0..<60 {
      var next: [Double] = []
      var first = 0
      for index in centres.indices {
        let end =
          index + 1 < centres.count ? max(first, edges.bin((centres[index] + centres[index + 1]) / 2)) : binCount
        let weight = mass[end] - mass[first]
        // A centre that nothing is near to goes.
        if weight > 0 { next.append((moment[end] - moment[first]) / weight) }
        first = end
      }
      if next == centres { break }
      centres = next
    }
    var error = 0.0, first = 0
    for index in centres.indices {
      let end = index + 1 < centres.count ? max(first, edges.bin((centres[index] + centres[index + 1]) / 2)) : binCount
      let weight = mass[end] - mass[first]
      if weight > 0 { error -= (moment[end] - moment[first]) * (moment[end] - moment[first]) / weight }
      first = end
    }
    return (centres, error)
  }

  /// The first place of rising sums that reaches `target`.
  private static func first(in sums: [Double], atLeast target: Double) -> Int {
    var low = 0, high = sums.count - 1
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] >= target { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
