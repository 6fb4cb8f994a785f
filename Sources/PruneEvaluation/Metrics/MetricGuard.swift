import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// A metric of the caller's own.
package struct CustomMetric {
  package var value: (Model) throws(PruneError) -> Double
  package var isLowerBetter: Bool

  package init(isLowerBetter: Bool = false, _ value: @escaping (Model) throws(PruneError) -> Double) {
    self.value = value
    self.isLowerBetter = isLowerBetter
  }
}

/// A bound on what a transformation may cost: a metric on given data, and how much of it may be lost.
package struct GuardOptions {
  /// Nil for a metric of the caller's own.
  package var data: Dataset?
  /// A metric that `evaluate` knows, or what to call the caller's own.
  package var metric: String
  /// Absolute: 0.01 of accuracy is one point. Nil is 0, or any drop down to `bound` where that is given.
  package var maxDrop: Double?
  /// The worst allowed value of the metric, whatever the baseline is. It decides alone where `maxDrop` is not given.
  package var bound: Double?
  package var custom: CustomMetric?
  /// What the metric is of; nil is the first output.
  package var output: String?

  /// The drop that is tolerated where no bound decides alone.
  package var tolerance: Double { maxDrop ?? 0 }

  package init(
    data: Dataset?, metric: String = "accuracy", maxDrop: Double? = nil, bound: Double? = nil,
    custom: CustomMetric? = nil,
    output: String? = nil
  ) {
    self.data = data
    self.metric = metric
    self.maxDrop = maxDrop
    self.bound = bound
    self.custom = custom
    self.output = output
  }
}

/// A running guard: it has measured a model before the transformation, and accepts or refuses the models after it.
package struct MetricGuard {
  package let options: GuardOptions
  /// The metric of the model before.
  package let baseline: Double
  private let batchSize: Int
  private let cancel: CancelFlag?
  private var communicator: Communicator?

  /// Metrics of which less is better; of all others more is.
  private static let lowerIsBetter: Set<String> = [
    "loss", "cross_entropy", "mse", "rmse", "mae", "error", "perplexity",
  ]

  /// Measures `model`.
  /// - Throws: `.invalidArgument` for an impossible bound, or one that `model` itself is beyond; `.numeric` when the
  ///   metric is not a number; and what `evaluate` throws.
  package init(
    _ options: GuardOptions, model: Model, batchSize: Int, cancel: CancelFlag?, communicator: Communicator? = nil
  ) throws(PruneError) {
    guard options.tolerance >= 0 else {
      throw PruneError(.invalidArgument, "guard's max_drop is \(options.tolerance), it must be 0 or more")
    }
    self.options = options
    self.batchSize = batchSize
    self.cancel = cancel
    self.communicator = communicator
    baseline = try Self.measure(model, options, batchSize, cancel, communicator)
    guard baseline.isFinite else {
      throw PruneError(
        .numeric,
        "metric '\(options.metric)' of the given model is \(baseline.isNaN ? "nan" : "infinite"): nothing can be held to it",
        hint: "look for NaN in the data, the weights, or the metric itself")
    }
    if let bound = options.bound, isWorse(baseline, than: bound) {
      throw PruneError(
        .invalidArgument,
        "the guard is violated before anything is done: \(options.metric) of the given model is \(formatted(baseline, digits: 6, style: "g")), worse than bound \(formatted(bound, digits: 6, style: "g"))",
        hint: "train the model further, or give a bound that it meets")
    }
  }

  /// The metric of a transformed model. NaN where the model gives none.
  package func measure(_ model: Model) throws(PruneError) -> Double {
    try Self.measure(model, options, batchSize, cancel, communicator)
  }

  /// The same guard without the other ranks: this rank measures its models itself.
  package var local: MetricGuard {
    var copy = self
    copy.communicator = nil
    return copy
  }

  /// How much worse a value is than the baseline; negative when it is better.
  package func drop(of value: Double) -> Double {
    isLowerBetter ? value - baseline : baseline - value
  }

  /// Whether one value is better than another; anything is better than what is no number.
  package func prefers(_ value: Double, to other: Double) -> Bool {
    guard value.isFinite, other.isFinite else { return value.isFinite }
    return isWorse(other, than: value)
  }

  /// Whether a value is within the bounds. Rounding of the subtraction does not count as a drop.
  package func allows(_ value: Double) -> Bool {
    guard value.isFinite else { return false }
    if let bound = options.bound {
      if isWorse(value, than: bound) { return false }
      if options.maxDrop == nil { return true }
    }
    return drop(of: value) <= options.tolerance + 1e-12 * max(1, baseline.magnitude)
  }

  /// What a refused value did, for a reader.
  package func refusal(of value: Double) -> String {
    func text(_ number: Double) -> String { formatted(number, digits: 6, style: "g") }
    let change = "\(options.metric) went from \(text(baseline)) to \(text(value))"
    guard value.isFinite else { return "\(change), which is not a number" }
    if let bound = options.bound, isWorse(value, than: bound) { return "\(change), worse than bound \(text(bound))" }
    return "\(change), more than max_drop \(text(options.tolerance)) allows"
  }

  private var isLowerBetter: Bool { options.custom?.isLowerBetter ?? Self.lowerIsBetter.contains(options.metric) }

  private func isWorse(_ value: Double, than bound: Double) -> Bool { isLowerBetter ? value > bound : value < bound }

  private static func measure(
    _ model: Model, _ options: GuardOptions, _ batchSize: Int, _ cancel: CancelFlag?, _ communicator: Communicator?
  ) throws(PruneError) -> Double {
    if let custom = options.custom {
      do { return try custom.value(model) } catch { throw error.located(at: "metric '\(options.metric)'") }
    }
    guard let data = options.data else {
      throw PruneError(
        .invalidArgument, "metric '\(options.metric)' is measured on data, and the guard has none",
        hint: "give guard a data = …, or a function of a model as its metric")
    }
    var settings = EvaluateOptions()
    settings.batchSize = batchSize
    (settings.metrics, settings.output) = ([options.metric], options.output)
    settings.cancel = cancel
    settings.communicator = communicator
    let report = try evaluate(model, data, settings)
    guard let value = report[options.metric]?.number else {
      throw PruneError(.invalidArgument, "evaluation gives no metric '\(options.metric)' for this model and data")
    }
    return value
  }
}
