import PruneTensor

/// Leaves out the outermost values: half of what the percentile does not cover at either end.
package struct PercentileObserver: RangeObserver {
  package static let name = "percentile"
  private var histogram = Histogram()
  private let percentile: Double

  package init(_ settings: CalibratorSettings) { percentile = settings.percentile }

  init(_ settings: CalibratorSettings, _ histogram: Histogram) {
    (percentile, self.histogram) = (settings.percentile, histogram)
  }

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    try histogram.add(values, low: low, high: high)
  }

  package var range: (low: Float, high: Float) {
    guard histogram.reach > 0 else { return (histogram.low, histogram.high) }
    let tail = Double(histogram.total) * (1 - percentile / 100) / 2
    var first = 0, last = histogram.counts.count - 1
    var below = Double(histogram.counts[first]), above = Double(histogram.counts[last])
    while below <= tail, first < last {
      first += 1
      below += Double(histogram.counts[first])
    }
    while above <= tail, last > first {
      last -= 1
      above += Double(histogram.counts[last])
    }
    let low = histogram.middle(first) - histogram.step / 2, high = histogram.middle(last) + histogram.step / 2
    return histogram.clipped(low, high)
  }
}

/// Clips where the quantized distribution of magnitudes is closest to the real one: the least Kullback-Leibler
/// divergence over thresholds, as TensorRT's calibrator chooses (Migacz, "8-bit inference with TensorRT", 2017).
package struct EntropyObserver: RangeObserver {
  package static let name = "entropy"
  private var histogram = Histogram()
  private let codes: ActivationCodes

  package init(_ settings: CalibratorSettings) { codes = settings.codes }

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    try histogram.add(values, low: low, high: high)
  }

  package var range: (low: Float, high: Float) {
    guard histogram.reach > 0 else { return (histogram.low, histogram.high) }
    let levels = histogram.low >= 0 && codes == .unsigned ? 256 : 128
    let threshold = Float(bestLength(histogram.magnitudes, levels: levels)) * histogram.step
    return histogram.clipped(-threshold, threshold)
  }

  /// How many bins of magnitudes to keep.
  private func bestLength(_ magnitudes: [Double], levels: Int) -> Int {
    guard let last = magnitudes.lastIndex(where: { $0 > 0 }), last >= levels else { return magnitudes.count }
    // The bin of zero holds what rectifiers cut off; it is coded exactly and would outweigh everything else.
    var counts = magnitudes
    counts[0] = 0
    var best = last + 1, least = Double.infinity
    let step = max(1, last / 256)
    let total = counts.reduce(0, +)
    var beyond = total
    var summed = 0
    for length in stride(from: levels, through: last + 1, by: step) {
      while summed < length {
        beyond -= counts[summed]
        summed += 1
      }
      // A few values far apart, such as pixels of 17 shades, are coded exactly when all but the least one are clipped.
      guard beyond <= 0.01 * total else { continue }
      let divergence = divergence(counts, length, levels: levels, clipped: beyond)
      if divergence < least { (least, best) = (divergence, length) }
    }
    return best
  }

  /// KL(P‖Q): P is the first `length` bins with everything beyond in the last one, Q those bins in `levels` steps.
  private func divergence(_ counts: [Double], _ length: Int, levels: Int, clipped: Double) -> Double {
    var sum = 0.0, total = clipped, quantizedTotal = 0.0
    for bin in 0..<length {
      total += counts[bin]
      quantizedTotal += counts[bin]
    }
    guard total > 0, quantizedTotal > 0 else { return .infinity }
    for level in 0..<levels {
      let first = level * length / levels, end = (level + 1) * length / levels
      var mass = 0.0, filled = 0.0
      for bin in first..<end where counts[bin] > 0 || (bin == length - 1 && clipped > 0) {
        mass += counts[bin]
        filled += 1
      }
      guard filled > 0 else { continue }
      // A bin that only clipped values fill has no quantized mass of its own: give it a little.
      let share = max(mass / filled / quantizedTotal, 1e-9)
      for bin in first..<end {
        let count = counts[bin] + (bin == length - 1 ? clipped : 0)
        if count > 0 { sum += count / total * logarithm(count / total / share) }
      }
    }
    return sum
  }
}

/// Clips where rounding and clipping together make the least squared error.
package struct SquaredErrorObserver: RangeObserver {
  package static let name = "mse"
  private var histogram = Histogram()
  private let codes: ActivationCodes

  package init(_ settings: CalibratorSettings) { codes = settings.codes }

  init(_ settings: CalibratorSettings, _ histogram: Histogram) { (codes, self.histogram) = (settings.codes, histogram) }

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    try histogram.add(values, low: low, high: high)
  }

  package var range: (low: Float, high: Float) {
    guard histogram.reach > 0 else { return (histogram.low, histogram.high) }
    let filled = histogram.counts.indices.filter { histogram.counts[$0] > 0 }
    let bins = filled.map { (value: histogram.middle($0), count: Double(histogram.counts[$0])) }
    var low = min(histogram.low, 0), high = max(histogram.high, 0)
    func shrunk(_ edge: Float, _ error: (Float) -> Double) -> Float {
      var best = edge, least = error(edge)
      for percent in stride(from: 99, through: 20, by: -1) {
        let candidate = edge * Float(percent) / 100, found = error(candidate)
        if found < least { (least, best) = (found, candidate) }
      }
      return best
    }
    if codes == .signed {
      let edge = shrunk(max(-low, high)) { error(bins, low: -$0, high: $0) }
      return histogram.clipped(-edge, edge)
    }
    // One end, then the other, twice: each depends a little on where the other lies.
    for _ in 0..<2 {
      if high > 0 { high = shrunk(max(histogram.high, 0)) { error(bins, low: low, high: $0) } }
      if low < 0 { low = shrunk(min(histogram.low, 0)) { error(bins, low: $0, high: high) } }
    }
    return (low, high)
  }

  private func error(_ bins: [(value: Float, count: Double)], low: Float, high: Float) -> Double {
    let affine = AffineScale(low: low, high: high, codes: codes)
    let inverse = 1 / affine.scale, zero = Float(affine.zeroPoint)
    let (least, most): (Float, Float) = codes == .unsigned ? (0, 255) : (-127, 127)
    var sum = 0.0
    for bin in bins {
      let code = min(max((bin.value * inverse).rounded(.toNearestOrEven) + zero, least), most)
      let difference = Double(bin.value - (code - zero) * affine.scale)
      sum += difference * difference * bin.count
    }
    return sum
  }
}
