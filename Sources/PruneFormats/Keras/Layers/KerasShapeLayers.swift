import PruneGraph
import PruneTensor

/// The product of extents; nil when one is open or it is too large.
private func product(_ dims: some Sequence<Int?>) -> Int? {
  var result = 1
  for extent in dims {
    guard let extent else { return nil }
    let (next, overflow) = result.multipliedReportingOverflow(by: extent)
    guard !overflow, next >= 0 else { return nil }
    result = next
  }
  return result
}

struct KerasFlatten: KerasLayerKind {
  let names = ["Flatten"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = try call.input(of: layer)
    if !layer.isChannelsLast, value.rank > 2 {
      // Keras flattens as if channels came last.
      value.dims.append(value.dims.remove(at: 1))
      value.order.append(value.order.remove(at: 1))
    }
    let plain = builder.plain(value)
    return [
      KerasValue(
        builder.single("Flatten", [plain.name], layer.path, [("axis", .int(1))]),
        [plain.dims.first ?? nil, product(plain.dims.dropFirst())],
        plain.dtype)
    ]
  }
}

struct KerasReshape: KerasLayerKind {
  let names = ["Reshape"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer))
    guard var target = layer.config["target_shape"]?.ints, target.allSatisfy({ $0 >= -1 }) else {
      throw PruneError(.badFormat, "\(layer.label): target_shape is \(layer.config["target_shape"]?.text ?? "missing")")
    }
    if let now = try builder.built(layer.path, input: 1)?.integers(), now.count == target.count + 1, now[0] == 0,
      now.dropFirst().allSatisfy({ $0 >= -1 })
    {
      target = Array(now.dropFirst())
      builder.refit(layer, "target_shape", JSON(target))
    }
    let name = builder.single(
      "Reshape", [value.name, try builder.constant([0] + target, "\(layer.path)/shape")], layer.path)
    var dims: [Int?] = target.map { $0 == -1 ? nil : $0 }
    if let open = dims.firstIndex(of: nil), let all = product(value.dims.dropFirst()),
      let fixedCount = product(target.filter { $0 != -1 }.map { $0 }), fixedCount > 0
    {
      dims[open] = all / fixedCount
    }
    return [KerasValue(name, [value.dims.first ?? nil] + dims, value.dtype)]
  }
}

/// No node: the axes only get other names.
struct KerasPermute: KerasLayerKind {
  let names = ["Permute"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = try call.input(of: layer)
    guard let axes = layer.config["dims"]?.ints, axes.sorted() == Array(1..<max(value.rank, 1)) else {
      throw PruneError(.badFormat, "\(layer.label): dims are \(layer.config["dims"]?.text ?? "missing")")
    }
    let all = [0] + axes
    (value.dims, value.order) = (all.map { value.dims[$0] }, all.map { value.order[$0] })
    return [value]
  }
}

struct KerasRepeatVector: KerasLayerKind {
  let names = ["RepeatVector"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = builder.plain(try call.input(of: layer))
    let count = try layer.required("n")
    guard value.rank == 2 else { throw layer.unsupported("its input has \(value.rank) axes") }
    let row = builder.single(
      "Unsqueeze", [value.name, try builder.constant([1], "\(layer.path)/axis")], "\(layer.path)/row")
    let name = builder.single("Tile", [row, try builder.constant([1, count, 1], "\(layer.path)/repeats")], layer.path)
    return [KerasValue(name, [value.dims[0], count, value.dims[1]])]
  }
}

extension KerasLayer {
  /// Two numbers for every spatial axis: `((1, 2), (3, 0))`, `(1, 2)` or one for all.
  fileprivate func margins(_ key: String) throws(PruneError) -> [(first: Int, last: Int)] {
    let rank = spatialRank
    let json = config[key]
    var result: [(first: Int, last: Int)] = []
    if let number = json?.int {
      result = [(first: Int, last: Int)](repeating: (number, number), count: rank)
    } else if rank == 1, let pair = json?.ints, pair.count == 2 {
      result = [(pair[0], pair[1])]
    } else {
      for part in json?.array ?? [] {
        if let number = part.int { result.append((number, number)) }
        if let pair = part.ints, pair.count == 2 { result.append((pair[0], pair[1])) }
      }
    }
    guard result.count == rank,
      result.allSatisfy({ $0.first >= 0 && $0.last >= 0 && $0.first < 1 << 30 && $0.last < 1 << 30 })
    else {
      throw PruneError(.badFormat, "\(label): '\(key)' is \(json?.text ?? "missing")")
    }
    return result
  }

  /// The first spatial axis of a value.
  fileprivate var firstSpatial: Int { isChannelsLast ? 1 : 2 }

  fileprivate func checkedRank(_ call: KerasCall) throws(PruneError) -> KerasValue {
    let value = try call.input(of: self)
    guard value.rank == spatialRank + 2 else {
      throw unsupported("its input has \(value.rank) axes, it wants \(spatialRank + 2)")
    }
    return value
  }
}

struct KerasZeroPadding: KerasLayerKind {
  let names = ["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = try layer.checkedRank(call)
    var pads = [Int](repeating: 0, count: 2 * value.rank)
    for (index, margin) in try layer.margins("padding").enumerated() {
      let axis = layer.firstSpatial + index
      (pads[value.order[axis]], pads[value.order[axis] + value.rank]) = (margin.first, margin.last)
      value.dims[axis] = value.dims[axis].map { $0 + margin.first + margin.last }
    }
    return [builder.map("Pad", value, layer.path, [try builder.constant(pads, "\(layer.path)/pads")])]
  }
}

struct KerasCropping: KerasLayerKind {
  let names = ["Cropping1D", "Cropping2D", "Cropping3D"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var value = try layer.checkedRank(call)
    var axes: [Int] = []
    let margins = try layer.margins("cropping")
    for (index, margin) in margins.enumerated() {
      let axis = layer.firstSpatial + index
      axes.append(value.order[axis])
      value.dims[axis] = value.dims[axis].map { max($0 - margin.first - margin.last, 0) }
    }
    let starts = try builder.constant(margins.map(\.first), "\(layer.path)/starts")
    let ends = try builder.constant(margins.map { $0.last == 0 ? Int(Int32.max) : -$0.last }, "\(layer.path)/ends")
    return [builder.map("Slice", value, layer.path, [starts, ends, try builder.constant(axes, "\(layer.path)/axes")])]
  }
}

struct KerasUpSampling: KerasLayerKind {
  let names = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let factors = try layer.extents("size", rank: layer.spatialRank, default: 2)
    var value = try layer.spatial(call, &builder)
    for (index, factor) in factors.enumerated() {
      let axis = layer.firstSpatial + index
      value.dims[axis] = value.dims[axis].map { $0.multipliedReportingOverflow(by: factor).partialValue }
    }
    let scales = builder.constant(try Tensor([1, 1] + factors.map { Float($0) }), "\(layer.path)/scales")
    let attributes: [(String, AttributeValue)]
    switch layer.text("interpolation", default: "nearest") {
    case "nearest":
      attributes = [
        ("mode", .text("nearest")), ("coordinate_transformation_mode", .text("asymmetric")),
        ("nearest_mode", .text("floor")),
      ]
    case "bilinear": attributes = [("mode", .text("linear")), ("coordinate_transformation_mode", .text("half_pixel"))]
    case let other: throw layer.unsupported("its interpolation is '\(other)'", hint: "nearest and bilinear are read")
    }
    return [builder.map("Resize", value, layer.path, ["", scales], attributes)]
  }
}

struct KerasResizing: KerasLayerKind {
  let names = ["Resizing"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    guard !layer.flag("crop_to_aspect_ratio", default: false), !layer.flag("pad_to_aspect_ratio", default: false),
      !layer.flag("antialias", default: false)
    else { throw layer.unsupported("crop_to_aspect_ratio, pad_to_aspect_ratio and antialias are not read") }
    var value = try layer.spatial(call, &builder)
    let size = [try layer.required("height"), try layer.required("width")]
    let shape = builder.single("Shape", [value.name], "\(layer.path)/shape", [("start", .int(0)), ("end", .int(2))])
    let sizes = builder.single(
      "Concat", [shape, try builder.constant(size, "\(layer.path)/size")], "\(layer.path)/sizes", [("axis", .int(0))])
    var attributes: [(String, AttributeValue)] = [("coordinate_transformation_mode", .text("half_pixel"))]
    switch layer.text("interpolation", default: "bilinear") {
    case "nearest": attributes += [("mode", .text("nearest")), ("nearest_mode", .text("round_prefer_ceil"))]
    case "bilinear": attributes.append(("mode", .text("linear")))
    case let other: throw layer.unsupported("its interpolation is '\(other)'", hint: "nearest and bilinear are read")
    }
    for (index, extent) in size.enumerated() { value.dims[layer.firstSpatial + index] = extent }
    return [builder.map("Resize", value, layer.path, ["", "", sizes], attributes)]
  }
}
