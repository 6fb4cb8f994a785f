import PruneEvaluation
import PruneGraph
import PruneTensor

/// A weight that two smaller ones may stand for: what each rank keeps of it, and what each rank costs.
struct FactorableLayer {
  let weight: PrunableWeight
  let uses: [WeightUse]
  let factored: FactoredWeight
  let spectrum: WeightSpectrum
  /// Of all its layers, for one sample; nil while they depend on an open extent.
  let macs: Int?
  /// Ranks that save parameters, and multiplications: multiples of the rounding.
  let ranks: [Int]

  /// - Parameter roundTo: what ranks are a multiple of, where the smallest that saves something is not below it.
  init(
    _ weight: PrunableWeight, _ uses: [WeightUse], _ factored: FactoredWeight, _ spectrum: WeightSpectrum, macs: Int?,
    roundTo: Int
  ) {
    (self.weight, self.uses, self.factored, self.spectrum, self.macs) = (weight, uses, factored, spectrum, macs)
    let share = Self.share(factored)
    let most = Int((1 / max(share.params, share.macs)).rounded(.up)) - 1
    let limit = min(most, min(factored.rows, factored.columns) - 1, spectrum.shares.count),
      step = max(min(roundTo, limit), 1)
    ranks = limit < 1 ? [] : Array(stride(from: step, through: limit, by: step))
  }

  /// What each rank costs of the whole weight.
  private static func share(_ weight: FactoredWeight) -> (params: Double, macs: Double) {
    let rows = Double(weight.rows), columns = Double(weight.columns)
    let params = 1 / rows + 1 / columns
    let strides = (weight.node.ints("strides") ?? []).map(Double.init)
    switch weight.node.opType {
    // The second layer works on the outputs of the first: of a transposed convolution there are more of them.
    case "ConvTranspose": return (params, 1 / rows + strides.reduce(1, *) / columns)
    case "Conv" where weight.form == .spatial: return (params, (strides.last ?? 1) / rows + 1 / columns)
    default: return (params, params)
    }
  }

  /// What it costs at a rank; whole with nil.
  func cost(_ kind: CostTarget.Kind, rank: Int?) -> Double {
    let share = Self.share(factored)
    switch kind {
    case .params: return Double(weight.tensor.count) * (rank.map { Double($0) * share.params } ?? 1)
    case .bytes: return Double(weight.tensor.byteCount) * (rank.map { Double($0) * share.params } ?? 1)
    case .macs, .latency: return Double(macs ?? 0) * (rank.map { Double($0) * share.macs } ?? 1)
    }
  }

  /// The share of its energy that a rank keeps.
  func energy(_ rank: Int?) -> Double { rank.map { spectrum.kept[$0] } ?? 1 }

  /// The smallest rank that keeps so much; nil where none that saves anything does.
  func rank(keeping energy: Double) -> Int? { ranks.first { spectrum.kept[$0] >= energy - 1e-9 } }

  /// The rank asked for, or the next that saves something; nil where the weight has no more than it.
  func rank(near target: Int) -> Int? {
    target >= min(factored.rows, factored.columns) ? nil : ranks.last { $0 <= target } ?? ranks.first
  }
}
