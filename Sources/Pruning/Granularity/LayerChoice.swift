import PruneTensor

/// The residual branches that a prune may take.
struct LayerChoice {
  let blocks: ResidualBlocks
  /// Places in the list of blocks.
  let places: [Int]

  var count: Int { places.count }

  /// - Throws: `.invalidArgument` when there is none.
  init(_ blocks: ResidualBlocks, scope: [String], ignore: [String]) throws(PruneError) {
    let nodes = blocks.model.graph.nodes
    func isMatched(_ block: ResidualBlocks.Block, _ patterns: [String]) -> Bool {
      patterns.contains { text in
        let pattern = NamePattern(text)
        return pattern.matches(block.name) || block.nodes.contains { pattern.matches(nodes[$0].layerName) }
      }
    }
    self.blocks = blocks
    places = blocks.blocks.indices.filter { place in
      let block = blocks.blocks[place]
      return (scope.isEmpty || isMatched(block, scope)) && !isMatched(block, ignore)
    }
    guard places.isEmpty else { return }
    throw PruneError(
      .invalidArgument,
      blocks.blocks.isEmpty
        ? "the model has no layer to prune: no branch is added to what it is computed from"
        : "scope and ignore leave none of the \(blocks.blocks.count) layers that could be pruned")
  }
}
