import PruneGraph
import PruneRuntime
import PruneTensor

/// The proof that stored zeros do what masking does: the pruned model against the same network with its dense weights,
/// each multiplied by its mask inside the graph.
enum MaskCertificate {
  /// What the comparison found, or why there was none.
  enum Outcome {
    /// The largest difference of any output, relative to the largest value of that output.
    case difference(Double)
    case unavailable(String)
  }

  /// - Parameter dense: the weights before pruning, by initializer name.
  static func measure(_ pruned: Model, dense: [(name: String, tensor: Tensor)], _ settings: PruneOptions) -> Outcome {
    do {
      let masked = try multiplied(pruned, dense)
      let outcome = try settings.sampleInputs(of: pruned).first(pruned) { inputs throws(PruneError) in
        try Program(pruned, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
      }
      guard case .ran(let inputs, let stored) = outcome else {
        if case .missing(let reason) = outcome { return .unavailable(reason) }
        return .unavailable("")
      }
      let reference = try Program(masked, ProgramOptions(inputShapes: inputs.mapValues(\.shape))).run(inputs)
      var largest = 0.0
      for name in pruned.graph.outputs.map(\.name) {
        guard let a = stored[name], let b = reference[name], a.dtype == .float32, b.dtype == .float32 else { continue }
        largest = max(largest, try difference(a, b))
      }
      return largest.isFinite ? .difference(largest) : .unavailable("outputs are not finite")
    } catch {
      return .unavailable("the model does not run here: \(error)")
    }
  }

  /// The model with `dense * mask` in place of every pruned weight.
  static func multiplied(_ pruned: Model, _ dense: [(name: String, tensor: Tensor)]) throws(PruneError) -> Model {
    var model = pruned
    var names = model.graph.allNames
    var products: [Node] = []
    var renamed: [String: String] = [:]
    // Graphs inside nodes read weights by name: what they capture stays as it is stored.
    let captured = Set(model.graph.nodes.flatMap { node in node.subgraphs.isEmpty ? [] : node.allReads })
    for (name, tensor) in dense where !captured.contains(name) {
      guard let kept = pruned.graph.initializer(name), kept.shape == tensor.shape else { continue }
      let mask = Graph.uniqueName(name + "_mask", &names), product = Graph.uniqueName(name + "_masked", &names)
      var ones = try Tensor(zeros: .float32, kept.shape)
      var merged = tensor
      try kept.withSpan(of: Float.self) { stored throws(PruneError) in
        try ones.withMutableSpan(of: Float.self) { span throws(PruneError) in
          for index in span.indices where stored[index] != 0 { span[index] = 1 }
        }
        // What survived may have been trained since: the dense weight under the mask, the stored one elsewhere.
        try merged.withMutableSpan(of: Float.self) { span throws(PruneError) in
          for index in span.indices where stored[index] != 0 { span[index] = stored[index] }
        }
      }
      model.graph.setInitializer(name, merged)
      model.graph.setInitializer(mask, ones)
      products.append(Node("Mul", name: product, inputs: [name, mask], outputs: [product]))
      renamed[name] = product
    }
    for index in model.graph.nodes.indices {
      model.graph.nodes[index].inputs = model.graph.nodes[index].inputs.map { renamed[$0] ?? $0 }
    }
    model.graph.nodes.insert(contentsOf: products, at: 0)
    return model
  }

  private static func difference(_ a: Tensor, _ b: Tensor) throws(PruneError) -> Double {
    guard a.shape == b.shape else { return .infinity }
    return try a.withSpan(of: Float.self) { left throws(PruneError) in
      try b.withSpan(of: Float.self) { right throws(PruneError) in
        var largest: Float = 0, scale: Float = .leastNormalMagnitude
        for index in left.indices {
          let gap = (left[index] - right[index]).magnitude
          guard gap.isFinite else { return .infinity }
          largest = max(largest, gap)
          scale = max(scale, right[index].magnitude)
        }
        return Double(largest / scale)
      }
    }
  }
}
