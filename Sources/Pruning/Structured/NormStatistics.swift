import PruneGraph
import PruneRuntime
import PruneTensor

/// Means and variances of batch normalizations, measured anew: every normalization of a batch sees its own statistics, as in
/// training, and what is stored is their mean over the batches.
struct NormStatistics {
  private let batches: [[String: Tensor]]
  private let cancel: CancelFlag?

  init(_ batches: [[String: Tensor]], cancel: CancelFlag?) {
    self.batches = batches
    self.cancel = cancel
  }

  /// How many were measured.
  func run(_ model: inout Model) throws(PruneError) -> Int {
    var live = model
    var names = live.graph.allNames
    var nodes: [Node] = []
    var found: [(mean: String, variance: String, meanName: String, varianceName: String)] = []
    for node in model.graph.nodes {
      guard node.isStandard, node.opType == "BatchNormalization", let meanName = node.input(3), let varianceName = node.input(4),
        let rank = try rank(of: node, in: model), rank >= 2, let channels = model.graph.initializer(meanName)?.count,
        model.graph.hasInitializer(varianceName)
      else {
        nodes.append(node)
        continue
      }
      let parts = try expanded(node, rank: rank, channels: channels, opset: model.opset() ?? 17, &live, &names)
      nodes += parts.nodes
      found.append((parts.mean, parts.variance, meanName, varianceName))
    }
    guard !found.isEmpty, !batches.isEmpty else { return 0 }
    live.graph.nodes = nodes
    let wanted = found.flatMap { [$0.mean, $0.variance] }
    let session = Session(live, outputs: wanted)
    var sums: [String: [Double]] = [:]
    for batch in batches {
      let values = try session.run(batch, cancel: cancel)
      for name in wanted {
        guard let value = try values[name]?.doubles() else { continue }
        sums[name] = sums[name].map { zip($0, value).map { $0 + $1 } } ?? value
      }
    }
    for entry in found {
      for (name, sum) in [(entry.meanName, sums[entry.mean]), (entry.varianceName, sums[entry.variance])] {
        guard let sum, let old = model.graph.initializer(name), sum.count == old.count else { continue }
        let values = try Tensor(sum.map { $0 / Double(batches.count) }, old.shape)
        model.graph.setInitializer(name, try values.cast(to: old.dtype))
      }
    }
    return found.count
  }

  private func rank(of node: Node, in model: Model) throws(PruneError) -> Int? {
    let types = try ShapeInference.run(model)
    return node.input(0).flatMap { types.types[$0]?.dims?.count }
  }

  /// A normalization by the batch's own statistics, in plain operators.
  private func expanded(
    _ node: Node, rank: Int, channels: Int, opset: Int64, _ model: inout Model, _ names: inout Set<String>
  ) throws(PruneError) -> (nodes: [Node], mean: String, variance: String) {
    let base = node.layerName
    func name(_ part: String) -> String { Graph.uniqueName("\(base)_\(part)", &names) }
    let x = node.inputs[0], mean = name("mean"), variance = name("variance")
    let centered = name("centered"), square = name("square"), shifted = name("shifted"), deviation = name("deviation")
    let unit = name("unit"), scaled = name("scaled"), epsilon = name("epsilon"), scale = name("scale"), bias = name("bias")
    let shape = try Shape([1, channels] + [Int](repeating: 1, count: rank - 2))
    SharedConstants.store(epsilon, try Tensor(scalar: node.float("epsilon", default: 1e-5)), &model)
    for (given, stored) in [(node.inputs[1], scale), (node.inputs[2], bias)] {
      guard let tensor = model.graph.initializer(given) else {
        throw PruneError(.unsupported, "its scale and bias are not stored", at: node.label)
      }
      SharedConstants.store(stored, try tensor.cast(to: .float32).reshaped(shape), &model)
    }
    let axes = [0] + Array(2..<rank)
    func reduction(_ input: String, _ output: String) throws(PruneError) -> Node {
      guard opset >= 18 else {
        return Node("ReduceMean", name: output, inputs: [input], outputs: [output], attributes: [Attribute("axes", .integers(axes))])
      }
      let list = name("axes")
      SharedConstants.store(list, try Tensor(axes.map { Int64($0) }), &model)
      return Node("ReduceMean", name: output, inputs: [input, list], outputs: [output])
    }
    let nodes = [
      try reduction(x, mean), Node("Sub", name: centered, inputs: [x, mean], outputs: [centered]),
      Node("Mul", name: square, inputs: [centered, centered], outputs: [square]), try reduction(square, variance),
      Node("Add", name: shifted, inputs: [variance, epsilon], outputs: [shifted]),
      Node("Sqrt", name: deviation, inputs: [shifted], outputs: [deviation]),
      Node("Div", name: unit, inputs: [centered, deviation], outputs: [unit]),
      Node("Mul", name: scaled, inputs: [unit, scale], outputs: [scaled]),
      Node("Add", name: node.name, inputs: [scaled, bias], outputs: [node.outputs[0]]),
    ]
    return (nodes, mean, variance)
  }
}
