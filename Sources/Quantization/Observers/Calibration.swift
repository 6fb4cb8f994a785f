import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Runs a model over calibration data, batch by batch, and keeps of each activation only what its observer keeps.
struct Calibration {
  /// The range of each activation that holds float32 numbers.
  private(set) var ranges: [String: (low: Float, high: Float)] = [:]
  /// What was asked for by channel.
  private(set) var channels: [String: ChannelStatistics] = [:]
  /// Samples seen.
  private(set) var count = 0

  /// - Parameters:
  ///   - values: activations to observe; inputs of the graph may be among them.
  ///   - channels: activations to observe by channel, and whether those are the last axis.
  /// - Throws: `.numeric` naming an activation that is not finite, and what running the model throws.
  init(
    _ model: Model, _ data: Dataset, values: [String], channels wanted: [String: Bool] = [:], scheme: QuantizationScheme,
    cancel: CancelFlag?
  ) throws(PruneError) {
    guard data.count > 0 else {
      throw PruneError(.invalidArgument, "the calibration data is empty", hint: "give some hundred samples")
    }
    let feed = try Feed(data, model), inputs = feed.names
    let size = feed.fixedBatch ?? max(scheme.calibrationBatch, 1)
    channels = wanted.mapValues { ChannelStatistics(isLast: $0) }
    let computed = Set(values).union(wanted.keys).subtracting(inputs).sorted()
    // Inputs first: what is wrong with them is not the fault of what they make of the rest.
    let seen = inputs.filter { values.contains($0) || wanted[$0] != nil } + computed
    let session = Session(model, outputs: computed)
    let ranged = Set(values)
    var observers: [String: any RangeObserver] = [:]
    for first in stride(from: 0, to: data.count, by: size) {
      try cancel?.check()
      let last = min(first + size, data.count)
      // A model of one batch size sees nothing of what does not fill the last batch, unless that is all there is.
      if feed.fixedBatch != nil, last - first < size, first > 0 { break }
      let feeds = try feed.inputs(of: data.rows(first, last), filling: feed.fixedBatch)
      let activations = try session.run(feeds, cancel: cancel).merging(feeds) { computed, _ in computed }
      for value in seen {
        guard let tensor = activations[value], tensor.dtype == .float32, tensor.count > 0 else { continue }
        guard let range = try tensor.finiteRange() else {
          throw PruneError(
            .numeric, "activation '\(value)' is NaN or infinite on samples \(first)..<\(last) of the calibration data")
        }
        if wanted[value] != nil { try channels[value]?.observe(tensor) }
        guard ranged.contains(value) else { continue }
        var watcher = observers[value] ?? scheme.observer.init(scheme.calibrator)
        try watcher.observe(tensor, low: range.low, high: range.high)
        observers[value] = watcher
      }
      count = last
    }
    ranges = observers.mapValues(\.range)
  }
}
