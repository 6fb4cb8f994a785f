import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// How far a changed model's outputs are from those of the model it was made from.
struct OutputProbe {
  private let feeds: [String: Tensor]
  private let wanted: [Double]
  private let cancel: CancelFlag?

  /// - Parameter count: samples that outputs are compared on, at most.
  init(_ model: Model, _ data: Dataset, count: Int, cancel: CancelFlag?) throws(PruneError) {
    self.cancel = cancel
    let inputBinding = try InputBinding(data, model)
    feeds = try inputBinding.inputs(of: data.take(inputBinding.fixedBatch ?? count), filling: inputBinding.fixedBatch)
    wanted = try Self.outputs(model, feeds, cancel)
    guard wanted.allSatisfy(\.isFinite) else {
      throw PruneError(.numeric, "the model's outputs on the calibration data '\(data.name)' are NaN or infinite")
    }
  }

  /// ‖outputs - wanted‖ / ‖wanted‖.
  func distance(of model: Model) throws(PruneError) -> Double {
    let found = try Self.outputs(model, feeds, cancel)
    let noise = zip(wanted, found).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let signal = wanted.reduce(0.0) { $0 + $1 * $1 }
    return (noise / max(signal, 1e-30)).squareRoot()
  }

  private static func outputs(_ model: Model, _ feeds: [String: Tensor], _ cancel: CancelFlag?) throws(PruneError)
    -> [Double]
  {
    let results = try Session(model).run(feeds, cancel: cancel)
    var values: [Double] = []
    for output in model.graph.outputs {
      if let tensor = results[output.name], tensor.dtype.isFloatingPoint { values += try tensor.doubles() }
    }
    return values
  }
}
