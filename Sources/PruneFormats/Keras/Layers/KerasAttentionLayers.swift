import PruneGraph
import PruneTensor

/// Dot-product attention without projections.
struct KerasAttention: KerasLayerKind {
  let names = ["Attention"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    layer.flag("use_scale", default: false) ? [KerasWeight(name: "scale")] : []
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    guard (2...3).contains(call.inputs.count), call.named.isEmpty, call.inputs.allSatisfy({ $0.rank == 3 }) else {
      throw layer.unsupported("it wants a query, a value and perhaps a key of 3 axes, and no mask")
    }
    guard layer.text("score_mode", default: "dot") == "dot" else {
      throw layer.unsupported("its score_mode is not 'dot'")
    }
    let query = builder.plain(call.inputs[0])
    let value = builder.plain(call.inputs[1])
    let key = builder.plain(call.inputs.last ?? query)
    let turned = builder.single("Transpose", [key.name], "\(layer.path)/key", [("perm", .integers([0, 2, 1]))])
    var scores = builder.single("MatMul", [query.name, turned], "\(layer.path)/scores")
    if layer.flag("use_scale", default: false) {
      scores = builder.single(
        "Mul", [scores, try builder.weight(layer, "scale", wanted: []).name], "\(layer.path)/scaled")
    }
    let weights = builder.single("Softmax", [scores], "\(layer.path)/softmax", [("axis", .int(-1))])
    return [
      KerasValue(
        builder.single("MatMul", [weights, value.name], layer.path), [query.dims[0], query.dims[1], value.dims[2]])
    ]
  }
}

struct KerasMultiHeadAttention: KerasLayerKind {
  let names = ["MultiHeadAttention"]
  private static let parts = ["query", "key", "value"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    let names = layer.flag("use_bias", default: true) ? ["kernel", "bias"] : ["kernel"]
    return (Self.parts + ["output"]).flatMap { part in names.map { KerasWeight(path: "\(part)_dense/", name: $0) } }
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let query = call.inputs.first ?? call.named["query"]
    let value = call.inputs.count > 1 ? call.inputs[1] : call.named["value"]
    let key = (call.inputs.count > 2 ? call.inputs[2] : call.named["key"]) ?? value
    let isKnown = call.inputs.count <= 3 && Set(call.named.keys).isSubset(of: ["query", "value", "key"])
    let axes = layer.config["attention_axes"].flatMap { $0.isNull ? nil : $0 }
    guard let query, let value, let key, isKnown, query.rank == 3, value.rank == 3, key.rank == 3,
      axes == nil || axes?.ints == [1]
    else {
      throw layer.unsupported("it wants a query, a value and perhaps a key of 3 axes, and no mask")
    }
    guard !layer.flag("use_gate", default: false) else { throw layer.unsupported("use_gate is not read") }
    let keyDim = try layer.required("key_dim")
    let valueDim = layer.config["value_dim"]?.int ?? keyDim
    guard valueDim > 0, valueDim < 1 << 30 else { throw layer.unsupported("its value_dim is \(valueDim)") }
    let useBias = layer.flag("use_bias", default: true)
    var heads = try layer.required("num_heads")
    var split: [String] = []
    for (part, (source, size)) in zip(Self.parts, [(query, keyDim), (key, keyDim), (value, valueDim)]) {
      let path = "\(part)_dense/"
      let plain = builder.plain(source)
      let name = "\(layer.path)/\(part)"
      let kernel = try builder.weight(
        layer, path + "kernel", .heads(size), wanted: [plain.dims[2], heads, size])
      if kernel.shape.rank == 3 { heads = kernel.shape[1] }
      var result = builder.single("MatMul", [plain.name, kernel.name], name)
      if useBias {
        let bias = try builder.weight(
          layer, path + "bias", .reshaped([nil], back: [nil, size]), wanted: [heads, size])
        result = builder.single("Add", [result, bias.name], "\(name)/add_bias")
      }
      let shape = try builder.constant([0, 0, heads, size], "\(name)/heads")
      result = builder.single("Reshape", [result, shape], "\(name)/split")
      split.append(
        builder.single(
          "Transpose", [result], "\(name)/turned", [("perm", .integers(part == "key" ? [0, 2, 3, 1] : [0, 2, 1, 3]))]))
    }
    let scale = try builder.constant(1 / Double(keyDim).squareRoot(), "\(layer.path)/scale")
    let scaled = builder.single("Mul", [split[0], scale], "\(layer.path)/scaled")
    let scores = builder.single("MatMul", [scaled, split[1]], "\(layer.path)/scores")
    let weights = builder.single("Softmax", [scores], "\(layer.path)/softmax", [("axis", .int(-1))])
    let mixed = builder.single("MatMul", [weights, split[2]], "\(layer.path)/mixed")
    let turned = builder.single("Transpose", [mixed], "\(layer.path)/back", [("perm", .integers([0, 2, 1, 3]))])
    let wide = heads.multipliedReportingOverflow(by: valueDim).partialValue
    let joined = builder.single(
      "Reshape", [turned, try builder.constant([0, 0, wide], "\(layer.path)/joined_shape")], "\(layer.path)/joined")
    let kernel = try builder.weight(layer, "output_dense/kernel", .joined(valueDim), wanted: [heads, valueDim, nil])
    var result = builder.single("MatMul", [joined, kernel.name], layer.path)
    if useBias {
      let bias = try builder.weight(layer, "output_dense/bias", wanted: [kernel.shape.dims.last])
      result = builder.single("Add", [result, bias.name], "\(layer.path)/add_bias")
    }
    return [KerasValue(result, [query.dims[0], query.dims[1], kernel.shape.dims.last])]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    if let shape = shapes["query_dense/kernel"], shape.rank == 3 { config["num_heads"] = JSON(shape[1]) }
    return config
  }
}

extension KerasForm {
  /// [inputs, heads, size] as a matrix [inputs, heads * size].
  static func heads(_ size: Int) -> KerasForm {
    KerasForm(
      forward: { tensor throws(PruneError) in
        guard tensor.shape.rank == 3 else {
          throw PruneError(.mismatch, "a projection is \(tensor.shape), 3 axes were wanted")
        }
        return try tensor.reshaped(try Shape([tensor.shape[0], tensor.shape[1] * tensor.shape[2]]))
      },
      inverse: { tensor throws(PruneError) in
        guard tensor.shape.rank == 2 else {
          throw PruneError(.mismatch, "a projection is \(tensor.shape), 2 axes were wanted")
        }
        return try tensor.reshaped(try Shape([tensor.shape[0], tensor.shape[1] / size, size]))
      })
  }

  /// [heads, size, outputs] as a matrix [heads * size, outputs].
  static func joined(_ size: Int) -> KerasForm {
    KerasForm(
      forward: { tensor throws(PruneError) in
        guard tensor.shape.rank == 3 else {
          throw PruneError(.mismatch, "a projection is \(tensor.shape), 3 axes were wanted")
        }
        return try tensor.reshaped(try Shape([tensor.shape[0] * tensor.shape[1], tensor.shape[2]]))
      },
      inverse: { tensor throws(PruneError) in
        guard tensor.shape.rank == 2 else {
          throw PruneError(.mismatch, "a projection is \(tensor.shape), 2 axes were wanted")
        }
        return try tensor.reshaped(try Shape([tensor.shape[0] / size, size, tensor.shape[1]]))
      })
  }
}
