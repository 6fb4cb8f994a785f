import PruneEvaluation
import PruneTensor

/// Which rank each layer gets.
struct RankDivision {
  let layers: [FactorableLayer]
  /// Of the whole model, by kind.
  let whole: [CostTarget.Kind: Double]

  /// What settles the ranks.
  enum Goal {
    case rank(Int)
    case energy(Double)
    case targets([CostTarget])

    /// The goal with a part of the way back to the dense model, 1 being all of the loss and 0 none.
    func eased(_ share: Double, of layers: [FactorableLayer]) -> Goal {
      switch self {
      case .rank(let rank):
        let most = layers.map { min($0.factored.rows, $0.factored.columns) }.max() ?? rank
        return .rank(rank + Int((Double(most - rank) * (1 - share)).rounded()))
      case .energy(let energy): return .energy(1 - (1 - energy) * share)
      case .targets(let targets): return .targets(targets.map { CostTarget($0.kind, 1 - (1 - $0.fraction) * share) })
      }
    }
  }

  /// - Returns: of each layer its rank; nil stays whole.
  /// - Throws: `.invalidArgument` for a target that the least ranks do not meet.
  func ranks(_ goal: Goal) throws(PruneError) -> [Int?] {
    switch goal {
    case .rank(let rank): return layers.map { $0.rank(near: rank) }
    case .energy(let energy): return layers.map { $0.rank(keeping: energy) }
    case .targets(let targets): return try ranks(meeting: targets)
    }
  }

  /// The fraction of a cost that is left.
  func kept(_ kind: CostTarget.Kind, _ ranks: [Int?]) -> Double {
    guard let whole = whole[kind], whole > 0 else { return 1 }
    let saved = zip(layers, ranks).reduce(0.0) { $0 + $1.0.cost(kind, rank: nil) - $1.0.cost(kind, rank: $1.1) }
    return (whole - saved) / whole
  }

  /// The ranks that lose least energy, summed over layers, for what they cost: one price for all layers, as low as the
  /// targets allow.
  private func ranks(meeting targets: [CostTarget]) throws(PruneError) -> [Int?] {
    let least = layers.map(\.ranks.first)
    for target in targets {
      try target.check(
        floor: kept(target.kind, least), "the least ranks leave so much, and \(layers.count) layers can be factored",
        hint: "raise the target, or take more layers into scope")
    }
    func isMet(_ ranks: [Int?]) -> Bool { targets.allSatisfy { kept($0.kind, ranks) <= $0.fraction } }
    let kinds = targets.map(\.kind)
    var (low, high) = (1e-9, 1e6)
    var best = least
    for _ in 0..<60 {
      let middle = (low * high).squareRoot(), ranks = layers.map { rank(of: $0, price: middle, kinds) }
      if isMet(ranks) { (high, best) = (middle, ranks) } else { low = middle }
    }
    return best
  }

  private func rank(of layer: FactorableLayer, price: Double, _ kinds: [CostTarget.Kind]) -> Int? {
    func total(_ rank: Int?) -> Double {
      let cost = kinds.reduce(0.0) { $0 + layer.cost($1, rank: rank) / max(whole[$1] ?? 1, 1) }
      return 1 - layer.energy(rank) + price * cost
    }
    var best: (rank: Int?, total: Double) = (nil, total(nil))
    for rank in layer.ranks where total(rank) < best.total { best = (rank, total(rank)) }
    return best.rank
  }
}
