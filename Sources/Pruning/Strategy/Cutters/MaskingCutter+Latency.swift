import PruneGraph
import PruneTensor

extension MaskingCutter {
  /// What is tried: at more zeros than this a network is no longer one.
  private static let most = 0.99
  /// How often the interval of amounts is halved.
  private static let halvings = 6

  /// The least amount at which a run takes no more than a fraction of the given network's time, as measured: zeros save
  /// time where they are left out, which depends on the layer and on the machine.
  /// - Parameters:
  ///   - end: the fraction that later steps of the schedule are to leave.
  ///   - results: the masked weights when an amount is gone.
  /// - Throws: `.invalidArgument` when zeros nearly everywhere leave more than `end`.
  func latencyAmount(
    leaving fraction: Double, end: Double, of base: Model, _ results: (Double) throws(PruneError) -> [Allocation.Result]
  ) throws(PruneError) -> Double {
    func ratio(_ amount: Double) throws(PruneError) -> Double {
      try options.cancel?.check()
      let (model, _) = apply(try results(amount), to: base)
      return try LatencyPair(original, finished(model), extents, options.cancel).ratio
    }
    try CostTarget(.latency, end).check(
      floor: try ratio(Self.most), "zeros save time only in large layers that are mostly zeros",
      hint: "raise the target, or remove units: granularity = \"channel\"")
    var (low, high) = (0.0, Self.most)
    for _ in 0..<Self.halvings {
      let middle = (low + high) / 2
      if try ratio(middle) > fraction { low = middle } else { high = middle }
    }
    return high
  }
}
