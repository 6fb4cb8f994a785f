import PruneGraph
import PruneRuntime
import PruneTensor

/// |w| times the norm of the input it multiplies, over the given data (Wanda, Sun et al., 2024). Meant to be compared
/// within each output: allocation "row".
struct WandaImportance: Importance {
  var name: String { "wanda" }
  var needsData: Bool { true }
  var needsInputs: Bool { true }
  var impliedDivision: Allocation.Division? { .row }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    guard let data = context.data else { return .tensors([]) }
    let weights = context.weights.weights, uses = context.weights.uses()
    var probe = ActivationProbe(context.weights.model)
    var probes: [(weight: Int, value: String)] = []
    let unobserved = Set(context.weights.unobserved().map(\.weight.name))
    guard unobserved.count < weights.count || weights.isEmpty else {
      throw LayerMatrix.missing(weights[0], criterion: name)
    }
    for (index, weight) in weights.enumerated() where !unobserved.contains(weight.name) {
      for use in uses[index] {
        let value = try LayerInputs(use: use, shape: weight.tensor.shape).squares(&probe)
        probe.observe(value)
        probes.append((index, value))
      }
    }
    var sums = weights.indices.map { index in
      [Double](repeating: 0, count: uses[index].first.map { $0.matrix.groups * $0.matrix.columns } ?? 0)
    }
    try context.agree(name)
    try probe.run(
      data, batchSize: context.batchSize, cancel: context.cancel, communicator: context.communicator
    ) { values, _ throws(PruneError) in
      for (index, value) in probes {
        guard let tensor = values[value], tensor.count == sums[index].count else { continue }
        try tensor.withSpan(of: Float.self) { span throws(PruneError) in
          for place in span.indices { sums[index][place] += Double(span[place]) }
        }
      }
    }
    if let communicator = context.communicator {
      for index in sums.indices { sums[index] = try communicator.sum(sums[index]) }
    }
    var scores: [Tensor] = []
    let seen = zip(weights, sums).filter { !unobserved.contains($0.0.name) }.flatMap(\.1).map { $0.squareRoot() }
    let typical = Float(seen.reduce(0, +) / Double(max(seen.count, 1)))
    for (index, weight) in weights.enumerated() {
      guard !unobserved.contains(weight.name) else {
        // As if every input were one of the others'.
        scores.append(try weight.tensor.zipped(with: weight.tensor) { value, _ in abs(value) * typical })
        continue
      }
      let matrix = uses[index][0].matrix, norms = sums[index].map { Float($0.squareRoot()) }
      var tensor = weight.tensor
      try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for row in 0..<matrix.rows {
          let first = row / matrix.outputs * matrix.columns
          for column in 0..<matrix.columns {
            let place = matrix.offset(row, column)
            span[place] = abs(span[place]) * norms[first + column]
          }
        }
      }
      scores.append(tensor)
    }
    return .tensors(scores)
  }
}

/// How often an output is not zero behind its Relu: 1 - APoZ (Hu et al., 2016). Layers without a Relu come last.
struct ActivityImportance: Importance {
  var name: String { "apoz" }
  var needsData: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    guard let data = context.data else { return .tensors([]) }
    let weights = context.weights.weights, uses = context.weights.uses(), graph = context.weights.model.graph
    let consumers = graph.consumers
    var probe = ActivationProbe(context.weights.model)
    let zero = try probe.integers([0])
    let threshold = probe.emit("Cast", [zero], [Attribute("to", .int(1))])
    var probes: [(weight: Int, value: String)] = []
    for (index, uses) in uses.enumerated() {
      guard let use = uses.first, let relu = Self.activation(behind: use.output, graph, consumers) else { continue }
      let positive = probe.emit(
        "Cast", [probe.emit("Greater", [relu, threshold])], [Attribute("to", .int(1))])
      let isMap = use.node.opType.hasPrefix("Conv")
      let table = try probe.reshape(positive, isMap ? [0, use.matrix.rows, -1] : [-1, use.matrix.outputs, 1])
      let value = probe.emit("ReduceMean", [table] + (try Self.axes(&probe)), Self.axesAttributes(probe))
      probe.observe(value)
      probes.append((index, value))
    }
    var shares = [[Float]?](repeating: nil, count: weights.count)
    guard !probes.isEmpty else { return try FilterImportance.spread(shares, weights, uses, criterion: name) }
    try context.agree(name)
    try probe.run(
      data, batchSize: context.batchSize, cancel: context.cancel, communicator: context.communicator
    ) { values, count throws(PruneError) in
      for (index, value) in probes {
        guard let tensor = values[value] else { continue }
        let batch = try tensor.array(of: Float.self).map { $0 * Float(count) / Float(data.count) }
        shares[index] = shares[index].map { zip($0, batch).map(+) } ?? batch
      }
    }
    if let communicator = context.communicator {
      for (index, _) in probes {
        let count = try communicator.max([shares[index]?.count ?? 0])[0]
        shares[index] = try communicator.sum(shares[index] ?? [Float](repeating: 0, count: count))
      }
    }
    return try FilterImportance.spread(shares, weights, uses, criterion: name)
  }

  private static func axes(_ probe: inout ActivationProbe) throws(PruneError) -> [String] {
    (probe.model.opset() ?? Model.defaultOpset) >= 18 ? [try probe.integers([0, 2])] : []
  }

  private static func axesAttributes(_ probe: ActivationProbe) -> [Attribute] {
    let flag = Attribute("keepdims", .int(0))
    return (probe.model.opset() ?? Model.defaultOpset) >= 18 ? [flag] : [flag, Attribute("axes", .integers([0, 2]))]
  }

  /// The output of the Relu behind a layer, through a bias and a normalization.
  private static func activation(behind output: String, _ graph: Graph, _ consumers: [String: [Int]]) -> String? {
    var value = output
    for _ in 0..<3 {
      let readers = (consumers[value] ?? []).map { graph.nodes[$0] }.filter(\.isStandard)
      if let relu = readers.first(where: { $0.has(.limits) }) { return relu.output(0) }
      guard let next = readers.first(where: { ["Add", "BatchNormalization"].contains($0.opType) }),
        next.opType == "BatchNormalization" || next.inputs.contains(where: graph.hasInitializer),
        let output = next.output(0)
      else { return nil }
      value = output
    }
    return nil
  }
}

extension LayerMatrix {
  /// Why a weight has no matrix.
  static func missing(_ weight: PrunableWeight, criterion: String) -> PruneError {
    PruneError(
      .unsupported, "'\(criterion)' wants weights that a layer multiplies its input by, '\(weight.name)' is not one",
      at: "\(weight.operation) '\(weight.layer)'", hint: "leave it out with ignore = …")
  }
}
