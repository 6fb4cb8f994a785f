import PruneGraph

/// The groups whose units run through sums of computed values: the channels of residual streams, which every block
/// behind them reads and writes.
struct ResidualStreams {
  private let spaces: Set<SpaceForest.ID>

  init(_ dependencies: Dependencies) {
    let graph = dependencies.model.graph
    var computed = Set(graph.trueInputs.map(\.name))
    var spaces: Set<SpaceForest.ID> = []
    for node in graph.nodes where node.inputs.contains(where: computed.contains) {
      computed.formUnion(node.outputs)
      guard node.isStandard, ["Add", "Sum"].contains(node.opType),
        node.inputs.count(where: computed.contains) > 1, let output = node.output(0)
      else { continue }
      let operands = node.inputs.filter(computed.contains).map { Set(Self.leaves(of: $0, dependencies)) }
      for leaf in Self.leaves(of: output, dependencies) where operands.allSatisfy({ $0.contains(leaf) }) {
        spaces.insert(leaf)
      }
    }
    self.spaces = spaces
  }

  func contains(_ group: UnitGroup) -> Bool { spaces.contains(group.space) }

  private static func leaves(of value: String, _ dependencies: Dependencies) -> [SpaceForest.ID] {
    (dependencies.axes[value] ?? []).flatMap(dependencies.forest.leaves)
  }
}
