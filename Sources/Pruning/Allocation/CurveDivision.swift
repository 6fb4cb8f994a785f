import PruneEvaluation
import PruneGraph
import PruneTensor

/// Divides an amount over layers by what pruning each of them costs, measured on data.
struct CurveDivision {
  let context: PruneContext
  /// Weights that no curve is measured of.
  let ignore: Set<String>

  private var plan: PrunePlan { context.plan }
  private var options: PruneOptions { context.options }

  /// The amounts at which the curves are measured; between them the curves are linear.
  private static let amounts = [0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98]

  /// Whether a division is one by curves.
  static func divides(_ allocation: Allocation) -> Bool {
    switch allocation {
    case .amount(_, let division), .target(_, let division): [.sensitivity, .costAware].contains(division)
    case .threshold, .prescribed, .counts: false
    }
  }

  /// - Throws: `.invalidArgument` when a division by curves has nothing to measure on, or saves something unknown.
  static func check(
    _ options: PruneOptions, _ allocation: Allocation, custom: CustomMetric?
  ) throws(PruneError) {
    guard divides(allocation) else { return }
    guard custom == nil else { return }
    let division: Allocation.Division =
      if case .amount(_, let division) = allocation { division } else if case .target(_, let division) = allocation {
        division
      } else { .global }
    guard let data = options.guard?.data ?? options.data, data.y != nil else {
      throw PruneError(
        .invalidArgument,
        "'\(division.rawValue)' measures the loss of each layer's pruning on data with targets, and there is none",
        hint: "give data = …")
    }
  }

  /// What pruning each layer costs.
  private func lines(
    _ model: Model, _ weights: PrunableWeights, _ scores: Scores
  ) throws(PruneError) -> [CostLine] {
    var settings = SensitivityOptions()
    settings.data = options.guard?.data ?? options.data
    settings.metric = plan.metric
    (settings.custom, settings.output) = (plan.customMetric, options.guard?.output ?? options.output)
    settings.amounts = Self.amounts
    settings.batchSize = context.batchSize
    settings.scope = options.scope
    settings.ignore = options.ignore + ignore.sorted()
    settings.cancel = options.cancel
    let curves = try SensitivityRun(model, settings).curves(by: scores).curves
    let lines = curves.map { CostLine(amounts: Self.amounts, drops: $0.drops) }
    guard lines.count == weights.weights.count else {
      throw PruneError(.internal, "\(lines.count) curves of \(weights.weights.count) weights")
    }
    return lines
  }

  /// What becomes of an amount: itself, or how many weights of each layer go where curves decide that. The curves are
  /// measured once for all amounts.
  func divider(
    _ allocation: Allocation, _ model: Model, _ weights: PrunableWeights, _ scores: Scores
  ) throws(PruneError) -> (Allocation) throws(PruneError) -> Allocation {
    guard Self.divides(allocation) else { return { allocation in allocation } }
    let lines = try lines(model, weights, scores)
    let gains = plan.cost == .macs ? try saved(weights, model) : weights.weights.map { Double($0.tensor.count) }
    return { allocation throws(PruneError) in
      guard case .amount(let amount, let division) = allocation else { return allocation }
      return counts(lines, gains, weights.weights.map(\.tensor.count), amount, division)
    }
  }

  private func counts(
    _ lines: [CostLine], _ gains: [Double], _ counts: [Int], _ amount: Double, _ division: Allocation.Division
  ) -> Allocation {
    let shares =
      division == .sensitivity
      ? Self.equal(lines, counts.map(Double.init), amount) : Self.cheapest(lines, gains, amount)
    var removed = zip(shares, counts).map { Allocation.units($0, of: $1) }
    // Rounding may miss the number of weights by a few: the largest layers make up for it.
    var missing =
      plan.cost != .macs || division == .sensitivity
      ? Allocation.units(amount, of: counts.reduce(0, +)) - removed.reduce(0, +) : 0
    for index in counts.indices.sorted(by: { counts[$0] > counts[$1] }) where missing.magnitude <= counts.count {
      let change = missing > 0 ? min(missing, counts[index] - removed[index]) : max(missing, -removed[index])
      removed[index] += change
      missing -= change
    }
    return .counts(removed)
  }

  /// The MACs that removing all of each weight saves.
  private func saved(_ weights: PrunableWeights, _ model: Model) throws(PruneError) -> [Double] {
    var macs: [String: Int] = [:]
    let extents = try options.extents(of: model), stats = try ModelStats.of(model, at: extents)
    try extents.check(.macs, macs: stats.macs)
    for layer in stats.layers { macs[layer.name, default: 0] += layer.macs ?? 0 }
    return weights.weights.map { weight in Double(Set(weight.layers).reduce(0) { $0 + (macs[$1] ?? 0) }) }
  }

  /// The amounts of the layers that cost the same loss; together they make the target share of the weights.
  private static func equal(_ lines: [CostLine], _ sizes: [Double], _ amount: Double) -> [Double] {
    let target = amount * sizes.reduce(0, +)
    var low = 0.0, high = (lines.compactMap(\.drops.last).filter(\.isFinite).max() ?? 1) + 1
    for _ in 0..<60 {
      let middle = (low + high) / 2
      let total = zip(lines, sizes).reduce(0.0) { $0 + $1.0.amount(costing: middle) * $1.1 }
      if total < target { low = middle } else { high = middle }
    }
    // Where a curve is flat the amount jumps: the target lies between the two sides.
    let below = lines.map { $0.amount(costing: low) }, above = lines.map { $0.amount(costing: high) }
    let least = zip(below, sizes).reduce(0.0) { $0 + $1.0 * $1.1 },
      most = zip(above, sizes).reduce(0.0) { $0 + $1.0 * $1.1 }
    let part = most > least ? min(max((target - least) / (most - least), 0), 1) : 1
    return scaled(zip(below, above).map { $0 + ($1 - $0) * part }, sizes, target)
  }

  /// The cuts of least cost for what they save first, until the wanted share is saved.
  private static func cheapest(_ lines: [CostLine], _ saved: [Double], _ amount: Double) -> [Double] {
    var cuts: [(slope: Double, layer: Int, from: Double, to: Double)] = []
    for (layer, line) in lines.enumerated() where saved[layer] > 0 {
      for (from, to) in line.hull {
        cuts.append(((to.drop - from.drop) / ((to.amount - from.amount) * saved[layer]), layer, from.amount, to.amount))
      }
    }
    cuts.sort { ($0.slope, $0.layer, $0.from) < ($1.slope, $1.layer, $1.from) }
    var left = amount * saved.reduce(0, +)
    var result = [Double](repeating: 0, count: lines.count)
    for cut in cuts where left > 0 {
      let gain = (cut.to - cut.from) * saved[cut.layer]
      result[cut.layer] = cut.from + (cut.to - cut.from) * min(left / gain, 1)
      left -= gain
    }
    return scaled(result, saved, amount * saved.reduce(0, +))
  }

  /// Curves end before whole layers go: an amount beyond them takes the same share of what is left everywhere.
  private static func scaled(_ shares: [Double], _ sizes: [Double], _ target: Double) -> [Double] {
    let total = zip(shares, sizes).reduce(0.0) { $0 + $1.0 * $1.1 }, all = sizes.reduce(0, +)
    guard target > total, all > total else { return shares }
    let more = (target - total) / (all - total)
    return shares.map { $0 + (1 - $0) * more }
  }
}

/// The loss of a metric against the amount, from nothing at 0, made to never fall.
struct CostLine {
  let amounts: [Double]
  let drops: [Double]

  init(amounts: [Double], drops: [Double]) {
    self.amounts = [0] + amounts
    var most = 0.0
    var result = [0.0]
    for drop in drops {
      // A metric that is not a number anymore has lost everything.
      most = max(most, drop.isFinite ? drop : 1e30)
      result.append(most)
    }
    self.drops = result
  }

  /// The largest amount that costs no more than `bound`.
  func amount(costing bound: Double) -> Double {
    for index in drops.indices.dropFirst() where drops[index] > bound {
      let rise = drops[index] - drops[index - 1]
      return amounts[index - 1] + (amounts[index] - amounts[index - 1]) * max(bound - drops[index - 1], 0) / rise
    }
    return amounts.last ?? 0
  }

  /// The pieces of the lower convex hull, left to right.
  var hull: [(from: (amount: Double, drop: Double), to: (amount: Double, drop: Double))] {
    var points: [(amount: Double, drop: Double)] = []
    for point in zip(amounts, drops) {
      while let last = points.last, let before = points.dropLast().last,
        (last.drop - before.drop) * (point.0 - before.amount) >= (point.1 - before.drop) * (last.amount - before.amount)
      {
        points.removeLast()
      }
      points.append((point.0, point.1))
    }
    return zip(points, points.dropFirst()).map { ($0, $1) }
  }
}
