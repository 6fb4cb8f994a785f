import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Removes dead units after unstructured pruning: units that no node reads, and units that are constant at every
/// input, whose contribution goes into the next bias.
///
/// The report has before, after, rounds, groups of {name, units, removed, left}, and certificate: the largest relative
/// difference of the outputs from the given model's.
/// - Throws: `.refused` when the outputs changed, `.mismatch` when shapes in the model contradict each other.
package func compact(
  _ model: Model, rules: [String: CustomRule] = [:], seed: UInt64 = 0, cancel: CancelFlag? = nil
) throws(PruneError) -> (model: Model, report: Report) {
  var current = model
  var removed: [(name: String, units: Int, removed: Int)] = []
  var rounds = 0
  // What goes in one round may leave others dead behind it.
  while rounds < 16 {
    try cancel?.check()
    let dependencies = try Dependencies(of: current, rules: rules)
    let dead = try DeadUnits(dependencies, seed: seed)
    let cut = dead.cut
    guard !cut.isEmpty else { break }
    var prepared = dependencies.model
    let biases = try dead.foldConstants(into: &prepared)
    current = try Surgeon.operate(dependencies, cut, on: prepared, added: biases)
    rounds += 1
    for group in dependencies.groups {
      let count = cut.removed(of: group)
      guard count > 0 else { continue }
      if let place = removed.firstIndex(where: { $0.name == group.name }) {
        removed[place].removed += count
      } else {
        removed.append((group.name, group.size, count))
      }
    }
  }
  var report = Report(title: "compact")
  report["rounds"] = .integer(rounds)
  report["removed"] = .integer(removed.reduce(0) { $0 + $1.removed })
  report["before"] = .report(try totals(of: model, "before"))
  report["after"] = .report(try totals(of: current, "after"))
  report["groups"] = .list(
    removed.map { entry in
      var row = Report(title: "")
      row["name"] = .text(entry.name)
      row["units"] = .integer(entry.units)
      row["removed"] = .integer(entry.removed)
      row["left"] = .integer(entry.units - entry.removed)
      return .report(row)
    })
  guard rounds > 0 else { return (model, report) }
  try OutputCertificate.add(to: &report, of: current, against: model, seed: seed &+ 1)
  return (current, report)
}

private func totals(of model: Model, _ title: String) throws(PruneError) -> Report {
  var report = try ModelStats.of(model).report
  report.title = title
  report["layers"] = nil
  return report
}

/// Units that can go without a change of any output.
private struct DeadUnits {
  /// All of them; of a group that is dead as a whole one unit stays.
  let cut: Cut

  private let dependencies: Dependencies
  /// The layers that read constants, and the constant of each removed unit of their inputs.
  private let constants: [(node: Int, values: [Int: Double])]

  /// A constant that a layer reads at a position of its input, and the unit that gives it.
  private struct Constant {
    let node: Int
    let group: Int
    let unit: Int
    let position: Int
    let value: Double
  }

  init(_ dependencies: Dependencies, seed: UInt64) throws(PruneError) {
    self.dependencies = dependencies
    let silent = try dependencies.groups.map { group throws(PruneError) in
      group.isPrunable ? try Self.zeroUnits(group, dependencies, inputs: false) : []
    }
    let unread = try dependencies.groups.map { group throws(PruneError) -> [Int] in
      guard group.isPrunable, Self.isReadByWeightsAlone(group, dependencies) else { return [] }
      return try Self.zeroUnits(group, dependencies, inputs: true)
    }
    var candidates = silent
    let constantUnits = try Self.keepConstant(&candidates, dependencies, seed)
    let units = zip(dependencies.groups, zip(candidates, unread)).map { group, lists in
      var all = Set(lists.0).union(lists.1).sorted()
      if all.count == group.size { all.removeFirst() }
      return all
    }
    cut = Cut(dependencies, removed: units)
    // A unit that stays computes its constant itself.
    var byNode: [Int: [Int: Double]] = [:]
    for entry in constantUnits where entry.value != 0 && cut.removes(entry.unit, of: dependencies.groups[entry.group]) {
      byNode[entry.node, default: [:]][entry.position] = entry.value
    }
    constants = byNode.keys.sorted().map { (node: $0, values: byNode[$0] ?? [:]) }
  }

  /// Units whose slices are zero in all weights that make them, or in all that read them.
  private static func zeroUnits(
    _ group: UnitGroup, _ dependencies: Dependencies, inputs: Bool
  ) throws(PruneError) -> [Int] {
    var sums = [Double](repeating: 0, count: group.size)
    var isKnown = false
    for member in group.members where member.isInput == inputs {
      guard let tensor = dependencies.stored[member.tensor], tensor.dtype.isFloatingPoint else { return [] }
      guard tensor.shape.rank > 1 else { continue }
      isKnown = true
      for (place, sum) in try tensor.cast(to: .float32).sliceSums(axis: member.axis, squares: false).enumerated() {
        if member.positions[place] >= 0 { sums[member.positions[place]] += sum }
      }
    }
    return isKnown ? sums.indices.filter { sums[$0] == 0 } : []
  }

  private static func isReadByWeightsAlone(_ group: UnitGroup, _ dependencies: Dependencies) -> Bool {
    let graph = dependencies.model.graph
    return dependencies.contractions.allSatisfy { contraction in
      guard let name = graph.nodes[contraction.node].input(contraction.input), let spaces = dependencies.axes[name],
        contraction.axis < spaces.count
      else { return true }
      return dependencies.stored[name] != nil
        || !dependencies.forest.leaves(spaces[contraction.axis]).contains(group.space)
    }
  }

  // MARK: - Constants

  /// Keeps of the candidates those that are constant wherever they are read, and whose constant a bias can take.
  private static func keepConstant(
    _ candidates: inout [[Int]], _ dependencies: Dependencies, _ seed: UInt64
  ) throws(PruneError) -> [Constant] {
    let graph = dependencies.model.graph
    guard candidates.contains(where: { !$0.isEmpty }) else { return [] }
    var sites: [(node: Int, value: String, axis: Int)] = []
    var blocked: Set<Int> = []
    for contraction in dependencies.contractions {
      let node = graph.nodes[contraction.node]
      guard let name = node.input(contraction.input), let spaces = dependencies.axes[name],
        contraction.axis < spaces.count
      else { continue }
      let leaves = dependencies.forest.leaves(spaces[contraction.axis])
      let touched = dependencies.groups.indices.filter {
        leaves.contains(dependencies.groups[$0].space) && !candidates[$0].isEmpty
      }
      guard !touched.isEmpty else { continue }
      if let site = dataSide(node, contraction.input), let value = node.input(site.input),
        let rank = dependencies.axes[value]?.count
      {
        sites.append((contraction.node, value, site.axis < 0 ? site.axis + rank : site.axis))
      } else {
        blocked.formUnion(touched)
      }
    }
    for index in blocked { candidates[index] = [] }
    let read = Set(sites.map(\.value)).subtracting(graph.trueInputs.map(\.name))
    var proof = ConstantUnits(dependencies)
    let names = read.isEmpty ? [] : read.union(proof.neededValues).sorted()
    guard !names.isEmpty else {
      candidates = candidates.map { _ in [] }
      return []
    }
    let outcome = try SampleInputs(dependencies.model, seed: seed).first(dependencies.model) {
      inputs throws(PruneError) in
      try Program(dependencies.model, ProgramOptions(inputShapes: inputs.mapValues(\.shape), outputs: names)).run(
        inputs)
    }
    guard case .ran(_, let values) = outcome else {
      candidates = candidates.map { _ in [] }
      return []
    }
    proof.values = values
    var constants: [Constant] = []
    for site in sites {
      guard let spaces = dependencies.axes[site.value], site.axis < spaces.count, let tensor = values[site.value] else {
        continue
      }
      let range = try ranges(tensor, axis: site.axis)
      for index in dependencies.groups.indices where !candidates[index].isEmpty {
        let positions = dependencies.forest.coordinates(spaces[site.axis], of: dependencies.groups[index].space)
        for (place, unit) in positions.enumerated() where unit >= 0 && candidates[index].contains(unit) {
          let (low, high) = range[place]
          if low == high, low == 0 || takesConstants(graph.nodes[site.node], graph),
            proof.isProven(site.value, unit, of: dependencies.groups[index])
          {
            constants.append(Constant(node: site.node, group: index, unit: unit, position: place, value: low))
          } else {
            candidates[index].removeAll { $0 == unit }
          }
        }
      }
    }
    return constants
  }

  /// The operand that the stored one is multiplied with.
  private static func dataSide(_ node: Node, _ input: Int) -> (input: Int, axis: Int)? {
    guard node.isStandard else { return nil }
    switch node.opType {
    case "Conv", "ConvTranspose": return (0, 1)
    case "Gemm" where input == 1: return (0, node.int("transA", default: 0) != 0 ? 0 : 1)
    case "MatMul" where input == 1: return (0, -1)
    default: return nil
    }
  }

  /// Whether a constant input can move into the bias: everywhere the same, also at the borders.
  private static func takesConstants(_ node: Node, _ graph: Graph) -> Bool {
    guard node.isStandard, let weight = node.input(1), graph.initializer(weight)?.dtype == .float32 else {
      return false
    }
    if let bias = node.input(2), graph.initializer(bias)?.dtype != .float32 { return false }
    switch node.opType {
    case "Conv":
      return (node.ints("pads") ?? []).allSatisfy { $0 == 0 }
        && node.string("auto_pad", default: "NOTSET") != "SAME_UPPER"
        && node.string("auto_pad", default: "NOTSET") != "SAME_LOWER" && node.int("group", default: 1) == 1
    case "Gemm": return node.float("alpha", default: 1) == 1 && node.float("beta", default: 1) == 1
    default: return false
    }
  }

  private static func ranges(_ tensor: Tensor, axis: Int) throws(PruneError) -> [(Double, Double)] {
    let count = tensor.shape[axis], inner = tensor.shape.dims[(axis + 1)...].reduce(1, *)
    var result = [(Double, Double)](repeating: (.infinity, -.infinity), count: count)
    for (index, value) in try tensor.doubles().enumerated() {
      let place = index / inner % count
      result[place] = (min(result[place].0, value), max(result[place].1, value))
    }
    return result
  }

  /// Adds what the dead units give to the biases of the layers that read them. Returns the spaces of the new biases.
  func foldConstants(into model: inout Model) throws(PruneError) -> [String: [SpaceForest.ID]] {
    var added: [String: [SpaceForest.ID]] = [:]
    for (index, values) in constants {
      let node = model.graph.nodes[index]
      guard let weightName = node.input(1), let weight = model.graph.initializer(weightName) else { continue }
      let isColumnMajor = node.opType == "Gemm" && node.int("transB", default: 0) == 0
      let outputs = isColumnMajor ? weight.shape[1] : weight.shape[0]
      let taps = weight.count / max(weight.shape[0] * weight.shape[1], 1), width = weight.shape[1]
      let numbers = try weight.doubles()
      var bias =
        try node.input(2).flatMap { model.graph.initializer($0) }?.doubles() ?? [Double](repeating: 0, count: outputs)
      if bias.count == 1 { bias = [Double](repeating: bias[0], count: outputs) }
      guard bias.count == outputs else { continue }
      for (position, value) in values {
        for output in 0..<outputs {
          let row = isColumnMajor ? position : output, column = isColumnMajor ? output : position
          for tap in 0..<taps { bias[output] += value * numbers[(row * width + column) * taps + tap] }
        }
      }
      let tensor = try Tensor(bias.map { Float($0) })
      var names = model.graph.allNames
      let name = Graph.uniqueName(node.layerName + "_bias", &names)
      SharedConstants.store(name, tensor, &model)
      while model.graph.nodes[index].inputs.count < 3 { model.graph.nodes[index].inputs.append("") }
      model.graph.nodes[index].inputs[2] = name
      if let spaces = dependencies.axes[weightName], spaces.count > 1 { added[name] = [spaces[isColumnMajor ? 1 : 0]] }
    }
    return added
  }
}
