import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// Runs a model over calibration data, batch by batch, and keeps of each activation only what its observer keeps.
struct Calibration {
  /// The range of each activation that holds float32 numbers.
  private(set) var ranges: [String: (low: Float, high: Float)] = [:]
  /// Samples seen.
  private(set) var count = 0

  /// - Parameter values: activations to observe; inputs of the graph may be among them.
  /// - Throws: `.numeric` naming an activation that is not finite, and what running the model throws.
  init(
    _ model: Model, _ data: Dataset, values: [String], scheme: QuantizationScheme, cancel: CancelFlag?
  ) throws(PruneError) {
    guard data.count > 0 else {
      throw PruneError(.invalidArgument, "the calibration data is empty", hint: "give some hundred samples")
    }
    let batchSize = scheme.batchSize
    let inputs = model.graph.trueInputs.map(\.name)
    let session = Session(model, outputs: values.filter { !inputs.contains($0) })
    var observers: [String: any RangeObserver] = [:]
    for first in stride(from: 0, to: data.count, by: max(batchSize, 1)) {
      try cancel?.check()
      let last = min(first + batchSize, data.count)
      let feeds = try Feeds.make(model, data, first, last)
      let activations = try session.run(feeds, cancel: cancel).merging(feeds) { computed, _ in computed }
      for value in values {
        guard let tensor = activations[value], tensor.dtype == .float32, tensor.count > 0 else { continue }
        guard let range = try tensor.finiteRange() else {
          throw PruneError(
            .numeric, "activation '\(value)' is NaN or infinite on samples \(first)..<\(last) of the calibration data")
        }
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
