import PruneGraph
import PruneTensor

/// Replaces ONNX Runtime's LSTM with weights of 8 bits (com.microsoft.DynamicQuantizeLSTM) by an LSTM: the weights are
/// constants, so that they are decoded once. Activations are not rounded, which ONNX Runtime does while it runs:
/// results are a little closer to the float model's.
enum RecurrentCodes {
  static func run(_ model: Model) throws(PruneError) -> Model {
    func isCoded(_ node: Node) -> Bool { node.operatorName == "com.microsoft.DynamicQuantizeLSTM" }
    guard model.graph.nodes.contains(where: isCoded) else { return model }
    var result = model
    var names = model.graph.allNames
    for (place, node) in model.graph.nodes.enumerated() where isCoded(node) {
      do throws(PruneError) {
        var inputs = (0..<8).map { node.input($0) ?? "" }
        for (operand, scale, what) in [(1, 8, "W"), (2, 10, "R")] {
          let name = Graph.uniqueName((node.output(0) ?? node.name) + "_" + what, &names)
          result.graph.setInitializer(name, try decoded(node, model.graph, operand: operand, scale: scale, what))
          inputs[operand] = name
        }
        while inputs.last == "" { inputs.removeLast() }
        result.graph.nodes[place] = Node(
          "LSTM", name: node.name, inputs: inputs, outputs: node.outputs, attributes: node.attributes)
      } catch { throw error.located(at: node.label) }
    }
    return result
  }

  /// Codes [directions, inputs, gates] with one scale a direction, or one for each of its gates, as float [directions,
  /// gates, inputs].
  private static func decoded(_ node: Node, _ graph: Graph, operand: Int, scale: Int, _ what: String) throws(PruneError)
    -> Tensor
  {
    func constant(_ index: Int, _ part: String) throws(PruneError) -> Tensor {
      guard let tensor = node.input(index).flatMap({ graph.initializer($0) }) else {
        throw PruneError(.unsupported, "its \(part) of \(what) is no constant")
      }
      return tensor
    }
    let codes = try constant(operand, "weight"), scales = try constant(scale, "scale"),
      zeros = try constant(scale + 1, "zero point")
    guard codes.shape.rank == 3, codes.dtype == .int8 || codes.dtype == .uint8, codes.count > 0 else {
      throw PruneError(
        .mismatch,
        "weight \(what) is \(codes.dtype.name) \(codes.shape), wanted 8-bit codes [directions, inputs, gates]")
    }
    let (directions, inputs, gates) = (codes.shape[0], codes.shape[1], codes.shape[2])
    let steps = try scales.cast(to: .float32).array(of: Float.self), points = try zeros.integers()
    guard [directions, directions * gates].contains(steps.count), points.count == steps.count else {
      throw PruneError(
        .mismatch,
        "weight \(what) has \(steps.count) scales and \(points.count) zero points for \(directions) x \(gates) gates")
    }
    let values = try codes.integers()
    var result = [Float](repeating: 0, count: values.count)
    for direction in 0..<directions {
      for input in 0..<inputs {
        for gate in 0..<gates {
          let slot = steps.count == directions ? direction : direction * gates + gate
          result[(direction * gates + gate) * inputs + input] =
            Float(values[(direction * inputs + input) * gates + gate] - points[slot]) * steps[slot]
        }
      }
    }
    return try Tensor(result, try Shape([directions, gates, inputs]))
  }
}
