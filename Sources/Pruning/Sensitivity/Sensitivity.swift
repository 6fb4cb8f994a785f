import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What to cut, how far, and what is measured.
package struct SensitivityOptions {
  /// What the metric is measured on; criteria that look at data use it too.
  package var data: Dataset?
  /// Fractions of a layer, each 0...1; empty is 0.1, 0.3, 0.5, 0.7, 0.9.
  package var amounts: [Double] = []
  /// Nil is accuracy where targets are classes, else loss.
  package var metric: String?
  /// The loss of the metric up to which an amount is called safe.
  package var maxDrop = 0.01
  /// In place of a metric by name; the whole model is measured then.
  package var custom: CustomMetric?
  package var criterion: String?
  /// What the metric and gradients are of; nil is the first output.
  package var output: String?
  package var granularity = "weight"
  package var scope: [String] = []
  package var ignore: [String] = []
  /// 0 is 64.
  package var batchSize = 0
  package var seed: UInt64 = 0
  /// Extents that the inputs leave open, which those of the data must agree with.
  package var shapes = ShapeBinding()
  package var cancel: CancelFlag?
  /// The ranks that share the layers out; with a metric of the caller's own each measures all. Nil is one alone.
  package var communicator: Communicator?
  /// Called after each layer; true stops.
  package var onLayer: ((SensitivityProgress) throws(PruneError) -> Bool)?

  package init() {}
}

/// A layer of a sensitivity analysis that is done.
package struct SensitivityProgress: Sendable {
  package let name: String
  /// Counted from 1, and the total.
  package let layer, layers: Int
  /// The lowest of its metrics.
  package let lowest: Double
  /// Since the analysis began.
  package let seconds: Double
}

/// One layer pruned by itself, at several amounts.
package struct SensitivityCurve: Sendable {
  package let weight: PrunableWeight
  /// By amount, in the order of the amounts.
  package var metrics: [Double] = []
  package var drops: [Double] = []
}

/// The metric against the amount, layer by layer: each layer is pruned by itself, the rest stays whole. Only the part
/// of the network behind the layer runs again.
///
/// The report has "baseline", "amounts" and "layers": name, weights, curve (a bar an amount, on one scale for all
/// layers), safe (the largest amount that costs no more than max_drop) and "values", the metric at each amount.
/// - Throws: as `prune` and `evaluate` do; `.numeric` when the metric is not a number for the whole model.
package func sensitivity(_ model: Model, _ options: SensitivityOptions) throws(PruneError) -> Report {
  let run = try SensitivityRun(model, options)
  let (curves, isStopped) = try run.curves()
  let all = curves.flatMap(\.metrics).filter(\.isFinite) + [run.metricGuard.baseline]
  let ends = [all.min() ?? 0, all.max() ?? 0]
  var report = Report(title: "sensitivity")
  report["criterion"] = .text(run.importance.name)
  report["granularity"] = .text(run.granularity.name)
  report["metric"] = .text(run.metricGuard.options.metric)
  report["baseline"] = .number(run.metricGuard.baseline)
  report["max_drop"] = .number(options.maxDrop)
  report["stopped"] = .flag(isStopped)
  report["amounts"] = .list(run.amounts.map { .number($0) })
  report["layers"] = .list(
    curves.map { curve in
      var row = Report(title: "")
      row["name"] = .text(curve.weight.layer)
      row["weights"] = .integer(curve.weight.tensor.count)
      // With the ends of the common scale behind, which are cut off again.
      row["curve"] = .drawing(String(Draw.sparkline(curve.metrics + ends).dropLast(2)))
      row["lowest"] = .number(curve.metrics.filter(\.isFinite).min() ?? .nan)
      row["safe"] = .number(run.safe(curve))
      row["values"] = .list(curve.metrics.map { .number($0) })
      return .report(row)
    })
  if let note = run.importance.note(unreached: run.unreached) { report["notes"] = .list([.text(note)]) }
  return report
}

/// A sensitivity analysis in progress.
struct SensitivityRun {
  let model: Model
  @Boxed var options: SensitivityOptions
  /// Nil with a metric of the caller's own.
  let data: Dataset?
  let amounts: [Double]
  let importance: any Importance
  let granularity: Granularity
  let metricGuard: MetricGuard
  let weights: PrunableWeights
  /// Weights that the criterion cannot score.
  let unreached: Set<String>
  let batchSize: Int

  init(_ model: Model, _ options: SensitivityOptions) throws(PruneError) {
    guard options.data != nil || options.custom != nil else {
      throw PruneError(
        .invalidArgument, "sensitivity measures a metric on data, and there is none", hint: "give data = …")
    }
    let amounts = options.amounts.isEmpty ? [0.1, 0.3, 0.5, 0.7, 0.9] : options.amounts
    for amount in amounts where !(amount >= 0 && amount <= 1) {
      throw PruneError(.invalidArgument, "amounts has \(amount), each must be a fraction from 0 to 1")
    }
    granularity = try Granularity(name: options.granularity)
    if case .neighbours = granularity {
      throw PruneError(
        .invalidArgument, "granularity '\(granularity.name)' says itself how much goes: there is no curve over amounts",
        hint: "use granularity = \"weight\", \"kernel\" or {block = {rows, columns}}")
    }
    guard !granularity.isStructural else {
      throw PruneError(
        .unsupported, "sensitivity is measured with masks, got granularity '\(granularity.name)'",
        hint: "use granularity = \"weight\", \"kernel\" or {block = {rows, columns}}")
    }
    try Self.check(options.shapes, InputBinding.sampleShapes(options.data, model), model)
    importance = try Criterion.named(options.criterion ?? "magnitude")
    try importance.check(options.data)
    let all = try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore)
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    unreached = try ScoringContext(weights: all, data: options.data, batchSize: batchSize, output: options.output)
      .unreached(by: importance)
    weights = all.without(unreached)
    let data = options.data
    let metric = options.metric ?? (options.custom != nil ? "metric" : data?.y?.dtype == .int64 ? "accuracy" : "loss")
    metricGuard = try MetricGuard(
      GuardOptions(
        data: data, metric: metric, maxDrop: options.maxDrop, custom: options.custom, output: options.output),
      model: weights.model,
      batchSize: batchSize, cancel: options.cancel, communicator: options.custom == nil ? options.communicator : nil)
    self.model = weights.model
    self.data = data
    self.amounts = amounts
    self.options = options
  }

  /// Extents that a caller gives must be those of the data, which everything is measured on.
  private static func check(_ shapes: ShapeBinding, _ samples: [String: [Int]], _ model: Model) throws(PruneError) {
    let extents = try BoundExtents(model, shapes: shapes, assumes: false)
    for input in model.graph.trueInputs {
      guard let sample = samples[input.name], let dims = extents.types(of: model)[input.name]?.dims?.dropFirst(),
        dims.count == sample.count
      else { continue }
      for (dim, extent) in zip(dims, sample) where dim.value.map({ $0 != extent }) ?? false {
        throw PruneError(
          .mismatch, "shapes: input '\(input.name)' is given as \(Array(dims)), samples of the data are \(sample)",
          hint: "leave shapes out: the data says them")
      }
    }
  }

  /// One curve a weight, in the order the graph uses them.
  func curves() throws(PruneError) -> (curves: [SensitivityCurve], isStopped: Bool) {
    let context = ScoringContext(
      weights: weights, data: data, batchSize: batchSize, seed: options.seed, output: options.output,
      cancel: options.cancel, communicator: options.communicator)
    return try curves(by: try importance.ranking(context).scores)
  }

  /// The same with scores that are known already.
  func curves(by scores: Scores) throws(PruneError) -> (curves: [SensitivityCurve], isStopped: Bool) {
    let consumers = model.graph.consumers
    var tail = try options.custom == nil ? data.map { data throws(PruneError) in ModelTail(model, data) } : nil
    var curves: [SensitivityCurve?] = weights.weights.map { _ in nil }, isStopped = false
    let start = monotonicSeconds(), communicator = options.custom == nil ? options.communicator : nil
    try communicator.each { () throws(PruneError) in
      for (index, weight) in weights.weights.enumerated() where communicator.owns(index) && !isStopped {
        try options.cancel?.check()
        try tail?.advance(to: consumers[weight.name]?.first ?? 0, batchSize: batchSize, cancel: options.cancel)
        let curve = try curve(weights.only(index), scores.only(index), tail)
        curves[index] = curve
        let progress = SensitivityProgress(
          name: weight.layer, layer: index + 1, layers: weights.weights.count,
          lowest: curve.metrics.filter(\.isFinite).min() ?? .nan, seconds: monotonicSeconds() - start)
        isStopped = try options.onLayer?(progress) ?? false && index + 1 < weights.weights.count
      }
    }
    if let communicator {
      isStopped = try communicator.max([isStopped ? 1 : 0])[0] > 0
      try gather(&curves, over: communicator)
    }
    return (curves.compactMap { $0 }, isStopped)
  }

  /// Gives every rank the curves of all.
  private func gather(_ curves: inout [SensitivityCurve?], over communicator: Communicator) throws(PruneError) {
    let width = amounts.count + 1
    var table = [Double](repeating: 0, count: curves.count * width)
    for (index, curve) in curves.enumerated() {
      guard let curve else { continue }
      table[index * width] = 1
      for (place, metric) in curve.metrics.enumerated() { table[index * width + 1 + place] = metric }
    }
    table = try communicator.sum(table)
    for (index, weight) in weights.weights.enumerated() where table[index * width] > 0 && curves[index] == nil {
      var curve = SensitivityCurve(weight: weight)
      curve.metrics = Array(table[index * width + 1..<(index + 1) * width])
      curve.drops = curve.metrics.map { $0.isFinite ? metricGuard.drop(of: $0) : .infinity }
      curves[index] = curve
    }
  }

  private func curve(_ one: PrunableWeights, _ scores: Scores, _ tail: ModelTail?) throws(PruneError)
    -> SensitivityCurve
  {
    let weight = one.weights[0]
    var curve = SensitivityCurve(weight: weight)
    let variable = Variable(name: weight.name, tensor: weight.tensor)
    let session = tail.map { Session($0.model, variables: [weight.name: variable]) }
    var settings = EvaluateOptions()
    settings.batchSize = batchSize
    (settings.metrics, settings.output) = ([metricGuard.options.metric], options.output)
    settings.cancel = options.cancel
    let ranking = try WeightRanking([weight.tensor], scores: scores.tensor(0).map { [$0] })
    for amount in amounts {
      let mask = StepMask(granularity: granularity, allocation: .amount(amount, .local))
      variable.tensor = try mask.results(one, scores, ranking)[0].tensor
      let metric: Double
      if let session, let tail {
        metric = try evaluate(session: session, tail.data, settings).number(metricGuard.options.metric) ?? .nan
      } else {
        var pruned = model
        pruned.graph.setInitializer(weight.name, variable.tensor)
        metric = try metricGuard.local.measure(pruned)
      }
      curve.metrics.append(metric)
      curve.drops.append(metric.isFinite ? metricGuard.drop(of: metric) : .infinity)
    }
    return curve
  }

  /// The largest amount up to which every one costs no more than the bound; 0 when none does.
  func safe(_ curve: SensitivityCurve) -> Double {
    var safe = 0.0
    for (amount, drop) in zip(amounts, curve.drops).sorted(by: { $0.0 < $1.0 }) {
      guard drop <= options.maxDrop + 1e-12 else { break }
      safe = amount
    }
    return safe
  }
}

extension Scores {
  /// Those of one weight.
  func only(_ index: Int) -> Scores { tensor(index).map { .tensors([$0]) } ?? self }
}
