import PruneGraph
import PruneTensor

/// Resize with `axes`, which resizes those alone, as the Resize that says all of them.
///
/// ONNX Runtime moves the transpositions that its int8 convolutions bring through a Resize, and permutes scales and
/// sizes as if there were one for each axis: a file with `axes` loads there, and fails when it runs.
enum ResizeAxes {
  static func apply(_ model: Model) throws(PruneError) -> Model {
    guard model.graph.nodes.contains(where: isPartial) else { return model }
    let types = try ShapeInference.run(model).types
    var result = model, names = model.graph.allNames, nodes: [Node] = []
    for var node in model.graph.nodes {
      guard isPartial(node), let data = node.input(0), let rank = types[data]?.dims?.count, let output = node.output(0),
        let axes = axes(of: node, rank: rank)
      else {
        nodes.append(node)
        continue
      }
      func constant(_ tensor: Tensor, _ name: String) -> String {
        let name = Graph.uniqueName("\(output)_\(name)", &names)
        result.graph.setInitializer(name, tensor)
        return name
      }
      if let scales = node.input(2), let tensor = model.graph.initializer(scales), tensor.count == axes.count {
        var all = [Float](repeating: 1, count: rank)
        for (axis, value) in zip(axes, try tensor.cast(to: .float32).array(of: Float.self)) { all[axis] = value }
        node.inputs[2] = constant(try Tensor(all), "scales")
      } else if let sizes = node.input(3), axes == Array(rank - axes.count..<rank),
        node.string("keep_aspect_ratio_policy", default: "stretch") == "stretch"
      {
        // The extents in front stay as they are.
        let shape = Graph.uniqueName(output + "_shape", &names), front = Graph.uniqueName(output + "_front", &names)
        let all = Graph.uniqueName(output + "_sizes", &names)
        let bounds = [
          constant(try Tensor([Int64(0)]), "start"), constant(try Tensor([Int64(rank - axes.count)]), "end"),
        ]
        nodes += [
          Node("Shape", name: shape, inputs: [data], outputs: [shape]),
          Node("Slice", name: front, inputs: [shape] + bounds, outputs: [front]),
          Node(
            "Concat", name: all, inputs: [front, sizes], outputs: [all], attributes: [Attribute("axis", .int(0))]),
        ]
        node.inputs[3] = all
      } else {
        nodes.append(node)
        continue
      }
      node.set("axes", nil)
      nodes.append(node)
    }
    result.graph.nodes = nodes
    return result
  }

  private static func isPartial(_ node: Node) -> Bool {
    node.isStandard && node.opType == "Resize" && node.ints("axes") != nil && node.input(1) == nil
  }

  private static func axes(of node: Node, rank: Int) -> [Int]? {
    let axes = (node.ints("axes") ?? []).map { $0 < 0 ? $0 + rank : $0 }
    return Set(axes).count == axes.count && axes.allSatisfy((0..<rank).contains) ? axes : nil
  }
}
