import PruneTensor

/// The mean and the largest magnitude of each channel of an activation.
struct ChannelStatistics {
  /// Whether channels are the last axis (matrix products) or the second one (convolutions).
  let isLast: Bool
  private var sums: [Double] = []
  private var count = 0.0
  private(set) var magnitudes: [Float] = []

  init(isLast: Bool) { self.isLast = isLast }

  private var magnitudeSums: [Double] = []
  private var squareSums: [Double] = []

  /// Mean magnitudes and mean squares.
  var absolutes: [Double] { magnitudeSums.map { $0 / max(count, 1) } }
  var squares: [Double] { squareSums.map { $0 / max(count, 1) } }
  var means: [Double] { sums.map { $0 / max(count, 1) } }

  mutating func observe(_ values: Tensor) throws(PruneError) {
    let dims = values.shape.dims
    guard dims.count > 1, values.count > 0 else { return }
    let axis = isLast ? dims.count - 1 : 1, channels = dims[axis], inner = dims[(axis + 1)...].reduce(1, *)
    if sums.isEmpty {
      sums = [Double](repeating: 0, count: channels)
      magnitudes = [Float](repeating: 0, count: channels)
      (magnitudeSums, squareSums) = (sums, sums)
    }
    guard sums.count == channels else { return }
    var added = sums, extremes = magnitudes, absolute = magnitudeSums, squared = squareSums
    try values.withSpan(of: Float.self) { span throws(PruneError) in
      for row in 0..<span.count / inner {
        let channel = row % channels
        var sum: Float = 0, size: Float = 0, square: Float = 0, largest = extremes[channel], least = -largest
        for place in row * inner..<(row + 1) * inner {
          let value = span[place]
          sum += value
          size += value.magnitude
          square += value * value
          largest = max(largest, value)
          least = min(least, value)
        }
        added[channel] += Double(sum)
        absolute[channel] += Double(size)
        squared[channel] += Double(square)
        extremes[channel] = max(-least, largest)
      }
    }
    (sums, magnitudes, magnitudeSums, squareSums) = (added, extremes, absolute, squared)
    count += Double(values.count / channels)
  }
}
