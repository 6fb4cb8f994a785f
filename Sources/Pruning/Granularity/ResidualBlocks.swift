import PruneGraph
import PruneTensor

/// Blocks that can be removed as a whole: branches that are added to their own input.
struct ResidualBlocks {
  struct Block: Sendable {
    /// The Add, by its layer name.
    let name: String
    let add: Int
    /// The operand that stays when the branch is removed.
    let skip: String
    /// Which input of the Add is the branch.
    let branchInput: Int
    /// Nodes of the branch.
    let nodes: [Int]
    /// Stored weights that the branch alone reads.
    let weights: [String]
  }

  let model: Model
  private(set) var blocks: [Block] = []

  init(_ model: Model) throws(PruneError) {
    self.model = model
    let graph = model.graph, producers = graph.producers, consumers = graph.consumers
    let types = try ShapeInference.run(model).types
    let outputs = Set(graph.outputs.map(\.name))
    var usedNodes: Set<Int> = []
    for (index, node) in graph.nodes.enumerated()
    where node.isStandard && node.opType == "Add" && node.inputs.count == 2 {
      // What graphs inside nodes read by name is left alone.
      guard let sum = node.output(0), (consumers[sum] ?? []).allSatisfy({ graph.nodes[$0].subgraphs.isEmpty }) else {
        continue
      }
      for branchInput in 0..<2 {
        let branch = node.inputs[branchInput], skip = node.inputs[1 - branchInput]
        guard branch != skip, let type = types[skip], type.dims != nil, types[branch] == type,
          !graph.hasInitializer(skip),
          let nodes = Self.branch(branch, skip, index, graph, producers, consumers, outputs),
          usedNodes.isDisjoint(with: nodes)
        else { continue }
        let weights = Set(nodes.flatMap { graph.nodes[$0].inputs }).filter { name in
          graph.hasInitializer(name) && (consumers[name] ?? []).allSatisfy(nodes.contains)
        }
        guard weights.contains(where: { (graph.initializer($0)?.shape.rank ?? 0) > 1 }) else { continue }
        usedNodes.formUnion(nodes)
        blocks.append(
          Block(
            name: node.layerName, add: index, skip: skip, branchInput: branchInput, nodes: nodes.sorted(),
            weights: weights.sorted()))
        break
      }
    }
  }

  /// The nodes between `skip` and `branch`, when all they read is `skip` and stored tensors and nobody else reads them.
  private static func branch(
    _ branch: String, _ skip: String, _ add: Int, _ graph: Graph, _ producers: [String: Int],
    _ consumers: [String: [Int]],
    _ outputs: Set<String>
  ) -> Set<Int>? {
    var region: Set<Int> = []
    var queue = [branch]
    var meetsSkip = false
    while let name = queue.popLast() {
      if name == skip {
        meetsSkip = true
        continue
      }
      if graph.hasInitializer(name) || name.isEmpty { continue }
      guard let index = producers[name] else { return nil }
      guard region.insert(index).inserted else { continue }
      guard region.count <= 256, graph.nodes[index].subgraphs.isEmpty else { return nil }
      queue += graph.nodes[index].inputs
    }
    guard meetsSkip else { return nil }
    for index in region {
      for output in graph.nodes[index].outputs where !output.isEmpty {
        guard !outputs.contains(output), (consumers[output] ?? []).allSatisfy({ $0 == add || region.contains($0) })
        else { return nil }
      }
    }
    return region
  }

  /// The model without some blocks.
  func removing(_ chosen: [Int]) -> Model {
    var result = model
    var renamed: [String: String] = [:]
    let outputs = Set(model.graph.outputs.map(\.name))
    for place in chosen {
      let block = blocks[place], sum = model.graph.nodes[block.add].outputs[0]
      if outputs.contains(sum) {
        result.graph.nodes[block.add] = Node("Identity", name: block.name, inputs: [block.skip], outputs: [sum])
      } else {
        renamed[sum] = block.skip
      }
    }
    func final(_ name: String) -> String {
      var name = name
      while let next = renamed[name] { name = next }
      return name
    }
    for index in result.graph.nodes.indices {
      result.graph.nodes[index].inputs = result.graph.nodes[index].inputs.map(final)
    }
    result.removeDeadNodes()
    return result
  }

  /// The model with some branches multiplied by zero.
  func masking(_ chosen: [Int]) throws(PruneError) -> Model {
    var result = model
    var names = model.graph.allNames
    let zero = Graph.uniqueName("no_branch", &names)
    SharedConstants.store(zero, try Tensor(scalar: Float(0)), &result)
    for place in chosen.sorted(by: { blocks[$0].add > blocks[$1].add }) {
      let block = blocks[place], branch = model.graph.nodes[block.add].inputs[block.branchInput]
      let product = Graph.uniqueName(branch + "_masked", &names)
      result.graph.nodes[block.add].inputs[block.branchInput] = product
      result.graph.nodes.insert(Node("Mul", name: product, inputs: [branch, zero], outputs: [product]), at: block.add)
    }
    return result
  }
}
