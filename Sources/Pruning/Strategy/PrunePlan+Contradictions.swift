import PruneTensor

extension PrunePlan {
  /// The most of each layer that the strategy "layerwise" tries, where nobody says.
  static let layerwiseAmount = 0.9

  /// - Throws: `.invalidArgument` for what the strategy "layerwise" lacks or cannot follow.
  static func checkLayerwise(_ options: PruneOptions, _ granularity: Granularity) throws(PruneError) {
    // A recipe says what the guard allowed.
    guard options.guard != nil || options.recipe != nil else {
      throw PruneError(
        .invalidArgument, "strategy 'layerwise' prunes each layer as far as a guard allows, and there is none",
        hint: "give guard = {data = …, max_drop = …}")
    }
    let others = [
      ("threshold", options.threshold != nil), ("target", options.target != nil),
      ("schedule", options.schedule != nil && options.recipe == nil),
    ]
    for (name, isGiven) in others where isGiven {
      throw PruneError(
        .invalidArgument, "strategy 'layerwise' goes as far as the guard allows, \(name) has no say",
        hint: "leave \(name) out; amount is the most of each layer")
    }
    if case .neighbours = granularity {
      throw PruneError(
        .invalidArgument, "granularity '\(granularity.name)' says itself how much of a layer goes",
        hint: "use granularity = \"weight\", blocks or \"channel\"")
    }
    guard granularity != .layer else {
      throw PruneError(
        .unsupported, "strategy 'layerwise' prunes inside layers, got granularity 'layer'",
        hint: "use granularity = \"weight\", blocks or \"channel\"")
    }
  }

  /// Options that would have no say, or say two things.
  /// - Throws: `.invalidArgument` naming both.
  static func checkContradictions(
    _ options: PruneOptions, _ strategy: Strategy, _ granularity: Granularity, _ allocation: Allocation
  ) throws(PruneError) {
    func refuse(_ option: String, _ isGiven: Bool, _ why: String, _ hint: String = "") throws(PruneError) {
      guard isGiven else { return }
      throw PruneError(.invalidArgument, "\(option) \(why)", hint: hint.isEmpty ? "leave \(option) out" : hint)
    }
    if !granularity.isStructural {
      let only = "is for channels, heads and layers, got granularity '\(granularity.name)'"
      try refuse("round_to", options.roundTo > 1, only)
      try refuse("max_fraction", options.maxFraction != nil, only)
      try refuse("isomorphic", options.isIsomorphic, only, "for weights there is allocation = \"isomorphic\"")
      try refuse("reduce", options.reduction != nil, only)
      try refuse("normalize", options.normalization != nil, only)
      try refuse("width", options.followsWidth, only)
      try refuse("residual", options.prunesStreams != nil, only)
      try refuse("reestimate", options.reestimates, only)
    } else {
      try refuse(
        "rewind", options.rewind != nil,
        "goes back to earlier weights under a mask, got granularity '\(granularity.name)'",
        "use it with granularity = \"weight\", \"kernel\" or blocks")
    }
    var division: Allocation.Division?
    switch allocation {
    case .amount(_, let value), .target(_, let value): division = value
    case .threshold, .prescribed, .counts: break
    }
    try refuse(
      "cost", options.cost != nil && division != .costAware,
      "is what strategy 'cost_aware' saves, got '\(strategy.rawValue)'")
    if options.cost == CostTarget.Kind.latency.rawValue, !granularity.isStructural {
      throw PruneError(
        .unsupported, "cost 'latency' needs units that are removed, got granularity '\(granularity.name)'",
        hint: "use granularity = \"channel\"")
    }
    if let cost = options.cost, let target = options.targets.first(where: { $0.kind.rawValue != cost }) {
      throw PruneError(
        .invalidArgument, "cost '\(cost)' and a target of \(target.kind.rawValue) contradict each other",
        hint: "leave cost out")
    }
    try refuse(
      "metric", (options.metric != nil || options.custom != nil) && division != .costAware && division != .sensitivity,
      "is what cost_aware and the allocation 'sensitivity' may not lose, got strategy '\(strategy.rawValue)'",
      "a guard has a metric of its own: guard = {metric = …}")
    if options.shared != nil {
      guard strategy == .local, !granularity.isStructural else {
        throw PruneError(
          .invalidArgument,
          "shared says which uses of a weight strategy 'local' prunes, got strategy '\(strategy.rawValue)', granularity '\(granularity.name)'",
          hint: "other strategies prune all uses alike")
      }
    }
  }
}
