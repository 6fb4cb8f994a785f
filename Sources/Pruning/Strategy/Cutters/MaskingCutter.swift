import PruneEvaluation
import PruneGraph
import PruneTensor

/// Zeros in place of weights, n:m, blocks and kernels.
struct MaskingCutter: Cutter {
  let context: PruneContext
  /// The weights as they were given.
  let dense: PrunableWeights
  /// The weights of the last kept model, with their zeros and where they were cut.
  private(set) var layers: [Layer]
  /// Weights that the criterion cannot score.
  let unreached: Set<String>
  /// Weights that are ranked by their magnitude only, where the others are ranked by their activations.
  let unobserved: [(weight: PrunableWeight, reason: String)]
  /// The given model with its constant weights as initializers, and every weight that holds zeros masked, in scope or
  /// not.
  let start: Model
  private(set) var latency: LatencyPair?
  /// Layers that got a whole copy of a weight of which only the first use is pruned.
  let splits: (layers: [String], bytes: Int)
  /// Layers in scope that have no kernels to take sub-blocks of.
  let matrices: [String]
  /// Bytes of a weight's element in the given model.
  private let elementBytes: Int

  static let removedKey = "pruned"

  /// One weight on the way.
  struct Layer {
    let weight: PrunableWeight
    let zerosBefore: Int
    var zeros: Int
    var threshold: Double?
    /// Whether its tensor is no longer the given one.
    var isChanged = false
  }

  init(_ context: PruneContext) throws(PruneError) {
    self.context = context
    let plan = context.plan, options = context.options
    let all = try PrunableWeights(of: context.original, scope: options.scope, ignore: options.ignore)
    unreached = try context.scoring(all).unreached(by: plan.importance)
    var dense = all.without(unreached)
    if case .subBlock(let block) = plan.granularity {
      (dense, matrices) = try block.fitting(dense)
    } else {
      matrices = []
    }
    splits = plan.strategy == .local && !plan.prunesAllUses ? dense.splitUses() : ([], 0)
    self.dense = dense
    unobserved = plan.importance.needsInputs || plan.reconstruction != nil ? dense.unobserved() : []
    try plan.layerAmounts?.check(dense.weights.flatMap { [$0.layer, $0.name] })
    var start = dense.model
    start.maskZeros(of: try PrunableWeights(of: start).weights.map(\.name))
    self.start = start
    layers = []
    for weight in dense.weights {
      let zeros = try WeightRanking([weight.tensor]).zeroCount
      layers.append(Layer(weight: weight, zerosBefore: zeros, zeros: zeros))
    }
    let stored = dense.weights.first.flatMap { weight in
      dense.stored.flatMap { WeightSources($0.graph).source(of: weight.name)?.tensor.dtype.bitWidth }
    }
    elementBytes = stored.map { $0 / 8 } ?? 4
    let divided = CurveDivision.divides(plan.allocation) ? plan.cost : nil
    guard plan.targets.contains(where: { $0.kind == .macs }) || plan.targets.isEmpty && divided == .macs else { return }
    try extents.check(.macs, macs: try ModelStats.of(original, at: extents).macs)
  }

  var zeros: Int { Self.zeros(layers) }
  var zerosBefore: Int { layers.reduce(0) { $0 + $1.zerosBefore } }
  private static func zeros(_ layers: [Layer]) -> Int { layers.reduce(0) { $0 + $1.zeros } }
  func share(_ zeros: Int) -> Double { Double(zeros) / Double(max(dense.count, 1)) }

  func weights(of model: Model) -> PrunableWeights { dense.current(in: model) }

  // MARK: - One step

  func selection(in model: Model, _ goal: StepGoal) throws(PruneError) -> CutSelection {
    let current = dense.current(in: model), results = try masked(model, current, goal).results
    // What was driven to zero scores lowest after the training: the cut need not be told.
    return CutSelection(
      marks: try CutSelection.marks(zip(current.weights, results).map { ($0.name, $0.tensor, $1.tensor) }))
  }

  func candidate(of base: Model, _ goal: StepGoal, units: [[Int]]?) throws(PruneError) -> Candidate<[Layer]> {
    let current = dense.current(in: base)
    var (results, allocation) = try masked(base, current, goal)
    let normCut = try plan.training == nil ? nil : current.normShare(lostBy: results.map(\.tensor))
    if let reconstruction = plan.reconstruction, let data = options.data {
      results = try LayerReconstruction(
        method: reconstruction, granularity: plan.granularity, data: data, batchSize: context.batchSize,
        cancel: options.cancel
      ).results(current, masked: results)
    }
    var (model, layers) = apply(results, to: base)
    // The form that is pruned: weights as layers read them, numbers as float32.
    if let rewind = options.rewind { try Rewinding.apply(PrunableWeights(of: rewind, direct: true).model, to: &model) }
    return Candidate(model: model, weights: current, allocation: allocation, normCut: normCut, detail: layers)
  }

  /// What a step leaves of the weights at their scores, and what its allocation came to: an amount where a target was
  /// given.
  private func masked(
    _ base: Model, _ current: PrunableWeights, _ goal: StepGoal
  ) throws(PruneError) -> (results: [Allocation.Result], allocation: Allocation) {
    var allocation = goal.prescribed ?? plan.allocation.partial(goal.progress, from: share(zerosBefore))
    if goal.prescribed == nil, let amounts = plan.layerAmounts {
      allocation = .counts(
        current.weights.map {
          Allocation.units(amounts.amount(of: [$0.layer, $0.name]) * goal.progress, of: $0.tensor.count)
        })
    }
    var (scores, ranking) = try plan.importance.ranking(context.scoring(current))
    let shared = plan.strategy == .shared ? try SharedWeights(current) : nil
    if let shared {
      scores = try shared.joined(scores)
      if case .tensors(let list) = scores { ranking = try WeightRanking(current.weights.map(\.tensor), scores: list) }
    }
    let division = try CurveDivision(context: context, ignore: unreached).divider(allocation, base, current, scores)
    func results(_ allocation: Allocation) throws(PruneError) -> [Allocation.Result] {
      try StepMask(granularity: plan.granularity, allocation: division(allocation)).results(current, scores, ranking)
    }
    if case .target(_, let division) = allocation {
      var most = 0.0
      for target in plan.targets {
        let fraction = target.goal(goal.progress), end = min(fraction, target.fraction)
        guard target.kind != .latency else {
          most = max(
            most,
            try latencyAmount(leaving: fraction, end: end, of: base) { amount throws(PruneError) in
              try results(.amount(amount, division))
            })
          continue
        }
        let costs = try MaskTarget(target.kind, current, extents)
        most = max(
          most,
          try costs.amount(leaving: fraction, end: end) { amount throws(PruneError) in
            try options.cancel?.check()
            return try results(.amount(amount, division)).map(\.zeros)
          })
      }
      allocation = .amount(most, division)
    }
    let selection = try results(allocation)
    return (try shared?.together(selection) ?? selection, allocation)
  }

  /// A model with the masked weights, and what is in each. A weight that lost nothing keeps its tensor; one that holds
  /// zeros is masked, whatever their origin.
  func apply(_ results: [Allocation.Result], to base: Model) -> (Model, [Layer]) {
    var candidate = base
    var updated = layers
    for (index, result) in results.enumerated() where index < updated.count {
      let name = updated[index].weight.name
      updated[index].threshold = result.threshold.isNaN ? nil : result.threshold
      updated[index].zeros = result.zeros
      guard let current = candidate.graph.initializer(name), !current.bytes.isEqual(to: result.tensor.bytes)
      else { continue }
      candidate.graph.setInitializer(name, result.tensor)
      updated[index].isChanged = true
    }
    candidate.maskZeros(of: updated.map(\.weight.name))
    return (candidate, updated)
  }

  func recount(_ candidate: inout Candidate<[Layer]>) throws(PruneError) {
    guard options.rewind != nil || options.recover != nil || plan.training != nil else { return }
    for index in candidate.detail.indices {
      guard let tensor = candidate.model.graph.initializer(candidate.detail[index].weight.name) else { continue }
      candidate.detail[index].zeros = try WeightRanking([tensor]).zeroCount
      candidate.detail[index].isChanged = true
    }
  }

  /// MACs that zeros do not save, and bytes with zeros left out, where a bit a weight says which.
  func size(of candidate: Candidate<[Layer]>) throws(PruneError) -> CutSize {
    let zeros = Self.zeros(candidate.detail), stats = try ModelStats.of(finished(candidate.model), at: extents)
    return CutSize(
      removed: zeros, amount: share(zeros), macs: stats.effectiveMacs,
      bytes: stats.bytes - zeros * elementBytes + (zeros > 0 ? (dense.count + 7) / 8 : 0))
  }

  func layerSteps(_ kept: Model, _ goal: StepGoal) throws(PruneError) -> [LayerStep]? {
    guard plan.allocation != .prescribed, plan.strategy != .shared else { return nil }
    func counts(_ weights: PrunableWeights) throws(PruneError) -> [(gone: Int, of: Int)] {
      try StepMask(granularity: plan.granularity, allocation: plan.allocation).goneUnits(weights)
    }
    let current = dense.current(in: kept), cut = apply(try masked(kept, current, goal).results, to: kept).0
    let before = try counts(current), after = try counts(dense.current(in: cut))
    return zip(layers, zip(before, after)).map { layer, units in
      LayerStep(name: layer.weight.layer, size: units.0.of, kept: units.0.gone, target: units.1.gone)
    }
  }

  var keepsCounting: Bool { true }

  mutating func keep(_ candidate: Candidate<[Layer]>) {
    layers = candidate.detail
    guard plan.targets.isTimed else { return }
    // A run that is cancelled ends where it is looked for next.
    latency = try? LatencyPair(original, finished(candidate.model), extents, options.cancel)
  }

  // MARK: - What is given back

  var ownBytes: Int { layers.reduce(0) { $0 + ($1.isChanged ? $1.weight.tensor.byteCount : 0) } }

  /// The model with the number types of the original.
  func finished(_ model: Model) throws(PruneError) -> Model { try dense.stored?.restoringTypes(of: model) ?? model }

  func isChanged(_ model: Model) -> Bool {
    layers.contains { $0.isChanged } || model.maskedParameters != original.maskedParameters
  }
}
