import PruneGraph
import PruneTensor

/// Walks nodes in order and checks that names are written once and before they are read, subgraphs included.
struct GraphValidator {
  private let domains: Set<String>
  /// Names visible at this point, one set for each graph around it.
  private var scopes: [Set<String>] = []
  /// The nodes of each graph around this point, and which of them is being looked at.
  private var levels: [(nodes: [Node], current: Int)] = []

  init(opsets: [OpsetImport]) {
    domains = Set(opsets.map { $0.domain == "ai.onnx" ? "" : $0.domain })
  }

  mutating func check(_ graph: Graph) throws(PruneError) {
    let label = "graph '\(graph.name)'"
    var inputs: Set<String> = []
    for input in graph.inputs {
      guard !input.name.isEmpty else { throw PruneError(.invalidModel, "an input of the graph has no name", at: label) }
      guard inputs.insert(input.name).inserted else {
        throw PruneError(.invalidModel, "two inputs are named '\(input.name)'", at: label)
      }
      if let tensor = graph.initializer(input.name) { try Self.check(input, against: tensor) }
    }
    for value in graph.initializers where value.name.isEmpty {
      throw PruneError(
        .invalidModel, "an initializer \(value.tensor.dtype.name) \(value.tensor.shape) has no name", at: label)
    }
    let names = graph.inputs.map(\.name) + graph.initializers.map(\.name)
    try check(nodes: graph.nodes, inputs: names, outputs: graph.outputs.map(\.name), of: label)
  }

  /// - Parameters:
  ///   - inputs: names that no node of the list writes.
  ///   - label: the graph or function, for errors.
  mutating func check(
    nodes: [Node], inputs: [String], outputs: [String], of label: String
  ) throws(PruneError) {
    scopes.append(Set(inputs))
    levels.append((nodes, 0))
    defer {
      scopes.removeLast()
      levels.removeLast()
    }
    let depth = scopes.count - 1
    for (index, node) in nodes.enumerated() {
      levels[depth].current = index
      do throws(PruneError) { try check(node) } catch { throw error.located(at: node.label) }
    }
    levels[depth].current = nodes.count
    for output in outputs {
      guard !output.isEmpty else { throw PruneError(.invalidModel, "an output has no name", at: label) }
      guard isVisible(output) else {
        throw PruneError(
          .invalidModel, "the output '\(output)' is written by no node, input or initializer", at: label,
          hint: "the file was damaged, or edited wrongly")
      }
    }
  }

  private mutating func check(_ node: Node) throws(PruneError) {
    guard !node.opType.isEmpty else { throw PruneError(.invalidModel, "the node has no operator type") }
    guard domains.contains(node.domain == "ai.onnx" ? "" : node.domain) else {
      throw PruneError(
        .invalidModel,
        "the node is of domain '\(node.isStandard ? "ai.onnx" : node.domain)', which the model does not import",
        hint: "opset_import has to list every domain that is used")
    }
    for input in node.inputs where !input.isEmpty && !isVisible(input) { throw unresolved(input) }
    for subgraph in node.subgraphs { try check(subgraph) }
    for output in node.outputs where !output.isEmpty {
      guard scopes[scopes.count - 1].insert(output).inserted else {
        throw PruneError(
          .invalidModel, "the node writes '\(output)', which is already a value of the graph",
          hint: "each value may be written once: rename one of the two")
      }
    }
  }

  private static func check(_ input: ValueInfo, against tensor: Tensor) throws(PruneError) {
    let dtypeFits = input.type?.dtype == nil || input.type?.dtype == tensor.dtype
    let dims = input.type?.dims
    let dimsFit =
      dims == nil
      || (dims?.count == tensor.shape.rank
        && zip(dims ?? [], tensor.shape.dims).allSatisfy { $0.value == nil || $0.value == $1 })
    guard dtypeFits, dimsFit else {
      throw PruneError(
        .mismatch,
        "'\(input.name)' is declared \(input.type?.description ?? "?"), its initializer is \(tensor.dtype.name) \(tensor.shape)"
      )
    }
  }

  private func isVisible(_ name: String) -> Bool { scopes.contains { $0.contains(name) } }

  // MARK: - Why a name is not there

  private func unresolved(_ name: String) -> PruneError {
    for level in levels.reversed() {
      guard let producer = level.nodes[level.current...].firstIndex(where: { $0.outputs.contains(name) }) else {
        continue
      }
      if let circle = Self.circle(from: producer, to: level.current, level.nodes) {
        let labels = circle.map { level.nodes[$0].label }
        let cycle = labels.count > 6 ? Array(labels.prefix(3)) + ["…"] + labels.suffix(2) : labels
        return PruneError(
          .invalidModel,
          "the graph has a cycle: '\(name)' depends on itself through " + cycle.joined(separator: " <- "),
          hint: "a graph must be acyclic; loops are written with the operator Loop")
      }
      return PruneError(
        .invalidModel,
        "the node reads '\(name)' before it is written by \(level.nodes[producer].label), node \(producer) in the file",
        hint: "nodes must come in topological order: sort them and save again")
    }
    return PruneError(
      .invalidModel, "the node reads '\(name)', which is written by no node, input or initializer",
      hint: "the file was damaged, or edited wrongly")
  }

  /// The nodes from `start` back to `goal`, each reading the one behind it; nil when `start` does not depend on `goal`.
  private static func circle(from start: Int, to goal: Int, _ nodes: [Node]) -> [Int]? {
    var producers: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { for output in node.outputs { producers[output] = index } }
    var cameFrom: [Int: Int] = [start: start]
    var open = [start]
    while let index = open.popLast() {
      if index == goal {
        var path = [index]
        while let last = path.last, last != start, let previous = cameFrom[last] { path.append(previous) }
        return path.reversed()
      }
      for input in nodes[index].allReads {
        guard let producer = producers[input], cameFrom[producer] == nil else { continue }
        cameFrom[producer] = index
        open.append(producer)
      }
    }
    return nil
  }
}
