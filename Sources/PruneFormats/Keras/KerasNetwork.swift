import PruneTensor

/// A Sequential or Functional model: layers, what each call of them takes, inputs and outputs.
package struct KerasNetwork {
  /// An output of a call of a layer.
  struct Reference: Hashable {
    let layer: String
    let call: Int
    let tensor: Int
  }
  struct Call {
    var inputs: [Reference] = []
    /// Tensors given by name; those of a list as `initial_state/0`, `initial_state/1`.
    var named: [(name: String, reference: Reference)] = []
    /// What is given by place and is no tensor: the 2.0 of `x * 2.0`.
    var constants: [(place: Int, value: JSON)] = []
    /// What is given by name and is no tensor: `use_causal_mask`.
    var options: [(name: String, value: JSON)] = []
  }
  struct Entry {
    let layer: KerasLayer
    var calls: [Call]
    /// What Keras 3 names the layer's weights after: `conv2d_1`, by class and order.
    let group: String
  }

  private(set) var entries: [Entry] = []
  private(set) var inputs: [Reference] = []
  private(set) var outputs: [Reference] = []
  let isSequential: Bool

  static let classes = ["Sequential", "Functional", "Model"]

  /// - Parameter layer: the model as a layer of its class and configuration.
  init(_ layer: KerasLayer, scope: String) throws(PruneError) {
    isSequential = layer.className == "Sequential"
    // Keras 1 and 2.0 write a Sequential's configuration as the list itself.
    guard let layers = layer.config["layers"]?.array ?? layer.config.array else {
      throw PruneError(
        .unsupported, "\(layer.label) says no layers: it is defined by code, which a file does not hold",
        hint: "make it a Sequential or functional model, or export it to ONNX")
    }
    var used: [String: Int] = [:]
    var names: Set<String> = []
    for json in layers {
      let inner = try KerasLayer(json, scope: scope)
      guard names.insert(inner.name).inserted else {
        throw PruneError(.badFormat, "\(layer.label) has two layers named '\(inner.name)'")
      }
      let calls = isSequential ? [] : try Self.calls(json["inbound_nodes"], of: inner)
      // The layers of a Sequential do not count its input.
      let isCounted = !(isSequential && inner.className == "InputLayer")
      entries.append(Entry(layer: inner, calls: calls, group: isCounted ? Self.group(inner.className, &used) : ""))
    }
    if isSequential {
      try chain(layer)
    } else {
      inputs = try Self.references(layer.config["input_layers"], of: layer)
      outputs = try Self.references(layer.config["output_layers"], of: layer)
    }
    guard !outputs.isEmpty, !inputs.isEmpty else {
      throw PruneError(.badFormat, "\(layer.label) has no inputs or no outputs")
    }
  }

  /// Joins the layers of a Sequential, which may leave its input out.
  private mutating func chain(_ model: KerasLayer) throws(PruneError) {
    guard let first = entries.first else { throw PruneError(.badFormat, "\(model.label) has no layers") }
    if first.layer.className != "InputLayer" {
      let source =
        first.layer.config["batch_shape"] ?? first.layer.config["batch_input_shape"]
        ?? model.config["build_input_shape"]
      guard let source, !source.isNull else {
        throw PruneError(
          .unsupported, "\(model.label) does not say what shape its input has",
          hint: "build the model before it is saved: model.build(shape)")
      }
      let config: JSON = .object([("name", .string("input")), ("batch_shape", source)])
      let input = try KerasLayer(
        .object([("class_name", .string("InputLayer")), ("config", config)]), scope: first.layer.scope)
      entries.insert(Entry(layer: input, calls: [], group: ""), at: 0)
    }
    for index in entries.indices.dropFirst() {
      entries[index].calls = [Call(inputs: [Reference(layer: entries[index - 1].layer.name, call: 0, tensor: 0)])]
    }
    if let first = entries.first, let last = entries.last {
      inputs = [Reference(layer: first.layer.name, call: 0, tensor: 0)]
      outputs = [Reference(layer: last.layer.name, call: 0, tensor: 0)]
    }
  }

  /// The name of a layer's group of weights: its class in snake case, numbered from the second on.
  private static func group(_ className: String, _ used: inout [String: Int]) -> String {
    let name = className == "GroupQueryAttention" ? "grouped_query_attention" : snakeCase(className)
    let count = used[name, default: -1] + 1
    used[name] = count
    return count == 0 ? name : "\(name)_\(count)"
  }

  /// `BatchNormalization` as `batch_normalization`, `Conv2D` as `conv2d`, as Keras does.
  package static func snakeCase(_ name: String) -> String {
    let letters = Array(name.utf8)
    func isUpper(_ index: Int) -> Bool { letters.indices.contains(index) && (65...90).contains(letters[index]) }
    func isLower(_ index: Int) -> Bool { letters.indices.contains(index) && (97...122).contains(letters[index]) }
    var result: [UInt8] = []
    for index in letters.indices {
      if index > 0, isUpper(index), isLower(index - 1) || isLower(index + 1) { result.append(UInt8(ascii: "_")) }
      result.append(isUpper(index) ? letters[index] + 32 : letters[index])
    }
    return String(decoding: result, as: UTF8.self)
  }

  // MARK: - Calls

  /// The calls of a layer, as Keras 1 to 3 write them.
  private static func calls(_ json: JSON?, of layer: KerasLayer) throws(PruneError) -> [Call] {
    var calls: [Call] = []
    for node in json?.array ?? [] {
      var call = Call()
      if node.fields != nil {
        for (place, argument) in (node["args"]?.array ?? []).enumerated() where !argument.isNull {
          if holdsTensor(argument) {
            call.inputs += try tensors(in: argument, of: layer, depth: 0)
          } else if argument.array?.isEmpty != true {
            call.constants.append((place, argument))
          }
        }
        for (name, value) in node["kwargs"]?.fields ?? [] { try add(name, value, to: &call, of: layer) }
      } else {
        let parts = node.array ?? []
        // One call of one tensor is not always in a list of its own.
        for part in parts.first?.string != nil ? [node] : parts {
          guard let reference = reference(part) else {
            throw layer.unsupported("its call \(part.text.prefix(60)) has something else than outputs of layers")
          }
          call.inputs.append(reference)
          for (name, value) in part.array?.dropFirst(3).first?.fields ?? [] {
            try add(name, value, to: &call, of: layer)
          }
        }
      }
      calls.append(call)
    }
    return calls
  }

  /// Arguments that change nothing when they are not set.
  private static func add(_ name: String, _ value: JSON, to call: inout Call, of layer: KerasLayer) throws(PruneError) {
    if let reference = tensor(value) ?? reference(value) {
      call.named.append((name, reference))
    } else if holdsTensor(value) {
      for (index, reference) in try tensors(in: value, of: layer, depth: 0).enumerated() {
        call.named.append(("\(name)/\(index)", reference))
      }
    } else if !value.isNull, value.bool != false, name != "training", name != "name" {
      call.options.append((name, value))
    }
  }

  /// Whether a tensor is anywhere in an argument.
  private static func holdsTensor(_ json: JSON, depth: Int = 0) -> Bool {
    if tensor(json) != nil { return true }
    guard depth < 8, let parts = json.array else { return false }
    return parts.contains { holdsTensor($0, depth: depth + 1) }
  }

  private static func tensors(in json: JSON, of layer: KerasLayer, depth: Int) throws(PruneError) -> [Reference] {
    if let reference = tensor(json) { return [reference] }
    guard let parts = json.array, depth < 8 else {
      if json.isNull { return [] }
      throw layer.unsupported("it is called with \(json.text.prefix(60)), which is no output of a layer")
    }
    var result: [Reference] = []
    for part in parts { result += try tensors(in: part, of: layer, depth: depth + 1) }
    return result
  }

  /// `{"class_name": "__keras_tensor__", "config": {"keras_history": ["dense", 0, 0]}}`.
  private static func tensor(_ json: JSON) -> Reference? { json["config"]?["keras_history"].flatMap(reference) }

  /// `["dense", 0, 0]`, with or without more behind.
  private static func reference(_ json: JSON) -> Reference? {
    guard let parts = json.array, parts.count >= 3, let name = parts[0].string, let call = parts[1].int,
      let tensor = parts[2].int
    else { return nil }
    return Reference(layer: name, call: call, tensor: tensor)
  }

  /// `["a", 0, 0]`, a list or a dictionary of those.
  private static func references(_ json: JSON?, of layer: KerasLayer) throws(PruneError) -> [Reference] {
    guard let json else { return [] }
    if let reference = reference(json) { return [reference] }
    var result: [Reference] = []
    for part in json.array ?? json.fields?.map(\.value) ?? [] {
      if let reference = reference(part) { result.append(reference) } else { result += try references(part, of: layer) }
    }
    return result
  }
}
