import PruneTensor

/// One operation (`NodeProto`).
package struct Node: Sendable {
  package var name: String
  package var opType: String
  /// "" is the standard domain.
  package var domain: String
  package var overload: String
  /// Value names; "" marks an optional input that is absent.
  package var inputs: [String]
  package var outputs: [String]
  package var attributes: [Attribute]
  package var docString: String
  package var metadata: [MetadataEntry]
  package var extra: ExtraFields

  package init(
    _ opType: String, domain: String = "", name: String = "", inputs: [String], outputs: [String],
    attributes: [Attribute] = []
  ) {
    self.name = name
    self.opType = opType
    self.domain = domain
    overload = ""
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
    docString = ""
    metadata = []
    extra = []
  }

  /// The name, or that of the first output for a node without one.
  package var layerName: String { name.isEmpty ? outputs.first ?? "" : name }

  /// How errors and reports call the node: `Conv 'layer1.0.conv1'`, by its first output when it has no name.
  package var label: String {
    "\(domain.isEmpty || domain == "ai.onnx" ? "" : "\(domain).")\(opType) '\(layerName)'"
  }

  package var isStandard: Bool { domain.isEmpty || domain == "ai.onnx" }

  /// The name that tables of operators know it by: `Conv`, or `domain.operator` outside the standard domain.
  package var operatorName: String { isStandard ? opType : "\(domain).\(opType)" }

  /// The name of input `index`, nil when it is absent.
  package func input(_ index: Int) -> String? {
    index >= 0 && index < inputs.count && !inputs[index].isEmpty ? inputs[index] : nil
  }
  package func output(_ index: Int) -> String? {
    index >= 0 && index < outputs.count && !outputs[index].isEmpty ? outputs[index] : nil
  }

  /// Graphs held by attributes: branches of If, bodies of Loop and Scan.
  package var subgraphs: [Graph] {
    attributes.flatMap { attribute -> [Graph] in
      switch attribute.value {
      case .graph(let graph): [graph]
      case .graphs(let graphs): graphs
      default: []
      }
    }
  }

  /// Inputs, and the names that subgraphs capture from outside.
  package var allReads: [String] { inputs.filter { !$0.isEmpty } + captures }

  /// The names that subgraphs take from outside, in order of use.
  package var captures: [String] {
    var reads: [String] = []
    for subgraph in subgraphs {
      var inner = Set(subgraph.initializers.map(\.name)).union(subgraph.inputs.map(\.name))
      for node in subgraph.nodes {
        reads.append(contentsOf: node.allReads.filter { !inner.contains($0) })
        inner.formUnion(node.outputs)
      }
      reads.append(contentsOf: subgraph.outputs.map(\.name).filter { !inner.contains($0) })
    }
    return reads
  }

  // MARK: - Attributes

  package func attribute(_ name: String) -> AttributeValue? { attributes.first { $0.name == name }?.value }

  package func int(_ name: String) -> Int? {
    if case .int(let value)? = attribute(name) { return Int(value) }
    return nil
  }
  package func int(_ name: String, default value: Int) -> Int { int(name) ?? value }

  package func float(_ name: String, default value: Float) -> Float {
    if case .float(let number)? = attribute(name) { return number }
    return value
  }
  package func ints(_ name: String) -> [Int]? {
    if case .ints(let values)? = attribute(name) { return values.map(Int.init) }
    return nil
  }
  package func floats(_ name: String) -> [Float]? {
    if case .floats(let values)? = attribute(name) { return values }
    return nil
  }
  package func string(_ name: String, default value: String) -> String {
    if case .string(let bytes)? = attribute(name) { return String(decoding: bytes, as: UTF8.self) }
    return value
  }
  package func tensor(_ name: String) -> Tensor? {
    if case .tensor(let value)? = attribute(name) { return value.tensor }
    return nil
  }
  package func graph(_ name: String) -> Graph? {
    if case .graph(let value)? = attribute(name) { return value }
    return nil
  }

  /// Sets an attribute, or removes it with nil.
  package mutating func set(_ name: String, _ value: AttributeValue?) {
    if let index = attributes.firstIndex(where: { $0.name == name }) {
      if let value { attributes[index].value = value } else { attributes.remove(at: index) }
    } else if let value {
      attributes.append(Attribute(name, value))
    }
  }
}
