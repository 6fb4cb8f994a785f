import PruneData
import PruneGraph
import PruneTensor

/// Brings pruned weights back: those that the loss pulls at hardest.
struct Regrowth {
  private let share: Double
  private let context: PruneContext

  /// The share of the kept weights that changes places at first; it falls to zero along half a cosine, as in RigL.
  private static let first = 0.3

  init(_ context: PruneContext, step: Int) {
    let time = Double(step - 1) / Double(max(context.plan.schedule.steps, 1))
    share = Self.first / 2 * (1 + cosine(.pi * time))
    self.context = context
  }

  /// The model with weights back, small enough not to change what it computes.
  func model(_ model: Model, _ weights: PrunableWeights, _ data: Dataset) throws(PruneError) -> Model {
    var scoring = context.scoring(weights)
    scoring.data = data
    let gradients = try GradientPass(criterion: "dynamic", scoring).accumulated(.plain)
    var result = model
    for (weight, gradient) in zip(weights.weights, gradients) {
      var tensor = weight.tensor
      try gradient.withSpan(of: Float.self) { gradient throws(PruneError) in
        try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
          var candidates: [(pull: Float, place: Int)] = []
          var kept = 0
          var sum = 0.0
          for index in span.indices {
            if span[index] == 0 {
              candidates.append((abs(gradient[index]), index))
            } else {
              kept += 1
              sum += Double(abs(span[index]))
            }
          }
          let count = min(Int((share * Double(kept)).rounded()), candidates.count)
          guard count > 0, kept > 0 else { return }
          candidates.sort { ($0.pull, $1.place) > ($1.pull, $0.place) }
          let size = Float(sum / Double(kept) * 1e-4)
          for (pull, place) in candidates.prefix(count) where pull > 0 {
            span[place] = gradient[place] > 0 ? -size : size
          }
        }
      }
      result.graph.setInitializer(weight.name, tensor)
    }
    return result
  }
}

/// Going back to earlier weights, under the masks that were found since.
enum Rewinding {
  /// - Throws: `.mismatch` when the earlier model is another network.
  static func apply(_ earlier: Model, to model: inout Model) throws(PruneError) {
    let masked = Set(model.maskedParameters)
    for value in model.graph.initializers where value.tensor.dtype == .float32 {
      guard let old = earlier.graph.initializer(value.name), old.dtype == .float32, old.shape == value.tensor.shape
      else {
        // Constants of the arithmetic may have been folded in either; weights may not be missing.
        guard masked.contains(value.name) else { continue }
        throw PruneError(
          .mismatch, "the model to rewind to has no weight '\(value.name)' of \(value.tensor.shape)",
          hint: "give the same network as it was earlier in its training")
      }
      guard masked.contains(value.name) else {
        model.graph.setInitializer(value.name, old)
        continue
      }
      model.graph.setInitializer(value.name, try value.tensor.zipped(with: old) { $0 == 0 ? 0 : ($1 == 0 ? $0 : $1) })
    }
  }
}
