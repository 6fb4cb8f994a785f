import PruneGraph
import PruneTensor

/// Attention without projections: by dot products, or by sums (AdditiveAttention).
struct KerasAttention: KerasLayerKind {
  let names = ["Attention", "AdditiveAttention"]
  let arguments: Set = ["use_causal_mask"]
  func masking(of layer: KerasLayer) -> KerasMasking { .lacks }

  private func hasScale(_ layer: KerasLayer) -> Bool {
    layer.flag("use_scale", default: layer.className == "AdditiveAttention")
  }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    hasScale(layer) ? [KerasWeight(name: "scale")] : []
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    guard (2...3).contains(call.inputs.count), call.named.isEmpty, call.inputs.allSatisfy({ $0.rank == 3 }) else {
      throw layer.unsupported("it wants a query, a value and perhaps a key of 3 axes, and no mask")
    }
    guard layer.text("score_mode", default: "dot") == "dot" else {
      throw layer.unsupported("its score_mode is not 'dot'", hint: "export the model to ONNX")
    }
    let query = builder.plain(call.inputs[0])
    let value = builder.plain(call.inputs[1])
    let key = builder.plain(call.inputs.last ?? query)
    var scores: String
    if layer.className == "AdditiveAttention" {
      func widened(_ value: KerasValue, _ axis: Int, _ name: String) throws(PruneError) -> String {
        builder.single(
          "Unsqueeze", [value.name, try builder.constant([axis], "\(layer.path)/\(name)_axis")], "\(layer.path)/\(name)"
        )
      }
      let pairs = builder.single(
        "Add", [try widened(query, 2, "query"), try widened(key, 1, "key")], "\(layer.path)/pairs")
      var mixed = builder.single("Tanh", [pairs], "\(layer.path)/tanh")
      if hasScale(layer) {
        mixed = builder.single(
          "Mul", [mixed, try builder.weight(layer, "scale", expected: [query.dims[2]]).name], "\(layer.path)/scaled")
      }
      scores = builder.single(
        "ReduceSum", [mixed, try builder.constant([3], "\(layer.path)/axes")], "\(layer.path)/scores",
        [("keepdims", .int(0))])
    } else {
      let transposed = builder.single("Transpose", [key.name], "\(layer.path)/key", [("perm", .integers([0, 2, 1]))])
      scores = builder.single("MatMul", [query.name, transposed], "\(layer.path)/scores")
      if hasScale(layer) {
        scores = builder.single(
          "Mul", [scores, try builder.weight(layer, "scale", expected: []).name], "\(layer.path)/scaled")
      }
    }
    if call.flag("use_causal_mask") { scores = try builder.causal(scores, query, key, layer) }
    let weights = builder.single("Softmax", [scores], "\(layer.path)/softmax", [("axis", .int(-1))])
    return [
      KerasValue(
        builder.single("MatMul", [weights, value.name], layer.path), [query.dims[0], query.dims[1], value.dims[2]])
    ]
  }
}

extension KerasBuilder {
  /// Scores [..., queries, keys] of which no query sees a key behind it.
  fileprivate mutating func causal(_ scores: String, _ query: KerasValue, _ key: KerasValue, _ layer: KerasLayer)
    throws(PruneError) -> String
  {
    guard let rows = query.dims[1], let columns = key.dims[1], rows > 0, columns > 0, rows < 1 << 14, columns < 1 << 14
    else {
      throw layer.unsupported(
        "use_causal_mask wants a fixed number of steps, fewer than 16384",
        hint: "build the model with keras.Input((steps, channels)), or export it to ONNX")
    }
    var values = [Float](repeating: 0, count: rows * columns)
    for row in 0..<rows { for column in row + 1..<max(columns, row + 1) { values[row * columns + column] = -1e9 } }
    let mask = constant(try Tensor(values, try Shape([rows, columns])), "\(layer.path)/causal_mask")
    return single("Add", [scores, mask], "\(layer.path)/causal")
  }
}

struct KerasMultiHeadAttention: KerasLayerKind {
  let names = ["MultiHeadAttention", "GroupQueryAttention"]
  let arguments: Set = ["query", "value", "key", "use_causal_mask"]
  func masking(of layer: KerasLayer) -> KerasMasking { .lacks }
  private static let parts = ["query", "key", "value"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    let names = layer.flag("use_bias", default: true) ? ["kernel", "bias"] : ["kernel"]
    return (Self.parts + ["output"]).flatMap { part in
      names.map { KerasWeight(path: Self.path(layer, part), name: $0) }
    }
  }

  private static func isGrouped(_ layer: KerasLayer) -> Bool { layer.className == "GroupQueryAttention" }

  /// Where the weights of a projection are in the layer.
  private static func path(_ layer: KerasLayer, _ part: String) -> String {
    "\(isGrouped(layer) ? "_" : "")\(part)_dense/"
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
    guard !layer.flag("use_gate", default: false), layer.config["sliding_window"]?.int == nil else {
      throw layer.unsupported("use_gate and sliding_window are not read", hint: "export the model to ONNX")
    }
    let isGrouped = Self.isGrouped(layer)
    func size(_ part: String, _ fallback: Int) throws(PruneError) -> Int {
      guard let now = try builder.built("\(layer.path)/\(part)/split", input: 1)?.integers().last, now > 0 else {
        return fallback
      }
      return now
    }
    let keyDim = try size("query", try layer.required(isGrouped ? "head_dim" : "key_dim"))
    let valueDim = try size("value", isGrouped ? keyDim : layer.config["value_dim"]?.int ?? keyDim)
    guard valueDim > 0, valueDim < 1 << 30, keyDim < 1 << 30, !isGrouped || keyDim == valueDim else {
      throw layer.unsupported("its value_dim is \(valueDim), its key_dim \(keyDim)")
    }
    builder.refit(layer, isGrouped ? "head_dim" : "key_dim", JSON(keyDim))
    if !isGrouped, layer.config["value_dim"]?.int != nil || valueDim != keyDim {
      builder.refit(layer, "value_dim", JSON(valueDim))
    }
    let useBias = layer.flag("use_bias", default: true)
    var heads = try layer.required(isGrouped ? "num_query_heads" : "num_heads")
    var shared = isGrouped ? try layer.required("num_key_value_heads") : heads
    var split: [String] = []
    for (part, (source, size)) in zip(Self.parts, [(query, keyDim), (key, keyDim), (value, valueDim)]) {
      let path = Self.path(layer, part)
      let plain = builder.plain(source)
      let name = "\(layer.path)/\(part)"
      let headCount = part == "query" ? heads : shared
      let kernel = try builder.weight(
        layer, path + "kernel", .heads(size), expected: [plain.dims[2], headCount, size])
      if kernel.shape.rank == 3 {
        if part == "query" { heads = kernel.shape[1] } else { shared = kernel.shape[1] }
      }
      if part == "query", !isGrouped { shared = heads }
      if part == "query", isGrouped, !builder.isExact,
        let now = try builder.built("\(name)/split", input: 1)?.integers(), now.count == 5
      {
        shared = now[2]
      }
      guard shared > 0, heads % shared == 0 else {
        throw layer.unsupported("\(heads) heads of queries do not share \(shared) of keys")
      }
      var result = builder.single("MatMul", [plain.name, kernel.name], name)
      if useBias {
        let bias = try builder.weight(
          layer, path + "bias", .reshaped([nil], back: [nil, size]), expected: [part == "query" ? heads : shared, size])
        result = builder.single("Add", [result, bias.name], "\(name)/add_bias")
      }
      // Queries that share a key have an axis of their own, which keys are repeated along.
      let extents = isGrouped ? [0, 0, shared, part == "query" ? heads / shared : 1, size] : [0, 0, shared, size]
      result = builder.single("Reshape", [result, try builder.constant(extents, "\(name)/heads")], "\(name)/split")
      let order = isGrouped ? [0, 2, 3, 1, 4] : [0, 2, 1, 3]
      let transposed = isGrouped ? [0, 2, 3, 4, 1] : [0, 2, 3, 1]
      split.append(
        builder.single(
          "Transpose", [result], "\(name)/turned", [("perm", .integers(part == "key" ? transposed : order))]))
    }
    let scale = try builder.constant(1 / Double(keyDim).squareRoot(), "\(layer.path)/scale")
    let scaled = builder.single("Mul", [split[0], scale], "\(layer.path)/scaled")
    var scores = builder.single("MatMul", [scaled, split[1]], "\(layer.path)/scores")
    if call.flag("use_causal_mask") { scores = try builder.causal(scores, query, key, layer) }
    let weights = builder.single("Softmax", [scores], "\(layer.path)/softmax", [("axis", .int(-1))])
    let mixed = builder.single("MatMul", [weights, split[2]], "\(layer.path)/mixed")
    let transposed = builder.single(
      "Transpose", [mixed], "\(layer.path)/back", [("perm", .integers(isGrouped ? [0, 3, 1, 2, 4] : [0, 2, 1, 3]))])
    let wide = heads.multipliedReportingOverflow(by: valueDim).partialValue
    let joined = builder.single(
      "Reshape", [transposed, try builder.constant([0, 0, wide], "\(layer.path)/joined_shape")], "\(layer.path)/joined")
    let output = Self.path(layer, "output")
    let kernel = try builder.weight(layer, output + "kernel", .joined(valueDim), expected: [heads, valueDim, nil])
    var result = builder.single("MatMul", [joined, kernel.name], layer.path)
    if useBias {
      let bias = try builder.weight(layer, output + "bias", expected: [kernel.shape.dims.last])
      result = builder.single("Add", [result, bias.name], "\(layer.path)/add_bias")
    }
    return [KerasValue(result, [query.dims[0], query.dims[1], kernel.shape.dims.last])]
  }

  func resized(_ layer: KerasLayer, _ shapes: [String: Shape]) -> JSON {
    var config = layer.config
    let isGrouped = Self.isGrouped(layer)
    for (part, key) in [("query", isGrouped ? "num_query_heads" : "num_heads"), ("key", "num_key_value_heads")] {
      guard part == "query" || isGrouped, let shape = shapes[Self.path(layer, part) + "kernel"], shape.rank == 3 else {
        continue
      }
      config[key] = JSON(shape[1])
    }
    return config
  }
}

extension KerasMultiHeadAttention {
  /// The graph with scores scaled by the size that heads have now, which is all that Keras can say: the rest of the
  /// factor that pruning kept goes into the projection of the queries.
  static func rescaled(_ graph: Graph) throws(PruneError) -> Graph {
    var result = graph
    for node in graph.nodes where node.opType == "Mul" && node.name.hasSuffix("/scaled") {
      let base = String(node.name.dropLast("/scaled".count))
      guard let scale = node.input(1), let now = graph.initializer(scale), now.count == 1, now.dtype == .float32,
        let split = graph.nodes.first(where: { $0.name == "\(base)/query/split" })?.input(1),
        let size = try graph.initializer(split)?.integers().last, size > 0, let factor = try now.doubles().first
      else { continue }
      let standardScale = Float(1 / Double(size).squareRoot())
      if Float(factor) == standardScale { continue }
      for part in ["query_dense", "_query_dense"] {
        for name in ["kernel", "bias"] {
          guard let tensor = graph.initializer("\(base)/\(part)/\(name)"), tensor.dtype == .float32 else { continue }
          let values: [Float] = try tensor.array()
          let ratio = Float(factor / Double(standardScale))
          result.setInitializer("\(base)/\(part)/\(name)", try Tensor(values.map { $0 * ratio }, tensor.shape))
        }
      }
      result.setInitializer(scale, try Tensor([standardScale], now.shape))
    }
    return result
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
