import PruneGraph
import PruneTensor

/// Lists the groups of a solved network.
struct UnitGroups {
  private(set) var list: [UnitGroup] = []

  private let dependencies: Dependencies
  private var members: [SpaceForest.ID: [UnitGroup.Member]] = [:]
  private var order: [SpaceForest.ID] = []

  init(_ dependencies: Dependencies) {
    self.dependencies = dependencies
    let forest = dependencies.forest
    let graph = dependencies.model.graph
    let readers = graph.consumers
    let contracted = Set(
      dependencies.contractions.compactMap { contraction -> String? in
        let node = graph.nodes[contraction.node]
        return node.input(contraction.input).map { "\($0)\n\(contraction.axis)" }
      })
    var seen: Set<String> = []
    for node in graph.nodes {
      for name in node.inputs where !name.isEmpty {
        guard let tensor = dependencies.stored[name], tensor.shape.rank > 0, seen.insert(name).inserted,
          let spaces = dependencies.axes[name]
        else { continue }
        let layer = Self.layer(of: name, node, graph, readers)
        for (axis, space) in spaces.enumerated() {
          add(name, axis, space, layer, isInput: contracted.contains("\(name)\n\(axis)"))
        }
      }
    }
    // Windows of convolutions and tables of numbers are nobody's units; neither are axes without a weight.
    for leaf in order where !forest.roles(leaf).contains(.window) && (members[leaf] ?? []).contains(where: isTrained) {
      list.append(group(leaf))
    }
  }

  /// The first node that computes with a tensor, behind those that only store it in another way.
  private static func layer(of name: String, _ first: Node, _ graph: Graph, _ readers: [String: [Int]]) -> Node {
    var node = first
    for _ in 0..<8 {
      guard node.isStandard,
        ["Identity", "Transpose", "Cast", "DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze"].contains(node.opType),
        let output = node.output(0), let next = readers[output]?.first, next < graph.nodes.count
      else { return node }
      node = graph.nodes[next]
    }
    return node
  }

  private mutating func add(_ name: String, _ axis: Int, _ space: SpaceForest.ID, _ layer: Node, isInput: Bool) {
    for leaf in dependencies.forest.leaves(space) where dependencies.forest.size(leaf) > 1 {
      let positions = dependencies.forest.coordinates(space, of: leaf)
      guard positions.contains(where: { $0 >= 0 }) else { continue }
      if members[leaf] == nil { order.append(leaf) }
      members[leaf, default: []].append(
        UnitGroup.Member(
          tensor: name, axis: axis, layer: layer.layerName, operation: layer.opType, isInput: isInput,
          positions: positions))
    }
  }

  private func group(_ leaf: SpaceForest.ID) -> UnitGroup {
    let list = members[leaf] ?? [], forest = dependencies.forest
    let first = list.first { !$0.isInput && isWeight($0) } ?? list.first { !$0.isInput } ?? list.first
    var name = first?.layer ?? ""
    let roles = forest.roles(leaf)
    if let first, first.isInput {
      name += " input"
    } else if let first {
      name += Self.suffix(first.positions, roles, size: forest.size(leaf))
    }
    return UnitGroup(
      space: leaf, name: name, size: forest.size(leaf), roles: roles, pins: forest.pins(leaf), members: list)
  }

  private func isTrained(_ member: UnitGroup.Member) -> Bool {
    guard let dtype = dependencies.stored[member.tensor]?.dtype else { return false }
    return dtype.isFloatingPoint || dtype.bitWidth == 8
  }

  private func isWeight(_ member: UnitGroup.Member) -> Bool {
    (dependencies.stored[member.tensor]?.shape.rank ?? 0) > 1
  }

  /// Which of a layer's units these are, when they are not all.
  private static func suffix(_ positions: [Int], _ roles: UnitRole, size: Int) -> String {
    if roles.contains([.head, .copies]) { return " queries a head" }
    if roles.contains(.head) { return " heads" }
    if roles.contains(.headDim) { return " head_dim" }
    if positions.count == size { return "" }
    guard let first = positions.firstIndex(where: { $0 >= 0 }), let last = positions.lastIndex(where: { $0 >= 0 })
    else { return "" }
    if last - first + 1 == size { return "[\(first)..<\(last + 1)]" }
    return roles.contains(.group) ? " groups" : " in \(positions.count / size) parts"
  }
}
