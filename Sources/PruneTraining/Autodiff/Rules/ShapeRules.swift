import PruneGraph
import PruneTensor

/// Operators that only rearrange elements.
enum ShapeRules {
  static let table: [String: GradientRule] = [
    "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape,
    "Transpose": GradientRule(transpose),
    "Expand": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      try writer.addBroadcast(writer.gradient, toInput: 0)
    },
    "Tile": GradientRule([0], tile),
    "Concat": GradientRule(concat),
    "Split": GradientRule([0], takesAllOutputs: true, split),
  ]

  private static let reshape = GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
    writer.add(try writer.reshape(writer.gradient, to: writer.inputShape(0)), toInput: 0)
  }

  @Sendable private static func transpose(_ writer: GradientWriter) throws(PruneError) {
    let rank = try writer.inputShape(0).rank
    let order = writer.node.ints("perm") ?? Array((0..<rank).reversed())
    guard order.sorted() == Array(0..<rank) else {
      throw PruneError(.mismatch, "perm \(order) is not an order of \(rank) axes", at: writer.node.label)
    }
    var inverse = order
    for (position, axis) in order.enumerated() { inverse[axis] = position }
    writer.add(
      writer.emit("Transpose", [try writer.gradient], [Attribute("perm", .integers(inverse))]), toInput: 0)
  }

  /// Each axis seen as (repeats, extent): the gradient sums the repeats.
  @Sendable private static func tile(_ writer: GradientWriter) throws(PruneError) {
    let shape = try writer.inputShape(0)
    let repeats = try writer.integers(1) ?? []
    guard repeats.count == shape.rank else {
      throw PruneError(.mismatch, "\(repeats.count) repeats for \(shape)", at: writer.node.label)
    }
    let wide = try Shape(zip(repeats, shape.dims).flatMap { [$0, $1] })
    let narrow = try Shape(shape.dims.flatMap { [1, $0] })
    let sum = writer.sum(try writer.reshape(writer.gradient, to: wide), from: wide, to: narrow)
    writer.add(try writer.reshape(sum, to: shape), toInput: 0)
  }

  @Sendable private static func concat(_ writer: GradientWriter) throws(PruneError) {
    let axis = try writer.axis(default: 1, rank: writer.outputShape().rank)
    var extents: [Int] = []
    for name in writer.node.inputs {
      let shape = try writer.shape(name)
      guard axis < shape.rank else {
        throw PruneError(.mismatch, "'\(name)' is \(shape), it has no axis \(axis)", at: writer.node.label)
      }
      extents.append(shape[axis])
    }
    let along = Attribute("axis", .int(Int64(axis)))
    let dy = try writer.gradient
    guard extents.count > 1 else { return writer.add(dy, toInput: 0) }
    // The lengths moved from an attribute to an input in opset 13.
    let parts =
      writer.opset >= 13
      ? writer.emit("Split", [dy, try writer.integers(extents)], [along], outputs: extents.count)
      : writer.emit("Split", [dy], [along, Attribute("split", .integers(extents))], outputs: extents.count)
    for (index, part) in parts.enumerated() where writer.needs(index) { writer.add(part, toInput: index) }
  }

  @Sendable private static func split(_ writer: GradientWriter) throws(PruneError) {
    let axis = try writer.axis(default: 0, rank: writer.inputShape(0).rank)
    var parts: [String] = []
    for (index, name) in writer.node.outputs.enumerated() {
      if let gradient = writer.gradient(ofOutput: index) {
        parts.append(gradient)
      } else {
        parts.append(writer.tensor(try Tensor(zeros: .float32, writer.shape(name))))
      }
    }
    writer.add(
      parts.count == 1 ? parts[0] : writer.emit("Concat", parts, [Attribute("axis", .int(Int64(axis)))]), toInput: 0)
  }
}
