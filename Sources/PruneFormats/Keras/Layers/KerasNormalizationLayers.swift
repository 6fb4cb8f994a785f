import PruneGraph
import PruneTensor

struct KerasBatchNormalization: KerasLayerKind {
  let names = ["BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    (layer.flag("scale", default: true) ? [KerasWeight(name: "gamma")] : [])
      + (layer.flag("center", default: true) ? [KerasWeight(name: "beta")] : [])
      + [
        KerasWeight(name: "moving_mean", isTrainable: false), KerasWeight(name: "moving_variance", isTrainable: false),
      ]
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let input = try call.input(of: layer)
    let axis = layer.config["axis"]?.int ?? layer.config["axis"]?.ints?.first ?? -1
    let channel = try input.axis(axis, of: layer)
    guard channel > 0 else { throw layer.unsupported("it normalizes over its batch axis") }
    let value = builder.channelsFirst(input, channel: channel)
    let mean = try builder.weight(layer, "moving_mean", expected: [value.dims[channel]])
    let shape = [mean.shape.dims.first]
    let variance = try builder.weight(layer, "moving_variance", expected: shape)
    func filled(_ number: Float) throws(PruneError) -> Tensor {
      try Tensor([Float](repeating: number, count: mean.shape.count))
    }
    let scale =
      layer.flag("scale", default: true)
      ? try builder.weight(layer, "gamma", expected: shape).name
      : builder.constant(try filled(1), "\(layer.path)/gamma")
    let shift =
      layer.flag("center", default: true)
      ? try builder.weight(layer, "beta", expected: shape).name : builder.constant(try filled(0), "\(layer.path)/beta")
    return [
      builder.map(
        "BatchNormalization", value, layer.path, [scale, shift, mean.name, variance.name],
        [
          ("epsilon", .float(Float(layer.float("epsilon", default: 1e-3)))),
          ("momentum", .float(Float(layer.float("momentum", default: 0.99)))),
        ])
    ]
  }
}

/// Layer and root-mean-square normalization.
struct KerasLayerNormalization: KerasLayerKind {
  let names = ["LayerNormalization", "RMSNormalization"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    if layer.className == "RMSNormalization" { return [KerasWeight(name: "scale")] }
    return (layer.flag("scale", default: true) ? [KerasWeight(name: "gamma")] : [])
      + (layer.flag("center", default: true) ? [KerasWeight(name: "beta")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer))
    var axes: [Int] = []
    for axis in layer.config["axis"]?.ints ?? [layer.int("axis", default: -1)] {
      axes.append(try value.axis(axis, of: layer))
    }
    axes.sort()
    guard let first = axes.first, first > 0, axes == Array(first..<value.rank),
      !layer.flag("rms_scaling", default: false)
    else {
      throw layer.unsupported("it normalizes over axes \(axes), the last ones were wanted")
    }
    let dims = axes.map { value.dims[$0] }
    if layer.className == "RMSNormalization" {
      let scale = try builder.weight(layer, "scale", expected: dims)
      let square = builder.single("Mul", [value.name, value.name], "\(layer.path)/square")
      let mean = builder.single(
        "ReduceMean", [square], "\(layer.path)/mean", [("axes", .integers(axes)), ("keepdims", .int(1))])
      let epsilon = try builder.constant(layer.float("epsilon", default: 1e-6), "\(layer.path)/epsilon")
      let root = builder.single(
        "Sqrt", [builder.single("Add", [mean, epsilon], "\(layer.path)/sum")], "\(layer.path)/root")
      let normal = builder.map("Div", value, "\(layer.path)/normal", [root])
      return [builder.map("Mul", normal, layer.path, [scale.name])]
    }
    var extents: [Int] = []
    for extent in dims {
      guard let extent else { throw layer.unsupported("an axis that it normalizes over has no fixed extent") }
      extents.append(extent)
    }
    let shape = try Shape(extents)
    let scale =
      layer.flag("scale", default: true)
      ? try builder.weight(layer, "gamma", expected: dims).name
      : builder.constant(try Tensor([Float](repeating: 1, count: shape.count), shape), "\(layer.path)/gamma")
    let shift = layer.flag("center", default: true) ? [try builder.weight(layer, "beta", expected: dims).name] : []
    return [
      builder.map(
        "LayerNormalization", value, layer.path, [scale] + shift,
        [("axis", .int(Int64(first))), ("epsilon", .float(Float(layer.float("epsilon", default: 1e-3))))])
    ]
  }
}

struct KerasGroupNormalization: KerasLayerKind {
  let names = ["GroupNormalization"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    (layer.flag("scale", default: true) ? [KerasWeight(name: "gamma")] : [])
      + (layer.flag("center", default: true) ? [KerasWeight(name: "beta")] : [])
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let input = try call.input(of: layer)
    let channel = try input.axis(layer.int("axis", default: -1), of: layer)
    let value = builder.channelsFirst(input, channel: channel)
    guard let channels = value.dims[channel], channel > 0 else {
      throw layer.unsupported("its channels are no fixed number")
    }
    let groups = layer.int("groups", default: 32) == -1 ? channels : layer.int("groups", default: 32)
    guard groups > 0, channels % groups == 0 else {
      throw layer.unsupported("it has \(groups) groups for \(channels) channels")
    }
    let split = builder.single(
      "Reshape", [value.name, try builder.constant([0, groups, -1], "\(layer.path)/groups")], "\(layer.path)/split")
    let ones = builder.constant(try Tensor([Float](repeating: 1, count: groups)), "\(layer.path)/ones")
    let zeros = builder.constant(try Tensor([Float](repeating: 0, count: groups)), "\(layer.path)/zeros")
    let normal = builder.single(
      "InstanceNormalization", [split, ones, zeros], "\(layer.path)/normal",
      [("epsilon", .float(Float(layer.float("epsilon", default: 1e-3))))])
    let shape = builder.single("Shape", [value.name], "\(layer.path)/shape")
    var result = value
    result.name = builder.single("Reshape", [normal, shape], layer.path)
    let form = KerasForm.reshaped([nil] + [Int?](repeating: 1, count: value.rank - 2), back: [nil])
    if layer.flag("scale", default: true) {
      result = builder.map(
        "Mul", result, "\(layer.path)/scaled", [try builder.weight(layer, "gamma", form, expected: [channels]).name])
    }
    if layer.flag("center", default: true) {
      result = builder.map(
        "Add", result, "\(layer.path)/shifted", [try builder.weight(layer, "beta", form, expected: [channels]).name])
    }
    return [result]
  }
}

struct KerasUnitNormalization: KerasLayerKind {
  let names = ["UnitNormalization"]
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = try call.input(of: layer)
    var axes: [Int] = []
    for axis in layer.config["axis"]?.ints ?? [layer.int("axis", default: -1)] {
      axes.append(value.order[try value.axis(axis, of: layer)])
    }
    return [try KerasUnitNormalization.normalized(value, axes: axes.sorted(), name: layer.path, &builder)]
  }

  /// x / sqrt(max(sum x^2, 1e-12)) over axes of the tensor.
  static func normalized(
    _ value: KerasValue, axes: [Int], name: String, _ builder: inout KerasBuilder
  ) throws(PruneError) -> KerasValue {
    let square = builder.single("Mul", [value.name, value.name], "\(name)/square")
    let sum = builder.single(
      "ReduceSum", [square, try builder.constant(axes, "\(name)/axes")], "\(name)/sum", [("keepdims", .int(1))])
    let least = builder.single("Max", [sum, try builder.constant(1e-12, "\(name)/least")], "\(name)/max")
    return builder.map("Div", value, name, [builder.single("Sqrt", [least], "\(name)/root")])
  }
}

/// Mean and variance of the data, found by `adapt` or written in the configuration.
struct KerasNormalization: KerasLayerKind {
  let names = ["Normalization"]

  func weights(of layer: KerasLayer) throws(PruneError) -> [KerasWeight] {
    guard layer.config["mean"].map({ $0.isNull }) ?? true else { return [] }
    return ["mean", "variance", "count"].map { KerasWeight(name: $0, isTrainable: false) }
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer))
    var kept: [Int] = []
    let json = layer.config["axis"] ?? JSON(-1)
    for axis in json.ints ?? json.int.map({ [$0] }) ?? [] { kept.append(try value.axis(axis, of: layer)) }
    let dims = (0..<value.rank).map { kept.contains($0) ? value.dims[$0] : 1 }
    let mean: String
    let variance: String
    if try weights(of: layer).isEmpty {
      let centering = layer.flag("invert", default: false) ? layer.path : "\(layer.path)/centered"
      mean = builder.constant(try numbers(layer, "mean", dims, centering, 1, &builder), "\(layer.path)/mean")
      variance = builder.constant(
        try numbers(layer, "variance", dims, "\(layer.path)/root", 0, &builder), "\(layer.path)/variance")
    } else {
      let layerShape = kept.sorted().map { dims[$0] }
      mean = try builder.weight(layer, "mean", .reshaped(dims, back: layerShape)).name
      variance = try builder.weight(layer, "variance", .reshaped(dims, back: layerShape)).name
      try builder.unread(layer, "count", otherwise: try Tensor(scalar: Int32(0)))
    }
    let root = builder.single("Sqrt", [variance], "\(layer.path)/root")
    let spread = builder.single(
      "Max", [root, try builder.constant(1e-7, "\(layer.path)/epsilon")], "\(layer.path)/spread")
    if layer.flag("invert", default: false) {
      return [builder.map("Add", builder.map("Mul", value, "\(layer.path)/scaled", [spread]), layer.path, [mean])]
    }
    return [builder.map("Div", builder.map("Sub", value, "\(layer.path)/centered", [mean]), layer.path, [spread])]
  }

  /// The numbers of the configuration, or what pruning left of them in the input of a node.
  private func numbers(
    _ layer: KerasLayer, _ key: String, _ dims: [Int?], _ node: String, _ input: Int, _ builder: inout KerasBuilder
  ) throws(PruneError) -> Tensor {
    if let now = builder.built(node, input: input), now.dtype == .float32 {
      builder.refit(layer, key, .array(try now.doubles().map { JSON($0) }))
      return now
    }
    var numbers: [Float] = []
    func collect(_ json: JSON?, _ depth: Int) {
      if let number = json?.double { numbers.append(Float(number)) }
      if depth < 8 { for inner in json?.array ?? [] { collect(inner, depth + 1) } }
    }
    collect(layer.config[key], 0)
    guard !numbers.isEmpty else {
      throw layer.unsupported("its \(key) is \(layer.config[key]?.text.prefix(40) ?? "null")")
    }
    if numbers.count == 1 { return try Tensor(scalar: numbers[0]) }
    return try Tensor(numbers).reshaped(try Shape(dims.map { $0 ?? numbers.count }))
  }
}

struct KerasRescaling: KerasLayerKind {
  let names = ["Rescaling"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = try call.input(of: layer)
    for (key, op, neutral) in [("scale", "Mul", 1.0), ("offset", "Add", 0.0)] {
      let json = layer.config[key] ?? JSON(neutral)
      if let number = json.double {
        if number != neutral {
          value = builder.map(
            op, value, "\(layer.path)/\(key)", [try builder.constant(number, "\(layer.path)/\(key)_value")])
        }
      } else {
        let numbers = (json.array ?? []).compactMap(\.double).map { Float($0) }
        guard !numbers.isEmpty, numbers.count == json.array?.count else {
          throw layer.unsupported("its \(key) is \(json.text.prefix(40))")
        }
        // A list stands for the last axis.
        value = builder.plain(value)
        value = builder.map(
          op, value, "\(layer.path)/\(key)", [builder.constant(try Tensor(numbers), "\(layer.path)/\(key)_value")])
      }
    }
    return [value]
  }
}
