import PruneEvaluation
import PruneGraph
import PruneTensor

extension SurgicalCutter {
  func selection(in model: Model, _ goal: StepGoal) throws(PruneError) -> CutSelection {
    guard plan.granularity != .layer else {
      throw PruneError(
        .unsupported, "regularizer '\(plan.training?.kind.rawValue ?? "")' grows on units, got granularity 'layer'",
        hint: "use regularizer = {kind = \"group_lasso\"}")
    }
    let division = try division(model)
    let (dependencies, removals) = (division.dependencies, try units(division, goal).removals)
    let masked = try UnitMasks.masked(dependencies, Cut(dependencies, removed: removals))
    let matrices = model.graph.initializers.filter { $0.tensor.dtype == .float32 && $0.tensor.shape.rank > 1 }
    let marks = try CutSelection.marks(
      matrices.map { ($0.name, $0.tensor, masked.graph.initializer($0.name) ?? $0.tensor) })
    return CutSelection(marks: marks, units: removals)
  }

  /// The groups of a model on the way, and their units by score.
  private struct Division {
    let dependencies: Dependencies
    let chosen: [Bool]
    let allocation: UnitAllocation
    let costs: CostModel
    /// Seconds that finding the groups and scoring their units took.
    let seconds: (groups: Double, scores: Double)
  }

  private func division(_ model: Model) throws(PruneError) -> Division {
    let start = monotonicSeconds()
    let dependencies = try context.dependencies(of: model)
    let chosen = try GroupScope(
      dependencies, plan.granularity, scope: options.scope, ignore: options.ignore,
      without: keepsStreams ? ResidualStreams(dependencies) : nil, checks: false
    ).chosen(of: dependencies, without: unreached)
    let solved = monotonicSeconds()
    let allocation = try allocation(dependencies, chosen)
    return Division(
      dependencies: dependencies, chosen: chosen, allocation: allocation, costs: CostModel(dependencies, extents),
      seconds: (solved - start, monotonicSeconds() - solved))
  }

  /// What a step takes.
  private struct UnitChoice {
    /// The units of each group.
    let removals: [[Int]]
    /// The allocation that chose the units.
    let allocation: UnitAllocation
    /// The fraction of the time that is left at least, where a target of latency asks for less.
    var floor: Double?
  }

  private func units(_ division: Division, _ goal: StepGoal) throws(PruneError) -> UnitChoice {
    var allocation = division.allocation
    if let prescribed = goal.prescribed {
      let counts = try counts(prescribed, division.chosen, allocation)
      return UnitChoice(removals: allocation.units(counts), allocation: allocation)
    }
    allocation = try rounded(allocation, goal.progress, division.dependencies, division.costs)
    let (counts, floor) = try removals(goal.progress, allocation, division.dependencies, division.costs)
    return UnitChoice(removals: allocation.units(counts), allocation: allocation, floor: floor)
  }

  /// The counts of a recipe's step, by group.
  private func counts(
    _ prescribed: Allocation, _ chosen: [Bool], _ allocation: UnitAllocation
  ) throws(PruneError) -> [Int] {
    let places = chosen.indices.filter { chosen[$0] }
    guard case .counts(let list) = prescribed, list.count == places.count,
      zip(places, list).allSatisfy({ $0.1 >= 0 && $0.1 < max(allocation.groups[$0.0].size, 1) })
    else {
      throw PruneError(
        .mismatch, "the recipe's step does not fit the \(places.count) groups of the model",
        hint: "a recipe of channels goes with models of the same architecture")
    }
    var result = [Int](repeating: 0, count: chosen.count)
    for (place, count) in zip(places, list) { result[place] = count }
    return result
  }

  /// The model without the units that matter least, or those that were selected before.
  func withoutUnits(_ base: Model, _ goal: StepGoal, _ selected: [[Int]]?) throws(PruneError) -> Candidate<Step> {
    let division = try division(base), dependencies = division.dependencies, costs = division.costs
    var choice = UnitChoice(removals: selected ?? [], allocation: division.allocation)
    if selected == nil { choice = try units(division, goal) }
    let cut = Cut(dependencies, removed: choice.removals)
    var model = base
    var step = Step(cost: plan.removes ? costs.cost(of: cut) : costs.cost([:]), floor: choice.floor)
    for (index, group) in dependencies.groups.enumerated() where division.chosen[index] {
      step.rows.append(Row(name: group.name, units: group.size, removed: cut.removed(of: group)))
      step.counts.append(choice.removals[index].count)
    }
    guard !cut.isEmpty else {
      if case .threshold(let threshold) = plan.allocation, let lowest = choice.allocation.lowest {
        let bound = Self.text(threshold * goal.progress)
        step.notes = ["nothing scores below \(bound): the lowest score is \(Self.text(lowest))"]
      }
      return try candidate(model, step)
    }
    let start = monotonicSeconds()
    model = try plan.removes ? Surgeon.operate(dependencies, cut) : UnitMasks.masked(dependencies, cut)
    let normCut = try plan.training == nil ? nil : normShare(dependencies, cut)
    step.seconds = (division.seconds.groups, division.seconds.scores, monotonicSeconds() - start)
    if goal.prescribed == nil, selected == nil {
      step.roundTo = choice.allocation.roundTo
      step.unrounded = try unrounded(choice.allocation, goal.progress, dependencies, costs, reached: step.cost)
    }
    if options.certifies ?? true {
      let proof = StructuralCertificate(dependencies: dependencies, cut: cut)
      (step.certificate, step.certificateMissing) = try proof.compare(
        model, isShrunk: plan.removes, options.sampleInputs(of: dependencies.model))
    }
    if plan.removes {
      let origin = steps.last?.origin
      step.notes += try Repair(context: context).run(&model, dependencies, cut, origin: origin)
      // Layers are fitted to the given network through all steps, unless training changed what it gives.
      if plan.fitsLayers, plan.training == nil, options.recover == nil {
        step.origin = FitOrigin(original, dependencies, cut, after: origin)
      }
    }
    return try candidate(model, step, normCut)
  }

  func layerSteps(_ kept: Model, _ goal: StepGoal) throws(PruneError) -> [LayerStep]? {
    guard plan.granularity != .layer else { return nil }
    let division = try division(kept), groups = division.dependencies.groups, units = try units(division, goal).removals
    let before = keepsCounting ? steps.last?.counts ?? [] : []
    return groups.indices.filter { division.chosen[$0] }.enumerated().map { place, index in
      LayerStep(
        name: groups[index].name, size: groups[index].size, kept: place < before.count ? before[place] : 0,
        target: units[index].count)
    }
  }

  var keepsCounting: Bool { !plan.removes }

  func candidate(_ model: Model, _ step: Step, _ normCut: Double? = nil) throws(PruneError) -> Candidate<Step> {
    Candidate(
      model: model, weights: try PrunableWeights(of: model), allocation: .counts(step.counts), normCut: normCut,
      detail: step)
  }

  /// The share of the squared norm of all weights that is in what goes.
  private func normShare(_ dependencies: Dependencies, _ cut: Cut) throws(PruneError) -> Double {
    let weights = try weights(of: dependencies.model), masked = try UnitMasks.masked(dependencies, cut)
    return try weights.normShare(lostBy: weights.weights.map { masked.graph.initializer($0.name) ?? $0.tensor })
  }
}
