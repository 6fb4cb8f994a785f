import PruneGraph
import PruneRuntime
import PruneTensor

/// A weight that pruning may remove elements of: the kernel of a convolution or a matrix that a layer multiplies by.
package struct PrunableWeight: Sendable {
  /// The initializer.
  package let name: String
  /// The first layer that uses it: the node's name, or that of its output.
  package let layer: String
  /// That layer's operator.
  package let operation: String
  /// Every layer that uses it.
  package let layers: [String]
  package let tensor: Tensor
}

/// The prunable weights of a model, those left out, and why.
package struct PrunableWeights: Sendable {
  /// The model they are in: weights that were `Constant` nodes are initializers of the same name here, and
  /// floating-point numbers of any other type are float32.
  package private(set) var model: Model
  package private(set) var weights: [PrunableWeight] = []
  /// Constant operands of prunable layers that cannot be pruned.
  package private(set) var skipped: [Skipped] = []

  package struct Skipped: Sendable {
    package let name: String
    package let layer: String
    package let reason: String
  }

  /// The model in the types that it was given in, where `model` is a float32 copy.
  package private(set) var stored: Model?

  /// All prunable weights, in the order that the graph uses them: kernels, matrices and gates. Biases, norms and
  /// embedding tables are not among them.
  /// - Parameter direct: weights are as their layers read them, rather than as they lie in the given model.
  /// - Throws: `.invalidModel` for functions that cannot be inlined.
  package init(of model: Model, direct: Bool = false) throws(PruneError) {
    var opened = try model.opened()
    if direct { opened = try DirectWeights.apply(opened, keepsShared: true, keepsTypes: true) }
    stored = opened.hasOtherFloatWeights ? opened : nil
    self.model = try stored?.float32Form(keepsInterface: false) ?? opened
    let sources = WeightSources(self.model.graph)
    var layers: [String: [String]] = [:]
    var order: [(weight: WeightSource, node: Node)] = []
    for node in self.model.graph.nodes where node.opType != "Gather" {
      for index in node.weightOperands {
        guard let operand = node.input(index), let weight = sources.source(of: operand) else { continue }
        if layers[weight.name] == nil { order.append((weight, node)) }
        if layers[weight.name]?.last != node.layerName { layers[weight.name, default: []].append(node.layerName) }
      }
    }
    let computed = ComputedWeights(self.model)
    for node in self.model.graph.nodes where node.opType != "Gather" {
      for refusal in computed.refusals(of: node) where !skipped.contains(where: { $0.name == refusal.value }) {
        skipped.append(Skipped(name: refusal.value, layer: node.layerName, reason: refusal.reason))
      }
    }
    // A tied embedding: the table is no weight to prune, but reads one.
    for node in self.model.graph.nodes where node.opType == "Gather" {
      guard let table = node.weightOperands.first.flatMap(node.input), let weight = sources.source(of: table),
        layers[weight.name] != nil
      else { continue }
      layers[weight.name, default: []].append(node.layerName)
    }
    for (weight, node) in order {
      let name = weight.name, tensor = weight.tensor
      let reason: String? =
        tensor.dtype != .float32
        ? "is \(tensor.dtype.name)"
        : tensor.shape.rank < 2
          ? "has rank \(tensor.shape.rank)"
          : tensor.count == 0 ? "is empty" : nil
      if let reason {
        skipped.append(Skipped(name: name, layer: node.layerName, reason: reason))
        continue
      }
      weights.append(
        PrunableWeight(
          name: name, layer: node.layerName, operation: node.opType, layers: layers[name] ?? [], tensor: tensor))
    }
  }

  /// Gives every use of a weight except the first its own copy. The bytes are shared until one of them changes.
  /// - Returns: the names of the layers that got one, and what the copies take in a file.
  mutating func splitUses() -> (layers: [String], bytes: Int) {
    var split: [String] = [], bytes = 0
    var names = model.graph.allNames
    for weight in weights where weight.layers.count > 1 {
      let readers = model.graph.consumers[weight.name] ?? []
      guard readers.count > 1, let tensor = model.graph.initializer(weight.name) else { continue }
      let copy = Graph.uniqueName("\(weight.name).whole", &names)
      model.graph.setInitializer(copy, tensor)
      bytes += tensor.byteCount
      let first = readers.first { model.graph.nodes[$0].opType != "Gather" } ?? readers[0]
      for reader in readers where reader != first {
        for (place, input) in model.graph.nodes[reader].inputs.enumerated() where input == weight.name {
          model.graph.nodes[reader].inputs[place] = copy
        }
        split.append(model.graph.nodes[reader].layerName)
      }
    }
    return (split, bytes)
  }

  /// Those that `scope` names, all when it is empty, without those that `ignore` names.
  /// - Throws: `.notFound` for a pattern that matches nothing, `.invalidArgument` when nothing is left.
  package init(of model: Model, scope: [String], ignore: [String]) throws(PruneError) {
    try self.init(of: model, direct: true)
    let all = weights
    for (option, patterns) in [("scope", scope), ("ignore", ignore)] {
      for pattern in patterns { try Self.check(pattern, option: option, all, model.graph) }
    }
    let scopePatterns = scope.map { NamePattern($0) }, ignorePatterns = ignore.map { NamePattern($0) }
    weights = all.filter { weight in
      (scopePatterns.isEmpty || scopePatterns.contains { weight.isMatched(by: $0) })
        && !ignorePatterns.contains { weight.isMatched(by: $0) }
    }
    guard weights.isEmpty else { return }
    guard all.isEmpty else {
      throw PruneError(.invalidArgument, "scope and ignore leave no weight to prune of the \(all.count) there are")
    }
    let why = skipped.prefix(3).map { "'\($0.name)' of \($0.layer) \($0.reason)" }.joined(separator: ", ")
    throw PruneError(
      .invalidArgument,
      "the model has no prunable weight: a constant operand of Conv, ConvTranspose, Gemm, MatMul, "
        + "LSTM, GRU or RNN",
      hint: why)
  }

  /// Elements in all.
  package var count: Int { weights.reduce(0) { $0 + $1.tensor.count } }

  /// A copy with other tensors in place of the weights'.
  package func replacing(_ tensors: [Tensor]) -> PrunableWeights {
    var copy = self
    copy.weights = zip(weights, tensors).map { weight, tensor in
      PrunableWeight(
        name: weight.name, layer: weight.layer, operation: weight.operation, layers: weight.layers, tensor: tensor)
    }
    return copy
  }

  /// One of the weights, in the same model.
  func only(_ index: Int) -> PrunableWeights {
    var copy = self
    copy.weights = weights.indices.contains(index) ? [weights[index]] : []
    return copy
  }

  /// All but those of these names, in the same model.
  func without(_ names: Set<String>) -> PrunableWeights {
    var copy = self
    copy.weights.removeAll { names.contains($0.name) }
    return copy
  }

  /// The weights as they now are in a model with the same names.
  package func current(in model: Model) -> PrunableWeights {
    var copy = replacing(weights.map { model.graph.initializer($0.name) ?? $0.tensor })
    copy.model = model
    return copy
  }

  // MARK: - Parts

  private static func check(
    _ pattern: String, option: String, _ weights: [PrunableWeight], _ graph: Graph
  ) throws(PruneError) {
    let matcher = NamePattern(pattern)
    if weights.contains(where: { $0.isMatched(by: matcher) }) { return }
    let isKnown =
      graph.nodes.contains { matcher.matches($0.layerName) }
      || graph.initializers.contains { matcher.matches($0.name) }
    // Leaving out what is never pruned is no mistake.
    if isKnown, option == "ignore" { return }
    let names = weights.flatMap { $0.layers + [$0.name] }
    throw PruneError(
      .notFound,
      isKnown
        ? "\(option) pattern '\(pattern)' matches only what has no prunable weight"
        : "\(option) pattern '\(pattern)' matches no layer and no weight",
      hint: Suggestion.hint(for: pattern, among: names))
  }
}

extension PrunableWeight {
  fileprivate func isMatched(by pattern: NamePattern) -> Bool {
    pattern.matches(name) || layers.contains { pattern.matches($0) }
  }
}
