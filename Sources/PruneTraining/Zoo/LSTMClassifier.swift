import PruneGraph
import PruneTensor

extension Zoo {
  /// Layers of long short-term memory (Hochreiter and Schmidhuber 1997), the last one's final state classified.
  ///
  /// Samples are [steps, features]; an image [channels, height, width] is read row by row. Weights are uniform within
  /// ±1/sqrt(width); the forget gates' biases start at 1.
  static func lstmClassifier(_ options: ZooOptions) throws(PruneError) -> Model {
    let input = options.input.isEmpty ? [28, 28] : options.input
    guard input.count == 2 || input.count == 3 else {
      throw PruneError(.invalidArgument, "input is \(input), wanted [steps, features] or [channels, height, width]")
    }
    let widths = options.hidden.isEmpty ? [128] : options.hidden
    guard widths.allSatisfy({ $0 <= 1 << 14 }) else {
      throw PruneError(.invalidArgument, "hidden is \(widths), wanted at most 16384 each")
    }
    var net = try NetworkBuilder(name: "lstm", options, input: input)
    try net.stepsFirst()
    for (index, width) in widths.enumerated() {
      try net.lstm("lstm\(index + 1)", width, isLast: index + 1 == widths.count)
    }
    try net.dense("fc", options.classes > 0 ? options.classes : 10, isLast: true)
    return net.model()
  }
}

extension NetworkBuilder {
  /// Transposes to ONNX's order of sequences, [steps, N, features].
  fileprivate mutating func stepsFirst() throws(PruneError) {
    if extents.count == 2 {
      emit("Transpose", "steps", [], [Attribute("perm", .integers([1, 0, 2]))], to: extents)
      return
    }
    let features = try Shape([extents[0], extents[2]]).count
    emit(
      "Transpose", "rows", [], [Attribute("perm", .integers([2, 0, 1, 3]))], to: [extents[1], extents[0], extents[2]])
    emit("Reshape", "steps", [try integers("steps.shape", [0, 0, features])], to: [extents[0], features])
  }

  /// All steps' states as [steps, N, width], or the last one's as [N, width].
  fileprivate mutating func lstm(_ name: String, _ width: Int, isLast: Bool) throws(PruneError) {
    let (steps, features) = (extents[0], extents[1])
    let limit = 1 / Double(width).squareRoot()
    let inputs = [
      value, try parameter(name + ".weight_ih", [1, 4 * width, features], .uniform(limit)),
      try parameter(name + ".weight_hh", [1, 4 * width, width], .uniform(limit)),
      try parameter(name + ".bias", [1, 8 * width], .forgetGate(width: width)),
    ]
    let states = append(
      "LSTM", name, inputs, [Attribute("hidden_size", .int(Int64(width)))],
      outputs: isLast ? ["", name + ".state"] : [name + ".states"])
    place = Place(value: states, extents: [])
    let axis = try integers(isLast ? "state.axis" : "states.axis", [isLast ? 0 : 1])
    emit("Squeeze", name + ".squeeze", [axis], to: isLast ? [width] : [steps, width])
  }
}
