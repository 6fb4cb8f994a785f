import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

extension SurgicalCutter {
  /// The model without the branches that matter least.
  func withoutLayers(_ base: Model, _ goal: StepGoal) throws(PruneError) -> Candidate<Step> {
    let choice = try LayerChoice(ResidualBlocks(base), scope: options.scope, ignore: options.ignore)
    let order = try ranked(choice, base)
    let removedCount = unitCount - choice.count
    let limit = max(Int((plan.maxFraction * Double(unitCount)).rounded(.down)) - removedCount, 0)
    var count = 0
    var floor: Double?
    if case .counts(let list)? = goal.prescribed {
      count = min(list.reduce(0, +), limit)
    } else if !plan.targets.isEmpty {
      for target in plan.targets {
        let result = try self.count(target.kind, target.goal(goal.progress), choice, order, limit)
        (count, floor) = (max(count, result.count), floor ?? result.floor)
      }
    } else if let amount = options.amount {
      count = min(max(Allocation.units(amount * goal.progress, of: unitCount) - removedCount, 0), limit)
    } else {
      throw PruneError(.unsupported, "layers are pruned by an amount or a target, not by a threshold")
    }
    let chosen = Array(order.prefix(count)), shrunk = choice.blocks.removing(chosen)
    var step = Step(cost: try cost(of: shrunk), floor: floor)
    step.rows = choice.places.map { place in
      Row(name: choice.blocks.blocks[place].name, units: 1, removed: chosen.contains(place) ? 1 : 0)
    }
    step.counts = step.rows.map(\.removed)
    if !chosen.isEmpty, options.certifies ?? true {
      let whole = try choice.blocks.masking(chosen)
      let outcome = try options.sampleInputs(of: base).first(base) { inputs throws(PruneError) in
        try Program(whole, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
      }
      switch outcome {
      case .ran(let inputs, let masked):
        let noise = RoundingNoise(model: whole, inputs: inputs, outputs: masked, seed: 1)
        step.certificate = try StructuralCertificate.checked(shrunk, noise, "the masked model's")
      case .missing(let reason): step.certificateMissing = reason
      }
    }
    return try candidate(shrunk, step)
  }

  /// Blocks by rising mean score of their weights.
  private func ranked(_ choice: LayerChoice, _ base: Model) throws(PruneError) -> [Int] {
    let weights = try PrunableWeights(of: base).without(unreached)
    let scores = try plan.importance.ranking(context.scoring(weights)).scores
    let tensors = try scores.tensors(of: weights.weights.map(\.tensor))
    var sums: [String: (sum: Double, count: Int)] = [:]
    for (weight, tensor) in zip(weights.weights, tensors) {
      sums[weight.name] = (try tensor.sliceSums(axis: 0, squares: false).reduce(0, +), tensor.count)
    }
    func score(_ place: Int) -> Double {
      let parts = choice.blocks.blocks[place].weights.compactMap { sums[$0] }
      // What is known of none comes last.
      guard !parts.isEmpty else { return .infinity }
      return parts.reduce(0) { $0 + $1.sum } / Double(max(parts.reduce(0) { $0 + $1.count }, 1))
    }
    return choice.places.map { (score($0), $0) }.sorted { $0 < $1 }.map(\.1)
  }

  private func cost(of model: Model) throws(PruneError) -> CostModel.Cost {
    let stats = try ModelStats.of(model, at: extents)
    return CostModel.Cost(params: stats.params, macs: stats.macs, bytes: stats.bytes)
  }

  /// How many blocks to remove so that the cost comes closest to the goal.
  private func count(
    _ kind: CostTarget.Kind, _ goal: Double, _ choice: LayerChoice, _ order: [Int], _ limit: Int
  ) throws(PruneError) -> (count: Int, floor: Double?) {
    // The cost by the number of removed blocks.
    var tried: [(count: Int, reached: Double)] = []
    for count in 0...min(limit, order.count) {
      let smaller = choice.blocks.removing(Array(order.prefix(count))), cost = try cost(of: smaller)
      let reached =
        kind == .latency
        ? try LatencyPair(original, smaller, extents, options.cancel).ratio : cost.share(kind, of: costBefore) ?? 1
      tried.append((count, reached))
    }
    let least = tried.map(\.reached).min() ?? 1
    if kind == .latency, least > goal + CostTarget.tolerance {
      let place = LatencyFloor.choice(tried.map(\.reached)) ?? 0
      return (tried[place].count, tried[place].reached)
    }
    try CostTarget(kind, goal).check(
      floor: least, "\(order.count) layers can go, and max_fraction holds back more", hint: "raise the target")
    return (tried.min { (abs($0.reached - goal), $0.count) < (abs($1.reached - goal), $1.count) }?.count ?? 0, nil)
  }
}
