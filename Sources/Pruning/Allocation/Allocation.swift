import PruneTensor

/// How much goes where.
package enum Allocation: Sendable, Hashable {
  /// How an amount is divided over layers.
  package enum Division: String, Choice {
    /// The lowest of one ranking over all layers, until the fraction is reached.
    case global
    /// The lowest of each layer, the same fraction everywhere.
    case local
    /// The lowest of each output of each layer, the same fraction everywhere: what Wanda compares.
    case row
    /// One ranking of each score over the sum of its layer's scores that are not smaller (LAMP).
    case lamp
    /// Of each layer a fraction that leaves it weights in proportion to the sum of its extents over their product
    /// (Erdős-Rényi-Kernel, Evci et al., 2020).
    case erk
    /// One ranking in each class of layers of the same operator and kernel (after Isomorphic Pruning, Fang et al.,
    /// 2024).
    case isomorphic
    /// Each layer loses as much as costs the same loss, by curves measured on data.
    case sensitivity
    /// The cuts that cost least loss for what they save first, by the same curves.
    case costAware = "cost_aware"
  }

  case amount(Double, Division)
  /// What scores below a fixed number, wherever it is.
  case threshold(Double)
  /// What the granularity itself prescribes, as n:m does.
  case prescribed
  /// As much as is needed to leave a fraction of a cost.
  case target(Double, Division)
  /// A number of units for each weight.
  case counts([Int])

  /// What an allocation leaves of one weight.
  package struct Result: Sendable {
    package var tensor: Tensor
    package var zeros: Int
    /// The score at which this weight was cut.
    package var threshold: Double
  }

  /// The allocation on the way to this one: `progress` 0 is where the weights are, 1 the target itself.
  package func partial(_ progress: Double, from sparsity: Double) -> Allocation {
    guard progress < 1 else { return self }
    switch self {
    case .amount(let amount, let division): return .amount(sparsity + (amount - sparsity) * progress, division)
    case .threshold(let threshold): return .threshold(threshold * progress)
    case .target(let fraction, let division): return .target(1 - (1 - fraction) * progress, division)
    case .prescribed, .counts: return self
    }
  }

  /// Masks the weights that were scored.
  /// - Parameter layers: what each weight is to its layer; needed by all but global, local and threshold.
  package func masked(
    _ weights: [Tensor], _ scores: Scores, _ ranking: WeightRanking, layers: [LayerKind] = []
  ) throws(PruneError) -> [Result] {
    switch self {
    case .prescribed, .target: throw PruneError(.internal, "no amount to allocate")
    case .counts(let counts): return try Self.each(weights, scores, counts)
    case .threshold(let threshold):
      return try Self.results(ranking, ranking.cut(below: scores.key(of: threshold)), scores)
    case .amount(let amount, let division):
      switch division {
      case .global:
        return try Self.results(ranking, ranking.cut(removing: Self.units(amount, of: ranking.count)), scores)
      case .local:
        return try Self.each(weights, scores, weights.map { Self.units(amount, of: $0.count) })
      case .row:
        return try RowCut.results(weights, scores, layers, amount)
      case .lamp:
        var relative: [Tensor] = []
        for (index, weight) in weights.enumerated() {
          if let score = scores.tensor(index) {
            relative.append(try LampImportance.scores(score, power: 1))
          } else {
            relative.append(try LampImportance.scores(weight, power: 2))
          }
        }
        let ranking = try WeightRanking(weights, scores: relative)
        return try Self.results(
          ranking, ranking.cut(removing: Self.units(amount, of: ranking.count)), .tensors(relative))
      case .erk:
        return try Self.each(weights, scores, LayerKind.erkCounts(layers, weights.map(\.count), amount))
      case .isomorphic:
        return try Self.classes(weights, scores, layers, amount)
      case .sensitivity, .costAware: throw PruneError(.internal, "'\(division.rawValue)' was not divided")
      }
    }
  }

  /// The number of units an amount is, rounded to the nearest.
  package static func units(_ amount: Double, of count: Int) -> Int {
    guard amount.isFinite, amount > 0 else { return 0 }
    let units = (amount * Double(count)).rounded()
    return units >= Double(count) ? count : Int(units)
  }

  /// The lowest scores of each weight separately.
  private static func each(_ weights: [Tensor], _ scores: Scores, _ counts: [Int]) throws(PruneError) -> [Result] {
    var results: [Result] = []
    for (index, weight) in weights.enumerated() where index < counts.count {
      let ranking = try WeightRanking([weight], scores: scores.tensor(index).map { [$0] })
      results += try Self.results(ranking, ranking.cut(removing: counts[index]), scores)
    }
    return results
  }

  /// One ranking in each class of layers.
  private static func classes(
    _ weights: [Tensor], _ scores: Scores, _ layers: [LayerKind], _ amount: Double
  ) throws(PruneError) -> [Result] {
    var results = [Result?](repeating: nil, count: weights.count)
    for signature in Set(layers.map(\.signature)).sorted() {
      let members = weights.indices.filter { $0 < layers.count && layers[$0].signature == signature }
      let ranking = try WeightRanking(
        members.map { weights[$0] }, scores: scores.hasTensors ? members.compactMap { scores.tensor($0) } : nil)
      let cut = try Self.results(ranking, ranking.cut(removing: units(amount, of: ranking.count)), scores)
      for (index, result) in zip(members, cut) { results[index] = result }
    }
    return results.compactMap { $0 }
  }

  private static func results(
    _ ranking: WeightRanking, _ cut: WeightRanking.Cut, _ scores: Scores
  ) throws(PruneError) -> [Result] {
    let threshold = scores.value(of: cut.threshold)
    return try ranking.masked(cut).map { Result(tensor: $0.tensor, zeros: $0.zeros, threshold: threshold) }
  }
}

extension Scores {
  func tensor(_ index: Int) -> Tensor? {
    if case .tensors(let list) = self, index < list.count { return list[index] }
    return nil
  }

  var hasTensors: Bool {
    if case .tensors = self { true } else { false }
  }

  /// The number a ranking compares with for a score of `value`.
  fileprivate func key(of value: Double) -> Float {
    if case .magnitude(2) = self { return Float(value.squareRoot()) }
    return Float(value)
  }

  /// The score that a ranking's number stands for.
  fileprivate func value(of key: Float) -> Double {
    if case .magnitude(2) = self { return Double(key) * Double(key) }
    return Double(key)
  }
}
