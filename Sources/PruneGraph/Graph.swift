import PruneTensor

/// A dataflow graph (`GraphProto`): nodes in topological order, joined by value names, each name written once.
package struct Graph: Sendable {
  package var name: String
  package var docString: String
  package var nodes: [Node]
  /// Graph inputs. Before IR version 4 initializers are listed here too; see `trueInputs`.
  package var inputs: [ValueInfo]
  package var outputs: [ValueInfo]
  /// Types of inner values, where the file gives them.
  package var valueInfo: [ValueInfo]
  /// Weights and constants, in file order.
  package private(set) var initializers: [TensorValue]
  package var extra: ExtraFields
  private var initializerIndex: [String: Int]

  package init(name: String = "") {
    self.name = name
    docString = ""
    nodes = []
    inputs = []
    outputs = []
    valueInfo = []
    initializers = []
    extra = []
    initializerIndex = [:]
  }

  // MARK: - Initializers

  package func initializer(_ name: String) -> Tensor? { initializerIndex[name].map { initializers[$0].tensor } }
  package func hasInitializer(_ name: String) -> Bool { initializerIndex[name] != nil }

  /// Replaces the initializer of that name, or adds one at the end.
  package mutating func setInitializer(_ name: String, _ tensor: Tensor) {
    if let index = initializerIndex[name] {
      initializers[index].tensor = tensor
    } else {
      append(initializer: TensorValue(name: name, tensor: tensor))
    }
  }

  /// Adds an initializer as read; a second one of the same name replaces the first.
  package mutating func append(initializer: TensorValue) {
    if let index = initializerIndex[initializer.name] {
      initializers[index] = initializer
    } else {
      initializerIndex[initializer.name] = initializers.count
      initializers.append(initializer)
    }
  }

  package mutating func removeInitializers(where isUnwanted: (TensorValue) -> Bool) {
    initializers.removeAll(where: isUnwanted)
    initializerIndex = Dictionary(uniqueKeysWithValues: initializers.enumerated().map { ($1.name, $0) })
  }

  /// Inputs that a caller has to feed: those that no initializer gives a default to.
  package var trueInputs: [ValueInfo] { inputs.filter { initializerIndex[$0.name] == nil } }

  // MARK: - Names

  /// Every value name that this graph defines or uses, subgraphs included.
  package var allNames: Set<String> {
    var names = Set(initializers.map(\.name)).union(inputs.map(\.name)).union(outputs.map(\.name))
    for node in nodes {
      names.formUnion(node.inputs)
      names.formUnion(node.outputs)
      for subgraph in node.subgraphs { names.formUnion(subgraph.allNames) }
    }
    return names
  }

  /// `base`, or `base_2`, `base_3`, …: the first that is not among `usedNames`. The result is added to `usedNames`.
  package static func uniqueName(_ base: String, _ usedNames: inout Set<String>) -> String {
    var candidate = base
    var number = 2
    while !usedNames.insert(candidate).inserted {
      candidate = "\(base)_\(number)"
      number += 1
    }
    return candidate
  }

  /// Node position that writes each value.
  package var producers: [String: Int] {
    var result: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { result[output] = index }
    }
    return result
  }

  /// Node positions that read each value, subgraph captures included, in order.
  package var consumers: [String: [Int]] {
    var result: [String: [Int]] = [:]
    for (index, node) in nodes.enumerated() {
      for input in node.allReads where result[input]?.last != index { result[input, default: []].append(index) }
    }
    return result
  }
}
