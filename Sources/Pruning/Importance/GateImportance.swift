import PruneGraph
import PruneRuntime
import PruneTensor

/// What the loss loses with a whole unit, to second order: half the mean, over samples, of the squared gradient by a
/// gate on the unit, which is the sum of activation times gradient over its positions (after Molchanov et al., 2019,
/// equation 8, and the empirical Fisher information of gates, Theis et al., 2018).
///
/// A unit is looked at where layers read it, behind its normalization and activation: there it is what they lose. Of
/// single weights all that make an output have the score of the output.
struct GateImportance: Importance {
  var name: String { "gate" }
  var needsData: Bool { true }
  var needsTargets: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let weights = context.weights.weights, uses = context.weights.uses(), model = context.weights.model
    var shares = [[Float]?](repeating: nil, count: weights.count)
    var places: [GatePass.Place] = [], owners: [Int] = []
    let types = try ShapeInference.run(model).types
    for (index, uses) in uses.enumerated() {
      guard let use = uses.first, let rank = types[use.output]?.dims?.count, rank > 1, use.operand == 1 else {
        continue
      }
      places.append(.init(node: use.output, input: nil, axis: use.node.opType.hasPrefix("Conv") ? 1 : rank - 1))
      owners.append(index)
    }
    let count = Float(context.data?.count ?? 1)
    try GatePass(criterion: name, model, places, context).run { samples, gradients throws(PruneError) in
      for (owner, gradients) in zip(owners, gradients) {
        let width = gradients.count / max(samples, 1)
        var sums = shares[owner] ?? [Float](repeating: 0, count: width)
        for (place, value) in gradients.enumerated() { sums[place % max(width, 1)] += 0.5 * value * value / count }
        shares[owner] = sums
      }
    }
    if let communicator = context.communicator {
      for owner in owners {
        let count = try communicator.max([shares[owner]?.count ?? 0])[0]
        shares[owner] = try communicator.sum(shares[owner] ?? [Float](repeating: 0, count: count))
      }
    }
    return try FilterImportance.spread(shares, weights, uses, criterion: name)
  }

  /// A place of gates, and the unit of a group at each of its channels.
  private struct Reading {
    let group: Int
    let place: Int
    let units: [Int]
  }

  /// Scores of the units of groups; empty for groups that are not asked for. Groups that nobody reads come last.
  func units(
    _ dependencies: Dependencies, _ selection: [Bool], _ context: ScoringContext
  ) throws(PruneError) -> [[Double]] {
    var places: [GatePass.Place] = [], numbers: [GatePass.Place: Int] = [:], readings: [Reading] = []
    for (index, group) in dependencies.groups.enumerated() where selection[index] {
      for (place, units) in Self.places(of: group, dependencies) {
        let number = numbers[place] ?? places.count
        if number == places.count {
          places.append(place)
          numbers[place] = number
        }
        readings.append(Reading(group: index, place: number, units: units))
      }
    }
    var sums = dependencies.groups.map { [Double](repeating: 0, count: $0.size) }
    let total = Double(max(context.data?.count ?? 1, 1))
    try GatePass(criterion: name, context.weights.model, places, context).run { samples, gradients throws(PruneError) in
      for sample in 0..<samples {
        var changes: [Int: [Double]] = [:]
        for reading in readings {
          let values = gradients[reading.place], first = sample * reading.units.count
          guard values.count == samples * reading.units.count else { continue }
          var change = changes[reading.group] ?? [Double](repeating: 0, count: sums[reading.group].count)
          for (channel, unit) in reading.units.enumerated() where unit >= 0 {
            change[unit] += Double(values[first + channel])
          }
          changes[reading.group] = change
        }
        for (group, change) in changes {
          for unit in change.indices { sums[group][unit] += 0.5 * change[unit] * change[unit] / total }
        }
      }
    }
    if let communicator = context.communicator {
      for index in sums.indices where selection[index] { sums[index] = try communicator.sum(sums[index]) }
    }
    for (index, group) in dependencies.groups.enumerated() where selection[index] {
      guard let bad = sums[index].firstIndex(where: { !$0.isFinite }) else { continue }
      throw PruneError(
        .numeric, "criterion '\(name)' gives unit \(bad) of '\(group.name)' a score that is not finite", at: group.name,
        hint: "the loss or its gradient is not finite on this data")
    }
    let read = Set(readings.map(\.group)), most = (sums.flatMap { $0 }.max() ?? 0) * 2 + 1
    return dependencies.groups.indices.map { index in
      guard selection[index] else { return [] }
      return read.contains(index) ? sums[index] : [Double](repeating: most, count: dependencies.groups[index].size)
    }
  }

  /// The places where layers read a group's units, else the places where layers compute them.
  private static func places(of group: UnitGroup, _ dependencies: Dependencies) -> [(GatePass.Place, [Int])] {
    let graph = dependencies.model.graph, forest = dependencies.forest
    /// The axis of a value that has the group's units, and which.
    func axis(_ value: String) -> (Int, [Int])? {
      guard dependencies.stored[value] == nil, let spaces = dependencies.axes[value] else { return nil }
      for (axis, space) in spaces.enumerated() where forest.leaves(space).contains(group.space) {
        return (axis, forest.coordinates(space, of: group.space))
      }
      return nil
    }
    var places: [(GatePass.Place, [Int])] = [], seen: Set<Int> = []
    for contraction in dependencies.contractions where seen.insert(contraction.node).inserted {
      let node = graph.nodes[contraction.node]
      guard let name = node.outputs.first else { continue }
      for input in node.inputs.indices {
        guard let (axis, units) = node.input(input).flatMap(axis) else { continue }
        places.append((.init(node: name, input: input, axis: axis), units))
        break
      }
    }
    guard places.isEmpty else { return places }
    let makers = Set(group.members.filter { !$0.isInput }.map(\.tensor))
    for node in graph.nodes where node.inputs.contains(where: makers.contains) {
      guard let name = node.outputs.first, let (axis, units) = axis(name) else { continue }
      places.append((.init(node: name, input: nil, axis: axis), units))
    }
    return places
  }
}
