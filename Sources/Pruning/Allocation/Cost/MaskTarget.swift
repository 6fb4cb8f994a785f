import PruneEvaluation
import PruneGraph
import PruneTensor

/// What a network with stored zeros costs when they are left out, and how much has to become zero for a cost to be met.
struct MaskTarget {
  private let kind: CostTarget.Kind
  private let count: Int
  private let whole: Double
  /// What one element of each weight costs.
  private let elements: [Double]
  /// The bitmap of zeros, one bit a weight, where bytes are counted.
  private let bitmap: Double

  /// - Throws: `.invalidArgument` for MACs that depend on extents that are open.
  init(_ kind: CostTarget.Kind, _ weights: PrunableWeights, _ extents: BoundExtents) throws(PruneError) {
    self.kind = kind
    count = weights.count
    let stats = try ModelStats.of(weights.model, at: extents)
    var macs: [String: Int] = [:]
    for layer in stats.layers { macs[layer.name, default: 0] += layer.macs ?? 0 }
    if kind == .macs { try extents.check(.macs, macs: stats.macs) }
    switch kind {
    case .macs:
      whole = Double(stats.macs ?? 0)
      elements = weights.weights.map { weight in
        Double(Set(weight.layers).reduce(0) { $0 + (macs[$1] ?? 0) }) / Double(max(weight.tensor.count, 1))
      }
    case .bytes:
      whole = Double(stats.bytes)
      elements = weights.weights.map { _ in 4 }
    case .params, .latency:
      whole = Double(stats.params)
      elements = weights.weights.map { _ in 1 }
    }
    bitmap = kind == .bytes ? Double((weights.count + 7) / 8) : 0
  }

  /// The fraction of the whole cost that is left with a number of zeros in each weight.
  func kept(_ zeros: [Int]) -> Double {
    let saved = zip(zeros, elements).reduce(0.0) { $0 + Double($1.0) * $1.1 }
    return (whole - saved + (zeros.contains { $0 > 0 } ? bitmap : 0)) / max(whole, 1)
  }

  /// The amount that leaves the fraction, to the nearest that a unit allows.
  /// - Parameters:
  ///   - end: the fraction that later steps of the schedule are to leave.
  ///   - zeros: how many zeros each weight has when an amount is gone.
  /// - Throws: `.invalidArgument` when zeros everywhere leave more than `end`.
  func amount(
    leaving fraction: Double, end: Double, _ zeros: (Double) throws(PruneError) -> [Int]
  ) throws(PruneError) -> Double {
    var low = 0.0, high = 1.0
    let floor = kept(try zeros(1))
    try CostTarget(kind, end).check(
      floor: floor, "the rest is not of the \(count) weights in scope, or one unit of each layer",
      hint: "raise the target, or take more weights into scope")
    var best = (amount: 1.0, distance: abs(floor - fraction))
    for _ in 0..<24 where best.distance > 1e-5 {
      let middle = (low + high) / 2, reached = kept(try zeros(middle))
      if abs(reached - fraction) < best.distance { best = (middle, abs(reached - fraction)) }
      if reached > fraction { low = middle } else { high = middle }
    }
    return best.amount
  }
}
