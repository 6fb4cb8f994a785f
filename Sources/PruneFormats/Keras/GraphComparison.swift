import PruneGraph
import PruneTensor

/// Whether two graphs compute the same: the same operators with the same weights, at any names and order of nodes.
package struct GraphComparison {
  /// The first node of the first graph that the second one has no equal of; nil when all outputs are equal.
  package private(set) var difference: String?
  private var numbers: [String: Int] = [:]

  package init(_ first: Graph, _ second: Graph) {
    let left = number(first, beside: second)
    let right = number(second, beside: first)
    let outputs = (first.outputs.map { left[$0.name] }, second.outputs.map { right[$0.name] })
    guard outputs.0 != outputs.1 else { return }
    let rightValues = Set(right.values)
    let node = first.nodes.first { node in node.outputs.contains { left[$0].map { !rightValues.contains($0) } ?? false }
    }
    difference = node?.label ?? "the order of outputs"
  }

  private mutating func number(_ text: String) -> Int {
    if let number = numbers[text] { return number }
    numbers[text] = numbers.count
    return numbers.count - 1
  }

  /// A number for every value: equal ones for equal values.
  private mutating func number(_ graph: Graph, beside other: Graph) -> [String: Int] {
    var result: [String: Int] = ["": -1]
    for (index, input) in graph.trueInputs.enumerated() { result[input.name] = number("input \(index)") }
    for initializer in graph.initializers {
      result[initializer.name] = number(describe(initializer.tensor, initializer.name, other))
    }
    for node in graph.nodes {
      if node.opType == "Constant", let tensor = node.tensor("value"), let output = node.output(0) {
        result[output] = number(describe(tensor, output, other))
        continue
      }
      let attributes = node.attributes.map { "\($0.name)=\(describe($0.value))" }.sorted().joined(separator: ";")
      let key = "\(node.operatorName)(\(node.inputs.map { result[$0] ?? -2 }))\(attributes)"
      for (index, output) in node.outputs.enumerated() where !output.isEmpty {
        // Names that only pass a value on are none of its own.
        result[output] = node.opType == "Identity" ? result[node.inputs.first ?? ""] ?? -2 : number("\(key)#\(index)")
      }
    }
    return result
  }

  private func describe(_ value: AttributeValue) -> String {
    if case .tensor(let value) = value {
      return "\(value.tensor.dtype) \(value.tensor.shape) \(value.tensor.bytes.array)"
    }
    return "\(value)"
  }

  private func describe(_ tensor: Tensor, _ name: String, _ other: Graph) -> String {
    let kind = "\(tensor.dtype.name) \(tensor.shape)"
    if tensor.byteCount <= 4096 { return "\(kind) \(tensor.bytes.array)" }
    if let twin = other.initializer(name), twin.dtype == tensor.dtype, twin.shape == tensor.shape,
      twin.bytes.isEqual(to: tensor.bytes)
    {
      return "weight \(name)"
    }
    // Equal weights under other names: by what they hold.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in tensor.bytes.array { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return "\(kind) \(hash)"
  }
}
