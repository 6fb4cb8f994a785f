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
  let names = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
  private static let operators = [
    "Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Average": "Add", "Maximum": "Max", "Minimum": "Min",
  ]

  func emit(_ layer: KerasLayer, _ call: KerasCall, _ builder: inout KerasBuilder) throws(PruneError) -> [KerasValue] {
    let values = try builder.aligned(call, of: layer)
    let op = Self.operators[layer.className] ?? "Add"
    guard layer.className != "Subtract" || values.count == 2 else {
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

struct KerasConcatenate: KerasLayerKind {
  let names = ["Concatenate"]

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
    func turned(_ value: KerasValue, _ name: String) -> KerasValue {
      var result = value
      result.name = builder.single(
        "Transpose", [value.name], "\(layer.path)/\(name)", [("perm", .integers([0, 2, 1]))])
      result.dims.swapAt(1, 2)
      return result
    }
    if axes[0] == 1 { left = turned(left, "left_turned") }
    if axes[1] == 2 { right = turned(right, "right_turned") }
    return [
      KerasValue(
        builder.single("MatMul", [left.name, right.name], layer.path), [left.dims[0], left.dims[1], right.dims[2]])
    ]
  }
}
