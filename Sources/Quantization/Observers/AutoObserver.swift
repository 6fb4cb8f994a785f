import PruneTensor

/// Keeps in one pass what every calibrator worth trying needs; which of them is right is found on other samples
/// (`CalibratorChoice`). Until then the range is the widest.
package struct AutoObserver: RangeObserver {
  package static let name = "auto"
  /// In the order in which equally good ones are taken.
  static let tried = [
    MinMaxObserver.name, MovingAverageObserver.name, SquaredErrorObserver.name, PercentileObserver.name,
  ]

  private let settings: CalibratorSettings
  private var extremes: MinMaxObserver
  private var average: MovingAverageObserver
  private var histogram = Histogram()
  /// The samples since the last ones that the average counted.
  private var pending: (low: Float, high: Float, samples: Int)?

  /// Samples that the moving average takes as one batch.
  private static let batch = 4

  package init(_ settings: CalibratorSettings) {
    self.settings = settings
    (extremes, average) = (MinMaxObserver(settings), MovingAverageObserver(settings))
  }

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    try extremes.observe(values, low: low, high: high)
    try histogram.add(values, low: low, high: high)
    let samples = values.shape.dims.first ?? 1
    let sum = pending.map { (min($0.low, low), max($0.high, high), $0.samples + samples) } ?? (low, high, samples)
    pending = sum
    guard sum.2 >= Self.batch else { return }
    try average.observe(values, low: sum.0, high: sum.1)
    pending = nil
  }

  package var range: (low: Float, high: Float) { extremes.range }

  package var candidates: [String: (low: Float, high: Float)] {
    var found = [
      MinMaxObserver.name: extremes.range,
      SquaredErrorObserver.name: SquaredErrorObserver(settings, histogram).range,
      PercentileObserver.name: PercentileObserver(settings, histogram).range,
    ]
    // What fills no batch counts where there is nothing else.
    if average.isEmpty {
      found[MovingAverageObserver.name] = extremes.range
    } else {
      found[MovingAverageObserver.name] = average.range
    }
    return found
  }
}
