import PruneGraph
import PruneTensor

/// LSTM, GRU and SimpleRNN.
struct KerasRecurrent: KerasLayerKind {
  let names = ["LSTM", "GRU", "SimpleRNN"]
  let arguments: Set = ["initial_state"]
  func masking(of layer: KerasLayer) -> KerasMasking { .reads }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(path: "cell/", name: "kernel"), KerasWeight(path: "cell/", name: "recurrent_kernel")]
      + (layer.flag("use_bias", default: true) ? [KerasWeight(path: "cell/", name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let isBackward = layer.flag("go_backwards", default: false)
    // Keras 2 gives initial states as further inputs.
    guard let input = call.inputs.first else { throw PruneError(.badFormat, "\(layer.label) is called with no input") }
    var states = Array(call.inputs.dropFirst())
    if let state = call.named["initial_state"] { states.append(state) }
    while let state = call.named["initial_state/\(states.count)"] { states.append(state) }
    let run = try KerasRecurrent.run(
      layer, cell: "cell/", input, isReverse: isBackward, initial: states, &builder)
    return try KerasRecurrent.results(of: run, layer, isBackward: isBackward, &builder)
  }

  /// What the layer gives of a run.
  static func results(of run: Run, _ layer: KerasLayer, isBackward: Bool, _ builder: inout KerasBuilder)
    throws(PruneError) -> [KerasValue]
  {
    var results = [run.last]
    if layer.flag("return_sequences", default: false) {
      results = [run.sequence]
      if isBackward {
        guard run.sequence.mask == nil else {
          throw layer.unsupported("it goes backwards over steps with a mask, which is not read")
        }
        results = [try KerasRecurrent.reversed(run.sequence, name: "\(layer.path)/backwards", &builder)]
      }
    }
    if layer.flag("return_state", default: false) { results += run.states }
    return results
  }

  /// What a run over all steps gives.
  struct Run {
    /// Outputs of all steps, in the order of the input.
    let sequence: KerasValue
    let last: KerasValue
    let states: [KerasValue]
  }

  /// Keras's order of gates is i, f, c, o for LSTM and z, r, h for GRU; ONNX's i, o, f, c and z, r, h.
  private static func gates(_ layer: KerasLayer) -> [Int] {
    switch layer.className {
    case "LSTM": [0, 3, 1, 2]
    case "GRU": [0, 1, 2]
    default: [0]
    }
  }

  /// - Parameters:
  ///   - cell: where the weights are in the layer that `layer` names: `forward_layer/cell/`.
  ///   - suffix: what the nodes are called behind the layer's name.
  ///   - initial: the states to start from; none for zeros.
  static func run(
    _ layer: KerasLayer, cell: String, suffix: String = "", _ input: KerasValue, isReverse: Bool,
    initial: [KerasValue] = [], _ builder: inout KerasBuilder
  ) throws(PruneError) -> Run {
    guard !layer.flag("stateful", default: false), !layer.flag("time_major", default: false) else {
      throw layer.unsupported("it is stateful or time_major, which is not read")
    }
    let name = "\(layer.path)\(suffix)"
    let whole = builder.plain(input)
    let steps = try input.mask.map { mask throws(PruneError) in
      try builder.steps(of: whole, mask, isReverse: isReverse, layer, name: name)
    }
    let value = steps?.packed ?? whole
    let gates = gates(layer)
    let count = gates.count
    guard value.rank == 3 else {
      throw PruneError(.badFormat, "\(layer.label): its input has \(value.rank) axes, it wants 3")
    }
    let units = try layer.required("units")
    let wide = units.multipliedReportingOverflow(by: count).partialValue
    let kernel = try builder.weight(layer, "\(cell)kernel", .gates(gates), expected: [value.dims[2], wide])
    let recurrent = try builder.weight(layer, "\(cell)recurrent_kernel", .gates(gates), expected: [units, wide])
    let hidden = recurrent.shape.dims.first ?? units
    let resets = layer.className == "GRU" && layer.flag("reset_after", default: !builder.isBeforeKeras3)
    var inputs = [builder.ordered(value, [1, 0, 2]).name, kernel.name, recurrent.name]
    if layer.flag("use_bias", default: true) {
      let biasShape: [Int?] = resets ? [2, hidden * count] : [hidden * count]
      inputs.append(
        try builder.weight(layer, "\(cell)bias", .gateBias(gates, isPair: resets), expected: biasShape).name)
    }
    var attributes: [(String, AttributeValue)] = [
      ("hidden_size", .int(Int64(hidden))), ("direction", .text(isReverse ? "reverse" : "forward")),
      ("activations", try activations(layer, builder)),
    ]
    if layer.className == "GRU" { attributes.append(("linear_before_reset", .int(resets ? 1 : 0))) }
    if let alpha = slopes(layer, builder) { attributes += alpha }
    let op = layer.className == "SimpleRNN" ? "RNN" : layer.className
    guard initial.isEmpty || initial.count == (op == "LSTM" ? 2 : 1) else {
      throw PruneError(.badFormat, "\(layer.label) is called with \(initial.count) initial states")
    }
    if steps != nil || !initial.isEmpty {
      if inputs.count == 3 { inputs.append("") }
      inputs.append(steps?.lengths ?? "")
    }
    for (index, state) in initial.enumerated() {
      let axes = try builder.constant([0], "\(name)/initial_axis\(index)")
      inputs.append(builder.single("Unsqueeze", [builder.plain(state).name, axes], "\(name)/initial\(index)"))
    }
    let outputs = builder.node(op, inputs, name, attributes, outputs: op == "LSTM" ? 3 : 2)
    func squeezed(_ output: String, _ axis: Int, _ suffix: String, _ dims: [Int?], _ order: [Int]? = nil)
      throws(PruneError) -> KerasValue
    {
      let axes = try builder.constant([axis], "\(name)/\(suffix)_axis")
      return KerasValue(builder.single("Squeeze", [output, axes], "\(name)/\(suffix)"), dims, order: order)
    }
    var sequence = try squeezed(outputs[0], 1, "sequence", [value.dims[0], value.dims[1], hidden], [1, 0, 2])
    if let steps, let mask = input.mask {
      sequence = try builder.spread(builder.plain(sequence), steps, name: name)
      sequence.mask = mask
    }
    var states: [KerasValue] = []
    for (index, output) in outputs.dropFirst().enumerated() {
      states.append(try squeezed(output, 0, index == 0 ? "last" : "cell", [value.dims[0], hidden]))
    }
    return Run(sequence: sequence, last: states[0], states: states)
  }

  /// Steps from the last to the first.
  static func reversed(_ value: KerasValue, name: String, _ builder: inout KerasBuilder) throws(PruneError)
    -> KerasValue
  {
    let start = try builder.constant([-1], "\(name)/start")
    let end = try builder.constant([-Int(Int32.max)], "\(name)/end")
    return builder.map(
      "Slice", value, name, [start, end, try builder.constant([value.order[1]], "\(name)/axis"), start])
  }

  private static let functions: [String: String] = [
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "linear": "Affine", "hard_sigmoid": "HardSigmoid",
    "elu": "Elu", "softsign": "Softsign",
    "softplus": "Softplus",
  ]

  private static func names(_ layer: KerasLayer) throws(PruneError) -> [String] {
    let outer =
      layer.config["activation"].map { !$0.isNull } ?? false
      ? try KerasActivation.function(layer.config["activation"], of: layer) : "linear"
    if layer.className == "SimpleRNN" { return [layer.config["activation"] == nil ? "tanh" : outer] }
    let key = "recurrent_activation"
    let inner =
      layer.config[key].map { !$0.isNull } ?? false
      ? try KerasActivation.function(layer.config[key], of: layer) : "linear"
    return layer.className == "LSTM" ? [inner, outer, outer] : [inner, outer]
  }

  private static func activations(_ layer: KerasLayer, _ builder: KerasBuilder) throws(PruneError) -> AttributeValue {
    var result: [[UInt8]] = []
    for name in try names(layer) {
      guard let function = functions[name] else { throw layer.unsupported("the activation '\(name)' is not read") }
      result.append(Array(function.utf8))
    }
    return .strings(result)
  }

  /// Parameters of the functions that have some.
  private static func slopes(_ layer: KerasLayer, _ builder: KerasBuilder) -> [(String, AttributeValue)]? {
    guard let names = try? names(layer), names.contains(where: { ["linear", "hard_sigmoid", "elu"].contains($0) })
    else { return nil }
    let sigmoid = builder.isBeforeKeras3 ? Float(0.2) : 1 / 6
    let alpha = names.filter { ["linear", "hard_sigmoid", "elu"].contains($0) }.map {
      $0 == "hard_sigmoid" ? sigmoid : 1
    }
    let beta = names.filter { ["linear", "hard_sigmoid"].contains($0) }.map { $0 == "hard_sigmoid" ? Float(0.5) : 0 }
    return [("activation_alpha", .floats(alpha))] + (beta.isEmpty ? [] : [("activation_beta", .floats(beta))])
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let units = shapes["cell/recurrent_kernel"]?.dims.first { config["units"] = JSON(units) }
    return config
  }
}

extension KerasForm {
  /// [inputs, gates * units] as [1, gates * units, inputs], with the gates in this order.
  static func gates(_ order: [Int]) -> KerasForm {
    var inverseOrder = [Int](repeating: 0, count: order.count)
    for (index, gate) in order.enumerated() { inverseOrder[gate] = index }
    let inverse = inverseOrder
    return KerasForm(
      forward: { tensor throws(PruneError) in
        let transposed = try reorder(try tensor.permuted([1, 0]), order)
        return try transposed.reshaped(try Shape([1] + transposed.shape.dims))
      },
      inverse: { tensor throws(PruneError) in
        guard tensor.shape.rank == 3, tensor.shape[0] == 1 else {
          throw PruneError(.unsupported, "a recurrent weight is \(tensor.shape)")
        }
        return try reorder(try tensor.reshaped(try Shape(Array(tensor.shape.dims.dropFirst()))), inverse).permuted([
          1, 0,
        ])
      })
  }

  /// The bias [gates * units], or [2, gates * units] with one of the input and one of the state, as [1, 2 * gates *
  /// units].
  static func gateBias(_ order: [Int], isPair: Bool) -> KerasForm {
    var inverseOrder = [Int](repeating: 0, count: order.count)
    for (index, gate) in order.enumerated() { inverseOrder[gate] = index }
    let inverse = inverseOrder
    let count = order.count
    return KerasForm(
      forward: { tensor throws(PruneError) in
        let values: [Float] = try tensor.array()
        let half = isPair ? values.count / 2 : values.count
        var result: [Float] = []
        for part in isPair ? [0, 1] : [0] {
          let units = half / count
          for gate in order { result += values[part * half + gate * units..<part * half + (gate + 1) * units] }
        }
        if !isPair { result += [Float](repeating: 0, count: half) }
        return try Tensor(result, try Shape([1, result.count]))
      },
      inverse: { tensor throws(PruneError) in
        let values: [Float] = try tensor.array()
        let half = values.count / 2
        let units = half / count
        var result: [Float] = []
        for part in isPair ? [0, 1] : [0] {
          for gate in inverse { result += values[part * half + gate * units..<part * half + (gate + 1) * units] }
        }
        guard isPair || values[half...].allSatisfy({ $0 == 0 }) else {
          throw PruneError(.unsupported, "a recurrent layer has a bias of its state, which Keras has no place for")
        }
        return try Tensor(result, isPair ? try Shape([2, half]) : try Shape([half]))
      })
  }

  /// Parts of the outermost axis in another order.
  private static func reorder(_ tensor: Tensor, _ order: [Int]) throws(PruneError) -> Tensor {
    guard order != Array(0..<order.count) else { return tensor }
    guard tensor.shape.rank == 2, tensor.shape[0] % order.count == 0 else {
      throw PruneError(.mismatch, "a recurrent weight of shape \(tensor.shape) has no \(order.count) gates")
    }
    let units = tensor.shape[0] / order.count
    var values: [Float] = []
    values.reserveCapacity(tensor.count)
    for gate in order { values += try tensor.rows(gate * units, (gate + 1) * units).array(of: Float.self) }
    return try Tensor(values, tensor.shape)
  }
}
