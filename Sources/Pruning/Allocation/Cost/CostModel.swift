import PruneEvaluation
import PruneGraph
import PruneTensor

/// The cost of a network with a number of units left in each group, without building it.
struct CostModel {
  private let forest: SpaceForest
  private let nodes: [CostedNode]
  private let tensors: [StoredTensor]

  struct Cost: Sendable, Hashable {
    var params = 0
    /// Nil while those of a layer depend on an extent that is not known.
    var macs: Int? = 0
    var bytes = 0

    /// As a number to divide a budget by: of MACs, what is refused before while they are open.
    func value(_ kind: CostTarget.Kind) -> Double {
      switch kind {
      case .params: Double(params)
      case .bytes: Double(bytes)
      case .macs, .latency: Double(macs ?? 0)
      }
    }

    /// The share of another cost that this is; nil while one is open.
    func share(_ kind: CostTarget.Kind, of whole: Cost) -> Double? {
      if kind == .macs, macs == nil || whole.macs == nil { return nil }
      return value(kind) / max(whole.value(kind), 1)
    }
  }

  private struct CostedNode {
    let node: Node
    let inputs: [Operand]
    let outputs: [Operand]
  }

  private struct Operand {
    let type: TensorType?
    /// The spaces of axes that can shrink.
    let spaces: [(axis: Int, space: SpaceForest.ID)]
  }

  private struct StoredTensor {
    let dims: [Int]
    let spaces: [(axis: Int, space: SpaceForest.ID)]
    let bits: Int
    let isParameter: Bool
  }

  /// - Parameter extents: what the inputs' open extents are, for one sample.
  init(_ dependencies: Dependencies, _ extents: BoundExtents) {
    let forest = dependencies.forest, model = dependencies.model
    self.forest = forest
    func shrinking(_ name: String) -> [(axis: Int, space: SpaceForest.ID)] {
      (dependencies.axes[name] ?? []).enumerated().compactMap { axis, space in
        forest.leaves(space).contains { forest.pins($0).isEmpty } ? (axis, space) : nil
      }
    }
    let bound = extents.types(of: model, overrides: true)
    let types = (try? ShapeInference.run(ShapeConstants.folded(model), inputs: bound)) ?? dependencies.symbolic
    var nodes: [CostedNode] = []
    for node in model.graph.nodes {
      let inputs = node.inputs.map { types.types[$0] }, outputs = node.outputs.map { types.types[$0] }
      guard NodeCost.macs(node, inputs: inputs, outputs: outputs) != 0 else { continue }
      nodes.append(
        CostedNode(
          node: node, inputs: zip(node.inputs, inputs).map { Operand(type: $1, spaces: shrinking($0)) },
          outputs: zip(node.outputs, outputs).map { Operand(type: $1, spaces: shrinking($0)) }))
    }
    self.nodes = nodes
    tensors = dependencies.stored.keys.sorted().compactMap { name in
      guard let tensor = dependencies.stored[name] else { return nil }
      return StoredTensor(
        dims: tensor.shape.dims, spaces: shrinking(name), bits: tensor.dtype.bitWidth,
        isParameter: tensor.shape.rank > 0 && (tensor.dtype.isFloatingPoint || tensor.dtype.bitWidth == 8))
    }
  }

  /// The cost with the given numbers of units left in spaces; all others whole.
  func cost(_ kept: [SpaceForest.ID: Int]) -> Cost { cost { forest.count($0, kept) } }

  /// The cost behind a cut.
  func cost(of cut: Cut) -> Cost { cost { forest.mask($0, cut.kept)?.count { $0 } ?? forest.size($0) } }

  private func cost(_ size: (SpaceForest.ID) -> Int) -> Cost {
    var cost = Cost()
    for tensor in tensors {
      var dims = tensor.dims
      for (axis, space) in tensor.spaces { dims[axis] = size(space) }
      let count = dims.reduce(1, *)
      if tensor.isParameter { cost.params += count }
      cost.bytes += (count * tensor.bits + 7) / 8
    }
    for node in nodes {
      let inputs = node.inputs.map { shrunk($0, size) }, outputs = node.outputs.map { shrunk($0, size) }
      guard let macs = NodeCost.macs(node.node, inputs: inputs, outputs: outputs), let sum = cost.macs else {
        cost.macs = nil
        break
      }
      cost.macs = sum.addingReportingOverflow(macs).partialValue
    }
    return cost
  }

  private func shrunk(_ operand: Operand, _ size: (SpaceForest.ID) -> Int) -> TensorType? {
    guard var type = operand.type, var dims = type.dims else { return operand.type }
    for (axis, space) in operand.spaces where axis < dims.count { dims[axis] = .fixed(size(space)) }
    type.dims = dims
    return type
  }
}

extension Dependencies {
  /// The units that are left in the spaces of groups that lose some.
  /// - Parameter removed: how many go, by group.
  func kept(_ removed: [Int]) -> [SpaceForest.ID: Int] {
    var result: [SpaceForest.ID: Int] = [:]
    for (group, count) in zip(groups, removed) where count > 0 { result[group.space] = group.size - count }
    return result
  }
}
