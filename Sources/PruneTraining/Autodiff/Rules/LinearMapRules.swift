import PruneGraph
import PruneRuntime
import PruneTensor

/// Operators that map each axis by a matrix of its own: Resize, Upsample, and paddings that repeat inner elements. What
/// the operator makes of the unit vectors along an axis is that matrix; the gradient goes through its transpose.
enum LinearMapRules {
  static let resize = GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
    let node = writer.node
    let (from, to) = (try writer.inputShape(0), try writer.outputShape())
    if node.string("coordinate_transformation_mode", default: "half_pixel") == "tf_crop_and_resize" {
      throw PruneError(.unsupported, "a gradient passes no cropping", at: node.label)
    }
    let scales = try resizeScales(writer, from: from)
    let attributes = node.attributes.filter { !["axes", "keep_aspect_ratio_policy", "scales"].contains($0.name) }
    try write(writer, from, to) { axis throws(PruneError) in
      guard let scales else {
        let node = Node(
          node.opType, name: node.name, inputs: ["x", "", "", "sizes"], outputs: ["y"], attributes: attributes)
        return (node, [nil, nil, try Tensor([Int64(to[axis]), Int64(from[axis])])])
      }
      let factors = try Tensor([scales[axis], 1])
      let isOld = node.opType == "Upsample" || writer.opset < 11
      let inputs = isOld ? ["x", "scales"] : ["x", "", "scales"]
      var copy = Node(node.opType, name: node.name, inputs: inputs, outputs: ["y"], attributes: attributes)
      if node.opType == "Upsample", node.attribute("scales") != nil {
        copy.inputs = ["x"]
        copy.attributes.append(Attribute("scales", .floats([scales[axis], 1])))
        return (copy, [])
      }
      return (copy, isOld ? [factors] : [nil, factors])
    }
  }

  static func pad(_ writer: GradientWriter, before: [Int], after: [Int]) throws(PruneError) {
    let (from, to) = (try writer.inputShape(0), try writer.outputShape())
    let mode = writer.node.string("mode", default: "constant")
    try write(writer, from, to) { axis throws(PruneError) in
      let pads = [before[axis], 0, after[axis], 0]
      var node = Node(
        "Pad", name: writer.node.name, inputs: ["x"], outputs: ["y"], attributes: [Attribute("mode", .text(mode))])
      if writer.opset < 11 {
        node.attributes.append(Attribute(writer.opset < 2 ? "paddings" : "pads", .integers(pads)))
        return (node, [])
      }
      node.inputs.append("pads")
      return (node, [try Tensor(pads.map(Int64.init))])
    }
  }

  /// - Parameter make: the operator on a matrix whose first axis is treated as `axis` is, and its inputs after the
  ///   first.
  private static func write(
    _ writer: GradientWriter, _ from: Shape, _ to: Shape, _ make: (Int) throws(PruneError) -> (Node, [Tensor?])
  ) throws(PruneError) {
    var gradient = try writer.gradient
    var dims = to.dims
    for axis in 0..<from.rank {
      let (node, inputs) = try make(axis)
      guard let matrix = try matrix(node, inputs, writer.opset, from: from[axis], to: to[axis]) else { continue }
      let (outer, inner) = (dims[..<axis].reduce(1, *), dims[(axis + 1)...].reduce(1, *))
      let flat = try writer.reshape(gradient, to: Shape([outer, to[axis], inner]))
      dims[axis] = from[axis]
      gradient = try writer.reshape(writer.emit("MatMul", [writer.tensor(matrix), flat]), to: Shape(dims))
    }
    writer.add(gradient, toInput: 0)
  }

  /// The transposed matrix of an axis, [from, to]; nil for the identity.
  private static func matrix(
    _ node: Node, _ inputs: [Tensor?], _ opset: Int64, from: Int, to: Int
  ) throws(PruneError) -> Tensor? {
    guard from > 0, to > 0, from < 1 << 13, to < 1 << 13, let kernel = ReferenceKernels.kernel(for: node, opset: opset)
    else {
      throw PruneError(.unsupported, "an axis of \(from) and \(to) is out of reach", at: node.label)
    }
    var unit = [Float](repeating: 0, count: from * from)
    for index in 0..<from { unit[index * from + index] = 1 }
    let results = try kernel(node, [try Tensor(unit, Shape([from, from]))] + inputs, opset)
    guard let columns = try results.first?.array(of: Float.self), columns.count == to * from else {
      throw PruneError(.unsupported, "the gradient along an axis of \(from) and \(to) is not known", at: node.label)
    }
    if from == to, columns == unit { return nil }
    var transposed = columns
    for row in 0..<to { for column in 0..<from { transposed[column * to + row] = columns[row * from + column] } }
    return try Tensor(transposed, Shape([from, to]))
  }

  /// The factor along each axis; nil where the node gives sizes.
  private static func resizeScales(_ writer: GradientWriter, from: Shape) throws(PruneError) -> [Float]? {
    let node = writer.node
    let isUpsample = node.opType == "Upsample"
    var numbers: [Float]?
    if let values = node.floats("scales") {
      numbers = values
    } else {
      let index = isUpsample || writer.opset < 11 ? 1 : 2
      if node.input(index) != nil, let tensor = writer.constant(index), tensor.count > 0 {
        numbers = try tensor.array(of: Float.self)
      }
    }
    guard let numbers else {
      guard node.string("keep_aspect_ratio_policy", default: "stretch") == "stretch" else {
        throw PruneError(.unsupported, "a gradient passes sizes that stretch only", at: node.label)
      }
      return nil
    }
    guard let axes = node.ints("axes") else {
      guard numbers.count == from.rank else {
        throw PruneError(.mismatch, "\(numbers.count) scales for \(from)", at: node.label)
      }
      return numbers
    }
    var result = [Float](repeating: 1, count: from.rank)
    for (axis, scale) in zip(axes, numbers) { result[try writer.resolved(axis, rank: from.rank)] = scale }
    return result
  }
}
