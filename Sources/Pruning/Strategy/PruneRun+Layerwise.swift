import PruneEvaluation
import PruneTensor

/// How much the loss depends on a layer, and how far the layer was pruned.
struct LayerImportance {
  let layer: LayerStep
  /// Among the layers of a step.
  let place: Int
  /// How much the loss rises when the layer alone loses what it may lose.
  let rise: Double
  /// Units that went.
  var removed = 0

  var row: Report {
    var row = Report(title: "")
    row["name"] = .text(layer.name)
    row["importance"] = .number(rise)
    row["units"] = .integer(layer.size)
    row["removed"] = .integer(removed)
    return row
  }
}

/// The strategy "layerwise": the importance of each layer comes from the loss first, then layer after layer is pruned in
/// that order, each as far as the guard allows.
extension PruneRun {
  /// Cuts of a layer that are tried: all of it, then halves of the way between what was kept and what was refused.
  private static var tries: Int { 4 }

  func runLayerwise() throws(PruneError) {
    let goal = StepGoal(progress: 1, prescribed: nil)
    guard let steps = try cutter.layerSteps(model, goal) else {
      throw PruneError(
        .unsupported,
        "strategy 'layerwise' takes layer after layer, and granularity '\(plan.granularity.name)' has none",
        hint: "use granularity = \"weight\", blocks or \"channel\"")
    }
    do {
      layerImportances = try importances(of: steps)
      let order = layerImportances.indices.sorted {
        (layerImportances[$0].rise, $0) < (layerImportances[$1].rise, $1)
      }
      var removedCounts = steps.map(\.kept)
      for (number, index) in order.enumerated() {
        let place = layerImportances[index].place
        let last = try prune(place, steps[place], &removedCounts, step: number + 1, of: order.count)
        layerImportances[index].removed = removedCounts[place]
        if last || isStopped { return stop() }
      }
    } catch let error where error.status == .cancelled && !journal.isEmpty {
      stop()
    }
  }

  /// The layers that may lose something, in the order of the graph.
  private func importances(of steps: [LayerStep]) throws(PruneError) -> [LayerImportance] {
    guard let metricGuard else { throw PruneError(.internal, "the strategy has no guard") }
    var loss = metricGuard
    if let data = metricGuard.options.data ?? options.data {
      loss = try MetricGuard(
        GuardOptions(data: data, metric: "loss", output: metricGuard.options.output), model: context.original,
        batchSize: context.batchSize, cancel: options.cancel)
    }
    var result: [LayerImportance] = []
    for (place, step) in steps.enumerated() where step.target > step.kept {
      try options.cancel?.check()
      var counts = steps.map(\.kept)
      counts[place] = step.target
      let candidate = try cutter.candidate(
        of: model, StepGoal(progress: 1, prescribed: .counts(counts)), units: nil)
      let measured = try loss.measure(candidate.model)
      // What makes a loss that is no number matters most.
      let rise = loss.drop(of: measured)
      result.append(LayerImportance(layer: step, place: place, rise: rise.isNaN ? .infinity : rise))
    }
    return result
  }

  /// Takes of a layer as much as the guard allows.
  /// - Returns: whether the caller asked to stop.
  private func prune(
    _ place: Int, _ layer: LayerStep, _ removedCounts: inout [Int], step: Int, of count: Int
  ) throws(PruneError) -> Bool {
    var refused = layer.target + 1
    var next = layer.target
    for _ in 0..<Self.tries where next > removedCounts[place] && next < refused {
      // Units that were removed by surgery are not there to be counted again.
      var counts = cutter.keepsCounting ? removedCounts : removedCounts.map { _ in 0 }
      counts[place] = cutter.keepsCounting ? next : next - removedCounts[place]
      let (isKept, wantsStop) = try tried(step, of: count, StepGoal(progress: 1, prescribed: .counts(counts)))
      if isKept { removedCounts[place] = next } else { refused = next }
      if wantsStop || isStopped { return true }
      if removedCounts[place] == layer.target { break }
      next = (removedCounts[place] + refused) / 2
    }
    return false
  }
}
