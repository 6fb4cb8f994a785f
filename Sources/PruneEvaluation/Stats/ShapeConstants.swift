import PruneGraph
import PruneRuntime
import PruneTensor

/// Computes the shape arithmetic of exporters, which hides pads and sizes behind a dozen nodes over constants, so that
/// shape inference sees the numbers.
package enum ShapeConstants {
  /// More elements are data rather than shapes.
  private static let limit = 4096

  /// The model with every node removed that computes small integers from small constants alone, its results made
  /// initializers. Types of values that remain are as they were.
  package static func folded(_ model: Model) -> Model {
    var result = model
    var constants: [String: Tensor] = [:]
    for initializer in model.graph.initializers where initializer.tensor.count <= limit {
      constants[initializer.name] = initializer.tensor
    }
    result.graph.nodes = []
    for node in model.graph.nodes {
      guard let outputs = results(of: node, constants, opset: model.opset(node.domain) ?? 1) else {
        result.graph.nodes.append(node)
        continue
      }
      for (name, tensor) in zip(node.outputs, outputs) where !name.isEmpty {
        constants[name] = tensor
        result.graph.setInitializer(name, tensor)
      }
    }
    return result
  }

  /// Nil when the node is something else, or cannot be computed: inference then does without.
  private static func results(of node: Node, _ constants: [String: Tensor], opset: Int64) -> [Tensor]? {
    guard node.isStandard, node.subgraphs.isEmpty, !node.opType.hasPrefix("Random"), node.opType != "Bernoulli" else {
      return nil
    }
    var inputs: [Tensor?] = []
    for name in node.inputs {
      guard name.isEmpty || constants[name] != nil else { return nil }
      inputs.append(constants[name])
    }
    // What these make may be much larger than what they take.
    if ["ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "OneHot"].contains(node.opType) {
      guard let sizes = try? inputs.compactMap({ $0 }).flatMap({ try $0.cast(to: .int64).integers() }),
        sizes.allSatisfy({ $0 >= -limit && $0 <= limit }), sizes.count <= 64
      else { return nil }
      let product = sizes.reduce(1) { $0.multipliedReportingOverflow(by: max($1, 1)).partialValue }
      guard product >= 0, product <= limit else { return nil }
    }
    guard let kernel = ReferenceKernels.kernel(for: node, opset: opset),
      let outputs = try? kernel(node, inputs, opset), outputs.count == node.outputs.count,
      outputs.allSatisfy({ ($0.dtype.isInteger || $0.dtype == .bool) && $0.count <= limit })
    else { return nil }
    return outputs
  }
}
