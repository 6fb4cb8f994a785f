import PruneGraph
import PruneTensor

extension KerasBuilder {
  /// The values with their axes in one order and the same number of axes.
  fileprivate mutating func aligned(_ call: KerasCall, of layer: KerasLayer) throws(PruneError) -> [KerasValue] {
    var values = call.inputs
    guard let first = values.first, values.count >= 2 else {
      throw PruneError(.badFormat, "\(layer.label) is called with \(values.count) inputs")
    }
    let rank = values.map(\.rank).max() ?? 0
    if values.contains(where: { $0.rank != rank }) {
      if layer.isOperation {
        throw layer.unsupported(
          "it is called with values of different numbers of axes",
          hint: "use the layer of this name, or export the model to ONNX")
      }
      for index in values.indices {
        var value = plain(values[index])
        // Keras puts the missing axes behind the batch.
        while value.rank < rank {
          value.name = single(
            "Unsqueeze", [value.name, try constant([1], "\(layer.path)/axis")], "\(layer.path)/widened")
          value.dims.insert(1, at: 1)
          value.order = Array(0...value.order.count)
        }
        values[index] = value
      }
      return values
    }
    return values.map { ordered($0, first.order) }
  }
}

/// Layers that join values element by element.
struct KerasMerge: KerasLayerKind {
  let names = [
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "TrueDivide", "Divide", "Power",
  ]
  let takesConstants = true
  func masking(of layer: KerasLayer) -> KerasMasking { .passes }
  private static let operators = [
    "Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Average": "Add", "Maximum": "Max", "Minimum": "Min",
    "TrueDivide": "Div", "Divide": "Div", "Power": "Pow",
  ]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let op = Self.operators[layer.className] ?? "Add"
    if let (place, json) = call.constants.first {
      return [try withConstant(layer, op, call, place, json, &builder)]
    }
    let values = try builder.aligned(call, of: layer)
    guard values.count == 2 || !["Sub", "Div", "Pow"].contains(op) else {
      throw PruneError(.badFormat, "\(layer.label) is called with \(values.count) inputs")
    }
    var result = values[0]
    for (index, value) in values.enumerated().dropFirst() {
      let isLast = index == values.count - 1 && layer.className != "Average"
      result.name = builder.single(op, [result.name, value.name], isLast ? layer.path : "\(layer.path)/\(index)")
      result.dims = zip(result.dims, value.dims).map { $0 == 1 ? $1 : $0 }
    }
    if layer.className == "Average" {
      result = builder.map(
        "Mul", result, layer.path, [try builder.constant(1 / Double(values.count), "\(layer.path)/share")])
    }
    return [result]
  }
}

extension KerasMerge {
  /// `x * 2.0` and `1.0 - x`: an operation on a value and a number, or a list of numbers for the last axis.
  private func withConstant(
    _ layer: KerasLayer, _ op: String, _ call: KerasCall, _ place: Int, _ json: JSON, _ builder: inout KerasBuilder
  ) throws(PruneError) -> KerasValue {
    var value = try call.input(of: layer)
    let numbers = json.array.map { $0.compactMap(\.double) } ?? json.double.map { [$0] } ?? []
    guard call.constants.count == 1, place < 2, !numbers.isEmpty, numbers.count == json.array?.count ?? 1,
      layer.className != "Average"
    else {
      throw layer.unsupported(
        "it is called with \(json.text.prefix(60)), which is no number",
        hint: "give a number or a list of numbers, or export the model to ONNX")
    }
    if value.dtype != .float32 { throw layer.unsupported("it computes with \(value.dtype.name), float32 is read") }
    if json.array != nil { value = builder.plain(value) }
    let tensor = json.array == nil ? try Tensor(scalar: Float(numbers[0])) : try Tensor(numbers.map { Float($0) })
    let constant = builder.constant(tensor, "\(layer.path)/value")
    let name = builder.single(op, place == 0 ? [constant, value.name] : [value.name, constant], layer.path)
    var result = value
    result.name = name
    return result
  }
}

/// Operations of `keras.ops` on one value.
struct KerasOperation: KerasLayerKind {
  private static let operators = [
    "Relu": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Softplus": "Softplus", "Softsign": "Softsign", "Exp": "Exp",
    "Log": "Log", "Sqrt": "Sqrt", "Abs": "Abs", "Absolute": "Abs", "Negative": "Neg",
  ]
  var names: [String] { Self.operators.keys.sorted() }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    [builder.map(Self.operators[layer.className] ?? "Relu", try call.input(of: layer), layer.path)]
  }
}

/// `tokens != 0`, which is how the mask of an Embedding with mask_zero is written.
struct KerasComparison: KerasLayerKind {
  let names = ["NotEqual", "Equal"]
  let takesConstants = true

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    var result = try call.input(of: layer)
    guard call.constants.count == 1, let number = call.constants.first?.value.double, number.magnitude < 1e15 else {
      throw layer.unsupported("it does not compare with one number", hint: "export the model to ONNX")
    }
    let isWhole = !result.dtype.isFloatingPoint
    let other = builder.constant(
      isWhole ? try Tensor(scalar: Int64(number)) : try Tensor(scalar: Float(number)), "\(layer.path)/value")
    let dtype = isWhole ? DType.int64 : .float32
    let value = builder.single(
      "Cast", [result.name], "\(layer.path)/cast", [("to", .int(Int64(dtype.rawValue)))])
    let isEqual = layer.className == "Equal"
    result.name = builder.single("Equal", [value, other], isEqual ? layer.path : "\(layer.path)/equal")
    if !isEqual { result.name = builder.single("Not", [result.name], layer.path) }
    (result.dtype, result.mask) = (.bool, nil)
    return [result]
  }
}

/// `keras.ops.split`: into a number of equal parts, or at positions.
struct KerasSplit: KerasLayerKind {
  let names = ["Split"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let value = try call.input(of: layer)
    let axis = try value.axis(layer.int("axis", default: 0), of: layer)
    guard axis > 0, let extent = value.dims[axis], extent > 0 else {
      throw layer.unsupported("it splits the batch, or an axis without a fixed extent")
    }
    let json = layer.config["indices_or_sections"]
    var sizes: [Int] = []
    if let now = try builder.built(layer.path, input: 1)?.integers(), now.allSatisfy({ $0 > 0 && $0 < 1 << 31 }) {
      // What pruning left of the parts.
      sizes = now
    } else if let count = json?.int {
      guard count > 0, count <= extent, extent % count == 0 else {
        throw PruneError(.badFormat, "\(layer.label) splits \(extent) into \(count) parts")
      }
      sizes = [Int](repeating: extent / count, count: count)
    } else {
      let places = [0] + (json?.ints ?? []) + [extent]
      guard places.count > 2, places.count < 1 << 16, zip(places, places.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw layer.unsupported("it splits \(extent) at \(json?.text.prefix(60) ?? "null")")
      }
      sizes = zip(places, places.dropFirst()).map { $1 - $0 }
    }
    if !builder.isExact, Set(sizes).count > 1 || json?.int == nil {
      var places: [Int] = []
      for size in sizes.dropLast() { places.append((places.last ?? 0) + size) }
      builder.refit(layer, "indices_or_sections", JSON(places))
    }
    let names = builder.node(
      "Split", [value.name, try builder.constant(sizes, "\(layer.path)/sizes")], layer.path,
      [("axis", .int(Int64(value.order[axis])))], outputs: sizes.count)
    return zip(names, sizes).map { name, size in
      var part = value
      (part.name, part.mask) = (name, nil)
      part.dims[axis] = size
      return part
    }
  }
}

struct KerasConcatenate: KerasLayerKind {
  let names = ["Concatenate"]
  func masking(of layer: KerasLayer) -> KerasMasking {
    // Along the steps, the mask would grow.
    [-1, 2].contains(layer.int("axis", default: -1)) ? .passes : .lacks
  }

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let values = try builder.aligned(call, of: layer)
    var result = values[0]
    let axis = try result.axis(layer.int("axis", default: -1), of: layer)
    var sum: Int? = 0
    for value in values { sum = sum.flatMap { sum in value.dims[axis].map { $0 + sum } } }
    result.name = builder.single("Concat", values.map(\.name), layer.path, [("axis", .int(Int64(result.order[axis])))])
    result.dims[axis] = sum
    return [result]
  }
}

struct KerasDot: KerasLayerKind {
  let names = ["Dot"]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    guard call.inputs.count == 2 else {
      throw PruneError(.badFormat, "\(layer.label) is called with \(call.inputs.count) inputs")
    }
    var left = builder.plain(call.inputs[0])
    var right = builder.plain(call.inputs[1])
    let json = layer.config["axes"]
    let pair = json?.ints ?? json?.int.map { [$0, $0] } ?? []
    guard pair.count == 2, left.rank == right.rank, left.rank == 2 || left.rank == 3 else {
      throw layer.unsupported(
        "axes \(json?.text ?? "null") of values of \(left.rank) and \(right.rank) axes; 2 or 3 each are read")
    }
    let axes = [try left.axis(pair[0], of: layer), try right.axis(pair[1], of: layer)]
    guard !axes.contains(0) else { throw layer.unsupported("it multiplies over the batch axis") }
    if layer.flag("normalize", default: false) {
      left = try KerasUnitNormalization.normalized(left, axes: [axes[0]], name: "\(layer.path)/left", &builder)
      right = try KerasUnitNormalization.normalized(right, axes: [axes[1]], name: "\(layer.path)/right", &builder)
    }
    if left.rank == 2 {
      let mixed = builder.single("Mul", [left.name, right.name], "\(layer.path)/product")
      let sum = builder.single(
        "ReduceSum", [mixed, try builder.constant([1], "\(layer.path)/axes")], layer.path, [("keepdims", .int(1))])
      return [KerasValue(sum, [left.dims[0], 1])]
    }
    func transposed(_ value: KerasValue, _ name: String) -> KerasValue {
      var result = value
      result.name = builder.single(
        "Transpose", [value.name], "\(layer.path)/\(name)", [("perm", .integers([0, 2, 1]))])
      result.dims.swapAt(1, 2)
      return result
    }
    if axes[0] == 1 { left = transposed(left, "left_turned") }
    if axes[1] == 2 { right = transposed(right, "right_turned") }
    return [
      KerasValue(
        builder.single("MatMul", [left.name, right.name], layer.path), [left.dims[0], left.dims[1], right.dims[2]])
    ]
  }
}
