import PruneGraph
import PruneTensor

/// Operators that pick, place or reorder elements by index.
enum ScatterRules {
  static let table: [String: GradientRule] = [
    "GatherElements": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(try scattered(writer, try writer.gradient, try writer.input(1)), toInput: 0)
    },
    // The values go back to where they were found.
    "TopK": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(try scattered(writer, try writer.gradient, try writer.output(1), default: -1), toInput: 0)
    },
    "GatherND": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let attributes = [
        Attribute("batch_dims", .int(Int64(writer.node.int("batch_dims", default: 0)))),
        Attribute("input_shape", .integers(try writer.inputShape(0).dims)),
      ]
      let inputs = [try writer.gradient, try writer.input(1)]
      writer.add(writer.emitTraining("GatherNDGrad", inputs, attributes)[0], toInput: 0)
    },
    "ScatterElements": GradientRule([0, 2]) { (writer: GradientWriter) throws(PruneError) in
      try scatter(writer, reader: "GatherElements", keeping: ["axis"])
    },
    "Scatter": GradientRule([0, 2]) { (writer: GradientWriter) throws(PruneError) in
      throw PruneError(.unsupported, "Scatter is obsolete, ScatterElements has a gradient", at: writer.node.label)
    },
    "ScatterND": GradientRule([0, 2]) { (writer: GradientWriter) throws(PruneError) in
      try scatter(writer, reader: "GatherND", keeping: [])
    },
    "Trilu": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let inputs = [try writer.gradient] + (writer.node.input(1).map { [$0] } ?? [])
      writer.add(writer.emit("Trilu", inputs, writer.node.attributes), toInput: 0)
    },
    // A sum from one end is, going back, a sum from the other.
    "CumSum": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let attributes = [
        Attribute("exclusive", .int(Int64(writer.node.int("exclusive", default: 0)))),
        Attribute("reverse", .int(writer.node.int("reverse", default: 0) == 0 ? 1 : 0)),
      ]
      writer.add(writer.emit("CumSum", [try writer.gradient, try writer.input(1)], attributes), toInput: 0)
    },
    // Its own inverse.
    "ReverseSequence": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(
        writer.emit("ReverseSequence", [try writer.gradient, try writer.input(1)], writer.node.attributes), toInput: 0)
    },
    "SpaceToDepth": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(writer.emit("DepthToSpace", [try writer.gradient], writer.node.attributes), toInput: 0)
    },
    "DepthToSpace": GradientRule([0], depthToSpace),
  ]

  /// `value` added at `indices` along the axis, to zeros of the input's shape.
  private static func scattered(
    _ writer: GradientWriter, _ value: String, _ indices: String, default axis: Int = 0
  ) throws(PruneError) -> String {
    let shape = try writer.inputShape(0)
    let attributes = [
      Attribute("axis", .int(Int64(try writer.axis(default: axis, rank: shape.rank)))),
      Attribute("input_shape", .integers(shape.dims)),
    ]
    return writer.emitTraining("GatherElementsGrad", [value, indices], attributes)[0]
  }

  /// Data get the gradient where nothing was written, updates what stands where they were.
  private static func scatter(_ writer: GradientWriter, reader: String, keeping names: Set<String>) throws(PruneError) {
    let node = writer.node
    let reduction = node.string("reduction", default: "none")
    guard reduction == "none" || reduction == "add" else {
      throw PruneError(.unsupported, "a gradient passes the reductions none and add, not \(reduction)", at: node.label)
    }
    let (dy, indices) = (try writer.gradient, try writer.input(1))
    if writer.needs(0) {
      if reduction == "add" {
        writer.add(dy, toInput: 0)
      } else {
        let zeros = writer.tensor(try Tensor(zeros: .float32, writer.inputShape(2)))
        writer.add(
          writer.emit(node.opType, [dy, indices, zeros], node.attributes.filter { names.contains($0.name) }), toInput: 0
        )
      }
    }
    if writer.needs(2) {
      writer.add(writer.emit(reader, [dy, indices], node.attributes.filter { names.contains($0.name) }), toInput: 2)
    }
  }

  /// The inverse permutation of what the operator is made of: a Reshape, a Transpose and a Reshape.
  @Sendable private static func depthToSpace(_ writer: GradientWriter) throws(PruneError) {
    let node = writer.node
    let shape = try writer.inputShape(0)
    let block = node.int("blocksize", default: 1)
    guard shape.rank == 4, block > 0, shape[1] % (block * block) == 0 else {
      throw PruneError(.mismatch, "blocks of \(block) do not fit \(shape)", at: node.label)
    }
    let depth = shape[1] / (block * block)
    let wide = try writer.reshape(writer.gradient, to: Shape([shape[0], depth, shape[2], block, shape[3], block]))
    let order = node.string("mode", default: "DCR") == "CRD" ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]
    let transposed = writer.emit("Transpose", [wide], [Attribute("perm", .integers(order))])
    writer.add(try writer.reshape(transposed, to: shape), toInput: 0)
  }
}
