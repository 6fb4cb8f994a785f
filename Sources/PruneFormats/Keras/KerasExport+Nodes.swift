import PruneGraph
import PruneTensor

/// What each operator is in Keras.
extension KerasExport {
  /// Operators that are a function of every element: the name that Activation takes.
  private static let functions = [
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign", "Exp": "exponential",
    "Selu": "selu",
    "HardSwish": "hard_silu",
  ]
  private static let merges = [
    "Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum", "Sum": "Add",
  ]

  mutating func emit(_ node: Node, _ index: Int) throws(PruneError) {
    guard node.isStandard, let output = node.output(0) else {
      throw PruneError(.unsupported, "Keras has no such layer")
    }
    switch node.opType {
    case "Constant": return
    case "Identity", "Dropout": values[output] = try value(node, 0)
    case "Conv": values[output] = try convolution(node)
    case "ConvTranspose": values[output] = try transposedConvolution(node)
    case "Slice": values[output] = try sliced(node)
    case "BatchNormalization": values[output] = try normalization(node)
    case "LayerNormalization": values[output] = try layerNormalization(node)
    case "Gemm", "MatMul": try dense(node, index, output)
    case "Relu", "LeakyRelu", "Elu", "Clip", "Softmax", "HardSigmoid": values[output] = try activation(node)
    case "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean":
      values[output] = try pooling(node)
    case "Flatten", "Reshape", "Squeeze": values[output] = try flattened(node)
    case "Concat":
      var inputs: [Value] = []
      for index in node.inputs.indices { inputs.append(try value(node, index)) }
      values[output] = inputs.count == 1 ? inputs[0] : try concatenation(node, inputs)
    case "Pad":
      guard let pads = try constant(node, 1)?.integers() ?? node.ints("pads"),
        node.string("mode", default: "constant") == "constant",
        try constant(node, 2)?.doubles().allSatisfy({ $0 == 0 }) ?? true, node.input(3) == nil
      else { throw PruneError(.unsupported, "Keras pads with zeros alone, by so many as are known") }
      values[output] = try padded(try value(node, 0), pads, node.name)
    case "Transpose":
      let input = first(try value(node, 0))
      guard let axes = node.ints("perm"), axes.first == 0, axes.sorted() == Array(0..<input.rank) else {
        throw PruneError(.unsupported, "Keras moves no batch axis")
      }
      let name = add("Permute", node.name, [("dims", JSON(Array(axes.dropFirst())))], from: [input])
      values[output] = Value(layer: name, dims: axes.map { input.dims[$0] }, isPositive: input.isPositive)
    default:
      if let function = Self.functions[node.opType] {
        var result = try value(node, 0)
        result.isPositive = ["Sigmoid", "Exp", "Softplus"].contains(node.opType)
        result.layer = add("Activation", node.name, [("activation", .string(function))], from: [result])
        values[output] = result
      } else if let merge = Self.merges[node.opType] {
        values[output] = try merged(node, merge)
      } else if node.has(.quantizes) {
        throw PruneError(
          .unsupported, "Keras has no layers on quantized values", hint: "save the model as .onnx or .prunez")
      } else {
        throw PruneError(.unsupported, "no layer of Keras that is written here computes this operator")
      }
    }
  }

  private mutating func layerNormalization(_ node: Node) throws(PruneError) -> Value {
    var result = first(try value(node, 0))
    let place = node.int("axis", default: -1)
    let start = place < 0 ? place + result.rank : place
    guard start > 0, start < result.rank, node.output(1) == nil, node.output(2) == nil, let scale = constant(node, 1),
      node.input(2) == nil || constant(node, 2) != nil, scale.shape.rank == result.rank - start
    else { throw PruneError(.unsupported, "Keras normalizes over the last axes, by weights alone") }
    let shift = constant(node, 2)
    result.layer = add(
      "LayerNormalization", node.name,
      [
        ("axis", JSON(Array(start..<result.rank))), ("epsilon", JSON(Double(node.float("epsilon", default: 1e-5)))),
        ("center", .bool(shift != nil)), ("scale", .bool(true)),
      ], from: [result])
    set(result.layer, "gamma", scale)
    if let shift { set(result.layer, "beta", shift) }
    result.isPositive = false
    return result
  }

  // MARK: - Elementwise

  private mutating func merged(_ node: Node, _ className: String) throws(PruneError) -> Value {
    var inputs: [Value] = []
    for index in node.inputs.indices { inputs.append(try value(node, index)) }
    guard let head = inputs.first, inputs.count > 1, inputs.allSatisfy({ $0.rank == head.rank }) else {
      throw PruneError(.unsupported, "it joins values of different numbers of axes")
    }
    if inputs.contains(where: { $0.isLast != head.isLast }) {
      for index in inputs.indices { inputs[index] = last(inputs[index]) }
    }
    var result = inputs[0]
    for input in inputs.dropFirst() { result.dims = zip(result.dims, input.dims).map { $0 == 1 ? $1 : $0 } }
    result.isPositive = className != "Subtract" && inputs.allSatisfy(\.isPositive)
    result.layer = add(className, node.name, [], from: inputs)
    return result
  }

  private mutating func concatenation(_ node: Node, _ operands: [Value]) throws(PruneError) -> Value {
    var inputs = operands
    guard let head = inputs.first else { throw PruneError(.unsupported, "it has no inputs") }
    if inputs.contains(where: { $0.isLast != head.isLast }) {
      for index in inputs.indices { inputs[index] = last(inputs[index]) }
    }
    var result = inputs[0]
    let place = node.int("axis", default: 0)
    let resultAxis = place < 0 ? place + result.rank : place
    let axis = try axis(place, of: result)
    var sum: Int? = 0
    for input in inputs where input.rank == result.rank {
      sum = sum.flatMap { sum in input.dims[resultAxis].map { $0 + sum } }
    }
    result.dims[resultAxis] = sum
    result.isPositive = inputs.allSatisfy(\.isPositive)
    result.layer = add("Concatenate", node.name, [("axis", JSON(axis))], from: inputs)
    return result
  }

  private mutating func activation(_ node: Node) throws(PruneError) -> Value {
    var result = try value(node, 0)
    var className = "ReLU"
    var config: [(key: String, value: JSON)] = []
    switch node.opType {
    case "Relu": result.isPositive = true
    case "LeakyRelu": (className, config) = ("LeakyReLU", [("alpha", JSON(Double(node.float("alpha", default: 0.01))))])
    case "Elu": (className, config) = ("ELU", [("alpha", JSON(Double(node.float("alpha", default: 1))))])
    case "Clip":
      let low = try constant(node, 1)?.doubles().first
      let high = try constant(node, 2)?.doubles().first
      guard low == 0, let high, high > 0, high.isFinite else {
        throw PruneError(.unsupported, "Keras clips from 0 to a number above it")
      }
      config = [("max_value", JSON(high))]
      result.isPositive = true
    case "HardSigmoid":
      // The activation of this name is not the same in Keras 2 and 3: a scale and a limit are.
      let scale: [(key: String, value: JSON)] = [
        ("scale", JSON(Double(node.float("alpha", default: 0.2)))),
        ("offset", JSON(Double(node.float("beta", default: 0.5)))),
      ]
      result.layer = add("Rescaling", "\(node.name)_scaled", scale, from: [result])
      config = [("max_value", JSON(1.0))]
      result.isPositive = true
    default:
      let place = node.int("axis", default: -1)
      (className, config) = ("Softmax", [("axis", JSON(try axis(place, of: result)))])
      result.isPositive = true
    }
    result.layer = add(className, node.name, config, from: [result])
    return result
  }

  // MARK: - Shapes

  /// Everything behind the batch in one axis, or other extents that are known.
  private mutating func flattened(_ node: Node) throws(PruneError) -> Value {
    let operand = try value(node, 0)
    var rest = 1
    for extent in operand.dims.dropFirst() {
      guard let extent, extent < 1 << 31, rest < 1 << 31 else {
        throw PruneError(.unsupported, "its input has an open extent")
      }
      rest *= extent
    }
    var target: [Int] = []
    switch node.opType {
    case "Flatten":
      guard node.int("axis", default: 1) == 1 else {
        throw PruneError(.unsupported, "it joins other axes than all behind the batch")
      }
      target = [rest]
    case "Squeeze":
      let axes = try constant(node, 1)?.integers() ?? node.ints("axes") ?? []
      let removedAxes = Set(axes.map { $0 < 0 ? $0 + operand.rank : $0 })
      guard !removedAxes.contains(0), !removedAxes.isEmpty else {
        throw PruneError(.unsupported, "it may take the batch axis")
      }
      target = operand.dims.enumerated().filter { $0.offset > 0 && !removedAxes.contains($0.offset) }.map {
        $0.element ?? 1
      }
    default:
      guard var shape = try constant(node, 1)?.integers(), shape.count >= 2, shape.count <= 16,
        node.int("allowzero", default: 0) == 0
      else {
        throw PruneError(.unsupported, "its shape is computed, Keras wants it fixed")
      }
      for index in shape.indices where shape[index] == 0 && index < operand.rank && index > 0 {
        shape[index] = operand.dims[index] ?? -1
      }
      let fixedCount = shape.dropFirst().filter { $0 > 0 && $0 < 1 << 31 }.reduce(1) {
        $0.multipliedReportingOverflow(by: $1).partialValue
      }
      target = shape.dropFirst().map { $0 == -1 && fixedCount > 0 ? rest / fixedCount : $0 }
      // The batch stays what it is.
      guard shape[0] <= 0 || shape[0] == 1,
        target.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) == rest
      else {
        throw PruneError(.unsupported, "it changes the batch axis")
      }
    }
    // The order of elements matters unless there is one per channel.
    let isSpread = operand.rank >= 3 && operand.dims.dropFirst(2).contains { $0 != 1 } && operand.dims[1] != 1
    let source = isSpread ? first(operand) : operand
    let name =
      target.count == 1
      ? add("Flatten", node.name, [], from: [source])
      : add("Reshape", node.name, [("target_shape", JSON(target))], from: [source])
    return Value(layer: name, dims: [operand.dims.first ?? nil] + target.map { $0 }, isPositive: operand.isPositive)
  }

  /// Zeros around axes. `pads` has the first of all axes, then the last of all.
  mutating func padded(_ value: Value, _ pads: [Int], _ name: String) throws(PruneError) -> Value {
    let rank = value.rank
    guard pads.count == 2 * rank, (3...5).contains(rank), pads.allSatisfy({ $0 >= 0 && $0 < 1 << 30 }), pads[0] == 0,
      pads[rank] == 0
    else {
      throw PruneError(.unsupported, "Keras pads no batch axis, and takes nothing away by padding")
    }
    // Keras pads all axes but the batch and the last one: with channels first, channels are among them and the last
    // extent is not.
    let padsChannels = pads[1] != 0 || pads[rank + 1] != 0
    guard !padsChannels || (pads[rank - 1] == 0 && pads[2 * rank - 1] == 0) else {
      throw PruneError(.unsupported, "Keras does not pad channels and the last axis at once")
    }
    var result = padsChannels ? first(value) : last(value)
    let margins = (padsChannels ? Array(1..<rank - 1) : Array(2..<rank)).map { JSON([pads[$0], pads[$0 + rank]]) }
    result.layer = add(
      "ZeroPadding\(rank - 2)D", name, [("padding", rank == 3 ? margins[0] : .array(margins))], from: [result])
    for axis in 1..<rank { result.dims[axis] = result.dims[axis].map { $0 + pads[axis] + pads[axis + rank] } }
    return result
  }

  /// A part of the spatial axes, or every nth element of them.
  private mutating func sliced(_ node: Node) throws(PruneError) -> Value {
    let source = try value(node, 0)
    let rank = source.rank
    guard let starts = try constant(node, 1)?.integers() ?? node.ints("starts"),
      let ends = try constant(node, 2)?.integers() ?? node.ints("ends"),
      (3...5).contains(rank), starts.count == ends.count
    else { throw PruneError(.unsupported, "Keras takes fixed parts of spatial axes alone") }
    let axes = (try constant(node, 3)?.integers() ?? node.ints("axes") ?? Array(starts.indices)).map {
      $0 < 0 ? $0 + rank : $0
    }
    let steps = try constant(node, 4)?.integers() ?? [Int](repeating: 1, count: starts.count)
    guard axes.count == starts.count, steps.count == starts.count, Set(axes).count == axes.count else {
      throw PruneError(.unsupported, "its axes and steps do not fit its starts")
    }
    var crop = [(first: Int, last: Int)](repeating: (0, 0), count: rank)
    var stride = [Int](repeating: 1, count: rank)
    var dims = source.dims
    for (index, axis) in axes.enumerated() {
      guard (2..<rank).contains(axis), let extent = dims[axis], steps[index] > 0, steps[index] < 1 << 30 else {
        throw PruneError(.unsupported, "Keras takes parts of spatial axes of known extents alone, forwards")
      }
      func place(_ value: Int) -> Int {
        min(max(value < 0 ? value.addingReportingOverflow(extent).partialValue : value, 0), extent)
      }
      let start = place(starts[index])
      let end = max(place(ends[index]), start)
      (crop[axis], stride[axis]) = ((start, extent - end), steps[index])
      dims[axis] = (end - start + steps[index] - 1) / steps[index]
    }
    var result = last(source)
    if crop.contains(where: { $0.first > 0 || $0.last > 0 }) {
      let margins = (2..<rank).map { JSON([crop[$0].first, crop[$0].last]) }
      result.layer = add(
        "Cropping\(rank - 2)D", "\(node.name)_crop", [("cropping", rank == 3 ? margins[0] : .array(margins))],
        from: [result])
    }
    if stride.contains(where: { $0 > 1 }) {
      // The largest of one element is that element.
      let config: [(key: String, value: JSON)] = [
        ("pool_size", JSON([Int](repeating: 1, count: rank - 2))), ("strides", JSON(Array(stride.dropFirst(2)))),
        ("padding", .string("valid")),
        ("data_format", .string("channels_last")),
      ]
      result.layer = add("MaxPooling\(rank - 2)D", node.name, config, from: [result])
    }
    result.dims = dims
    return result
  }
}
