import PruneGraph
import PruneTensor

/// Layers and models of layers.
extension KerasBuilder {
  /// The graph of a whole model.
  static func build(_ model: KerasLayer, _ source: Source, version: String, backend: String) throws(PruneError)
    -> KerasBuilder
  {
    var builder = KerasBuilder(source, version: version, backend: backend)
    builder.name(model.name)
    let network = try KerasNetwork(model, scope: "")
    var inputs: [KerasValue] = []
    for reference in network.inputs {
      guard let entry = network.entries.first(where: { $0.layer.name == reference.layer }),
        entry.layer.className == "InputLayer"
      else {
        throw PruneError(.badFormat, "\(model.label) takes '\(reference.layer)', which is no InputLayer")
      }
      inputs.append(try builder.input(entry.layer, name: entry.layer.name))
    }
    let outputs = try builder.emit(network, KerasCall(inputs: inputs), of: model, depth: 0)
    builder.finish(zip(network.outputs, outputs).map { ($0.layer, $1) })
    return builder
  }

  private static let depthLimit = 16

  /// Adds the nodes of a model inside the model.
  mutating func emit(_ network: KerasNetwork, _ call: KerasCall, of model: KerasLayer, depth: Int) throws(PruneError)
    -> [KerasValue]
  {
    guard depth < Self.depthLimit else {
      throw model.unsupported("models are nested more than \(Self.depthLimit) deep")
    }
    guard call.inputs.count == network.inputs.count else {
      throw PruneError(
        .badFormat, "\(model.label) is called with \(call.inputs.count) inputs, it has \(network.inputs.count)")
    }
    for (reference, value) in zip(network.inputs, call.inputs) where isExact {
      let shape = network.entries.first { $0.layer.name == reference.layer }?.layer.batchShape ?? []
      for (expected, actual) in zip(shape, value.dims) {
        guard expected == nil || actual == nil || expected == actual else {
          throw PruneError(
            .mismatch, "\(model.label) takes \(shape.count) axes with \(expected ?? 0), it is given \(actual ?? 0)")
        }
      }
    }
    var values: [KerasNetwork.Reference: KerasValue] = [:]
    for (reference, value) in zip(network.inputs, call.inputs) { values[reference] = value }
    var open: [(entry: Int, call: Int)] = []
    for (index, entry) in network.entries.enumerated() {
      for number in entry.calls.indices where entry.layer.className != "InputLayer" { open.append((index, number)) }
    }
    // Layers come in the order that they were made, which need not be the order that they are called in.
    while !open.isEmpty {
      var waiting: [(entry: Int, call: Int)] = []
      for (index, number) in open {
        let entry = network.entries[index]
        let call = entry.calls[number]
        var ready = KerasCall()
        ready.inputs = call.inputs.compactMap { values[$0] }
        for (name, reference) in call.named { ready.named[name] = values[reference] }
        (ready.constants, ready.options) = (call.constants, call.options)
        guard ready.inputs.count == call.inputs.count, ready.named.count == call.named.count else {
          waiting.append((index, number))
          continue
        }
        for (tensor, value) in try emit(entry.layer, ready, depth: depth).enumerated() {
          values[KerasNetwork.Reference(layer: entry.layer.name, call: number, tensor: tensor)] = value
        }
      }
      guard waiting.count < open.count else {
        let layer = network.entries[waiting[0].entry].layer
        throw PruneError(.badFormat, "\(layer.label) takes something that no layer gives")
      }
      open = waiting
    }
    var outputs: [KerasValue] = []
    for reference in network.outputs {
      guard let value = values[reference] else {
        throw PruneError(.badFormat, "\(model.label) gives out '\(reference.layer)', which is not computed")
      }
      outputs.append(value)
    }
    return outputs
  }

  /// Adds the nodes of one call of a layer, which may be a model.
  mutating func emit(_ layer: KerasLayer, _ original: KerasCall, depth: Int = 0) throws(PruneError) -> [KerasValue] {
    var call = original
    // Keras 3 writes the mask of a functional model out.
    if let mask = call.named["mask"], !call.inputs.isEmpty, mask.rank == 2 {
      call.named["mask"] = nil
      for index in call.inputs.indices { call.inputs[index].mask = plain(mask).name }
    }
    if KerasNetwork.classes.contains(layer.className) {
      return try emit(try KerasNetwork(layer, scope: layer.path + "/"), call, of: layer, depth: depth + 1)
    }
    let kind = try KerasLayers.kind(of: layer)
    try Self.check(call, of: layer, kind)
    let masking = call.mask == nil || layer.isOperation ? .drops : kind.masking(of: layer)
    if masking == .lacks {
      throw layer.unsupported(
        "it computes with the mask of an Embedding with mask_zero, which is not read",
        hint: "build the Embedding with mask_zero=False, or export the model to ONNX")
    }
    var values = try kind.emit(layer, call, &self)
    for value in values { try Self.check(value.dims, of: layer) }
    if masking == .passes {
      let masks = Set(call.inputs.compactMap(\.mask)).sorted()
      var mask = masks.first
      for other in masks.dropFirst() { mask = mask.map { single("And", [$0, other], "\(layer.path)/mask") } }
      for index in values.indices where values[index].rank >= 2 { values[index].mask = mask }
    }
    return values
  }

  /// - Throws: `.unsupported` for an argument of a call that the layer's kind does not read.
  private static func check(_ call: KerasCall, of layer: KerasLayer, _ kind: any KerasLayerKind) throws(PruneError) {
    let hint = "leave the argument out, or export the model to ONNX"
    if let option = call.options.first(where: { !kind.arguments.contains($0.name) }) {
      throw layer.unsupported(
        "it is called with \(option.name) = \(option.value.text.prefix(60)), which is not read", hint: hint)
    }
    for name in call.named.keys.sorted() {
      let base = name.split(separator: "/").first.map(String.init) ?? name
      guard kind.arguments.contains(base) else {
        throw layer.unsupported("it is called with a tensor as \(base), which is not read", hint: hint)
      }
    }
    if let constant = call.constants.first, !kind.takesConstants {
      throw layer.unsupported(
        "it is called with \(constant.value.text.prefix(60)), which is no output of a layer", hint: hint)
    }
  }
}

/// The weights of a whole model.
enum KerasWeights {
  /// The weights of a layer, models among them, in the order that Keras makes them.
  /// - Parameters:
  ///   - scope: of what is inside a model; the outermost model has none.
  ///   - adapters: whether the factors of low-rank adapters are among them, as they are in `.h5` files.
  static func all(of layer: KerasLayer, scope: String? = nil, depth: Int = 0, adapters: Bool = false)
    throws(PruneError) -> [KerasWeight]
  {
    guard KerasNetwork.classes.contains(layer.className) else {
      var counts: [String: Int] = [:]
      var weights = try KerasLayers.kind(of: layer).weights(of: layer)
      if adapters { KerasAdapter(layer)?.add(to: &weights, of: layer) }
      return weights.map { weight in
        var result = weight
        result.index = counts[weight.path, default: 0]
        result.key = "\(layer.path)/\(weight.path)\(weight.name)"
        result.isTrainable = weight.isTrainable && layer.isTrainable
        counts[weight.path] = result.index + 1
        return result
      }
    }
    guard depth < 16 else { throw layer.unsupported("models are nested more than 16 deep") }
    var result: [KerasWeight] = []
    for entry in try KerasNetwork(layer, scope: scope ?? layer.path + "/").entries where !entry.group.isEmpty {
      for weight in try all(of: entry.layer, depth: depth + 1, adapters: adapters) {
        var inner = weight
        inner.path = "layers/\(entry.group)/\(weight.path)"
        inner.isTrainable = weight.isTrainable && layer.isTrainable
        result.append(inner)
      }
    }
    return result
  }

  /// In the order of a `.h5` file: what is trained first.
  static func legacy(of layer: KerasLayer, adapters: Bool = false) throws(PruneError) -> [KerasWeight] {
    let weights = try all(of: layer, adapters: adapters)
    return weights.filter(\.isTrainable) + weights.filter { !$0.isTrainable }
  }
}
