import PruneGraph
import PruneTensor

extension PrunePlan {
  /// What units are scored by where nobody says: by what the loss loses with them where labelled data is given, else by
  /// their weights. A threshold, and training that drives weights to zero, speak of magnitudes.
  static func impliedCriterion(_ options: PruneOptions, _ strategy: Strategy, _ granularity: Granularity) -> String {
    let plain: [Strategy] = [.global, .local, .costAware]
    guard granularity.isStructural, granularity != .layer, plain.contains(strategy) else { return "magnitude" }
    guard let data = options.data, data.y != nil, data.count > 0 else { return "l2" }
    return "gate"
  }

  /// The plan for a model: one that an implied criterion cannot be taken of is scored by its weights.
  /// - Throws: `.cancelled`.
  func settled(for model: Model, _ options: PruneOptions) throws(PruneError) -> PrunePlan {
    guard impliesCriterion, importance.needsTargets, let data = options.data else { return self }
    do {
      let weights = try PrunableWeights(of: model)
      _ = try importance.scores(
        ScoringContext(
          weights: weights, data: data.take(1), batchSize: 1, output: options.output, cancel: options.cancel))
      return self
    } catch {
      guard error.status != .cancelled else { throw error }
      var plan = self
      plan.importance = try Criterion.named("l2")
      plan.criterionNote = "units were scored by their weights: \(error.message)"
      return plan
    }
  }
}
