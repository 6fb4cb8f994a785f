import PruneData
import PruneGraph
import PruneTensor

/// A bound on what a transformation may cost: a metric on given data, and how much of it may be lost.
package struct GuardOptions: Sendable {
  package var data: Dataset
  /// A metric that `evaluate` knows.
  package var metric: String
  /// Absolute: 0.01 of accuracy is one point.
  package var maxDrop: Double

  package init(data: Dataset, metric: String = "accuracy", maxDrop: Double = 0) {
    self.data = data
    self.metric = metric
    self.maxDrop = maxDrop
  }
}

/// A guard at work: it measured a model before the transformation and judges what comes after it.
package struct MetricGuard {
  package let options: GuardOptions
  /// The metric of the model before.
  package let baseline: Double
  private let batchSize: Int
  private let cancel: CancelFlag?

  /// Metrics of which less is better; of all others more is.
  private static let lowerIsBetter: Set<String> = ["loss", "cross_entropy", "mse", "rmse", "mae", "error"]

  /// Measures `model`.
  /// - Throws: `.invalidArgument` for an impossible bound, `.numeric` when the metric is not a number, and what
  ///   `evaluate` throws.
  package init(
    _ options: GuardOptions, model: Model, batchSize: Int, cancel: CancelFlag?
  ) throws(PruneError) {
    guard options.maxDrop >= 0 else {
      throw PruneError(.invalidArgument, "guard's max_drop is \(options.maxDrop), it must be 0 or more")
    }
    self.options = options
    self.batchSize = batchSize
    self.cancel = cancel
    baseline = try Self.measure(model, options, batchSize, cancel)
    guard baseline.isFinite else {
      throw PruneError(.numeric, "the \(options.metric) of the model to guard is \(baseline)")
    }
  }

  /// The metric of a model that came after. Not a number where the model computes none.
  package func measure(_ model: Model) throws(PruneError) -> Double {
    try Self.measure(model, options, batchSize, cancel)
  }

  /// How much worse a value is than the baseline; negative when it is better.
  package func drop(of value: Double) -> Double {
    Self.lowerIsBetter.contains(options.metric) ? value - baseline : baseline - value
  }

  /// Whether a value is within the bound. Rounding of the subtraction does not count as a drop.
  package func allows(_ value: Double) -> Bool {
    drop(of: value) <= options.maxDrop + 1e-12 * max(1, baseline.magnitude)
  }

  private static func measure(
    _ model: Model, _ options: GuardOptions, _ batchSize: Int, _ cancel: CancelFlag?
  ) throws(PruneError) -> Double {
    var settings = EvaluateOptions()
    settings.batchSize = batchSize
    settings.metrics = [options.metric]
    settings.cancel = cancel
    let report = try evaluate(model, options.data, settings)
    guard let value = report[options.metric]?.number else {
      throw PruneError(.invalidArgument, "evaluation gives no metric '\(options.metric)' for this model and data")
    }
    return value
  }
}
