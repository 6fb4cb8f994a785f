import PruneGraph
import PruneTensor

/// Means and variances over the units that a mask keeps, in plain operators: what a normalization that is to lose units
/// is compared with.
struct MaskedStatistics {
  let axis: Int
  /// The tensor of zeros and ones.
  let mask: String
  let dtype: DType
  /// All units over those that are kept: what a mean over all becomes one over the kept ones by.
  let share: Float

  /// What takes the node's place: of a ReduceMean, a LayerNormalization or an RMSNormalization.
  mutating func nodes(for node: Node, _ model: inout Model, _ names: inout Set<String>) throws(PruneError) -> [Node] {
    let factor = try constant("share", share, node, &model, &names)
    if node.opType == "ReduceMean" {
      var mean = node
      let kept = name("kept", node, &names), all = name("all", node, &names)
      mean.inputs[0] = kept
      mean.outputs[0] = all
      return [
        Node("Mul", name: kept, inputs: [node.inputs[0], mask], outputs: [kept]), mean,
        Node("Mul", name: node.name, inputs: [all, factor], outputs: [node.outputs[0]]),
      ]
    }
    var result: [Node] = []
    func add(_ op: String, _ inputs: [String], _ output: String? = nil) -> String {
      let output = output ?? Graph.uniqueName("\(node.layerName)_\(op)", &names)
      result.append(Node(op, name: output, inputs: inputs, outputs: [output]))
      return output
    }
    let opset = model.opset() ?? 1
    var axes = ""
    if opset >= 18 {
      axes = name("axes", node, &names)
      SharedConstants.store(axes, try Tensor([Int64(axis)]), &model)
    }
    func mean(_ x: String) -> String {
      let kept = add("Mul", [x, mask])
      let all = Graph.uniqueName("\(node.layerName)_mean", &names)
      let attributes = opset >= 18 ? [] : [Attribute("axes", .integers([axis]))]
      result.append(
        Node(
          "ReduceMean", name: all, inputs: opset >= 18 ? [kept, axes] : [kept], outputs: [all], attributes: attributes))
      return add("Mul", [all, factor])
    }
    let epsilon = try constant("epsilon", node.float("epsilon", default: 1e-5), node, &model, &names)
    let x = node.opType == "LayerNormalization" ? add("Sub", [node.inputs[0], mean(node.inputs[0])]) : node.inputs[0]
    let deviation = add("Sqrt", [add("Add", [mean(add("Mul", [x, x])), epsilon])])
    let hasBias = node.input(2) != nil
    let scaled = add("Mul", [add("Div", [x, deviation]), node.inputs[1]], hasBias ? nil : node.outputs[0])
    if hasBias { _ = add("Add", [scaled, node.inputs[2]], node.outputs[0]) }
    return result
  }

  private func name(_ part: String, _ node: Node, _ names: inout Set<String>) -> String {
    Graph.uniqueName("\(node.layerName)_\(part)", &names)
  }

  private func constant(
    _ part: String, _ value: Float, _ node: Node, _ model: inout Model, _ names: inout Set<String>
  ) throws(PruneError) -> String {
    let stored = name(part, node, &names)
    SharedConstants.store(stored, try Tensor(scalar: value).cast(to: dtype), &model)
    return stored
  }
}
