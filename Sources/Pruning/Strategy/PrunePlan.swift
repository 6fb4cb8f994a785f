import PruneEvaluation
import PruneTensor

/// A strategy taken apart into its choices: importance, granularity, allocation and schedule. Recovery and guard are
/// options of the run.
package struct PrunePlan {
  package let strategy: Strategy
  package internal(set) var importance: any Importance
  package let granularity: Granularity
  package let allocation: Allocation
  package let schedule: PruneSchedule
  /// A cost to meet, in place of an amount.
  package var target: CostTarget? { targets.first }
  /// All costs to meet.
  package let targets: [CostTarget]
  /// A fraction of each layer, in place of one for all.
  let layerAmounts: LayerAmounts?
  /// Whether units are taken out, rather than zeroed.
  package let removes: Bool
  package let isIsomorphic: Bool
  package let maxFraction: Double
  let rounding: UnitRounding
  let reduction: UnitImportance.Reduction
  var normalization: UnitImportance.Normalization
  /// How the weights that stay make up for those that went.
  package let reconstruction: Reconstruction?
  /// Whether layers that read what changed are fitted after surgery.
  let fitsLayers: Bool
  /// Whether nobody named the criterion.
  let impliesCriterion: Bool
  /// Why the criterion is another than the one that such options imply.
  var criterionNote: String?
  /// Training before each cut.
  let training: TrainingPhase?
  /// What divisions by curves may not lose.
  let metric: String
  let customMetric: CustomMetric?
  /// What a cost-aware division saves.
  let cost: CostTarget.Kind
  /// Whether every use of a weight that several layers use is pruned, where a strategy tells uses apart.
  let prunesAllUses: Bool

  /// Everything that is wrong with the options is said here, before any work is done.
  /// - Throws: `.invalidArgument` for contradictions and unknown names, `.unsupported` for known ones that this build
  ///   cannot do.
  package init(_ options: PruneOptions) throws(PruneError) {
    _ = try Device("device", named: options.device)
    let namedStrategy = try options.strategy.map { name throws(PruneError) in try Strategy("strategy", named: name) }
    granularity = try Self.granularity(options, namedStrategy)
    let mode =
      try options.mode.map { name throws(PruneError) in try PruneMode("mode", named: name) } ?? granularity.modes[0]
    guard granularity.modes.contains(mode) else {
      throw PruneError(
        .unsupported, "mode '\(mode.rawValue)' is not available for granularity '\(options.granularity)'",
        hint: "there are: \(granularity.modes.map(\.rawValue).joined(separator: ", "))")
    }
    removes = mode == .remove
    let costKind = try options.cost.map { name throws(PruneError) in try CostTarget.Kind("cost", named: name) }
    let costTargets = try Self.targets(options, granularity, mode)
    targets =
      costTargets.isEmpty && namedStrategy == .costAware
      ? try Self.saving(options, granularity, mode, costKind).map { [$0] } ?? [] : costTargets
    let target = targets.first
    isIsomorphic = options.isIsomorphic
    strategy = namedStrategy ?? (options.threshold == nil ? .global : .threshold)
    let shared = try options.shared.map { name throws(PruneError) in try SharedUses("shared", named: name) }
    prunesAllUses = shared == .all
    training = try TrainingPhase.settled(options, strategy, granularity)
    let slims = training?.isSlimming == true && granularity.isStructural
    reduction = try UnitImportance.Reduction("reduce", named: options.reduction ?? "mean")
    if let fraction = options.maxFraction, !(0...1).contains(fraction) {
      throw PruneError(.invalidArgument, "max_fraction is \(fraction), it must be a fraction from 0 to 1")
    }
    maxFraction = options.maxFraction ?? max(0.9, options.amount ?? options.amounts.map(\.amount).max() ?? 0)
    rounding = try UnitRounding(options, granularity, targets)
    impliesCriterion = options.criterion == nil && options.scores == nil
    importance = try Self.importance(
      options,
      implied: slims ? FilterImportance.Kind.scale.rawValue : Self.impliedCriterion(options, strategy, granularity))
    normalization = try UnitImportance.Normalization(
      "normalize", named: options.normalization ?? (slims ? "none" : "mean"))
    var request = options
    // A target is reached by as much as it takes.
    if target != nil { request.amount = 1 }
    if namedStrategy == .layerwise {
      try Self.checkLayerwise(options, granularity)
      request.amount = options.amount ?? Self.layerwiseAmount
    }
    layerAmounts = try Self.layerAmounts(options, granularity)
    if let layerAmounts { (request.amount, request.allocation) = (layerAmounts.largest, "local") }
    let settled = try Self.allocation(request, namedStrategy, granularity, importance)
    if let target, !granularity.isStructural, case .amount(_, let division) = settled {
      allocation = .target(target.fraction, division)
    } else {
      allocation = settled
    }
    metric = options.metric ?? (options.custom != nil ? "metric" : options.guard?.metric ?? "loss")
    customMetric = options.custom ?? (options.metric == nil ? options.guard?.custom : nil)
    cost = costKind ?? target?.kind ?? .params
    reconstruction = try Self.reconstruction(options, granularity, mode)
    let isFittable = granularity.isStructural && granularity != .layer && mode == .remove
    fitsLayers =
      isFittable
      && options.reconstruct.map { $0 == Reconstruction.leastSquares.rawValue } ?? (options.data?.count ?? 0 > 0)
    schedule = try Self.schedule(
      options, isIterative: fitsLayers && impliesCriterion && training == nil && !targets.isTimed)
    try CurveDivision.check(options, allocation, custom: customMetric)
    try Self.checkContradictions(options, strategy, granularity, allocation)
    if schedule.kind == .dynamic, options.recover == nil || granularity.isStructural {
      throw PruneError(
        .invalidArgument,
        "schedule 'dynamic' lets pruned weights come back and trains them, and there is "
          + (granularity.isStructural ? "nothing left of removed units" : "no recover"),
        hint: "give recover = {epochs = …}, with a granularity of weights")
    }
    if let reconstruction = options.reconstruct, reconstruction != Reconstruction.nothing.rawValue, options.data == nil
    {
      throw PruneError(
        .invalidArgument, "reconstruct '\(reconstruction)' runs the model on data, and there is none",
        hint: "give data = …, a few hundred samples without labels are enough")
    }
    if options.reestimates, options.data == nil {
      throw PruneError(
        .invalidArgument, "reestimate measures statistics on data, and there is none", hint: "give data = …")
    }
    guard options.batchSize >= 0 else {
      throw PruneError(.invalidArgument, "batch_size is \(options.batchSize), it must be 1 or more (0 for the default)")
    }
    try importance.check(options.data)
    if options.recover != nil {
      guard let data = options.recoverData ?? options.data else {
        throw PruneError(
          .invalidArgument, "recover trains on data, and there is none",
          hint: "give recover a data = …, or prune a data = …")
      }
      guard data.y != nil || options.recover?.distillation != nil else {
        throw PruneError(
          .invalidArgument, "recover trains on data with targets, and data set '\(data.name)' has no targets",
          hint: "give data with targets, or a teacher to learn from: recover = {teacher = …}")
      }
    }
  }

  /// Nil also for what is fitted after surgery.
  private static func reconstruction(
    _ options: PruneOptions, _ granularity: Granularity, _ mode: PruneMode
  ) throws(PruneError) -> Reconstruction? {
    guard let name = options.reconstruct else { return nil }
    let method = try Reconstruction("reconstruct", named: name), isFit = method == .leastSquares
    if method == .nothing { return nil }
    if isFit, granularity.isStructural, granularity != .layer, mode == .remove { return nil }
    if !isFit, !granularity.isStructural { return method }
    throw PruneError(
      .unsupported,
      isFit
        ? "reconstruct 'least_squares' fits what reads removed units, got granularity '\(granularity.name)'"
        : "reconstruct '\(name)' moves the weights under a mask, got granularity '\(granularity.name)'",
      hint: isFit
        ? "use it with channels and heads"
        : "use it with weights, n:m, blocks or kernels; \"least_squares\" with channels and heads")
  }

  private static func targets(
    _ options: PruneOptions, _ granularity: Granularity, _ mode: PruneMode
  ) throws(PruneError) -> [CostTarget] {
    guard let target = options.target else { return [] }
    guard !granularity.isStructural || mode == .remove else {
      throw PruneError(
        .unsupported, "a target of \(target.kind.rawValue) needs units that are removed", hint: "leave mode out")
    }
    if case .neighbours = granularity {
      throw PruneError(
        .invalidArgument, "granularity '\(granularity.name)' says itself how much goes, a target has no say",
        hint: "leave target out")
    }
    guard options.amount == nil, options.threshold == nil else {
      throw PruneError(.invalidArgument, "both a target and an amount or threshold are given", hint: "give one of them")
    }
    for target in options.targets {
      guard target.fraction > 0, target.fraction <= 1 else {
        throw PruneError(
          .invalidArgument,
          "target \(target.kind.rawValue) is \(target.fraction), it must be the fraction to keep, above 0 and up to 1")
      }
      guard options.targets.count(where: { $0.kind == target.kind }) == 1 else {
        throw PruneError(
          .invalidArgument, "two targets of \(target.kind.rawValue) contradict each other", hint: "give one of them")
      }
    }
    return options.targets
  }

  /// A cost-aware amount of units is the share of the cost that is saved.
  private static func saving(
    _ options: PruneOptions, _ granularity: Granularity, _ mode: PruneMode, _ cost: CostTarget.Kind?
  ) throws(PruneError) -> CostTarget? {
    guard granularity.isStructural, let amount = options.amount else { return nil }
    guard mode == .remove else {
      throw PruneError(
        .unsupported, "strategy 'cost_aware' saves a cost, and units that are only masked save none",
        hint: "leave mode out")
    }
    try check(amount: amount)
    return CostTarget(cost ?? .params, 1 - amount)
  }

  /// The granularity, that of strategy "block" being blocks.
  private static func granularity(_ options: PruneOptions, _ strategy: Strategy?) throws(PruneError) -> Granularity {
    let granularity = try Granularity(name: options.granularity)
    guard strategy == .block else { return granularity }
    switch granularity {
    case .weight: return .block(rows: 4, columns: 4)
    case .block, .subBlock: return granularity
    default:
      throw PruneError(
        .invalidArgument, "strategy 'block' removes blocks, got granularity '\(granularity.name)'",
        hint: "use granularity = {block = {rows, columns}}, or another strategy")
    }
  }

  private static func importance(_ options: PruneOptions, implied: String) throws(PruneError) -> any Importance {
    guard let scores = options.scores else { return try Criterion.named(options.criterion ?? implied) }
    if let criterion = options.criterion {
      throw PruneError(
        .invalidArgument, "both criterion '\(criterion)' and scores of your own are given", hint: "give one of the two")
    }
    return UserImportance(function: scores)
  }

  private static func allocation(
    _ options: PruneOptions, _ strategy: Strategy?, _ granularity: Granularity, _ importance: any Importance
  ) throws(PruneError) -> Allocation {
    let division = try division(options, strategy, granularity, importance)
    if case .neighbours(let keep, let of) = granularity {
      return try prescribed(options, keep: keep, of: of)
    }
    switch (options.amount, options.threshold) {
    case (nil, nil):
      throw PruneError(
        .invalidArgument, "neither amount nor threshold is given",
        hint:
          "amount = fraction of the units to remove, threshold = score below which they go, or target = {macs = 0.5} and the like"
      )
    case (_?, _?):
      throw PruneError(.invalidArgument, "both amount and threshold are given", hint: "give one of the two")
    case (let amount?, nil):
      try check(amount: amount)
      if strategy == .threshold {
        throw PruneError(
          .invalidArgument, "strategy 'threshold' takes a threshold, got an amount",
          hint: "use strategy = \"global\" or \"local\" for an amount")
      }
      return .amount(amount, division)
    case (nil, let threshold?):
      // A threshold is the same in one ranking and in each layer's own.
      guard threshold.isFinite, threshold >= 0 else {
        throw PruneError(.invalidArgument, "threshold is \(threshold), it must be a number of 0 or more")
      }
      if let allocation = options.allocation {
        throw PruneError(
          .invalidArgument, "allocation '\(allocation)' divides an amount over layers, got a threshold",
          hint: "give amount in place of threshold, or leave allocation out")
      }
      return .threshold(threshold)
    }
  }

  private static func layerAmounts(_ options: PruneOptions, _ granularity: Granularity) throws(PruneError)
    -> LayerAmounts?
  {
    guard let amounts = try LayerAmounts(options.amounts) else { return nil }
    let others = [
      ("amount", options.amount != nil), ("threshold", options.threshold != nil), ("target", options.target != nil),
      ("allocation", options.allocation != nil), ("recipe", options.recipe != nil),
    ]
    for (name, isGiven) in others where isGiven {
      throw PruneError(
        .invalidArgument, "amounts by layer say how much goes where, \(name) has no say", hint: "leave \(name) out")
    }
    guard granularity == .weight || granularity.isStructural && granularity != .layer else {
      throw PruneError(
        .unsupported, "amounts by layer are of weights, channels or heads, got granularity '\(granularity.name)'",
        hint: "give one amount, with scope for the layers")
    }
    return amounts
  }

  private static func check(amount: Double) throws(PruneError) {
    guard amount >= 0, amount <= 1 else {
      throw PruneError(
        .invalidArgument, "amount is \(amount), it must be a fraction from 0 to 1",
        hint: amount > 1 && amount <= 100
          ? "for \(formatted(amount, digits: 4, style: "g"))% write \(formatted(amount / 100, digits: 6, style: "g"))"
          : "")
    }
  }

  /// How an amount is divided: what is asked for, else what strategy and criterion imply.
  private static func division(
    _ options: PruneOptions, _ strategy: Strategy?, _ granularity: Granularity, _ importance: any Importance
  ) throws(PruneError) -> Allocation.Division {
    let implied: Allocation.Division? =
      switch strategy {
      case .local: .local
      case .global: .global
      case .costAware: .costAware
      case .layerwise: .local
      default: nil
      }
    guard let name = options.allocation ?? (implied == .costAware ? Allocation.Division.costAware.rawValue : nil) else {
      return implied ?? (granularity == .weight && strategy == nil ? importance.impliedDivision : nil) ?? .global
    }
    let division = try Allocation.Division("allocation", named: name == "uniform" ? "local" : name)
    if let implied, implied != division {
      throw PruneError(
        .invalidArgument, "strategy '\(implied.rawValue)' and allocation '\(name)' contradict each other",
        hint: "leave strategy out to use the allocation")
    }
    if granularity.isStructural, granularity != .layer, division == .costAware { return division }
    if granularity.isStructural, ![.global, .local].contains(division) {
      throw PruneError(
        .unsupported, "allocation '\(name)' divides weights, got granularity '\(granularity.name)'",
        hint: "use \"global\" or \"local\", with isomorphic and normalize as wanted")
    }
    if [.row, .erk, .sensitivity, .costAware].contains(division), granularity != .weight {
      throw PruneError(
        .invalidArgument, "allocation '\(name)' divides single weights, got granularity '\(granularity.name)'",
        hint: "use granularity = \"weight\", or another allocation")
    }
    return division
  }

  /// n:m says itself how much goes.
  private static func prescribed(_ options: PruneOptions, keep: Int, of: Int) throws(PruneError) -> Allocation {
    let share = 1 - Double(keep) / Double(of)
    if let amount = options.amount, abs(amount - share) > 1e-9 {
      throw PruneError(
        .invalidArgument,
        "granularity '\(keep):\(of)' removes \(formatted(share, digits: 4, style: "g")) of the weights, got amount \(formatted(amount, digits: 4, style: "g"))",
        hint: "leave amount out")
    }
    for (option, isGiven) in [("threshold", options.threshold != nil), ("allocation", options.allocation != nil)]
    where isGiven {
      throw PruneError(
        .invalidArgument, "granularity '\(keep):\(of)' takes the same from every \(of) weights, \(option) has no say",
        hint: "leave \(option) out")
    }
    return .prescribed
  }
}
