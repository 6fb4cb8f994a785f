import PruneGraph
import PruneTensor

/// Runs graphs node by node with the reference kernels, subgraphs and local functions included.
package struct ReferenceInterpreter: Sendable {
  private let opsets: [OpsetImport]
  private let functions: [FunctionDefinition]
  private let cancel: CancelFlag?
  private let depth: Int

  private static let maximumDepth = 32

  package init(_ model: Model, cancel: CancelFlag? = nil) {
    self.init(opsets: model.opsets, functions: model.functions, cancel: cancel, depth: 0)
  }

  private init(
    opsets: [OpsetImport], functions: [FunctionDefinition], cancel: CancelFlag?, depth: Int
  ) {
    self.opsets = opsets
    self.functions = functions
    self.cancel = cancel
    self.depth = depth
  }

  /// The values of a graph's outputs.
  /// - Parameters:
  ///   - inputs: the graph's inputs by name; initializers stand in for those that are absent.
  ///   - captured: values of outer graphs.
  package func run(
    _ graph: Graph, _ inputs: [String: Tensor], captured: [String: Tensor] = [:]
  ) throws(PruneError) -> [Tensor] {
    var values = captured
    for input in graph.inputs { values[input.name] = nil }
    for weight in graph.initializers { values[weight.name] = weight.tensor }
    values.merge(inputs) { _, new in new }
    try run(graph.nodes, &values)
    var results: [Tensor] = []
    for output in graph.outputs {
      guard let tensor = values[output.name] else {
        throw PruneError(.invalidModel, "graph '\(graph.name)' has no value '\(output.name)'")
      }
      results.append(tensor)
    }
    return results
  }

  private func run(_ nodes: [Node], _ values: inout [String: Tensor]) throws(PruneError) {
    for node in nodes {
      try cancel?.check()
      let inputs = node.inputs.map { $0.isEmpty ? nil : values[$0] }
      for (name, tensor) in zip(node.inputs, inputs) where tensor == nil && !name.isEmpty {
        throw PruneError(.invalidModel, "value '\(name)' has not been computed", at: node.label)
      }
      let results = try evaluate(node, inputs, captured: values)
      for (name, tensor) in zip(node.outputs, results) where !name.isEmpty { values[name] = tensor }
    }
  }

  /// All outputs of a node.
  /// - Parameter captured: the values in scope, which the node's subgraphs may use.
  /// - Throws: `.unsupported` for an operator without a kernel, and what its kernel throws.
  package func evaluate(
    _ node: Node, _ inputs: [Tensor?], captured: [String: Tensor]
  ) throws(PruneError) -> [Tensor] {
    let version = opset(of: node)
    if node.isStandard, !node.subgraphs.isEmpty {
      guard depth < Self.maximumDepth else {
        throw PruneError(
          .invalidModel, "graphs are nested more than \(Self.maximumDepth) deep", at: node.label)
      }
      let inner = ReferenceInterpreter(
        opsets: opsets, functions: functions, cancel: cancel, depth: depth + 1)
      do throws(PruneError) {
        return try ControlFlow.evaluate(node, inputs, opset: version) {
          (graph, inputs) throws(PruneError) in
          try inner.cancel?.check()
          return try inner.run(graph, inputs, captured: captured)
        }
      } catch { throw error.located(at: node.label) }
    }
    if let function = functions.first(where: {
      $0.name == node.opType && $0.domain == node.domain && $0.overload == node.overload
    }) {
      return try call(function, node, inputs)
    }
    guard let kernel = ReferenceKernels.kernel(for: node, opset: version) else {
      throw PruneError(.unsupported, "no kernel runs this operator", at: node.label)
    }
    return try kernel(node, inputs, version)
  }

  private func opset(of node: Node) -> Int64 {
    opsets.first {
      $0.domain == node.domain || (node.isStandard && ($0.domain.isEmpty || $0.domain == "ai.onnx"))
    }?.version ?? 1
  }

  /// Runs a local function's body, its attributes replaced by the node's.
  private func call(_ function: FunctionDefinition, _ node: Node, _ inputs: [Tensor?])
    throws(PruneError) -> [Tensor]
  {
    guard depth < Self.maximumDepth else {
      throw PruneError(
        .invalidModel, "functions call each other more than \(Self.maximumDepth) deep",
        at: node.label)
    }
    var values: [String: Tensor] = [:]
    for (name, tensor) in zip(function.inputs, inputs) { values[name] = tensor }
    let body = function.nodes.map { Self.bound($0, node, function) }
    let inner = ReferenceInterpreter(
      opsets: function.opsets, functions: functions, cancel: cancel, depth: depth + 1)
    try inner.run(body, optional: Set(function.inputs), &values)
    var results: [Tensor] = []
    for name in function.outputs {
      guard let tensor = values[name] else {
        throw PruneError(.invalidModel, "the function has no value '\(name)'", at: node.label)
      }
      results.append(tensor)
    }
    return results
  }

  /// Runs nodes of a function, whose inputs may be absent.
  private func run(_ nodes: [Node], optional: Set<String>, _ values: inout [String: Tensor])
    throws(PruneError)
  {
    let present = values
    let absent = optional.filter { present[$0] == nil }
    try run(
      nodes.map { node in
        var copy = node
        copy.inputs = node.inputs.map { absent.contains($0) ? "" : $0 }
        return copy
      }, &values)
  }

  /// A node of a function's body with the attributes that refer to the function's own filled in.
  private static func bound(_ node: Node, _ caller: Node, _ function: FunctionDefinition) -> Node {
    var copy = node
    copy.attributes = node.attributes.compactMap { attribute in
      guard !attribute.referenceName.isEmpty else {
        guard case .graph(var graph) = attribute.value else { return attribute }
        graph.nodes = graph.nodes.map { bound($0, caller, function) }
        return Attribute(attribute.name, .graph(graph))
      }
      let value =
        caller.attribute(attribute.referenceName)
        ?? function.attributeDefaults.first { $0.name == attribute.referenceName }?.value
      return value.map { Attribute(attribute.name, $0) }
    }
    return copy
  }
}
