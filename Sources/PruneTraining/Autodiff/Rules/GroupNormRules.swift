import PruneGraph
import PruneTensor

/// Normalizations over parts of a sample: instance, group, root mean square, local response and Lp.
enum GroupNormRules {
  static let table: [String: GradientRule] = [
    "InstanceNormalization": GradientRule([0, 1, 2]) { (writer: GradientWriter) throws(PruneError) in
      let shape = try writer.inputShape(0)
      guard shape.rank > 2 else { throw PruneError(.mismatch, "input is \(shape)", at: writer.node.label) }
      try normalize(writer, groups: shape[1])
    },
    "GroupNormalization": GradientRule([0, 1, 2]) { (writer: GradientWriter) throws(PruneError) in
      let groups = writer.node.int("num_groups", default: 1)
      let shape = try writer.inputShape(0)
      guard groups > 0, shape.rank > 2, shape[1] % groups == 0 else {
        throw PruneError(.mismatch, "\(groups) groups do not fit \(shape)", at: writer.node.label)
      }
      try normalize(writer, groups: groups)
    },
    "RMSNormalization": GradientRule([0, 1], rootMeanSquare),
    "LRN": GradientRule(localResponse),
    "LpNormalization": GradientRule(lp),
  ]

  /// Y = scale * X' + bias with X' normalized over each group of channels of a sample.
  private static func normalize(_ writer: GradientWriter, groups: Int) throws(PruneError) {
    let shape = try writer.inputShape(0)
    let epsilon = Attribute("epsilon", .float(writer.node.float("epsilon", default: 1e-5)))
    let (channels, inner) = (shape[1], shape.dims[2...].reduce(1, *))
    let dy = try writer.gradient
    // Scale and bias are of one number a channel, or of one a group.
    let count = try writer.inputShape(1).count
    guard count == channels || count == groups else {
      throw PruneError(
        .mismatch, "scale has \(count) numbers for \(channels) channels in \(groups) groups", at: writer.node.label)
    }
    let view = try Shape([shape[0], count, channels / count * inner])
    let narrow = try Shape([1, count, 1])
    let wide = try writer.reshape(dy, to: view)
    if writer.needs(0) {
      let scaled = writer.multiply(wide, try writer.reshape(writer.input(1), to: narrow))
      let rows = try Shape([shape[0] * groups, channels / groups * inner])
      let ones = writer.tensor(try Tensor([Float](repeating: 1, count: rows[1])))
      let inputs = [try writer.reshape(scaled, to: rows), try writer.reshape(writer.input(0), to: rows), ones]
      let dx = writer.emitTraining("LayerNormGrad", inputs, [Attribute("axis", .int(1)), epsilon], outputs: 3)[0]
      writer.add(try writer.reshape(dx, to: shape), toInput: 0)
    }
    func total(_ value: String) throws(PruneError) -> String {
      try writer.reshape(writer.sum(value, from: view, to: narrow), to: Shape([count]))
    }
    if writer.needs(1) {
      let grouped = try Shape([shape[0], groups, channels / groups * inner])
      let one = writer.tensor(try Tensor([Float](repeating: 1, count: groups)))
      let zero = writer.tensor(try Tensor([Float](repeating: 0, count: groups)))
      let plain = writer.emit(
        "InstanceNormalization", [try writer.reshape(writer.input(0), to: grouped), one, zero], [epsilon])
      writer.add(try total(writer.multiply(wide, try writer.reshape(plain, to: view))), toInput: 1)
    }
    if writer.needs(2) { writer.add(try total(wide), toInput: 2) }
  }

  /// The mean over the axes from `first` on, kept.
  private static func mean(_ writer: GradientWriter, _ value: String, _ shape: Shape, from first: Int)
    throws(PruneError) -> String
  {
    let narrow = try Shape(shape.dims[..<first] + [Int](repeating: 1, count: shape.rank - first))
    let count = max(shape.dims[first...].reduce(1, *), 1)
    return try writer.scale(writer.sum(value, from: shape, to: narrow), 1 / Float(count))
  }

  /// Y = scale * X / r with r² = mean(X²) + epsilon.
  @Sendable private static func rootMeanSquare(_ writer: GradientWriter) throws(PruneError) {
    let shape = try writer.inputShape(0)
    let axis = try writer.axis(default: -1, rank: shape.rank)
    let (x, dy) = (try writer.input(0), try writer.gradient)
    let epsilon = try writer.number(writer.node.float("epsilon", default: 1e-5))
    let square = try mean(writer, writer.multiply(x, x), shape, from: axis)
    let root = writer.emit("Sqrt", [writer.emit("Add", [square, epsilon])])
    let plain = writer.emit("Div", [x, root])
    if writer.needs(0) {
      let scaled = writer.multiply(dy, try writer.input(1))
      let along = try mean(writer, writer.multiply(scaled, plain), shape, from: axis)
      let rest = writer.emit("Sub", [scaled, writer.multiply(plain, along)])
      writer.add(writer.emit("Div", [rest, root]), toInput: 0)
    }
    try writer.addBroadcast(writer.multiply(dy, plain), toInput: 1)
  }

  /// Y = X S^-beta with S = bias + alpha/size Σ X² over neighbouring channels.
  @Sendable private static func localResponse(_ writer: GradientWriter) throws(PruneError) {
    let node = writer.node
    let shape = try writer.inputShape(0)
    guard let size = node.int("size"), size > 0, shape.rank > 2 else {
      throw PruneError(.invalidModel, "size is missing or input is \(shape)", at: node.label)
    }
    let (alpha, beta) = (node.float("alpha", default: 1e-4), node.float("beta", default: 0.75))
    let view = try Shape([shape[0], 1, shape[1], shape.dims[2...].reduce(1, *)])
    // The mean over `size` channels, absent ones counting as zeros; going back, the window is turned round.
    func neighbours(_ value: String, isBackward: Bool) throws(PruneError) -> String {
      let (less, more) = ((size - 1) / 2, size / 2)
      let pads = isBackward ? [more, 0, less, 0] : [less, 0, more, 0]
      let attributes = [
        Attribute("kernel_shape", .integers([size, 1])), Attribute("pads", .integers(pads)),
        Attribute("count_include_pad", .int(1)),
      ]
      return writer.emit("AveragePool", [value], attributes)
    }
    let x = try writer.reshape(writer.input(0), to: view)
    let dy = try writer.reshape(writer.gradient, to: view)
    let mean = try neighbours(writer.multiply(x, x), isBackward: false)
    let sum = writer.emit("Add", [try writer.scale(mean, alpha), try writer.number(node.float("bias", default: 1))])
    let power = writer.emit("Pow", [sum, try writer.number(-beta)])
    let direct = writer.multiply(dy, power)
    let crossed = try neighbours(writer.emit("Div", [writer.multiply(direct, x), sum]), isBackward: true)
    let rest = writer.multiply(try writer.scale(crossed, 2 * alpha * beta), x)
    writer.add(try writer.reshape(writer.emit("Sub", [direct, rest]), to: shape), toInput: 0)
  }

  /// Y = X / ‖X‖ along one axis.
  @Sendable private static func lp(_ writer: GradientWriter) throws(PruneError) {
    let shape = try writer.inputShape(0)
    let axis = try writer.axis(default: -1, rank: shape.rank)
    let isFirst = writer.node.int("p", default: 2) == 1
    let (x, y, dy) = (try writer.input(0), try writer.output(), try writer.gradient)
    var dims = shape.dims
    dims[axis] = 1
    let narrow = try Shape(dims)
    let size = isFirst ? writer.emit("Abs", [x]) : writer.multiply(x, x)
    let total = writer.sum(size, from: shape, to: narrow)
    let norm = isFirst ? total : writer.emit("Sqrt", [total])
    let along = writer.sum(writer.multiply(dy, y), from: shape, to: narrow)
    let direction = isFirst ? writer.emit("Sign", [x]) : y
    let rest = writer.emit("Sub", [dy, writer.multiply(direction, along)])
    writer.add(writer.emit("Div", [rest, norm]), toInput: 0)
  }
}
