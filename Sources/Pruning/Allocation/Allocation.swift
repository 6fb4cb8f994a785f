import PruneTensor

/// How much goes where.
package enum Allocation: Sendable, Hashable {
  /// The lowest of one ranking over all layers, until the fraction is reached.
  case global(amount: Double)
  /// The lowest of each layer, the same fraction everywhere.
  case local(amount: Double)
  /// What scores below a fixed number, wherever it is.
  case threshold(Double)

  /// What an allocation leaves of one weight.
  package struct Result: Sendable {
    package let tensor: Tensor
    package let zeros: Int
    /// The score at which this weight was cut.
    package let threshold: Double
  }

  /// The allocation on the way to this one: `progress` 0 is where the weights are, 1 the target itself.
  package func partial(_ progress: Double, from sparsity: Double) -> Allocation {
    guard progress < 1 else { return self }
    switch self {
    case .global(let amount): return .global(amount: sparsity + (amount - sparsity) * progress)
    case .local(let amount): return .local(amount: sparsity + (amount - sparsity) * progress)
    case .threshold(let threshold): return .threshold(threshold * progress)
    }
  }

  /// Masks the weights that were scored.
  package func masked(
    _ weights: [Tensor], _ scores: Scores, _ ranking: WeightRanking
  ) throws(PruneError) -> [Result] {
    switch self {
    case .global(let amount):
      let cut = ranking.cut(removing: Self.units(amount, of: ranking.count))
      return try Self.results(ranking, cut, scores)
    case .threshold(let threshold):
      return try Self.results(ranking, ranking.cut(below: scores.key(of: threshold)), scores)
    case .local(let amount):
      var results: [Result] = []
      for (index, weight) in weights.enumerated() {
        let own = try WeightRanking([weight], scores: scores.tensor(index).map { [$0] })
        results += try Self.results(own, own.cut(removing: Self.units(amount, of: weight.count)), scores)
      }
      return results
    }
  }

  /// The number of units an amount is, rounded to the nearest.
  package static func units(_ amount: Double, of count: Int) -> Int {
    guard amount.isFinite, amount > 0 else { return 0 }
    let units = (amount * Double(count)).rounded()
    return units >= Double(count) ? count : Int(units)
  }

  private static func results(
    _ ranking: WeightRanking, _ cut: WeightRanking.Cut, _ scores: Scores
  ) throws(PruneError) -> [Result] {
    let threshold = scores.value(of: cut.threshold)
    return try ranking.masked(cut).map { Result(tensor: $0.tensor, zeros: $0.zeros, threshold: threshold) }
  }
}

extension Scores {
  fileprivate func tensor(_ index: Int) -> Tensor? {
    if case .tensors(let list) = self, index < list.count { return list[index] }
    return nil
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
