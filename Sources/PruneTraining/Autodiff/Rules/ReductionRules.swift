import PruneGraph
import PruneTensor

/// Reductions whose gradient is spread back over the reduced elements.
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
    "ReduceMax": extreme, "ReduceMin": extreme,
    "ReduceL1": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(
        writer.multiply(try spread(writer, writer.gradient), writer.emit("Sign", [try writer.input(0)])), toInput: 0)
    },
    "ReduceLogSum": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let inverse = writer.emit("Exp", [writer.emit("Neg", [try writer.output()])])
      writer.add(try spread(writer, writer.multiply(writer.gradient, inverse)), toInput: 0)
    },
    "ReduceLogSumExp": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let share = writer.emit("Exp", [writer.emit("Sub", [try writer.input(0), try spread(writer, writer.output())])])
      writer.add(writer.multiply(try spread(writer, writer.gradient), share), toInput: 0)
    },
    "ReduceL2": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let wide = try spread(writer, writer.emit("Div", [try writer.gradient, try writer.output()]))
      writer.add(writer.multiply(wide, try writer.input(0)), toInput: 0)
    },
  ]

  /// The gradient goes to what equals the result: where several do, to each a share.
  private static let extreme = GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
    let wide = try spread(writer, writer.output())
    let isChosen = writer.emit("Equal", [try writer.input(0), wide])
    let (one, zero) = (try writer.number(1), try writer.number(0))
    let chosen = writer.emit("Where", [isChosen, one, zero])
    let shape = try writer.inputShape(0)
    let count = try spread(writer, writer.sum(chosen, from: shape, to: narrow(writer)), isNarrow: true)
    let share = writer.emit("Div", [chosen, count])
    writer.add(writer.multiply(share, try spread(writer, writer.gradient)), toInput: 0)
  }

  /// A reduced value at the input's shape.
  ///
  /// - Parameter isNarrow: whether the value has the reduced axes already, as ones.
  private static func spread(
    _ writer: GradientWriter, _ value: String, isNarrow: Bool = false
  ) throws(PruneError) -> String {
    let shape = try writer.inputShape(0)
    let narrow = try narrow(writer)
    let isAligned = try writer.outputShape() == narrow
    let aligned = isNarrow || isAligned ? value : try writer.reshape(value, to: narrow)
    return narrow == shape ? aligned : writer.emit("Expand", [aligned, try writer.integers(shape.dims)])
  }

  /// The input's shape with ones where it was reduced.
  private static func narrow(_ writer: GradientWriter) throws(PruneError) -> Shape {
    let shape = try writer.inputShape(0)
    let axes = try writer.setting("axes", orInput: 1) ?? []
    if axes.isEmpty, writer.node.int("noop_with_empty_axes", default: 0) != 0 { return shape }
    var kept = shape.dims
    for axis in axes.isEmpty ? Array(0..<shape.rank) : axes { kept[try writer.resolved(axis, rank: shape.rank)] = 1 }
    return try Shape(kept)
  }
}
