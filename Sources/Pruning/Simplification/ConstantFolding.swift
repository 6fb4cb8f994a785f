import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Nodes whose results follow from constants or from shapes alone, with those results in their place.
struct ConstantFolding {
  private var model: Model
  private(set) var count = 0
  /// Values that must stay as they are called: outputs, and what graphs inside nodes read.
  private let kept: Set<String>
  /// Initializers that a caller may feed, and weights that pruning holds at zero by their names.
  private let changeable: Set<String>

  /// The size that a folded result may always have; a larger one may not exceed the operands that it replaces.
  private static let freeBytes = 1 << 16

  init(_ model: Model) {
    self.model = model
    kept = Self.kept(in: model.graph)
    changeable = Set(model.graph.inputs.map(\.name)).union(model.maskedParameters)
  }

  /// Outputs of the graph, and what graphs inside nodes read.
  static func kept(in graph: Graph) -> Set<String> {
    Set(graph.outputs.map(\.name)).union(graph.nodes.flatMap(\.captures))
  }

  /// The model without what nobody reads any more.
  var finished: Model {
    var result = model
    result.removeDeadNodes()
    return result
  }

  /// Shapes, and values that are computed from them.
  mutating func foldShapes(_ types: GraphTypes) {
    var nodes: [Node] = []
    for node in model.graph.nodes {
      guard node.isStandard, node.subgraphs.isEmpty, node.opType != "Constant", node.outputs.count == 1,
        let output = node.output(0),
        !kept.contains(output), let value = types.values[output], let numbers = value.integers,
        let dtype = types.types[output]?.dtype, dtype.isInteger || dtype == .bool,
        let shape = try? Shape(value.dims), let tensor = try? Tensor(numbers.map(Int64.init), shape).cast(to: dtype)
      else {
        nodes.append(node)
        continue
      }
      model.graph.setInitializer(output, tensor)
      count += 1
    }
    model.graph.nodes = nodes
    let before = model.graph.nodes.count
    let folded = ShapeConstants.folded(model)
    // An output that is a constant stays a node's result: a file whose output is an initializer puzzles readers.
    guard kept.allSatisfy({ name in !folded.graph.hasInitializer(name) || model.graph.hasInitializer(name) }) else {
      return
    }
    model = folded
    count += before - folded.graph.nodes.count
  }

  /// All other values that depend only on constants, computed by the kernels that would run each time.
  mutating func foldConstants() {
    let readers = model.graph.consumers
    var nodes: [Node] = []
    for node in model.graph.nodes {
      guard let outputs = results(of: node, readers) else {
        nodes.append(node)
        continue
      }
      for (name, tensor) in zip(node.outputs, outputs) where !name.isEmpty { model.graph.setInitializer(name, tensor) }
      count += 1
    }
    model.graph.nodes = nodes
  }

  /// Ifs whose condition is known, by the branch that is taken.
  mutating func foldBranches() {
    let (inlined, found) = BranchInlining.run(model, changeable: changeable)
    guard found > 0 else { return }
    model = inlined
    count += found
  }

  private func results(of node: Node, _ readers: [String: [Int]]) -> [Tensor]? {
    // Weights that are stored in fewer bits stay so; random numbers are new in each run.
    guard node.isStandard, node.subgraphs.isEmpty, !node.outputs.contains(where: kept.contains),
      node.operation?.kind != .storage, node.operation?.kind != .random, node.opType != "Constant", !node.inputs.isEmpty
    else { return nil }
    var operands: [Tensor?] = [], bytes = 0
    for name in node.inputs {
      guard name.isEmpty || !changeable.contains(name) else { return nil }
      guard let tensor = model.graph.initializer(name) else {
        guard name.isEmpty else { return nil }
        operands.append(nil)
        continue
      }
      operands.append(tensor)
      if readers[name]?.count == 1 { bytes += tensor.byteCount }
    }
    let opset = model.opset() ?? Model.defaultOpset
    let limit = max(bytes, Self.freeBytes)
    let types = operands.map { $0.map { TensorType($0.dtype, $0.shape) } }
    guard let rule = InferenceRules.rule(for: node, opset: opset),
      let outputTypes = try? rule(node, types, operands, opset),
      outputTypes.count == node.outputs.count,
      outputTypes.allSatisfy({ type in
        type.shape.flatMap { type.dtype?.byteCount($0.count) }.map { $0 <= limit } ?? false
      }),
      let kernel = ReferenceKernels.kernel(for: node, opset: opset), let outputs = try? kernel(node, operands, opset),
      outputs.count == node.outputs.count
    else { return nil }
    return outputs
  }
}
