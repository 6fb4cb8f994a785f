import PruneGraph
import PruneTensor

/// Weights that a graph computes from constants alone: the product of a weight and a mask or a scale, parts that are
/// joined, a part of a larger weight, a weight with the product of two low-rank ones added.
package struct ComputedWeights {
  private let model: Model
  private let producers: [String: Int]
  private let sources: WeightSources
  private let outputs: Set<String>

  /// No exporter computes a weight by more nodes.
  private static let longest = 64

  package init(_ model: Model) {
    self.model = model
    producers = model.graph.producers
    sources = WeightSources(model.graph)
    outputs = Set(model.graph.outputs.map(\.name))
  }

  /// A weight that stays as it is, and why.
  package struct Refusal {
    package let value: String
    package let reason: String
  }

  /// How a value that a layer takes for its weight is computed: from constants, so that it can be folded; from
  /// constants in a way that is left alone; nil for a stored weight and for what depends on data.
  private enum Origin {
    case nodes([Int], elements: Int)
    case refused(String)
  }

  private func origin(of value: String) -> Origin? {
    guard !model.graph.hasInitializer(value), sources.source(of: value) == nil else { return nil }
    var order: [Int] = [], seen: Set<String> = [], reason: String?, elements = 0
    func visit(_ name: String, _ depth: Int) -> Bool {
      guard !name.isEmpty, seen.insert(name).inserted else { return true }
      if let tensor = model.graph.initializer(name) {
        elements += tensor.count
        if tensor.dtype.isInteger, tensor.dtype.bitWidth <= 8, tensor.shape.rank > 1 {
          reason = reason ?? "is stored as \(tensor.dtype.name) and scaled by nodes of its own"
        }
        return true
      }
      guard depth < Self.longest, let place = producers[name], model.graph.nodes.indices.contains(place) else {
        return false
      }
      let node = model.graph.nodes[place]
      guard node.inputs.allSatisfy({ visit($0, depth + 1) }) else { return false }
      if !node.isStandard || !node.subgraphs.isEmpty || node.operation?.kind == .random {
        reason = reason ?? "is computed by \(node.label)"
      } else if ["QuantizeLinear", "DequantizeLinear"].contains(node.opType) {
        reason = reason ?? "is stored as integers that \(node.label) scales, and changed behind it"
      }
      elements += node.constant?.count ?? 0
      if !order.contains(place) { order.append(place) }
      return true
    }
    guard visit(value, 0), !order.isEmpty else { return nil }
    return reason.map { .refused($0) } ?? .nodes(order, elements: elements)
  }

  /// The model with such weights stored. Other readers of what they are computed from read it as before.
  package func folded() -> Model {
    var result = model, names: Set<String>?, directNames: [String: String] = [:]
    for (position, node) in model.graph.nodes.enumerated() {
      for place in node.weightOperands {
        guard let value = node.input(place), !outputs.contains(value) else { continue }
        if directNames[value] == nil, case .nodes(let order, let elements)? = origin(of: value),
          let tensor = evaluated(value, order), tensor.count <= 2 * elements, tensor.dtype.isFloatingPoint,
          tensor.shape.rank > 1
        {
          var usedNames = names ?? model.graph.allNames
          let name = Graph.uniqueName(value + "_direct", &usedNames)
          names = usedNames
          result.graph.setInitializer(name, tensor)
          directNames[value] = name
        }
        if let name = directNames[value] { result.graph.nodes[position].inputs[place] = name }
      }
    }
    guard !directNames.isEmpty else { return model }
    result.irVersion = max(result.irVersion, 4)
    result.removeDeadNodes()
    return result
  }

  /// Weights that are computed from constants and are not folded, of each layer that reads one.
  package func refusals(of node: Node) -> [Refusal] {
    node.weightOperands.compactMap { node.input($0) }.compactMap { value in
      switch origin(of: value) {
      case .refused(let reason)?: Refusal(value: value, reason: reason)
      case .nodes(let order, _)?:
        Refusal(
          value: value,
          reason:
            "is computed from constants by \(order.last.map { model.graph.nodes[$0].label } ?? "nodes") in a way that is not folded"
        )
      case nil: nil
      }
    }
  }

  /// What the nodes make of the constants, by the kernels that would do it in every run.
  private func evaluated(_ value: String, _ order: [Int]) -> Tensor? {
    let opset = model.opset() ?? Model.defaultOpset
    var values: [String: Tensor] = [:]
    for place in order {
      let node = model.graph.nodes[place]
      if let tensor = node.constant, let output = node.output(0) {
        values[output] = tensor
        continue
      }
      let operands = node.inputs.map { $0.isEmpty ? nil : values[$0] ?? model.graph.initializer($0) }
      guard let kernel = ReferenceKernels.kernel(for: node, opset: opset),
        let results = try? kernel(node, operands, opset)
      else { return nil }
      for (name, tensor) in zip(node.outputs, results) where !name.isEmpty { values[name] = tensor }
    }
    return values[value]
  }
}
