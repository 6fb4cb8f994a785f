import PruneTensor

/// How a run continues when the guard has refused a step of all layers together, and halves of it: with some of the
/// layers, the others stay as they are.
struct LayerTries {
  /// Layers that go no further.
  var spared: Set<String> = []
  private(set) var left = LayerTries.most

  /// Tries in a run, each a cut, a recovery where one is asked for, and a measurement.
  static let most = 8

  mutating func take() -> Bool {
    guard left > 0 else { return false }
    left -= 1
    return true
  }
}

/// What a step makes of one layer.
struct LayerStep {
  let name: String
  let size: Int
  /// Units that are gone of the last kept model, and that the step takes or leaves gone.
  let kept, target: Int

  /// The part of the layer that goes.
  var growth: Double { Double(target - kept) / Double(max(size, 1)) }
}

extension PruneRun {
  /// The step in those layers that the guard lets go on. Layers that it refuses together are divided until the one that
  /// does the harm is alone; layers that lose little of themselves are tried before those that lose much.
  /// - Returns: false when the run ends here.
  func goOn(
    _ step: Int, of count: Int, _ goal: StepGoal, _ tries: inout LayerTries?
  ) throws(PruneError) -> Bool {
    guard var layers = tries else { return false }
    defer {
      tries = layers
      spared = layers.spared.sorted()
    }
    try options.cancel?.check()
    guard let steps = try cutter.layerSteps(model, goal) else { return false }
    let order = steps.indices.filter { steps[$0].target > steps[$0].kept && !layers.spared.contains(steps[$0].name) }
      .sorted { (steps[$0].growth, $0) < (steps[$1].growth, $1) }
    // All layers together were refused already when the tries begin.
    var sets = layers.left == LayerTries.most ? Self.halves(order) : [order]
    var kept = steps.map(\.kept)
    while !sets.isEmpty {
      let set = sets.removeFirst()
      guard !set.isEmpty else { continue }
      guard layers.take() else {
        layers.spared.formUnion(set.map { steps[$0].name })
        continue
      }
      var counts = kept
      for place in set { counts[place] = steps[place].target }
      let (isKept, wantsStop) = try tried(
        step, of: count, StepGoal(progress: goal.progress, prescribed: .counts(counts)))
      if isKept {
        kept = cutter.keepsCounting ? counts : kept
      } else if set.count == 1 {
        layers.spared.formUnion(set.map { steps[$0].name })
      } else {
        sets = Self.halves(set) + sets
      }
      if wantsStop { stop() }
      if isStopped { return false }
    }
    return steps.contains { $0.target > $0.kept && !layers.spared.contains($0.name) }
  }

  /// None of fewer than two.
  private static func halves(_ places: [Int]) -> [[Int]] {
    guard places.count > 1 else { return [] }
    return [Array(places.prefix(places.count / 2)), Array(places.dropFirst(places.count / 2))]
  }

  /// Which layers were spared.
  var sparedNote: String? {
    guard !spared.isEmpty else { return nil }
    let names = spared.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
    return "the guard let \(names)\(spared.count > 5 ? " and \(spared.count - 5) more layers" : "") go no further; "
      + "the other layers went on"
  }
}
