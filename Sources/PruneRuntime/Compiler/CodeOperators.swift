import PruneGraph
import PruneTensor

/// Writes QLinearConv and QLinearMatMul with constant weights as what they mean, a float layer between DequantizeLinear
/// and QuantizeLinear: the form that is compiled to integer kernels, or to float ones where the machine has no fast
/// integer ones.
enum CodeOperators {
  static func run(_ model: Model) throws(PruneError) -> Model { try clipsOfFloats(try expanded(model)) }

  private static func expanded(_ model: Model) throws(PruneError) -> Model {
    guard model.graph.nodes.contains(where: { isWanted($0, model.graph) }) else { return model }
    var result = model
    var names = model.graph.allNames
    var nodes: [Node] = []
    for node in model.graph.nodes {
      guard isWanted(node, model.graph), let output = node.output(0) else {
        nodes.append(node)
        continue
      }
      func name(_ end: String) -> String { Graph.uniqueName(output + end, &names) }
      func dequantized(_ inputs: [String], axis: Int, _ end: String) -> String {
        let output = name(end)
        nodes.append(
          Node(
            "DequantizeLinear", name: node.name, inputs: inputs, outputs: [output],
            attributes: [Attribute("axis", .int(Int64(axis)))]))
        return output
      }
      let isConv = node.opType == "QLinearConv"
      var inputs = [
        dequantized([node.inputs[0], node.inputs[1], node.inputs[2]], axis: 0, "_data"),
        dequantized([node.inputs[3], node.inputs[4], node.inputs[5]], axis: isConv ? 0 : 1, "_weight"),
      ]
      if let bias = node.input(8) {
        let steps = name("_steps")
        nodes.append(Node("Mul", name: node.name, inputs: [node.inputs[1], node.inputs[4]], outputs: [steps]))
        inputs.append(dequantized([bias, steps], axis: 0, "_bias"))
      }
      let floats = name("_floats")
      nodes += [
        Node(
          isConv ? "Conv" : "MatMul", name: node.name, inputs: inputs, outputs: [floats], attributes: node.attributes),
        Node("QuantizeLinear", name: node.name, inputs: [floats, node.inputs[6], node.inputs[7]], outputs: [output]),
      ]
    }
    result.graph.nodes = nodes
    return result
  }

  /// Whether the weight is a constant and scales are such as DequantizeLinear and QuantizeLinear take.
  private static func isWanted(_ node: Node, _ graph: Graph) -> Bool {
    guard node.isStandard, ["QLinearConv", "QLinearMatMul"].contains(node.opType), node.inputs.count >= 8,
      let weight = graph.initializer(node.inputs[3]),
      node.opType == "QLinearConv" ? weight.shape.rank > 2 : weight.shape.rank == 2
    else { return false }
    let channels = weight.shape[node.opType == "QLinearConv" ? 0 : 1]
    func fits(_ place: Int, _ count: Int) -> Bool {
      guard let scale = graph.initializer(node.inputs[place]), let zero = graph.initializer(node.inputs[place + 1])
      else { return false }
      return scale.dtype == .float32 && scale.shape == zero.shape
        && (scale.shape.rank == 0 || scale.shape.dims == [count])
    }
    // A scale of one entry along an axis of one.
    return fits(1, -1) && fits(6, -1) && fits(4, channels)
  }

  /// Moves the Clip of a QuantizeLinear's result before it, where it is fused like an activation function.
  private static func clipsOfFloats(_ model: Model) throws(PruneError) -> Model {
    let graph = model.graph
    let clips = graph.nodes.indices.filter { graph.nodes[$0].isStandard && graph.nodes[$0].opType == "Clip" }
    guard !clips.isEmpty else { return model }
    var result = model
    var names = graph.allNames
    let producers = graph.producers, consumers = graph.consumers, outputs = Set(graph.outputs.map(\.name))
    for place in clips {
      let clip = graph.nodes[place]
      guard clip.inputs.count == 3, let codes = clip.input(0), let source = producers[codes],
        consumers[codes]?.count == 1,
        !outputs.contains(codes), graph.nodes[source].opType == "QuantizeLinear", graph.nodes[source].isStandard,
        graph.nodes[source].inputs.count == 3, let floats = graph.nodes[source].input(0),
        let step = graph.initializer(graph.nodes[source].inputs[1]), step.dtype == .float32,
        let zero = graph.initializer(graph.nodes[source].inputs[2]), step.count == 1, zero.count == 1,
        let low = graph.initializer(clip.inputs[1]), let high = graph.initializer(clip.inputs[2]), low.count == 1,
        high.count == 1
      else { continue }
      let scale = try step.array(of: Float.self)[0], point = try zero.doubles()[0]
      var inputs = [floats]
      for (bound, end) in [(low, "_low"), (high, "_high")] {
        let name = Graph.uniqueName(codes + end, &names)
        result.graph.setInitializer(name, try Tensor(scalar: Float(try bound.doubles()[0] - point) * scale))
        inputs.append(name)
      }
      let cut = Graph.uniqueName(codes + "_cut", &names)
      result.graph.nodes[source] = Node("Clip", name: clip.name, inputs: inputs, outputs: [cut])
      result.graph.nodes[place] = graph.nodes[source]
      result.graph.nodes[place].inputs[0] = cut
      result.graph.nodes[place].outputs = clip.outputs
    }
    return result
  }
}
