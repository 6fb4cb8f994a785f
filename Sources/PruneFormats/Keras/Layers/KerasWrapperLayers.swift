import PruneGraph
import PruneTensor

/// A recurrent layer run both ways.
struct KerasBidirectional: KerasLayerKind {
  let names = ["Bidirectional"]
  func masking(of layer: KerasLayer) -> KerasMasking { .reads }

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
    return placed(try KerasRecurrent().weights(of: forward), "forward_layer/")
      + placed(try KerasRecurrent().weights(of: backward), "backward_layer/")
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let input = try call.input(of: layer)
    var (forward, backward) = try inner(layer)
    // Weights and nodes belong to the wrapper.
    (forward, backward) = (try renamed(forward, layer), try renamed(backward, layer))
    let first = try KerasRecurrent.run(
      forward, cell: "forward_layer/cell/", suffix: "/forward_layer", input, isReverse: false, &builder)
    let second = try KerasRecurrent.run(
      backward, cell: "backward_layer/cell/", suffix: "/backward_layer", input, isReverse: true, &builder)
    let isSequence = forward.flag("return_sequences", default: false)
    let left = isSequence ? first.sequence : first.last
    let right = isSequence ? second.sequence : second.last
    guard !forward.flag("return_state", default: false) else {
      throw layer.unsupported("return_state of both directions is not read")
    }
    guard builder.isExact || left.dims == right.dims else {
      let units = [left, right].map { $0.dims[$0.rank - 1] ?? 0 }
      throw layer.unsupported(
        "its directions have \(units[0]) and \(units[1]) units now, Keras wants as many in each",
        hint: "prune with ignore = \"\(layer.name)*\", or save it as .onnx")
    }
    if layer.config["merge_mode"]?.isNull == true { return [left, right] }
    switch layer.text("merge_mode", default: "concat") {
    case "concat":
      var result = left
      result.name = builder.single(
        "Concat", [left.name, right.name], layer.path, [("axis", .int(Int64(left.rank - 1)))])
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
      .object([("class_name", .string(inner.className)), ("config", inner.config), ("name", .string(layer.name))]),
      scope: layer.scope)
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    for (key, path) in [("layer", "forward_layer/"), ("backward_layer", "backward_layer/")] {
      guard var inner = config[key], let units = shapes["\(path)cell/recurrent_kernel"]?.dims.first else { continue }
      inner["config"]?["units"] = JSON(units)
      inner["build_config"] = nil
      config[key] = inner
    }
    return config
  }
}

/// A layer applied to every step.
struct KerasTimeDistributed: KerasLayerKind {
  let names = ["TimeDistributed"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

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
    let value = builder.plain(try call.input(of: layer))
    let inner = try inner(layer)
    guard value.rank >= 3 else { throw layer.unsupported("its input has \(value.rank) axes, it wants 3 or more") }
    if inner.className == "Dense" { return try builder.emit(inner, KerasCall(inputs: [value])) }
    var rest: [Int] = []
    for extent in value.dims.dropFirst() {
      guard let extent else { throw layer.unsupported("its input has a step or an axis without a fixed extent") }
      rest.append(extent)
    }
    let merged = builder.single(
      "Reshape", [value.name, try builder.constant([-1] + rest.dropFirst(), "\(layer.path)/steps")],
      "\(layer.path)/merged")
    let outputs = try builder.emit(
      inner, KerasCall(inputs: [KerasValue(merged, [nil] + rest.dropFirst().map { $0 }, value.dtype)]))
    guard let output = outputs.first, outputs.count == 1 else {
      throw layer.unsupported("its layer gives \(outputs.count) outputs")
    }
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
    guard var json = config["layer"], let inner = try? inner(layer), let kind = try? KerasLayers.kind(of: inner) else {
      return config
    }
    var innerShapes: [String: Shape] = [:]
    for (name, shape) in shapes where name.hasPrefix("layer/") { innerShapes[String(name.dropFirst(6))] = shape }
    json["config"] = kind.resized(inner, innerShapes)
    json["build_config"] = nil
    config["layer"] = json
    return config
  }
}
