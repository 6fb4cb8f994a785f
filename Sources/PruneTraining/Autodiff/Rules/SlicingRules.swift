import PruneGraph
import PruneTensor

/// Operators that take some elements, or put some around them.
enum SlicingRules {
  static let table: [String: GradientRule] = [
    "Slice": GradientRule([0], slice), "Pad": GradientRule([0], pad),
    "Gather": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let shape = try writer.inputShape(0)
      let axis = try writer.axis(default: 0, rank: shape.rank)
      let attributes = [Attribute("axis", .int(Int64(axis))), Attribute("input_shape", .integers(shape.dims))]
      let inputs = [try writer.gradient, try writer.input(1)]
      writer.add(writer.emitTraining("GatherGrad", inputs, attributes)[0], toInput: 0)
    },
  ]

  /// Starts are resolved here: counted from the front and clamped as Slice does.
  @Sendable private static func slice(_ writer: GradientWriter) throws(PruneError) {
    let node = writer.node
    let (shape, result) = (try writer.inputShape(0), try writer.outputShape())
    let starts = try writer.setting("starts", orInput: 1) ?? []
    let axes = try writer.setting("axes", orInput: 3) ?? Array(starts.indices)
    let steps = try writer.integers(4) ?? [Int](repeating: 1, count: starts.count)
    guard axes.count == starts.count, steps.count == starts.count else {
      throw PruneError(.mismatch, "\(starts.count) starts, \(axes.count) axes and \(steps.count) steps", at: node.label)
    }
    guard result.count > 0 else { return }
    var (resolvedAxes, first, last): ([Int], [Int], [Int]) = ([], [], [])
    for (index, entry) in axes.enumerated() {
      let axis = try writer.resolved(entry, rank: shape.rank)
      let (start, extent) = (starts[index], shape[axis])
      let position = start < 0 ? start + extent : start
      resolvedAxes.append(axis)
      first.append(steps[index] > 0 ? min(max(position, 0), extent) : min(max(position, 0), extent - 1))
      last.append(first[index] &+ result[axis] &* steps[index])
    }
    let attributes = [
      Attribute("input_shape", .integers(shape.dims)), Attribute("starts", .integers(first)),
      Attribute("ends", .integers(last)), Attribute("axes", .integers(resolvedAxes)),
      Attribute("steps", .integers(steps)),
    ]
    writer.add(writer.emitTraining("SliceGrad", [try writer.gradient], attributes)[0], toInput: 0)
  }

  /// Constant padding: the gradient of what was there before. Negative pads crop, and give zeros back. Other modes
  /// repeat what is there.
  @Sendable private static func pad(_ writer: GradientWriter) throws(PruneError) {
    let node = writer.node
    let (shape, result) = (try writer.inputShape(0), try writer.outputShape())
    let pads = try writer.setting("pads", orInput: 1) ?? []
    let axes = try writer.integers(3) ?? Array(0..<shape.rank)
    guard pads.count == 2 * axes.count, pads.allSatisfy({ $0 > -(1 << 48) && $0 < 1 << 48 }) else {
      throw PruneError(.mismatch, "pads \(pads) for \(axes.count) axes", at: node.label)
    }
    var (before, after) = ([Int](repeating: 0, count: shape.rank), [Int](repeating: 0, count: shape.rank))
    for (index, entry) in axes.enumerated() {
      let axis = try writer.resolved(entry, rank: shape.rank)
      (before[axis], after[axis]) = (pads[index], pads[index + axes.count])
    }
    if node.string("mode", default: "constant") != "constant" {
      return try LinearMapRules.pad(writer, before: before, after: after)
    }
    var gradient = try writer.gradient
    let all = Array(0..<shape.rank)
    if (before + after).contains(where: { $0 > 0 }) {
      gradient = try cut(
        writer, gradient, starts: before.map { max($0, 0) }, ends: zip(result.dims, after).map { $0 - max($1, 0) }, all)
    }
    if (before + after).contains(where: { $0 < 0 }) {
      let attributes = [
        Attribute("input_shape", .integers(shape.dims)), Attribute("starts", .integers(before.map { max(-$0, 0) })),
        Attribute("ends", .integers(zip(shape.dims, after).map { $0 - max(-$1, 0) })),
        Attribute("axes", .integers(all)),
        Attribute("steps", .integers(all.map { _ in 1 })),
      ]
      gradient = writer.emitTraining("SliceGrad", [gradient], attributes)[0]
    }
    writer.add(gradient, toInput: 0)
  }

  /// Slice in the form of the model's opset: its settings moved from attributes to inputs in opset 10.
  private static func cut(
    _ writer: GradientWriter, _ value: String, starts: [Int], ends: [Int], _ axes: [Int]
  ) throws(PruneError) -> String {
    if writer.opset >= 10 {
      return try writer.emit("Slice", [value, writer.integers(starts), writer.integers(ends), writer.integers(axes)])
    }
    return writer.emit(
      "Slice", [value],
      [
        Attribute("starts", .integers(starts)), Attribute("ends", .integers(ends)), Attribute("axes", .integers(axes)),
      ])
  }
}
