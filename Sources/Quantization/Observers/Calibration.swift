import PruneData
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
    let inputs = model.graph.trueInputs.map(\.name)
    channels = wanted.mapValues { ChannelStatistics(isLast: $0) }
    let seen = Set(values).union(wanted.keys).sorted()
    let session = Session(model, outputs: seen.filter { !inputs.contains($0) })
    let ranged = Set(values)
    var observers: [String: any RangeObserver] = [:]
    for first in stride(from: 0, to: data.count, by: max(scheme.batchSize, 1)) {
      try cancel?.check()
      let last = min(first + scheme.batchSize, data.count)
      let feeds = try Feeds.make(model, data, first, last)
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

/// Samples of a dataset as the inputs of a model.
enum Feeds {
  /// - Throws: `.invalidArgument` when the model has more inputs than a dataset gives.
  static func make(_ model: Model, _ data: Dataset, _ first: Int, _ last: Int) throws(PruneError) -> [String: Tensor] {
    let inputs = model.graph.trueInputs
    guard let input = inputs.first, inputs.count == 1 else {
      let names = inputs.map(\.name).joined(separator: ", ")
      throw PruneError(.invalidArgument, "a data set feeds one input, the model has \(inputs.count): \(names)")
    }
    let samples = try data.rows(first, last).x
    return [input.name: try input.type?.dtype.map { dtype throws(PruneError) in try samples.cast(to: dtype) } ?? samples]
  }
}
