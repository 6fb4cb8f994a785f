import PruneGraph
import PruneTensor

/// Layers with weights or windows.
extension KerasExport {
  /// How a window moves, and what Keras's `padding` it has.
  private struct Window {
    var kernel: [Int]
    var strides: [Int]
    var dilations: [Int]
    var pads: [Int]
    var isSame = false

    init(_ node: Node, kernel: [Int]) throws(PruneError) {
      let rank = kernel.count
      self.kernel = kernel
      strides = node.ints("strides") ?? [Int](repeating: 1, count: rank)
      dilations = node.ints("dilations") ?? [Int](repeating: 1, count: rank)
      pads = node.ints("pads") ?? [Int](repeating: 0, count: 2 * rank)
      let auto = node.string("auto_pad", default: "NOTSET")
      isSame = auto == "SAME_UPPER"
      guard ["NOTSET", "VALID", "SAME_UPPER"].contains(auto) else {
        throw PruneError(.unsupported, "Keras has no padding \(auto)")
      }
      guard (1...3).contains(rank), strides.count == rank, dilations.count == rank, pads.count == 2 * rank,
        (kernel + strides + dilations).allSatisfy({ $0 > 0 && $0 < 1 << 30 }),
        pads.allSatisfy({ $0 >= 0 && $0 < 1 << 30 })
      else { throw PruneError(.unsupported, "its window has \(rank) axes, or the padding is negative") }
      guard strides.allSatisfy({ $0 == 1 }) || dilations.allSatisfy({ $0 == 1 }) else {
        throw PruneError(.unsupported, "Keras has no strides and dilation at once")
      }
    }

    func reach(_ axis: Int) -> Int { (kernel[axis] - 1) * dilations[axis] + 1 }

    /// Whether Keras's 'same' pads as this window does.
    func matchesSame(_ extents: [Int?]) -> Bool {
      kernel.indices.allSatisfy { axis in
        guard strides[axis] > 1 else {
          return pads[axis] == (reach(axis) - 1) / 2
            && pads[axis + kernel.count] == reach(axis) - 1 - (reach(axis) - 1) / 2
        }
        guard let extent = extents[axis] else { return false }
        let total = max(((extent + strides[axis] - 1) / strides[axis] - 1) * strides[axis] + reach(axis) - extent, 0)
        return pads[axis] == total / 2 && pads[axis + kernel.count] == total - total / 2
      }
    }

    func output(_ extents: [Int?]) -> [Int?] {
      extents.enumerated().map { axis, extent in
        extent.map {
          isSame
            ? ($0 + strides[axis] - 1) / strides[axis]
            : max(($0 + pads[axis] + pads[axis + kernel.count] - reach(axis)) / strides[axis] + 1, 0)
        }
      }
    }

    var config: [(key: String, value: JSON)] {
      [
        ("strides", JSON(strides)), ("padding", .string(isSame ? "same" : "valid")),
        ("data_format", .string("channels_last")),
      ]
    }
  }

  /// The window with padding as Keras can say it, and its input, padded by a layer of its own where it cannot.
  private mutating func prepared(_ window: inout Window, _ input: Value, _ name: String, zerosAreRight: Bool)
    throws(PruneError) -> Value
  {
    let value = last(input)
    if window.isSame || window.pads.allSatisfy({ $0 == 0 }) { return value }
    if window.matchesSame(Array(value.dims.dropFirst(2))) {
      window.isSame = true
      return value
    }
    guard zerosAreRight else { throw PruneError(.unsupported, "Keras has no padding \(window.pads) of this window") }
    let rank = window.kernel.count
    let pads = [0, 0] + window.pads[..<rank] + [0, 0] + window.pads[rank...]
    window.pads = [Int](repeating: 0, count: 2 * rank)
    return try padded(value, pads, "\(name)_pad")
  }

  mutating func convolution(_ node: Node) throws(PruneError) -> Value {
    guard let kernel = constant(node, 1), (3...5).contains(kernel.shape.rank) else {
      throw PruneError(.unsupported, "its weight is computed")
    }
    let rank = kernel.shape.rank - 2
    var window = try Window(node, kernel: Array(kernel.shape.dims.dropFirst(2)))
    let group = node.int("group", default: 1)
    let bias = constant(node, 2)
    guard node.input(2) == nil || bias != nil else { throw PruneError(.unsupported, "its bias is computed") }
    let source = try value(node, 0)
    guard source.rank == rank + 2 else { throw PruneError(.unsupported, "its input has \(source.rank) axes") }
    let input = try prepared(&window, source, node.name, zerosAreRight: true)
    let isDepthwise = group > 1 && kernel.shape[1] == 1 && rank < 3 && kernel.shape[0] % group == 0
    var config =
      window.config + [
        ("kernel_size", JSON(window.kernel)), ("dilation_rate", JSON(window.dilations)),
        ("use_bias", .bool(bias != nil)),
      ]
    var result = input
    let multiplier = max(kernel.shape[0] / max(group, 1), 1)
    if isDepthwise {
      config.append(("depth_multiplier", JSON(multiplier)))
    } else {
      config += [("filters", JSON(kernel.shape[0])), ("groups", JSON(group))]
    }
    result.layer = add("\(isDepthwise ? "DepthwiseConv" : "Conv")\(rank)D", node.name, config, from: [input])
    let form = isDepthwise ? KerasForm.depthwise(rank, multiplier: multiplier) : .kernel(rank)
    set(result.layer, isDepthwise ? "depthwise_kernel" : "kernel", try form.inverse(kernel))
    if let bias { set(result.layer, "bias", bias) }
    result.dims = [input.dims[0], kernel.shape[0]] + window.output(Array(input.dims.dropFirst(2)))
    result.isPositive = false
    return result
  }

  mutating func transposedConvolution(_ node: Node) throws(PruneError) -> Value {
    guard let kernel = constant(node, 1), (3...5).contains(kernel.shape.rank), node.int("group", default: 1) == 1,
      node.string("auto_pad", default: "NOTSET") == "NOTSET", node.ints("output_shape") == nil,
      (node.ints("output_padding") ?? []).allSatisfy({ $0 == 0 })
    else { throw PruneError(.unsupported, "Keras has no groups, output_padding or output_shape as this one has") }
    let rank = kernel.shape.rank - 2
    let bias = constant(node, 2)
    var window = try Window(node, kernel: Array(kernel.shape.dims.dropFirst(2)))
    let source = try value(node, 0)
    guard source.rank == rank + 2, node.input(2) == nil || bias != nil,
      window.kernel.indices.allSatisfy({ window.reach($0) >= window.strides[$0] })
    else {
      throw PruneError(.unsupported, "its window is smaller than its strides, or its bias is computed")
    }
    let pads = window.pads
    window.pads = [Int](repeating: 0, count: 2 * rank)
    let input = last(source)
    var result = input
    let config =
      window.config + [
        ("kernel_size", JSON(window.kernel)), ("dilation_rate", JSON(window.dilations)),
        ("use_bias", .bool(bias != nil)), ("filters", JSON(kernel.shape[1])),
      ]
    result.layer = add("Conv\(rank)DTranspose", node.name, config, from: [input])
    set(result.layer, "kernel", try KerasForm.kernel(rank).inverse(kernel))
    if let bias { set(result.layer, "bias", bias) }
    result.dims[1] = kernel.shape[1]
    if pads.contains(where: { $0 != 0 }) {
      let margins = (0..<rank).map { JSON([pads[$0], pads[$0 + rank]]) }
      result.layer = add(
        "Cropping\(rank)D", "\(node.name)_crop", [("cropping", rank == 1 ? margins[0] : .array(margins))],
        from: [result])
    }
    for axis in 0..<rank {
      result.dims[axis + 2] = input.dims[axis + 2].map {
        ($0 - 1) * window.strides[axis] + window.reach(axis) - pads[axis] - pads[axis + rank]
      }
    }
    result.isPositive = false
    return result
  }

  mutating func normalization(_ node: Node) throws(PruneError) -> Value {
    let input = try value(node, 0)
    var result = input.rank >= 3 ? last(input) : input
    let config: [(key: String, value: JSON)] = [
      ("axis", JSON(result.rank - 1)), ("momentum", JSON(Double(node.float("momentum", default: 0.9)))),
      ("epsilon", JSON(Double(node.float("epsilon", default: 1e-5)))),
    ]
    result.layer = add("BatchNormalization", node.name, config, from: [result])
    for (index, name) in ["gamma", "beta", "moving_mean", "moving_variance"].enumerated() {
      guard let weight = constant(node, index + 1) else { throw PruneError(.unsupported, "its \(name) is computed") }
      set(result.layer, name, weight)
    }
    result.isPositive = false
    return result
  }

  /// A product with a weight, and the bias that an Add behind it is.
  mutating func dense(_ node: Node, _ index: Int, _ output: String) throws(PruneError) {
    let input = first(try value(node, 0))
    guard var kernel = constant(node, 1), kernel.shape.rank == 2 else {
      throw PruneError(.unsupported, "it multiplies with something that is no matrix of weights")
    }
    var bias: Tensor?
    var target = output
    if node.opType == "Gemm" {
      guard node.float("alpha", default: 1) == 1, node.float("beta", default: 1) == 1 || node.input(2) == nil,
        node.int("transA", default: 0) == 0
      else {
        throw PruneError(.unsupported, "Keras has no factors beside the product")
      }
      if node.int("transB", default: 0) == 1 { kernel = try kernel.permuted([1, 0]) }
      if node.input(2) != nil {
        guard let vector = constant(node, 2) else { throw PruneError(.unsupported, "its bias is computed") }
        bias = vector.count == kernel.shape[1] ? try vector.reshaped(try Shape([kernel.shape[1]])) : nil
        guard bias != nil else { throw PruneError(.unsupported, "its bias is \(vector.shape)") }
      }
    } else if let next = consumers[output], next.count == 1, let place = next.first, graph.nodes[place].opType == "Add",
      !graph.outputs.contains(where: { $0.name == output })
    {
      let sum = graph.nodes[place]
      let side = sum.input(0) == output ? 1 : 0
      if let vector = constant(sum, side), vector.shape.dims == [kernel.shape[1]], let name = sum.output(0) {
        (bias, target) = (vector, name)
        done.insert(place)
      }
    }
    var result = input
    result.layer = add(
      "Dense", node.name, [("units", JSON(kernel.shape[1])), ("use_bias", .bool(bias != nil))], from: [input])
    set(result.layer, "kernel", kernel)
    if let bias { set(result.layer, "bias", bias) }
    if !result.dims.isEmpty { result.dims[result.rank - 1] = kernel.shape[1] }
    (result.isPositive, result.isLast) = (false, false)
    values[target] = result
  }

  mutating func pooling(_ node: Node) throws(PruneError) -> Value {
    let source = try value(node, 0)
    guard (3...5).contains(source.rank) else { throw PruneError(.unsupported, "its input has \(source.rank) axes") }
    let rank = source.rank - 2
    if node.opType.hasPrefix("Global") || node.opType == "ReduceMean" {
      let keeps = node.opType != "ReduceMean" || node.int("keepdims", default: 1) == 1
      if node.opType == "ReduceMean" {
        let axes = (try constant(node, 1)?.integers() ?? node.ints("axes") ?? []).map { $0 < 0 ? $0 + source.rank : $0 }
        guard axes.sorted() == Array(2..<source.rank) else {
          throw PruneError(.unsupported, "Keras has means over all spatial axes alone")
        }
      }
      let input = last(source)
      let kind = node.opType == "GlobalMaxPool" ? "Max" : "Average"
      var result = input
      result.layer = add(
        "Global\(kind)Pooling\(rank)D", node.name,
        [("keepdims", .bool(keeps)), ("data_format", .string("channels_last"))], from: [input])
      result.dims = [input.dims[0], input.dims[1]] + (keeps ? [Int?](repeating: 1, count: rank) : [])
      if !keeps { result.isLast = false }
      return result
    }
    guard node.int("ceil_mode", default: 0) == 0, node.output(1) == nil, let kernel = node.ints("kernel_shape"),
      kernel.count == rank
    else {
      throw PruneError(.unsupported, "Keras has no ceil_mode and gives no indices")
    }
    var window = try Window(node, kernel: kernel)
    guard window.dilations.allSatisfy({ $0 == 1 }) else {
      throw PruneError(.unsupported, "Keras's poolings have no dilation")
    }
    let isMax = node.opType == "MaxPool"
    let counts = node.int("count_include_pad", default: 0) == 1
    if counts, !isMax, window.pads.contains(where: { $0 != 0 }) {
      // Zeros that count are zeros that are there.
      let pads = [0, 0] + window.pads[..<rank] + [0, 0] + window.pads[rank...]
      window.pads = [Int](repeating: 0, count: 2 * rank)
      return try pooled(node, window, try padded(source, pads, "\(node.name)_pad"), isMax)
    }
    let input = try prepared(&window, source, node.name, zerosAreRight: isMax && source.isPositive)
    return try pooled(node, window, input, isMax)
  }

  private mutating func pooled(_ node: Node, _ window: Window, _ input: Value, _ isMax: Bool) throws(PruneError)
    -> Value
  {
    var result = input
    result.layer = add(
      "\(isMax ? "Max" : "Average")Pooling\(window.kernel.count)D", node.name,
      window.config + [("pool_size", JSON(window.kernel))], from: [input])
    result.dims = [input.dims[0], input.dims[1]] + window.output(Array(input.dims.dropFirst(2)))
    return result
  }
}
