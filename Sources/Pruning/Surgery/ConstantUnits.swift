import PruneGraph
import PruneTensor

/// The proof that the value of a unit depends on no input, which runs on some inputs cannot show: everything on
/// the way from the layers that make the unit to a value is computed from those layers and from constants.
///
/// A unit whose layers have zeros for weights gives their biases. `Where(mask, bias, 0)` behind them depends on the
/// mask, `mask · 0` does not.
struct ConstantUnits {
  private let dependencies: Dependencies
  private let inputs: Set<String>
  private let producers: [String: Int]
  /// What values hold in one run.
  var values: [String: Tensor] = [:]

  init(_ dependencies: Dependencies) {
    self.dependencies = dependencies
    inputs = Set(dependencies.model.graph.trueInputs.map(\.name))
    producers = dependencies.model.graph.producers
  }

  private var graph: Graph { dependencies.model.graph }

  /// Factors and choices, of which it matters whether they are zero.
  var neededValues: Set<String> {
    var result: Set<String> = []
    for node in graph.nodes where node.isStandard && ["Mul", "MatMul", "Where"].contains(node.opType) {
      let computed = node.inputs.filter { producers[$0] != nil && !graph.hasInitializer($0) }
      if computed.count > 1 { result.formUnion(computed.filter { dependencies.axes[$0] != nil }) }
    }
    return result
  }

  /// Whether a value is the same for all inputs at a unit of a group.
  func isProven(_ value: String, _ unit: Int, of group: UnitGroup) -> Bool {
    var cache: [String: Bool] = [:]
    return isConstant(value, unit, group, &cache)
  }

  private func isConstant(_ value: String, _ unit: Int, _ group: UnitGroup, _ cache: inout [String: Bool]) -> Bool {
    if let result = cache[value] { return result }
    if graph.hasInitializer(value) && !inputs.contains(value) { return true }
    guard !inputs.contains(value), let place = producers[value], graph.nodes.indices.contains(place) else {
      return false
    }
    let node = graph.nodes[place]
    // A cycle is no proof.
    cache[value] = false
    let result = isConstant(node, value, unit, group, &cache)
    cache[value] = result
    return result
  }

  private func isConstant(
    _ node: Node, _ value: String, _ unit: Int, _ group: UnitGroup, _ cache: inout [String: Bool]
  ) -> Bool {
    guard node.subgraphs.isEmpty, node.operation?.kind != .random else { return false }
    if makes(node, value, group) { return true }
    guard node.isStandard else { return all(node.inputs, unit, group, &cache) }
    switch node.opType {
    case "Shape", "Size", "Constant": return true
    case "Concat":
      // Other parts hold other units.
      let isAlong = hasUnit(value, group)
      return all(
        node.inputs.filter { !isAlong || dependencies.axes[$0] == nil || hasUnit($0, group) }, unit, group, &cache)
    case "Mul", "MatMul":
      if all(node.inputs, unit, group, &cache) { return true }
      for input in node.inputs where isConstant(input, unit, group, &cache) && isZero(input, unit, group) {
        return true
      }
      return false
    case "Where":
      let choices = node.inputs.dropFirst()
      guard all(choices, unit, group, &cache) else { return false }
      return all(node.inputs.prefix(1), unit, group, &cache) || choices.allSatisfy { isZero($0, unit, group) }
    default: return all(node.inputs, unit, group, &cache)
    }
  }

  private func all(
    _ values: some Sequence<String>, _ unit: Int, _ group: UnitGroup, _ cache: inout [String: Bool]
  ) -> Bool {
    for value in values where !value.isEmpty {
      guard isConstant(value, unit, group, &cache) else { return false }
    }
    return true
  }

  /// Whether a layer makes the group's units: those of its weights that make dead ones are zero, so what it reads has
  /// no say.
  private func makes(_ node: Node, _ value: String, _ group: UnitGroup) -> Bool {
    guard hasUnit(value, group) else { return false }
    let isMade = node.weightOperands.contains { place in
      guard let name = node.input(place), dependencies.stored[name] != nil else { return false }
      return hasUnit(name, group)
    }
    guard isMade else { return false }
    // Lengths and first states of a recurrent layer come from outside.
    guard ["LSTM", "GRU", "RNN"].contains(node.opType) else { return true }
    return node.inputs.dropFirst(4).allSatisfy { $0.isEmpty || graph.hasInitializer($0) && !inputs.contains($0) }
  }

  private func hasUnit(_ value: String, _ group: UnitGroup) -> Bool {
    (dependencies.axes[value] ?? []).contains { dependencies.forest.leaves($0).contains(group.space) }
  }

  /// Whether a value is zero at a unit wherever it was looked at.
  private func isZero(_ value: String, _ unit: Int, _ group: UnitGroup) -> Bool {
    guard let tensor = values[value] ?? graph.initializer(value), let numbers = try? tensor.doubles() else {
      return false
    }
    let spaces = dependencies.axes[value] ?? []
    guard spaces.count == tensor.shape.rank,
      let axis = spaces.firstIndex(where: { dependencies.forest.leaves($0).contains(group.space) })
    else { return numbers.allSatisfy { $0 == 0 } }
    let positions = dependencies.forest.coordinates(spaces[axis], of: group.space)
    let extent = tensor.shape[axis], inner = tensor.shape.dims[(axis + 1)...].reduce(1, *)
    guard positions.count == extent else { return false }
    return numbers.indices.allSatisfy { numbers[$0] == 0 || positions[$0 / inner % extent] != unit }
  }
}
