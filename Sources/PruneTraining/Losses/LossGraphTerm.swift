import PruneGraph
import PruneRuntime
import PruneTensor

/// A loss that the user wrote as an ONNX graph: first input the prediction, second the targets, first output the loss.
extension LossWriter {
  /// Puts the graph's nodes behind the model's, under names of their own.
  /// - Throws: `.mismatch` when its inputs, output or opset do not fit, `.unsupported` for nodes with subgraphs.
  mutating func graph(
    _ loss: TrainingLoss, _ prediction: String, _ target: String, _ type: TensorType
  ) throws(PruneError) -> String {
    guard let model = loss.settings.graph else { throw PruneError(.internal, "no loss graph") }
    let place = "loss graph '\(model.graph.name)'"
    let part = try FunctionInlining.run(model)
    let inputs = part.graph.trueInputs
    guard inputs.count == 2, let result = part.graph.outputs.first?.name else {
      throw PruneError(
        .mismatch, "it has \(inputs.count) inputs and \(part.graph.outputs.count) outputs", at: place,
        hint: "its first input is the prediction, its second the targets, its output the loss")
    }
    try adoptOpsets(of: part, place)
    for (input, actualType) in [(inputs[0], special.types.types[prediction]), (inputs[1], type)] {
      guard let expected = input.type?.dtype, let actual = actualType?.dtype, expected != actual else { continue }
      throw PruneError(
        .mismatch, "its input '\(input.name)' is \(expected.name), the data give \(actual.name)", at: place)
    }
    var names = [inputs[0].name: prediction, inputs[1].name: target, "": ""]
    for weight in part.graph.initializers where names[weight.name] == nil {
      names[weight.name] = constant(weight.tensor)
    }
    for node in part.graph.nodes {
      guard node.subgraphs.isEmpty else {
        throw PruneError(.unsupported, "\(node.label) has subgraphs, which a loss may not", at: place)
      }
      var copy = node
      for output in node.outputs where names[output] == nil { names[output] = name("loss.\(output)") }
      copy.outputs = node.outputs.map { names[$0] ?? $0 }
      for (index, input) in node.inputs.enumerated() {
        guard let value = names[input] else {
          throw PruneError(.invalidModel, "\(node.label) reads '\(input)', which nothing before it writes", at: place)
        }
        copy.inputs[index] = value
      }
      do { try special.append(copy) } catch { throw error.located(at: place) }
    }
    guard let output = names[result], special.types.types[output]?.dtype == .float32, try shape(output).count == 1
    else {
      throw PruneError(.mismatch, "its output '\(result)' is not one float32 number", at: place)
    }
    return try reshape(output, to: .scalar)
  }

  /// The nodes are to mean what they meant.
  private mutating func adoptOpsets(of part: Model, _ place: String) throws(PruneError) {
    for entry in part.opsets
    where part.graph.nodes.contains(where: { $0.domain == entry.domain || ($0.isStandard && entry.domain.isEmpty) }) {
      if let version = special.model.opset(entry.domain) {
        guard version == entry.version else {
          throw PruneError(
            .mismatch,
            "it is of opset \(entry.version)\(entry.domain.isEmpty ? "" : " of '\(entry.domain)'"), the model of opset \(version)",
            at: place, hint: "export both for the same opset")
        }
      } else {
        special.model.opsets.append(entry)
      }
    }
  }
}
