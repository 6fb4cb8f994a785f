import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Runs a model over calibration data, batch by batch, and keeps of each activation only what its observer keeps.
struct Calibration {
  /// The range of each activation that holds float32 numbers.
  private(set) var ranges: [String: (low: Float, high: Float)] = [:]
  /// All ranges that may be meant, by activation and calibrator.
  private(set) var candidates: [String: [String: (low: Float, high: Float)]] = [:]
  /// What was asked for by channel.
  private(set) var channels: [String: ChannelStatistics] = [:]
  /// Samples seen.
  private(set) var count = 0

  /// - Parameters:
  ///   - values: activations to observe; inputs of the graph may be among them.
  ///   - channels: activations to observe by channel, and whether those are the last axis.
  /// - Throws: `.numeric` naming an activation that is not finite, and what running the model throws.
  init(
    _ model: Model, _ data: Dataset, values: [String], channels wanted: [String: Bool] = [:],
    scheme: QuantizationScheme,
    cancel: CancelFlag?
  ) throws(PruneError) {
    guard data.count > 0 else {
      throw PruneError(.invalidArgument, "the calibration data is empty", hint: "give some hundred samples")
    }
    let inputBinding = try InputBinding(data, model), inputs = inputBinding.names
    // Images one by one, so that the activations of one stay in the cache; of small samples, weights are the most that
    // is read.
    let isLarge = data.columns.contains { $0.dims.dropFirst().reduce(1, *) > 1 << 15 }
    let size = inputBinding.fixedBatch ?? scheme.calibrationBatch ?? (isLarge ? 1 : 4)
    var channels = wanted.mapValues { ChannelStatistics(isLast: $0) }
    let computed = Set(values).union(wanted.keys).subtracting(inputs).sorted()
    let session = Session(model, outputs: [], watched: computed.map { ($0, isOrdered: wanted[$0] != nil) })
    let ranged = Set(values)
    var observers: [String: any RangeObserver] = [:]
    for first in stride(from: 0, to: data.count, by: size) {
      try cancel?.check()
      let last = min(first + size, data.count)
      // A model of one batch size sees nothing of what does not fill the last batch, unless that is all there is.
      if inputBinding.fixedBatch != nil, last - first < size, first > 0 { break }
      func observe(_ value: String, _ tensor: Tensor) throws(PruneError) {
        guard tensor.dtype == .float32, tensor.count > 0 else { return }
        guard let range = try tensor.finiteRange() else {
          throw PruneError(
            .numeric, "activation '\(value)' is NaN or infinite on samples \(first)..<\(last) of the calibration data")
        }
        if wanted[value] != nil { try channels[value]?.observe(tensor) }
        guard ranged.contains(value) else { return }
        var watcher = observers.removeValue(forKey: value) ?? scheme.observer.init(scheme.calibrator)
        try watcher.observe(tensor, low: range.low, high: range.high)
        observers[value] = watcher
      }
      let feeds = try inputBinding.inputs(of: data.rows(first, last), filling: inputBinding.fixedBatch)
      for input in inputs where ranged.contains(input) || wanted[input] != nil {
        if let tensor = feeds[input] { try observe(input, tensor) }
      }
      // Each value is seen where it is made, while it is in the cache, and none is kept.
      _ = try session.run(feeds, cancel: cancel) { value, tensor throws(PruneError) in try observe(value, tensor) }
      count = last
    }
    self.channels = channels
    ranges = observers.mapValues(\.range)
    candidates = observers.mapValues(\.candidates)
  }

  /// Takes in the ranges of other samples.
  mutating func widen(by other: Calibration) {
    ranges.merge(other.ranges) { (low: min($0.low, $1.low), high: max($0.high, $1.high)) }
  }

  /// Takes what was found of some activations in place of what was known of them.
  mutating func replace(by other: Calibration) {
    ranges.merge(other.ranges) { $1 }
    candidates.merge(other.candidates) { $1 }
    channels.merge(other.channels) { $1 }
  }

  /// Takes the ranges of one calibrator.
  mutating func choose(_ calibrator: String) {
    for (value, found) in candidates { if let range = found[calibrator] { ranges[value] = range } }
  }
}
