import PruneGraph
import PruneTensor

/// Reductions whose gradient is spread back over what was reduced.
enum ReductionRules {
  static let table: [String: GradientRule] = [
    "ReduceSum": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(try spread(writer, writer.gradient), toInput: 0)
    },
    "ReduceMean": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let (from, to) = (try writer.inputShape(0).count, try writer.outputShape().count)
      let share = try writer.scale(writer.gradient, Float(to) / Float(max(from, 1)))
      writer.add(try spread(writer, share), toInput: 0)
    },
    "ReduceSumSquare": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let wide = try spread(writer, try writer.scale(writer.gradient, 2))
      writer.add(writer.multiply(wide, try writer.input(0)), toInput: 0)
    },
    "ReduceL2": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let wide = try spread(writer, writer.emit("Div", [try writer.gradient, try writer.output()]))
      writer.add(writer.multiply(wide, try writer.input(0)), toInput: 0)
    },
  ]

  /// A reduced value at the input's shape.
  private static func spread(_ writer: GradientWriter, _ value: String) throws(PruneError) -> String {
    let node = writer.node
    let shape = try writer.inputShape(0)
    let given = try writer.setting("axes", orInput: 1) ?? []
    if given.isEmpty, node.int("noop_with_empty_axes", default: 0) != 0 { return value }
    var kept = shape.dims
    for axis in given.isEmpty ? Array(0..<shape.rank) : given { kept[try writer.resolved(axis, rank: shape.rank)] = 1 }
    let narrow = try Shape(kept)
    let aligned = try writer.outputShape() == narrow ? value : writer.reshape(value, to: narrow)
    return narrow == shape ? aligned : writer.emit("Expand", [aligned, try writer.integers(shape.dims)])
  }
}
