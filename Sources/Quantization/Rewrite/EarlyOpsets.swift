import PruneGraph
import PruneTensor

/// The operators of opsets 7 to 12 in the form of opset 13: attributes that became inputs, and operators that got
/// another name or meaning.
struct EarlyOpsets {
  private let opset: Int64
  private let types: GraphTypes?
  private var names: Set<String>
  private var graph: Graph
  private var nodes: [Node] = []

  /// - Parameter types: of the values of `graph`, where they are known.
  /// - Throws: `.unsupported` naming what cannot be said in opset 13 without a change of meaning.
  static func raise(
    _ graph: Graph, from opset: Int64, _ names: inout Set<String>, types: GraphTypes?
  ) throws(PruneError) -> Graph {
    var raising = EarlyOpsets(opset: opset, types: types, names: names, graph: graph)
    for node in graph.nodes {
      do throws(PruneError) { try raising.raise(node) } catch { throw error.located(at: node.label) }
    }
    raising.graph.nodes = raising.nodes
    names = raising.names
    return raising.graph
  }

  private init(opset: Int64, types: GraphTypes?, names: Set<String>, graph: Graph) {
    (self.opset, self.types, self.names, self.graph) = (opset, types, names, graph)
  }

  private mutating func raise(_ original: Node) throws(PruneError) {
    var node = original
    for place in node.attributes.indices {
      guard case .graph(let inner) = node.attributes[place].value else { continue }
      node.attributes[place].value = .graph(try Self.raise(inner, from: opset, &names, types: nil))
    }
    guard node.isStandard else { return nodes.append(node) }
    switch node.opType {
    case "BatchNormalization":
      guard node.int("spatial", default: 1) == 1 else { throw Self.changed("BatchNormalization with spatial = 0") }
      node.set("spatial", nil)
    case "Clip" where opset < 11:
      for (place, name) in ["min", "max"].enumerated() {
        guard case .float(let value)? = node.attribute(name) else { continue }
        try input(place + 1, of: &node, name, Tensor(scalar: value))
      }
    case "Dropout" where opset < 12:
      guard node.output(1) == nil || opset >= 10 else { throw Self.changed("the mask of a Dropout") }
      if case .float(let ratio)? = node.attribute("ratio") { try input(1, of: &node, "ratio", Tensor(scalar: ratio)) }
    case "Pad" where opset < 11:
      guard let pads = node.ints("pads") ?? node.ints("paddings") else { throw Self.changed("a Pad without pads") }
      try input(1, of: &node, "pads", Tensor(pads.map(Int64.init)))
      node.set("paddings", nil)
      let value = node.float("value", default: 0)
      if value != 0 { try input(2, of: &node, "value", Tensor(scalar: value)) } else { node.set("value", nil) }
    case "Slice" where opset < 10:
      for (place, name) in ["starts", "ends", "axes"].enumerated() {
        if let numbers = node.ints(name) { try input(place + 1, of: &node, name, Tensor(numbers.map(Int64.init))) }
      }
    case "TopK" where opset < 10:
      try input(1, of: &node, "k", Tensor([Int64(node.int("k", default: 1))]))
    case "Squeeze", "Unsqueeze", "ReduceSum":
      if let axes = node.ints("axes") { try input(1, of: &node, "axes", Tensor(axes.map(Int64.init))) }
    case "Split":
      if let parts = node.ints("split") { try input(1, of: &node, "split", Tensor(parts.map(Int64.init))) }
    case "Scatter": node.opType = "ScatterElements"
    case "Upsample": try resize(&node, scales: node.input(1))
    case "Resize" where opset < 11: try resize(&node, scales: node.input(1))
    case "Scan" where opset < 9: throw Self.changed("Scan of opset 8")
    case "Softmax", "LogSoftmax", "Hardmax": return flattened(node)
    default: break
    }
    nodes.append(node)
  }

  /// Turns an attribute into an input.
  private mutating func input(_ place: Int, of node: inout Node, _ attribute: String, _ tensor: Tensor)
    throws(PruneError)
  {
    let name = Graph.uniqueName("\(node.outputs.first ?? node.name)_\(attribute)", &names)
    graph.setInitializer(name, tensor)
    while node.inputs.count <= place { node.inputs.append("") }
    node.inputs[place] = name
    node.set(attribute, nil)
  }

  /// Upsample, and Resize of opset 10, as the Resize that computes the same positions.
  private mutating func resize(_ node: inout Node, scales: String?) throws(PruneError) {
    let data = node.inputs.first ?? ""
    if let scales {
      node.inputs = [data, "", scales]
    } else {
      guard let scales = node.floats("scales") else { throw Self.changed("an Upsample without scales") }
      node.inputs = [data, "", ""]
      try input(2, of: &node, "scales", Tensor(scales))
    }
    node.opType = "Resize"
    node.set("coordinate_transformation_mode", .text("asymmetric"))
    let mode = node.string("mode", default: "nearest")
    node.set("mode", .text(mode == "bilinear" ? "linear" : mode))
    if mode == "nearest" { node.set("nearest_mode", .text("floor")) }
  }

  /// Softmax over all axes from one on, which before opset 13 was what `axis` meant.
  private mutating func flattened(_ original: Node) {
    var node = original
    guard let data = node.input(0), let output = node.output(0) else { return nodes.append(node) }
    let axis = node.int("axis", default: 1), rank = types?.types[data]?.dims?.count
    if let rank, axis == rank - 1 || axis == -1 {
      node.set("axis", .int(-1))
      return nodes.append(node)
    }
    let base = original.outputs[0]
    let shape = Graph.uniqueName(base + "_shape", &names), flat = Graph.uniqueName(base + "_flat", &names)
    let result = Graph.uniqueName(base + "_rows", &names)
    node.inputs = [flat]
    node.outputs = [result]
    node.set("axis", .int(-1))
    nodes += [
      Node("Shape", name: shape, inputs: [data], outputs: [shape]),
      Node("Flatten", name: flat, inputs: [data], outputs: [flat], attributes: [Attribute("axis", .int(Int64(axis)))]),
      node,
      Node("Reshape", name: base + "_reshape", inputs: [result, shape], outputs: [output]),
    ]
  }

  private static func changed(_ what: String) -> PruneError {
    PruneError(
      .unsupported, "\(what) has no form in the opset that is needed", hint: "export the model at opset 13 or later")
  }
}
