import PruneGraph
import PruneTensor

/// LSTM, GRU and SimpleRNN.
struct KerasRecurrent: KerasLayerKind {
  let names = ["LSTM", "GRU", "SimpleRNN"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    [KerasWeight(path: "cell/", name: "kernel"), KerasWeight(path: "cell/", name: "recurrent_kernel")]
      + (layer.flag("use_bias", default: true) ? [KerasWeight(path: "cell/", name: "bias")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let isBackward = layer.flag("go_backwards", default: false)
    let run = try KerasRecurrent.run(layer, prefix: "", try call.input(of: layer), isReverse: isBackward, &builder)
    var results = [run.last]
    if layer.flag("return_sequences", default: false) {
      results = [run.sequence]
      if isBackward { results = [try KerasRecurrent.reversed(run.sequence, name: "\(layer.path)/backwards", &builder)] }
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

  /// - Parameter prefix: where the weights are in the layer that `layer` names: `forward_layer/`.
  static func run(
    _ layer: KerasLayer, prefix: String, _ input: KerasValue, isReverse: Bool, _ builder: inout KerasBuilder
  ) throws(PruneError) -> Run {
    guard !layer.flag("stateful", default: false), !layer.flag("time_major", default: false) else {
      throw layer.unsupported("it is stateful or time_major, which is not read")
    }
    let value = builder.plain(input), gates = gates(layer), count = gates.count
    guard value.rank == 3 else { throw PruneError(.badFormat, "\(layer.label): its input has \(value.rank) axes, it wants 3") }
    let units = try layer.required("units"), wide = units.multipliedReportingOverflow(by: count).partialValue
    let kernel = try builder.weight(layer, "\(prefix)cell/kernel", .gates(gates), wanted: [value.dims[2], wide])
    let recurrent = try builder.weight(layer, "\(prefix)cell/recurrent_kernel", .gates(gates), wanted: [units, wide])
    let own = recurrent.shape.dims.first ?? units
    let resets = layer.className == "GRU" && layer.flag("reset_after", default: !builder.isBeforeKeras3)
    var inputs = [builder.ordered(value, [1, 0, 2]).name, kernel.name, recurrent.name]
    if layer.flag("use_bias", default: true) {
      let wanted: [Int?] = resets ? [2, own * count] : [own * count]
      inputs.append(try builder.weight(layer, "\(prefix)cell/bias", .gateBias(gates, isPair: resets), wanted: wanted).name)
    }
    var attributes: [(String, AttributeValue)] = [
      ("hidden_size", .int(Int64(own))), ("direction", .text(isReverse ? "reverse" : "forward")), ("activations", try activations(layer, builder)),
    ]
    if layer.className == "GRU" { attributes.append(("linear_before_reset", .int(resets ? 1 : 0))) }
    if let alpha = slopes(layer, builder) { attributes += alpha }
    let op = layer.className == "SimpleRNN" ? "RNN" : layer.className, name = "\(layer.path)\(prefix.isEmpty ? "" : "/" + prefix.dropLast())"
    let outputs = builder.node(op, inputs, name, attributes, outputs: op == "LSTM" ? 3 : 2)
    func squeezed(_ output: String, _ axis: Int, _ suffix: String, _ dims: [Int?], _ order: [Int]? = nil) throws(PruneError) -> KerasValue {
      let axes = try builder.constant([axis], "\(name)/\(suffix)_axis")
      return KerasValue(builder.single("Squeeze", [output, axes], "\(name)/\(suffix)"), dims, order: order)
    }
    let sequence = try squeezed(outputs[0], 1, "sequence", [value.dims[0], value.dims[1], own], [1, 0, 2])
    var states: [KerasValue] = []
    for (index, output) in outputs.dropFirst().enumerated() {
      states.append(try squeezed(output, 0, index == 0 ? "last" : "cell", [value.dims[0], own]))
    }
    return Run(sequence: sequence, last: states[0], states: states)
  }

  /// Steps from the last to the first.
  static func reversed(_ value: KerasValue, name: String, _ builder: inout KerasBuilder) throws(PruneError) -> KerasValue {
    let start = try builder.constant([-1], "\(name)/start"), end = try builder.constant([-Int(Int32.max)], "\(name)/end")
    return builder.map("Slice", value, name, [start, end, try builder.constant([value.order[1]], "\(name)/axis"), start])
  }

  private static let functions: [String: String] = [
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "linear": "Affine", "hard_sigmoid": "HardSigmoid", "elu": "Elu", "softsign": "Softsign",
    "softplus": "Softplus",
  ]

  private static func names(_ layer: KerasLayer) throws(PruneError) -> [String] {
    let outer = layer.config["activation"].map { !$0.isNull } ?? false ? try KerasActivation.function(layer.config["activation"], of: layer) : "linear"
    if layer.className == "SimpleRNN" { return [layer.config["activation"] == nil ? "tanh" : outer] }
    let key = "recurrent_activation"
    let inner = layer.config[key].map { !$0.isNull } ?? false ? try KerasActivation.function(layer.config[key], of: layer) : "linear"
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
    guard let names = try? names(layer), names.contains(where: { ["linear", "hard_sigmoid", "elu"].contains($0) }) else { return nil }
    let sigmoid = builder.isBeforeKeras3 ? Float(0.2) : 1 / 6
    let alpha = names.filter { ["linear", "hard_sigmoid", "elu"].contains($0) }.map { $0 == "hard_sigmoid" ? sigmoid : 1 }
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
    var back = [Int](repeating: 0, count: order.count)
    for (index, gate) in order.enumerated() { back[gate] = index }
    let inverse = back
    return KerasForm(
      forward: { tensor throws(PruneError) in
        let turned = try reorder(try tensor.permuted([1, 0]), order)
        return try turned.reshaped(try Shape([1] + turned.shape.dims))
      },
      inverse: { tensor throws(PruneError) in
        guard tensor.shape.rank == 3, tensor.shape[0] == 1 else { throw PruneError(.unsupported, "a recurrent weight is \(tensor.shape)") }
        return try reorder(try tensor.reshaped(try Shape(Array(tensor.shape.dims.dropFirst()))), inverse).permuted([1, 0])
      })
  }

  /// The bias [gates * units], or [2, gates * units] with one of the input and one of the state, as [1, 2 * gates * units].
  static func gateBias(_ order: [Int], isPair: Bool) -> KerasForm {
    var back = [Int](repeating: 0, count: order.count)
    for (index, gate) in order.enumerated() { back[gate] = index }
    let inverse = back, count = order.count
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
        let half = values.count / 2, units = half / count
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

/// A recurrent layer run both ways.
struct KerasBidirectional: KerasLayerKind {
  let names = ["Bidirectional"]

  private func inner(_ layer: KerasLayer) throws(PruneError) -> (forward: KerasLayer, backward: KerasLayer) {
    let forward = try KerasLayer(wrapped: layer.config["layer"], as: "", in: layer)
    let other = layer.config["backward_layer"].flatMap { $0.isNull ? nil : $0 }
    let backward = try KerasLayer(wrapped: other ?? layer.config["layer"], as: "", in: layer)
    for one in [forward, backward] where !KerasRecurrent().names.contains(one.className) {
      throw layer.unsupported("it wraps a \(one.className)", hint: "LSTM, GRU and SimpleRNN are read")
    }
    return (forward, backward)
  }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    let (forward, backward) = try inner(layer)
    func placed(_ weights: [KerasWeight], _ path: String) -> [KerasWeight] {
      weights.map { KerasWeight(path: path + $0.path, name: $0.name, isTrainable: $0.isTrainable) }
    }
    return placed(try KerasRecurrent().weights(of: forward), "forward_layer/") + placed(try KerasRecurrent().weights(of: backward), "backward_layer/")
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let input = try call.input(of: layer)
    var (forward, backward) = try inner(layer)
    // Weights and nodes belong to the wrapper.
    (forward, backward) = (try renamed(forward, layer), try renamed(backward, layer))
    let first = try KerasRecurrent.run(forward, prefix: "forward_layer/", input, isReverse: false, &builder)
    let second = try KerasRecurrent.run(backward, prefix: "backward_layer/", input, isReverse: true, &builder)
    let isSequence = forward.flag("return_sequences", default: false)
    let left = isSequence ? first.sequence : first.last, right = isSequence ? second.sequence : second.last
    guard !forward.flag("return_state", default: false) else { throw layer.unsupported("return_state of both directions is not read") }
    switch layer.text("merge_mode", default: "concat") {
    case "concat":
      var result = left
      result.name = builder.single("Concat", [left.name, right.name], layer.path, [("axis", .int(Int64(left.rank - 1)))])
      if let a = left.dims[left.rank - 1], let b = right.dims[left.rank - 1] { result.dims[left.rank - 1] = a + b }
      return [result]
    case "sum": return [builder.map("Add", left, layer.path, [right.name])]
    case "mul": return [builder.map("Mul", left, layer.path, [right.name])]
    case "ave":
      let sum = builder.map("Add", left, "\(layer.path)/sum", [right.name])
      return [builder.map("Mul", sum, layer.path, [try builder.constant(0.5, "\(layer.path)/half")])]
    case let other: throw layer.unsupported("its merge_mode is '\(other)'")
    }
  }

  /// The inner layer under the wrapper's name.
  private func renamed(_ inner: KerasLayer, _ layer: KerasLayer) throws(PruneError) -> KerasLayer {
    try KerasLayer(
      .object([("class_name", .string(inner.className)), ("config", inner.config), ("name", .string(layer.name))]), scope: layer.scope)
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    for (key, path) in [("layer", "forward_layer/"), ("backward_layer", "backward_layer/")] {
      guard var inner = config[key], let units = shapes["\(path)cell/recurrent_kernel"]?.dims.first else { continue }
      inner["config"]?["units"] = JSON(units)
      config[key] = inner
    }
    return config
  }
}

/// A layer applied to every step.
struct KerasTimeDistributed: KerasLayerKind {
  let names = ["TimeDistributed"]

  private func inner(_ layer: KerasLayer) throws(PruneError) -> KerasLayer {
    let inner = try KerasLayer(wrapped: layer.config["layer"], as: "layer", in: layer)
    guard inner.className != "TimeDistributed", !KerasNetwork.classes.contains(inner.className) else {
      throw layer.unsupported("it wraps a \(inner.className), which is not read")
    }
    return inner
  }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    let inner = try inner(layer)
    return try KerasLayers.kind(of: inner).weights(of: inner).map {
      KerasWeight(path: "layer/" + $0.path, name: $0.name, isTrainable: $0.isTrainable && inner.isTrainable)
    }
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer)), inner = try inner(layer)
    guard value.rank >= 3 else { throw layer.unsupported("its input has \(value.rank) axes, it wants 3 or more") }
    if inner.className == "Dense" { return try builder.emit(inner, KerasCall(inputs: [value])) }
    var rest: [Int] = []
    for extent in value.dims.dropFirst() {
      guard let extent else { throw layer.unsupported("its input has a step or an axis without a fixed extent") }
      rest.append(extent)
    }
    let merged = builder.single(
      "Reshape", [value.name, try builder.constant([-1] + rest.dropFirst(), "\(layer.path)/steps")], "\(layer.path)/merged")
    let outputs = try builder.emit(inner, KerasCall(inputs: [KerasValue(merged, [nil] + rest.dropFirst().map { $0 }, value.dtype)]))
    guard let output = outputs.first, outputs.count == 1 else { throw layer.unsupported("its layer gives \(outputs.count) outputs") }
    let plain = builder.plain(output)
    var target = [-1, rest[0]]
    for extent in plain.dims.dropFirst() {
      guard let extent else { throw layer.unsupported("its layer gives an axis without a fixed extent") }
      target.append(extent)
    }
    let name = builder.single("Reshape", [plain.name, try builder.constant(target, "\(layer.path)/shape")], layer.path)
    return [KerasValue(name, [value.dims[0], rest[0]] + plain.dims.dropFirst(), plain.dtype)]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    guard var json = config["layer"], let inner = try? inner(layer), let kind = try? KerasLayers.kind(of: inner) else { return config }
    var own: [String: Shape] = [:]
    for (name, shape) in shapes where name.hasPrefix("layer/") { own[String(name.dropFirst(6))] = shape }
    json["config"] = kind.resized(inner, own)
    config["layer"] = json
    return config
  }
}
