import PruneGraph
import PruneTensor

/// Weights as their layers read them: what stands between a stored weight and its layer (Transpose, Reshape, Identity,
/// Cast) is done once, so that every scheme sees the weight itself.
package enum DirectWeights {
  /// - Parameters:
  ///   - keepsShared: leaves a weight that other nodes read as it was stored.
  ///   - keepsTables: leaves a weight that rows are gathered from as it was stored.
  ///   - keepsTypes: leaves a weight behind a Cast.
  ///   - reshapedOnly: leaves a weight whose axes are what they were, in another order.
  /// Weights that are computed from constants (a product with a mask, parts that are joined) are what they come to,
  /// unless `reshapedOnly`.
  /// - Returns: the model without those nodes; such a weight is there in both forms.
  package static func apply(
    _ model: Model, keepsShared: Bool = false, keepsTables: Bool = false, keepsTypes: Bool = false,
    reshapedOnly: Bool = false
  ) throws(PruneError) -> Model {
    func passes(_ node: Node) -> Bool { node.isMovement || !keepsTypes && node.isStandard && node.opType == "Cast" }
    let model = reshapedOnly ? model : ComputedWeights(model).folded()
    let readers = keepsShared ? model.graph.consumers : [:]
    let tables = Set(
      keepsTables ? model.graph.nodes.filter { $0.isStandard && $0.opType == "Gather" }.compactMap { $0.input(0) } : [])
    func isShared(_ source: WeightSource) -> Bool {
      tables.contains(source.name)
        || keepsShared && ([source.name] + source.path.flatMap(\.outputs)).contains { (readers[$0]?.count ?? 0) > 1 }
    }
    let sources = WeightSources(model.graph), opset = model.opset() ?? Model.defaultOpset
    var result = model
    var names = model.graph.allNames
    /// The direct weights, by the value that a layer reads.
    var direct: [String: (name: String, origin: String)] = [:]
    for (position, node) in model.graph.nodes.enumerated() {
      for place in node.parameterOperands {
        guard let value = node.input(place), let source = sources.source(of: value, through: passes),
          !source.path.isEmpty,
          source.tensor.dtype.isFloatingPoint,
          !reshapedOnly || source.path.contains(where: { ["Reshape", "Flatten"].contains($0.opType) })
        else { continue }
        if source.path.allSatisfy({ $0.opType == "Identity" }) {
          // The same bytes: no copy is made.
          direct[value] = (source.name, source.name)
          result.graph.nodes[position].inputs[place] = source.name
          continue
        }
        guard !isShared(source) else { continue }
        if direct[value] == nil {
          guard let tensor = evaluated(source, sources, opset), keepsTypes || tensor.dtype == .float32 else { continue }
          let name = Graph.uniqueName(source.name + "_direct", &names)
          result.graph.setInitializer(name, tensor)
          direct[value] = (name, source.name)
        }
        if let name = direct[value]?.name { result.graph.nodes[position].inputs[place] = name }
      }
    }
    guard !direct.isEmpty else { return model }
    var masked = model.maskedParameters
    for (name, origin) in direct.values.sorted(by: { $0.name < $1.name })
    where name != origin && masked.contains(origin) { masked.append(name) }
    // Initializers need not be inputs from version 4 on.
    result.irVersion = max(result.irVersion, 4)
    result.removeDeadNodes()
    result.restoreNames(of: direct.values.filter { $0.name != $0.origin }, names: &masked)
    result.maskedParameters = masked
    return result
  }

  /// What the nodes between make of the stored tensor; nil where one of them depends on data, or has no kernel.
  private static func evaluated(_ source: WeightSource, _ sources: WeightSources, _ opset: Int64) -> Tensor? {
    var tensor = source.tensor
    for node in source.path {
      var operands: [Tensor?] = [tensor]
      for place in node.inputs.indices.dropFirst() {
        guard let name = node.input(place) else { operands.append(nil); continue }
        guard let operand = sources.source(of: name, through: { _ in false }) else { return nil }
        operands.append(operand.tensor)
      }
      guard let kernel = ReferenceKernels.kernel(for: node, opset: opset),
        let outputs = try? kernel(node, operands, opset),
        let first = outputs.first
      else { return nil }
      tensor = first
    }
    return tensor
  }
}

extension Model {
  /// Gives a weight its old name where no node reads it in the old form.
  fileprivate mutating func restoreNames(of direct: [(name: String, origin: String)], names masked: inout [String]) {
    let forms = Dictionary(grouping: direct, by: \.origin)
    for (origin, entries) in forms.sorted(by: { $0.key < $1.key }) {
      guard !graph.hasInitializer(origin), entries.count == 1, let name = entries.first?.name,
        let tensor = graph.initializer(name),
        !graph.nodes.contains(where: { $0.outputs.contains(origin) }),
        !graph.inputs.contains(where: { $0.name == origin })
      else { continue }
      graph.removeInitializers { $0.name == name }
      graph.setInitializer(origin, tensor)
      for index in graph.nodes.indices {
        graph.nodes[index].inputs = graph.nodes[index].inputs.map { $0 == name ? origin : $0 }
      }
      masked.removeAll { $0 == name }
    }
  }
}
