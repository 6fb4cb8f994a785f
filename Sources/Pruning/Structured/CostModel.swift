import PruneGraph
import PruneTensor

/// What a network costs with so many units of each group left: without building it.
struct CostModel {
  private let forest: SpaceForest
  private let nodes: [CostedNode]
  private let tensors: [StoredTensor]

  struct Cost: Sendable, Hashable {
    var params = 0
    var macs = 0
    var bytes = 0
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

  init(_ dependencies: Dependencies) {
    let forest = dependencies.forest, model = dependencies.model
    self.forest = forest
    func shrinking(_ name: String) -> [(axis: Int, space: SpaceForest.ID)] {
      (dependencies.axes[name] ?? []).enumerated().compactMap { axis, space in
        forest.leaves(space).contains { forest.pins($0).isEmpty } ? (axis, space) : nil
      }
    }
    let types = Self.singleSample(model) ?? dependencies.symbolic
    var nodes: [CostedNode] = []
    for node in model.graph.nodes {
      let inputs = node.inputs.map { types.types[$0] }, outputs = node.outputs.map { types.types[$0] }
      guard NodeCost.macs(node, inputs: inputs, outputs: outputs) > 0 else { continue }
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

  /// What an extent other than the batch counts as where the model leaves it open: a short sequence, a small image.
  static let openExtent = 64

  /// Shapes of inputs that leave more than the batch open, for one sample; none of a model that does not.
  static func openInputs(_ model: Model) -> [String: Shape] {
    var result: [String: Shape] = [:]
    for input in model.graph.trueInputs {
      guard let dims = input.type?.dims, dims.dropFirst().contains(where: { $0.value == nil }) else { continue }
      result[input.name] = try? Shape(dims.enumerated().map { axis, dim in dim.value ?? (axis == 0 ? 1 : openExtent) })
    }
    return result
  }

  /// Types for one sample; where open extents of 64 do not fit the model, only the batch is bound.
  private static func singleSample(_ model: Model) -> GraphTypes? {
    var single: [String: TensorType] = [:]
    for input in model.graph.trueInputs {
      guard var type = input.type, let first = type.dims?.first, first.value == nil else { continue }
      type.dims?[0] = .fixed(1)
      single[input.name] = type
    }
    var bound = single
    for (name, shape) in openInputs(model) { bound[name] = TensorType(single[name]?.dtype, shape.dims.map(Dim.fixed)) }
    return (try? ShapeInference.run(model, inputs: bound)) ?? (try? ShapeInference.run(model, inputs: single))
  }

  /// The cost with the given numbers of units left in spaces; all others whole.
  func cost(_ kept: [SpaceForest.ID: Int]) -> Cost {
    var cost = Cost()
    for tensor in tensors {
      var dims = tensor.dims
      for (axis, space) in tensor.spaces { dims[axis] = forest.count(space, kept) }
      let count = dims.reduce(1, *)
      if tensor.isParameter { cost.params += count }
      cost.bytes += (count * tensor.bits + 7) / 8
    }
    for node in nodes {
      let inputs = node.inputs.map { shrunk($0, kept) }, outputs = node.outputs.map { shrunk($0, kept) }
      cost.macs = cost.macs.addingReportingOverflow(NodeCost.macs(node.node, inputs: inputs, outputs: outputs)).partialValue
    }
    return cost
  }

  private func shrunk(_ operand: Operand, _ kept: [SpaceForest.ID: Int]) -> TensorType? {
    guard var type = operand.type, var dims = type.dims else { return operand.type }
    for (axis, space) in operand.spaces where axis < dims.count { dims[axis] = .fixed(forest.count(space, kept)) }
    type.dims = dims
    return type
  }
}
