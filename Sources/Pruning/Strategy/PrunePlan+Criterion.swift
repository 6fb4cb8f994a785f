import PruneGraph
import PruneTensor

extension PrunePlan {
  /// What units are scored by where nobody says: by what the loss loses with them where labelled data is given, else by
  /// their weights. A threshold, and training that drives weights to zero, speak of magnitudes.
  static func impliedCriterion(_ options: PruneOptions, _ strategy: Strategy, _ granularity: Granularity) -> String {
    let plain: [Strategy] = [.global, .local, .costAware, .layerwise]
    guard granularity.isStructural, granularity != .layer, plain.contains(strategy) else { return "magnitude" }
    guard let data = options.data, data.y != nil, data.count > 0 else { return "l2" }
    return "gate"
  }

  /// The schedule where nobody named one: several steps where they are given; where units are scored and layers fitted
  /// on data, steps that score anew what the fits of those before them left.
  /// - Parameter isIterative: whether nobody named the criterion, and layers are fitted.
  static func schedule(_ options: PruneOptions, isIterative: Bool) throws(PruneError) -> PruneSchedule {
    if let kind = options.schedule { return try PruneSchedule(kind: kind, steps: options.steps) }
    if options.steps > 1 { return try PruneSchedule(kind: PruneSchedule.Kind.linear.rawValue, steps: options.steps) }
    let isPlain =
      options.guard == nil && options.recover == nil && options.threshold == nil && options.amounts.isEmpty
      && options.steps == 0
    let isImplied = isIterative && isPlain
    return try PruneSchedule(
      kind: (isImplied ? PruneSchedule.Kind.linear : .oneShot).rawValue,
      steps: isImplied ? PruneSchedule.impliedSteps : options.steps)
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
