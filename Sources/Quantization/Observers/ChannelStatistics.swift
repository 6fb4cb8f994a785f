import PruneTensor

/// The mean and the largest value of each channel of an activation.
struct ChannelStatistics {
  /// Whether channels are the last axis (matrix products) or the second one (convolutions).
  let isLast: Bool
  private var sums: [Double] = []
  private var count = 0.0
  private(set) var maxima: [Float] = []

  init(isLast: Bool) { self.isLast = isLast }

  var means: [Double] { sums.map { $0 / max(count, 1) } }

  mutating func observe(_ values: Tensor) throws(PruneError) {
    let dims = values.shape.dims
    guard dims.count > 1, values.count > 0 else { return }
    let axis = isLast ? dims.count - 1 : 1, channels = dims[axis], inner = dims[(axis + 1)...].reduce(1, *)
    if sums.isEmpty {
      sums = [Double](repeating: 0, count: channels)
      maxima = [Float](repeating: -.infinity, count: channels)
    }
    guard sums.count == channels else { return }
    var added = sums, most = maxima
    try values.withSpan(of: Float.self) { span throws(PruneError) in
      for row in 0..<span.count / inner {
        let channel = row % channels
        var sum: Float = 0, largest = most[channel]
        for place in row * inner..<(row + 1) * inner {
          sum += span[place]
          largest = max(largest, span[place])
        }
        added[channel] += Double(sum)
        most[channel] = largest
      }
    }
    (sums, maxima) = (added, most)
    count += Double(values.count / channels)
  }
}
