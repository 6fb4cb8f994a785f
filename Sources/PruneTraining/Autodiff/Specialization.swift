import PruneGraph
import PruneRuntime
import PruneTensor

/// A model brought to the form that autodiff works on: concrete shapes, functions inlined, everything that follows from
/// shapes and constants alone computed.
package struct Specialization: Sendable {
  package var model: Model
  /// The type of every value of `model`.
  package var types: GraphTypes
  private let variables: Set<String>

  /// Larger results are left to be computed when they are needed.
  private static let foldedByteLimit = 64 << 20

  /// - Parameters:
  ///   - inputs: shapes of the graph's inputs; they replace what the model declares, a fixed batch size too.
  ///   - variables: initializers that change between runs, and so are no constants.
  /// - Throws: `.invalidArgument` for an input without a shape; `.mismatch` when shapes contradict each other.
  package init(
    _ model: Model, inputs: [String: Shape], variables: Set<String>
  ) throws(PruneError) {
    let inlined = try FunctionInlining.run(model)
    self.model = inlined
    self.variables = variables
    types = GraphTypes()
    var constants: [String: Tensor] = [:]
    for weight in inlined.graph.initializers {
      types.types[weight.name] = TensorType(weight.tensor.dtype, weight.tensor.shape)
      if !variables.contains(weight.name) { constants[weight.name] = weight.tensor }
    }
    self.model.graph.inputs = []
    self.model.graph.valueInfo = []
    for input in inlined.graph.trueInputs {
      guard let shape = inputs[input.name] ?? input.type?.shape, let dtype = input.type?.dtype else {
        throw PruneError(
          .invalidArgument,
          "input '\(input.name)' is declared \(input.type?.description ?? "unknown"): its shape is open")
      }
      let type = TensorType(dtype, shape)
      types.types[input.name] = type
      self.model.graph.inputs.append(ValueInfo(name: input.name, type: type))
    }
    var kept: [Node] = []
    /// What graphs inside nodes give, where both branches and every round of a loop agree on it.
    var control: GraphTypes?
    // What changes between runs. Recurrent operators that read it are written out: for their gradients, and for
    // products that need no constant weights.
    var changing = variables
    var waiting = Array(inlined.graph.nodes.reversed())
    while let node = waiting.popLast() {
      if let parts = try unrolled(node, changing) {
        for (name, tensor) in parts.constants {
          constants[name] = tensor
          types.types[name] = TensorType(tensor.dtype, tensor.shape)
        }
        waiting += parts.nodes.reversed()
        continue
      }
      if node.allReads.contains(where: changing.contains) { changing.formUnion(node.outputs.filter { !$0.isEmpty }) }
      if let results = try fold(node, constants) {
        for (name, tensor) in zip(node.outputs, results) where !name.isEmpty {
          constants[name] = tensor
          types.types[name] = TensorType(tensor.dtype, tensor.shape)
        }
        continue
      }
      for (name, type) in zip(node.outputs, try inferred(node, constants)) where !name.isEmpty {
        types.types[name] = type
      }
      if !node.subgraphs.isEmpty {
        let all = control ?? (try? ShapeInference.run(inlined, inputs: types.types)) ?? GraphTypes()
        control = all
        for name in node.outputs where types.types[name] == nil { types.types[name] = all.types[name] }
      }
      kept.append(node)
    }
    self.model.graph.nodes = kept
    let used = Set(kept.flatMap(\.allReads)).union(inlined.graph.outputs.map(\.name))
    self.model.graph.removeInitializers { !used.contains($0.name) }
    for name in used.sorted() where !self.model.graph.hasInitializer(name) {
      if let tensor = constants[name] { self.model.graph.setInitializer(name, tensor) }
    }
    for index in self.model.graph.outputs.indices {
      let name = self.model.graph.outputs[index].name
      if let type = types.types[name] { self.model.graph.outputs[index].type = type }
    }
    if self.model.opset(GradientRules.trainingDomain) == nil {
      self.model.opsets.append(OpsetImport(domain: GradientRules.trainingDomain, version: 1))
    }
  }

  /// Adds a constant.
  mutating func define(_ name: String, _ tensor: Tensor) {
    model.graph.setInitializer(name, tensor)
    types.types[name] = TensorType(tensor.dtype, tensor.shape)
  }

  /// Adds a node at the end, or its results where they follow from constants and shapes.
  mutating func append(_ node: Node) throws(PruneError) {
    var constants: [String: Tensor] = [:]
    for name in node.inputs where !variables.contains(name) { constants[name] = model.graph.initializer(name) }
    if let results = try fold(node, constants) {
      for (name, tensor) in zip(node.outputs, results) where !name.isEmpty { define(name, tensor) }
      return
    }
    for (name, type) in zip(node.outputs, try inferred(node, constants)) where !name.isEmpty {
      types.types[name] = type
    }
    model.graph.nodes.append(node)
  }

  /// A recurrent operator as the steps it takes, where something it reads changes and it can be written out.
  private func unrolled(_ node: Node, _ changing: Set<String>) throws(PruneError) -> RecurrentUnrolling? {
    guard node.operation?.kind == .recurrent, node.inputs.contains(where: changing.contains) else { return nil }
    let shapes = node.inputs.map { types.shape($0) }
    guard RecurrentUnrolling.refusal(of: node, shapes: shapes) == nil else { return nil }
    return try RecurrentUnrolling(node, shapes: shapes, opset: opset(node))
  }

  private func opset(_ node: Node) -> Int64 { model.opset(node.domain) ?? 1 }

  private func inferred(_ node: Node, _ constants: [String: Tensor]) throws(PruneError) -> [TensorType] {
    guard let rule = InferenceRules.rule(for: node, opset: opset(node)) else { return [] }
    do {
      return try rule(node, node.inputs.map { types.types[$0] }, node.inputs.map { constants[$0] }, opset(node))
    } catch {
      throw error.located(at: node.label)
    }
  }

  /// The node's results when they follow from shapes or constants.
  private func fold(_ node: Node, _ constants: [String: Tensor]) throws(PruneError) -> [Tensor]? {
    guard node.isStandard, node.subgraphs.isEmpty, node.operation?.kind != .random else { return nil }
    var arguments: [Tensor?] = []
    for name in node.inputs {
      if name.isEmpty {
        arguments.append(nil)
      } else if let tensor = constants[name] {
        arguments.append(tensor)
      } else if node.opType == "Shape" || node.opType == "Size", let shape = types.shape(name) {
        return try shapeResult(node, shape)
      } else {
        return nil
      }
    }
    guard let kernel = ReferenceKernels.kernel(for: node, opset: opset(node)) else { return nil }
    let before = arguments.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    let after = try inferred(node, constants).reduce(0) { $0 + 8 * ($1.shape?.count ?? 0) }
    guard after <= max(Self.foldedByteLimit, 8 * before) else { return nil }
    do { return try kernel(node, arguments, opset(node)) } catch { throw error.located(at: node.label) }
  }

  private func shapeResult(_ node: Node, _ shape: Shape) throws(PruneError) -> [Tensor] {
    if node.opType == "Size" { return [try Tensor(scalar: Int64(shape.count))] }
    func bound(_ name: String, _ fallback: Int) -> Int {
      let value = node.int(name, default: fallback)
      return max(0, min(value < 0 ? value &+ shape.rank : value, shape.rank))
    }
    let start = bound("start", 0)
    return [try Tensor(shape.dims[start..<max(bound("end", shape.rank), start)].map(Int64.init))]
  }
}
