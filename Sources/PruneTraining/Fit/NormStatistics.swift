import PruneGraph
import PruneRuntime
import PruneTensor

/// Means and variances of what goes into batch normalizations, measured on batches: every normalization of a batch sees
/// its own statistics, as in training, and what counts is their mean over the batches.
package struct NormStatistics {
  private let batches: [[String: Tensor]]
  private let cancel: CancelFlag?

  package init(_ batches: [[String: Tensor]], cancel: CancelFlag?) {
    self.batches = batches
    self.cancel = cancel
  }

  /// Stores the statistics in the model's batch normalizations.
  /// - Returns: how many were measured.
  package func run(_ model: inout Model) throws(PruneError) -> Int {
    let types = try ShapeInference.run(model)
    var live = model
    var names = live.graph.allNames
    var entries: [(mean: String, variance: String, meanName: String, varianceName: String)] = []
    for (place, node) in model.graph.nodes.enumerated() {
      guard node.isStandard, node.opType == "BatchNormalization", let x = node.input(0), let output = node.output(0),
        let meanName = node.input(3), let varianceName = node.input(4), (types.types[x]?.dims?.count ?? 0) >= 2,
        model.graph.hasInitializer(meanName), model.graph.hasInitializer(varianceName)
      else { continue }
      let epsilon = Attribute("epsilon", .float(node.float("epsilon", default: 1e-5)))
      let measured = Self.node(Array(node.inputs.prefix(5)), output: output, [epsilon], &names)
      live.graph.nodes[place] = measured.node
      entries.append((measured.mean, measured.variance, meanName, varianceName))
    }
    guard !entries.isEmpty, !batches.isEmpty else { return 0 }
    let means = try averages(live, of: entries.flatMap { [$0.mean, $0.variance] })
    for entry in entries {
      for (name, values) in [(entry.meanName, means[entry.mean]), (entry.varianceName, means[entry.variance])] {
        guard let values, let old = model.graph.initializer(name), values.count == old.count else { continue }
        model.graph.setInitializer(name, try Tensor(values, old.shape).cast(to: old.dtype))
      }
    }
    return entries.count
  }

  /// A normalization by the batch's own statistics, and the values that hold them.
  /// - Parameter inputs: those of a BatchNormalization.
  static func node(
    _ inputs: [String], output: String, _ attributes: [Attribute], _ names: inout Set<String>
  ) -> (node: Node, mean: String, variance: String) {
    let others = ["saved_mean", "saved_inv_std", "batch_mean", "batch_var"].map {
      Graph.uniqueName("\(output).\($0)", &names)
    }
    // Nothing is kept of the statistics before.
    let node = Node(
      "BatchNormTrain", domain: GradientRules.trainingDomain, name: output, inputs: inputs, outputs: [output] + others,
      attributes: attributes + [Attribute("momentum", .float(0))])
    return (node, others[2], others[3])
  }

  /// Values of the graph, averaged over the batches.
  func averages(_ model: Model, of names: [String]) throws(PruneError) -> [String: [Double]] {
    let session = Session(model, outputs: names)
    var sums: [String: [Double]] = [:]
    for batch in batches {
      let values = try session.run(batch, cancel: cancel)
      for name in names {
        guard let value = try values[name]?.doubles() else { continue }
        sums[name] = sums[name].map { zip($0, value).map { $0 + $1 } } ?? value
      }
    }
    return sums.mapValues { $0.map { $0 / Double(batches.count) } }
  }
}
