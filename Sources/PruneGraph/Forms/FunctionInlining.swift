import PruneTensor

/// Replaces calls of model-local functions by their bodies, and contributed operators by the standard ones they stand
/// for, inside the graphs of If, Loop and Scan too.
package struct FunctionInlining {
  /// Functions may call functions; deeper than this is taken for recursion.
  private static let depthLimit = 32
  /// A few small functions that call each other can stand for more nodes than there is memory.
  private static let nodeLimit = 1 << 16

  private let functions: [FunctionDefinition]
  private var opsets: [OpsetImport]
  private let names: FreeNames
  private let nodeNames: FreeNames
  private let expandsContributed: Bool
  private var nodeCount = 0

  /// - Parameter contributed: whether operators of `com.microsoft` are expanded, too.
  package static func run(_ model: Model, contributed: Bool = true) throws(PruneError) -> Model {
    guard !model.functions.isEmpty || contributed && ContributedOperators.occur(in: model.graph) else { return model }
    var inlining = FunctionInlining(
      functions: model.functions, opsets: model.opsets, names: FreeNames(usedNames: model.graph.allNames),
      nodeNames: FreeNames(usedNames: Set(model.graph.nodes.map(\.name))), expands: contributed)
    var result = model
    result.graph.nodes = try inlining.inlined(model.graph.nodes, depth: 0)
    result.opsets = inlining.opsets
    result.functions = []
    return result
  }

  private init(
    functions: [FunctionDefinition], opsets: [OpsetImport], names: FreeNames, nodeNames: FreeNames, expands: Bool
  ) {
    self.nodeNames = nodeNames
    expandsContributed = expands
    self.functions = functions
    self.opsets = opsets
    self.names = names
  }

  private mutating func inlined(_ nodes: [Node], depth: Int) throws(PruneError) -> [Node] {
    var result: [Node] = []
    for node in nodes { try inline(node, depth: depth, into: &result) }
    return result
  }

  private mutating func inline(_ node: Node, depth: Int, into nodes: inout [Node]) throws(PruneError) {
    if depth > 0 { nodeCount += 1 }
    guard nodeCount <= Self.nodeLimit else {
      throw PruneError(.invalidModel, "functions stand for more than \(Self.nodeLimit) nodes", at: node.label)
    }
    guard
      let function = functions.first(where: {
        $0.name == node.opType && $0.domain == node.domain && $0.overload == node.overload
      })
    else {
      if expandsContributed, let parts = ContributedOperators.expansion(of: node, names.make) {
        nodes += parts
        return
      }
      var copy = node
      for (index, attribute) in node.attributes.enumerated() {
        guard case .graph(var graph) = attribute.value else { continue }
        graph.nodes = try inlined(graph.nodes, depth: depth)
        copy.attributes[index].value = .graph(graph)
      }
      nodes.append(copy)
      return
    }
    guard depth < Self.depthLimit else {
      throw PruneError(.invalidModel, "function '\(function.name)' calls itself", at: node.label)
    }
    for imported in function.opsets where !opsets.contains(where: { $0.domain == imported.domain }) {
      opsets.append(imported)
    }
    var names: [String: String] = [:]
    for (index, formal) in function.inputs.enumerated() { names[formal] = node.input(index) ?? "" }
    for (index, formal) in function.outputs.enumerated() {
      names[formal] = node.output(index) ?? self.names.make("\(node.name)/\(formal)")
    }
    var attributes = Dictionary(
      function.attributeDefaults.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for attribute in node.attributes { attributes[attribute.name] = attribute }
    for inner in function.nodes {
      for output in inner.outputs where !output.isEmpty && names[output] == nil {
        names[output] = self.names.make("\(node.name)/\(output)")
      }
      var copy = Self.bound(inner, names, attributes)
      copy.outputs = inner.outputs.map { names[$0] ?? $0 }
      let innerName = inner.name.isEmpty ? inner.opType : inner.name
      copy.name = nodeNames.make(node.name.isEmpty ? innerName : "\(node.name)/\(innerName)")
      try inline(copy, depth: depth + 1, into: &nodes)
    }
  }

  /// A node of a function's body that reads the caller's values, with the function's attributes filled in.
  static func bound(_ node: Node, _ names: [String: String], _ attributes: [String: Attribute]) -> Node {
    var copy = node
    copy.inputs = node.inputs.map { names[$0] ?? $0 }
    copy.attributes = node.attributes.compactMap { attribute in
      guard attribute.referenceName.isEmpty else {
        return attributes[attribute.referenceName].map { Attribute(attribute.name, $0.value) }
      }
      guard case .graph(var graph) = attribute.value else { return attribute }
      var visible = names
      for name in graph.inputs.map(\.name) + graph.initializers.map(\.name) + graph.nodes.flatMap(\.outputs) {
        visible[name] = nil
      }
      graph.nodes = graph.nodes.map { bound($0, visible, attributes) }
      for index in graph.outputs.indices {
        if let outer = visible[graph.outputs[index].name] { graph.outputs[index].name = outer }
      }
      return Attribute(attribute.name, .graph(graph))
    }
    return copy
  }
}

/// Value names that nothing has yet. Goes on from the number it gave last, so that many alike stay cheap.
private final class FreeNames {
  private var usedNames: Set<String>
  private var numbers: [String: Int] = [:]

  init(usedNames: Set<String>) { self.usedNames = usedNames }

  func make(_ base: String) -> String {
    var number = numbers[base] ?? 1
    var candidate = number == 1 ? base : "\(base)_\(number)"
    while !usedNames.insert(candidate).inserted {
      number += 1
      candidate = "\(base)_\(number)"
    }
    numbers[base] = number + 1
    return candidate
  }
}
