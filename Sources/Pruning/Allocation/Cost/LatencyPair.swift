import PruneEvaluation
import PruneGraph
import PruneTensor

/// The times of two models, measured in turns, so that other load of the machine slows both.
struct LatencyPair: Sendable {
  /// Milliseconds a run, the smallest of the rounds' medians.
  let before: Double
  let after: Double

  /// The fraction of the time that is left.
  var ratio: Double { after / max(before, 1e-9) }

  private static let rounds = 3

  init(_ original: Model, _ pruned: Model, _ extents: BoundExtents, _ cancel: CancelFlag?) throws(PruneError) {
    var least = [Double.infinity, .infinity]
    for _ in 0..<Self.rounds {
      for (index, model) in [original, pruned].enumerated() {
        var settings = BenchmarkOptions()
        settings.runs = 9
        settings.warmup = 2
        settings.extents = extents
        settings.cancel = cancel
        least[index] = min(least[index], try benchmark(model, settings).number("median_ms") ?? .infinity)
      }
    }
    (before, after) = (least[0], least[1])
  }
}
