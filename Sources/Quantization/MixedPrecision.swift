import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Gives layers back to float until a guard holds: those first that, quantized alone, change the model's outputs most.
struct MixedPrecision {
  /// What one layer does to the outputs.
  struct Damage {
    let layer: String
    /// The relative distance of the outputs with this layer alone quantized.
    let distance: Double

    var report: Report {
      Report(title: "", entries: [("name", .text(layer)), ("distance", .number(distance))])
    }
  }

  @Boxed private var scheme: StaticScheme
  private let metricGuard: MetricGuard
  private let cancel: CancelFlag?

  init(_ scheme: StaticScheme, _ metricGuard: MetricGuard, cancel: CancelFlag?) {
    self.scheme = scheme
    self.metricGuard = metricGuard
    self.cancel = cancel
  }

  /// - Parameter full: the model with all layers quantized, with which the guard does not hold.
  /// - Returns: the model with the fewest layers given back that a bisection over their ranking finds, or `full` when
  ///   the guard does not even hold with one layer left; and the ranking.
  func search(_ full: QuantizedModel) throws(PruneError) -> (QuantizedModel, [Damage]) {
    let damages = try ranked()
    var best = full
    // Of the k most damaging layers in float the guard is taken to hold from some k on.
    var low = 1, high = damages.count - 1
    while low <= high {
      try cancel?.check()
      let middle = (low + high) / 2
      let candidate = try scheme.build(keeping: Set(damages.prefix(middle).map(\.layer)))
      if metricGuard.allows(try metricGuard.measure(candidate.model)) {
        best = candidate
        high = middle - 1
      } else {
        low = middle + 1
      }
    }
    return (best, damages)
  }

  private func ranked() throws(PruneError) -> [Damage] {
    let layers = try scheme.layers
    let probe = try OutputProbe(scheme.model, scheme.data, count: 32, cancel: cancel)
    var damages: [Damage] = []
    for layer in layers {
      try cancel?.check()
      let alone = try scheme.build(keeping: Set(layers).subtracting([layer]))
      damages.append(Damage(layer: layer, distance: try probe.distance(of: alone.model)))
    }
    return damages.sorted { ($0.distance, $1.layer) > ($1.distance, $0.layer) }
  }
}
