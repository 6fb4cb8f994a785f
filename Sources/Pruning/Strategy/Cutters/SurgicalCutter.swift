import PruneEvaluation
import PruneGraph
import PruneTensor

/// Surgery on groups of coupled units, channels and heads, and on the branches of layers; with mode = "mask" zeros in
/// place of the units.
struct SurgicalCutter: Cutter {
  let context: PruneContext
  /// What went by the kept steps, and what proved it.
  private(set) var steps: [Step] = []
  /// The groups of the given model, and which of them may lose units.
  let groups: [UnitGroup]
  let chosen: [Bool]
  /// Weights that the criterion cannot score.
  let unreached: Set<String>
  let costBefore: CostModel.Cost
  /// Whether residual streams stay whole.
  let keepsStreams: Bool
  /// Units, or layers, that may go.
  let unitCount: Int

  static let removedKey = "removed"

  /// What a step took out.
  struct Step: Sendable {
    var rows: [Row] = []
    /// What was asked of each group: more than went where a node would be left with nothing.
    var counts: [Int] = []
    var certificate: StructuralCertificate.Result?
    var certificateMissing: String?
    var cost: CostModel.Cost
    var latency: LatencyPair?
    /// The fraction of the time that is left at least, where a target of latency asks for less.
    var floor: Double?
    /// What is left of groups is a multiple of this.
    var roundTo = 1
    var unrounded: Unrounded?
    var notes: [String] = []
    /// What later steps fit layers to.
    var origin: FitOrigin?
    /// Seconds that finding the groups, scoring their units, and taking them out took.
    var seconds = (groups: 0.0, scores: 0.0, surgery: 0.0)

    var removed: Int { rows.reduce(0) { $0 + $1.removed } }
    var units: Int { rows.reduce(0) { $0 + $1.units } }
  }

  struct Row: Sendable {
    let name: String
    let units: Int
    let removed: Int
  }

  init(_ context: PruneContext) throws(PruneError) {
    self.context = context
    let plan = context.plan, options = context.options, model = context.original
    if options.followsWidth, !plan.removes {
      throw PruneError(
        .invalidArgument,
        "width takes units out of what normalizations look at, which zeros in their place cannot show",
        hint: "leave out mode = \"mask\"")
    }
    let dependencies = try context.dependencies(of: model)
    groups = dependencies.groups
    unreached = try context.scoring(PrunableWeights(of: model)).unreached(by: plan.importance)
    if plan.granularity == .layer {
      chosen = groups.map { _ in false }
      keepsStreams = false
      unitCount = try LayerChoice(ResidualBlocks(model), scope: options.scope, ignore: options.ignore).count
    } else {
      let streams = ResidualStreams(dependencies), unscored = unreached
      func chosen(without streams: ResidualStreams?, checks: Bool) throws(PruneError) -> [Bool] {
        try GroupScope(
          dependencies, plan.granularity, scope: options.scope, ignore: options.ignore, without: streams, checks: checks
        ).chosen(of: dependencies, without: unscored)
      }
      let all = try chosen(without: options.prunesStreams == false ? streams : nil, checks: true)
      let inside = try chosen(without: streams, checks: false)
      if let prunes = options.prunesStreams {
        keepsStreams = !prunes
      } else {
        keepsStreams = try Self.isEnough(inside, dependencies, context)
      }
      self.chosen = keepsStreams ? inside : all
      unitCount = zip(groups, self.chosen).reduce(0) { $0 + ($1.1 ? $1.0.size : 0) }
    }
    try plan.layerAmounts?.check(zip(groups, chosen).flatMap { $1 ? $0.names : [] })
    costBefore = CostModel(dependencies, context.extents).cost([:])
    for target in plan.targets { try extents.check(target.kind, macs: costBefore.macs) }
  }

  /// Whether groups inside blocks can give what is asked for without those of residual streams.
  private static func isEnough(
    _ inside: [Bool], _ dependencies: Dependencies, _ context: PruneContext
  ) throws(PruneError) -> Bool {
    guard context.options.scope.isEmpty, !context.options.followsWidth, inside.contains(true) else { return false }
    let targets = context.plan.targets.filter { $0.kind != .latency }
    guard !targets.isEmpty else { return true }
    let costs = CostModel(dependencies, context.extents)
    let allocation = UnitAllocation(
      zip(dependencies.groups, inside).map { group, isChosen in
        let scores = [Double](repeating: 0, count: isChosen ? group.size : 0)
        return UnitAllocation.Group(size: group.size, scores: scores, normalized: scores, classNumber: 0)
      }, maxFraction: context.plan.maxFraction, roundTo: context.plan.rounding.multiple)
    let most = allocation.groups.indices.map { allocation.rounded(allocation.limit($0, 1), $0) }
    let floor = costs.cost(dependencies.kept(most)), whole = costs.cost([:])
    return targets.allSatisfy { target in floor.share(target.kind, of: whole).map { $0 <= target.fraction } ?? true }
  }

  /// A recipe is cut from the groups that its steps were cut from.
  var settledOptions: PruneOptions {
    var result = options
    if plan.granularity != .layer { result.prunesStreams = !keepsStreams }
    return result
  }

  var start: Model { original }

  func weights(of model: Model) throws(PruneError) -> PrunableWeights { try PrunableWeights(of: model) }

  // MARK: - One step

  func candidate(of base: Model, _ goal: StepGoal, units: [[Int]]?) throws(PruneError) -> Candidate<Step> {
    var candidate = plan.granularity == .layer ? try withoutLayers(base, goal) : try withoutUnits(base, goal, units)
    candidate.model.maskZeros(of: candidate.weights.weights.map(\.name))
    return candidate
  }

  /// Surgery is done with: no training brings units back.
  func recount(_ candidate: inout Candidate<Step>) {}

  func size(of candidate: Candidate<Step>) -> CutSize {
    let cut = candidate.detail, removedCount = plan.removes ? unitCount - (cut.units - cut.removed) : cut.removed
    return CutSize(
      removed: cut.removed, amount: Double(removedCount) / Double(max(unitCount, 1)), macs: cut.cost.macs,
      params: cut.cost.params, bytes: cut.cost.bytes)
  }

  mutating func keep(_ candidate: Candidate<Step>) throws(PruneError) {
    var step = candidate.detail
    if options.benchmarks || plan.targets.isTimed {
      step.latency = try LatencyPair(original, candidate.model, extents, options.cancel)
    }
    steps.append(step)
  }

  // MARK: - What is given back

  var ownBytes: Int { steps.last?.cost.bytes ?? 0 }
  func finished(_ model: Model) -> Model { model }
  func isChanged(_ model: Model) -> Bool { true }
  var latency: LatencyPair? { steps.last?.latency }

  static func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
}
