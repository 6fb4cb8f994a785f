import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What a search may lose, what it is after, and for how long.
package struct SearchOptions {
  /// What the metric is measured on.
  package var data: Dataset?
  /// What criteria and reconstruction look at; nil is the first 256 samples of `data`.
  package var calibration: Dataset?
  /// "bytes" (zeros left out), or "macs" or "latency", which only removing units saves.
  package var objective = "macs"
  /// Nil is accuracy where targets are classes, else loss.
  package var metric: String?
  package var maxDrop = 0.01
  /// What the metric and gradients are of; nil is the first output.
  package var output: String?
  /// In place of a metric by name.
  package var custom: CustomMetric?
  /// Minutes after which no new candidate is tried; 0 is 10.
  package var budget = 0.0
  /// Extents that the model's inputs leave open and the data does not tell.
  package var shapes = ShapeBinding()
  package var seed: UInt64 = 0
  package var cancel: CancelFlag?
  /// The ranks that share the candidates out; with a metric of the caller's own each tries all. Nil is one alone.
  package var communicator: Communicator?
  /// Called after each candidate; true ends the search.
  package var onCandidate: ((SearchCandidate) throws(PruneError) -> Bool)?

  package init() {}
}

/// A candidate of a search that was made.
package struct SearchCandidate: Sendable {
  /// The way it was pruned, in words, and how far.
  package let way: String
  package let amount: Double
  /// From 1.
  package let number: Int
  /// Since the search began, and until nothing new is tried.
  package let seconds, secondsLeft: Double
}

/// Looks for the smallest model that keeps a metric: every way to prune is tried cheaply on a part of the data, the
/// best of them are refined on all of it by bisection of the amount.
///
/// The report has "front", the points that no other beats in both cost and metric, each with the options that give it
/// and its recipe, and "tried". The model is the cheapest within the bound, or the given one when there is none.
/// - Throws: `.invalidArgument` for options, before any work; what evaluating the given model throws.
package func search(_ model: Model, _ options: SearchOptions) throws(PruneError) -> (model: Model, report: Report) {
  var run = try SearchRun(model, options)
  try run.run()
  return (try run.result() ?? model, run.report())
}

/// A search in progress.
struct SearchRun {
  /// One way to prune.
  struct Way {
    var granularity = Granularity.weight
    let criterion: String
    /// How the amount is divided; nil for layers, which are ranked whole.
    var division: String?
    var reconstruct: String?

    /// All of it, in words: weights are zeroed, other units removed.
    var name: String {
      ["\(granularity.name)s", criterion, division, reconstruct].compactMap { $0 }.joined(separator: ", ")
    }

    func apply(to options: inout PruneOptions) {
      (options.granularity, options.criterion, options.reconstruct) = (granularity.name, criterion, reconstruct)
      if let division { options.allocation = division }
    }
  }

  /// A way at an amount, measured on all data.
  struct Point {
    let way: Way
    let amount: Double
    /// Nil where another rank has it.
    let model: Model?
    let metric: Double
    let drop: Double
    let cost: Double
    let recipe: String?
    let settings: [(key: String, value: ReportValue)]
  }

  enum Objective: String, Choice { case macs, bytes, latency }
  /// Samples of the cheap round, ways that go on to the next, and halvings of the amount there.
  private static let (sample, finalists, halvings) = (512, 3, 6)

  let model: Model
  @Boxed var options: SearchOptions
  private let objective: Objective
  let data: Dataset
  let calibration: Dataset
  let metricGuard: MetricGuard
  private let quick: MetricGuard
  private let start, end: Double
  private let extents: BoundExtents
  let communicator: Communicator?
  var tried = 0
  var isStopped = false
  var points: [Point] = []
  var refused: [(name: String, reason: String)] = []

  init(_ model: Model, _ options: SearchOptions) throws(PruneError) {
    objective = try Objective("objective", named: options.objective)
    guard let data = options.data else {
      throw PruneError(.invalidArgument, "a search measures a metric on data, and there is none", hint: "give data = …")
    }
    guard options.budget >= 0, options.budget.isFinite else {
      throw PruneError(.invalidArgument, "budget is \(options.budget) minutes, it must be a number above 0")
    }
    communicator = options.custom == nil ? options.communicator : nil
    guard communicator == nil || objective != .latency else {
      throw PruneError(
        .unsupported, "objective is latency, and \(communicator.size) ranks search together: their times differ",
        hint: "search for macs, or on one rank")
    }
    if let communicator { try communicator.agree("search", Self.shared(model, data, options)) }
    self.model = model
    self.options = options
    self.data = data
    extents = try BoundExtents(
      model, shapes: options.shapes, samples: InputBinding.sampleShapes(data, model), assumes: true)
    if let kind = CostTarget.Kind(rawValue: objective.rawValue), kind != .bytes {
      try extents.check(kind, macs: try ModelStats.of(model, at: extents).macs)
    }
    if let calibrationData = options.calibration {
      calibration = calibrationData
    } else {
      calibration = try data.take(256)
    }
    let metric = options.metric ?? (options.custom != nil ? "metric" : data.y?.dtype == .int64 ? "accuracy" : "loss")
    var bounds = GuardOptions(
      data: data, metric: metric, maxDrop: options.maxDrop, custom: options.custom, output: options.output)
    let measured = try MetricGuard(
      bounds, model: model, batchSize: 64, cancel: options.cancel, communicator: communicator)
    metricGuard = measured.local
    bounds.data = try data.take(Self.sample)
    quick =
      try options.custom == nil
      ? MetricGuard(
        bounds, model: model, batchSize: 64, cancel: options.cancel, communicator: communicator
      ).local : measured
    start = monotonicSeconds()
    end = start + (options.budget > 0 ? options.budget : 10) * 60
  }

  /// The cheapest point within the bound.
  var best: Point? {
    points.filter { metricGuard.allows($0.metric) }.min { ($0.cost, $0.drop) < ($1.cost, $1.drop) }
  }

  /// Zeros that stay in place take no bytes, but as many MACs and as much time as before: those are saved by what is
  /// removed.
  private var ways: [Way] {
    guard objective == .bytes else {
      return [
        Way(granularity: .channel, criterion: "magnitude", division: "global"),
        Way(granularity: .channel, criterion: "magnitude", division: "local"),
        Way(granularity: .channel, criterion: "taylor", division: "global"),
        Way(granularity: .head, criterion: "magnitude", division: "global"),
        Way(granularity: .layer, criterion: "magnitude"),
      ]
    }
    var ways = ["global", "lamp", "erk"].map { Way(criterion: "magnitude", division: $0) }
    ways += [Way(criterion: "taylor", division: "global"), Way(criterion: "wanda", division: "row")]
    return ways + ["lamp", "erk", "global"].map { Way(criterion: "magnitude", division: $0, reconstruct: "sparsegpt") }
  }

  mutating func run() throws(PruneError) {
    let ways = ways
    var climbs = [Double](repeating: 0, count: 2 * ways.count)
    try communicator.each { () throws(PruneError) in
      for (index, way) in ways.enumerated() where communicator.owns(index) {
        (climbs[2 * index], climbs[2 * index + 1]) = try climb(way)
      }
    }
    climbs = try communicator?.sum(climbs) ?? climbs
    var reached = ways.enumerated().map { (way: $1, amount: climbs[2 * $0], drop: climbs[2 * $0 + 1]) }
    reached.sort { ($0.amount, $1.drop) > ($1.amount, $0.drop) }
    let finalists = Array(reached.prefix(Self.finalists))
    var counts = [Int](repeating: 0, count: finalists.count)
    try communicator.each { () throws(PruneError) in
      for (index, entry) in finalists.enumerated() where communicator.owns(index) {
        let before = points.count
        try refine(entry.way, from: entry.amount)
        counts[index] = points.count - before
      }
    }
    if let communicator { try gather(finalists.map(\.way), counts, communicator) }
  }

  /// The largest amount of a way that the guard accepts on a part of the data, and its drop.
  private mutating func climb(_ way: Way) throws(PruneError) -> (amount: Double, drop: Double) {
    // From simple to complex: an amount that hurts ends the climb.
    var last = (amount: 0.0, drop: 0.0)
    for amount in [0.3, 0.5, 0.7, 0.85, 0.93] {
      guard try goesOn() else { break }
      guard let outcome = try pruned(way, amount) else { break }
      let drop = quick.drop(of: try quick.measure(outcome.model))
      guard drop.isFinite, drop <= options.maxDrop else { break }
      last = (amount, drop)
    }
    return last
  }

  /// Bisects the amount between one that is known to be good and all.
  private mutating func refine(_ way: Way, from amount: Double) throws(PruneError) {
    var low = 0.0, high = 1.0, next = amount > 0 ? amount : 0.15
    for _ in 0..<Self.halvings {
      guard try goesOn(), let outcome = try pruned(way, next) else { return }
      let metric = try metricGuard.measure(outcome.model)
      points.append(try point(way, next, outcome, metric))
      if metricGuard.allows(metric) { low = next } else { high = next }
      next = (low + high) / 2
    }
  }

  private mutating func goesOn() throws(PruneError) -> Bool {
    if isStopped || monotonicSeconds() > end { return false }
    if options.cancel?.isRequested == true {
      // What was found is not lost, when there is something.
      if points.isEmpty { try options.cancel?.check() }
      isStopped = true
    }
    return !isStopped
  }

  /// The model pruned a way; nil for what cannot be done with this network.
  mutating func pruned(_ way: Way, _ amount: Double) throws(PruneError) -> PruneOutcome? {
    var settings = PruneOptions()
    way.apply(to: &settings)
    settings.amount = amount
    if objective == .latency, way.granularity == .channel { settings.roundTo = PruneOptions.machineRounding }
    (settings.data, settings.output, settings.shapes) = (calibration, options.output, options.shapes)
    settings.seed = options.seed
    settings.cancel = options.cancel
    settings.certifies = way.granularity == .weight ? false : nil
    tried += 1
    do {
      var outcome = try Pruning.pruned(model, settings)
      if settings.roundTo == PruneOptions.machineRounding, outcome.report.number("removed") == 0 {
        // No group is wide enough for what the machine likes.
        settings.roundTo = 1
        outcome = try Pruning.pruned(model, settings)
      }
      let now = monotonicSeconds()
      let candidate = SearchCandidate(
        way: way.name, amount: amount, number: tried, seconds: now - start, secondsLeft: max(end - now, 0))
      isStopped = try options.onCandidate?(candidate) ?? false || isStopped
      return outcome
    } catch let error where [.unsupported, .invalidArgument, .refused, .mismatch, .numeric].contains(error.status) {
      if !refused.contains(where: { $0.name == way.name }) { refused.append((way.name, error.message)) }
      return nil
    }
  }

  private func point(
    _ way: Way, _ amount: Double, _ outcome: PruneOutcome, _ metric: Double
  ) throws(PruneError) -> Point {
    let stats = try ModelStats.of(outcome.model, at: extents)
    let bytes = stats.bytes - (stats.params - stats.nonzero) * 4
    var cost = objective == .macs ? Double(stats.macs ?? 0) : Double(bytes)
    if objective == .latency {
      var timing = BenchmarkOptions()
      (timing.runs, timing.cancel, timing.extents) = (15, options.cancel, extents)
      cost = try benchmark(outcome.model, timing).number("median_ms") ?? .infinity
    }
    return Point(
      way: way, amount: amount, model: outcome.model, metric: metric, drop: metricGuard.drop(of: metric), cost: cost,
      recipe: outcome.recipe,
      settings: settings(stats, bytes))
  }

  /// The keys of `settings`.
  var settingNames: [String] {
    switch objective {
    case .bytes: ["params"]
    case .macs: ["params", "bytes"]
    case .latency: ["macs"]
    }
  }

  /// Other costs than the objective, of those that the ways save: few, so that a line holds the whole name of its way.
  private func settings(_ stats: ModelStats, _ bytes: Int) -> [(key: String, value: ReportValue)] {
    switch objective {
    case .bytes: [("params", .integer(stats.nonzero))]
    case .macs: [("params", .integer(stats.params)), ("bytes", .integer(bytes))]
    case .latency: [("macs", .count(stats.macs))]
    }
  }

  /// What a reader must know first: that nothing was found, and how to get further.
  private var headline: String? {
    guard best == nil else { return nil }
    let bound =
      "within max_drop \(formatted(options.maxDrop, digits: 4, style: "g")) of \(metricGuard.options.metric) \(formatted(metricGuard.baseline, digits: 4, style: "g"))"
    let way =
      isStopped
      ? "it was stopped"
      : points.isEmpty && monotonicSeconds() > end
        ? "the budget ended: give budget = more minutes" : "allow a larger max_drop, or a larger budget"
    return "nothing smaller was found \(bound), the model is the given one; \(way)"
  }

  func report() -> Report {
    // Cheapest first; a point stays when it keeps more than all that are cheaper.
    var front: [Point] = []
    for point in points.sorted(by: { ($0.cost, $0.drop) < ($1.cost, $1.drop) }) where point.drop.isFinite {
      if front.allSatisfy({ point.drop < $0.drop }) { front.append(point) }
    }
    var report = Report(title: "search")
    report["objective"] = .text(objective.rawValue)
    report["metric"] = .text(metricGuard.options.metric)
    report["baseline"] = .number(metricGuard.baseline)
    report["max_drop"] = .number(options.maxDrop)
    report["tried"] = .integer(tried)
    report["stopped"] = .flag(isStopped)
    report["front"] = .list(
      front.map { point in
        var row = Report(title: "")
        row["way"] = .text(point.way.name)
        row["amount"] = .number(point.amount)
        row[metricGuard.options.metric] = .number(point.metric)
        row["drop"] = .number(point.drop)
        row[objective == .latency ? "ms" : "cost"] = .number(point.cost)
        for (key, value) in point.settings { row[key] = value }
        row["within"] = .flag(metricGuard.allows(point.metric))
        if let recipe = point.recipe { row["recipe"] = .text(recipe) }
        return .report(row)
      })
    report.headline = headline
    if points.isEmpty {
      let why =
        isStopped
        ? "the search was stopped" : monotonicSeconds() > end ? "the budget of minutes ended" : "every way was left out"
      report["notes"] = .list([.text("\(why) before any way was measured on all data: the model is the given one")])
    }
    if !refused.isEmpty {
      report["left_out"] = .list(refused.map { .text("\($0.name): \($0.reason)") })
    }
    return report
  }
}
