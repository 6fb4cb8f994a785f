import PruneGraph
import PruneTensor

/// Pools, local and global.
enum PoolingRules {
  static let table: [String: GradientRule] = [
    "MaxPool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      try max(writer, ConvolutionRules.attributes(window(writer)))
    },
    "AveragePool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let counts = Attribute("count_include_pad", .int(Int64(writer.node.int("count_include_pad", default: 0))))
      try average(writer, ConvolutionRules.attributes(window(writer)) + [counts])
    },
    "LpPool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let window = try window(writer)
      guard writer.node.int("ceil_mode", default: 0) == 0 else {
        throw PruneError(.unsupported, "a gradient passes LpPool without ceil_mode only", at: writer.node.label)
      }
      let counts = Attribute("count_include_pad", .int(1))
      try lp(writer, window.kernel.reduce(1, *), ConvolutionRules.attributes(window) + [counts])
    },
    "GlobalLpPool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let kernel = try ConvolutionRules.spatial(writer.inputShape(0))
      try lp(writer, kernel.reduce(1, *), [Attribute("kernel_shape", .integers(kernel))])
    },
    "GlobalMaxPool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      try max(writer, [Attribute("kernel_shape", .integers(ConvolutionRules.spatial(writer.inputShape(0))))])
    },
    "GlobalAveragePool": GradientRule { (writer: GradientWriter) throws(PruneError) in
      try average(writer, [Attribute("kernel_shape", .integers(ConvolutionRules.spatial(writer.inputShape(0))))])
    },
  ]

  private static func window(_ writer: GradientWriter) throws(PruneError) -> Window {
    guard let kernel = writer.node.ints("kernel_shape") else {
      throw PruneError(.invalidModel, "attribute kernel_shape is missing", at: writer.node.label)
    }
    return try Window(
      writer.node, kernel: kernel, input: ConvolutionRules.spatial(writer.inputShape(0)).map(Dim.fixed),
      roundsUp: writer.node.int("ceil_mode", default: 0) != 0)
  }

  private static func max(_ writer: GradientWriter, _ attributes: [Attribute]) throws(PruneError) {
    let inputs = [try writer.gradient, try writer.input(0)]
    writer.add(writer.emitTraining("MaxPoolGrad", inputs, attributes)[0], toInput: 0)
  }

  private static func average(_ writer: GradientWriter, _ attributes: [Attribute]) throws(PruneError) {
    let place = [Attribute("input_shape", .integers(try writer.inputShape(0).dims))]
    writer.add(writer.emitTraining("AveragePoolGrad", [try writer.gradient], attributes + place)[0], toInput: 0)
  }

  /// Y = (Σ |x|^p)^(1/p): dX = sign(x) |x|^(p-1) times the sum over windows of dY Y^(1-p).
  private static func lp(_ writer: GradientWriter, _ count: Int, _ attributes: [Attribute]) throws(PruneError) {
    let p = Float(writer.node.int("p", default: 2))
    let (x, y) = (try writer.input(0), try writer.output())
    let share = writer.multiply(
      try writer.gradient, p == 2 ? writer.emit("Reciprocal", [y]) : writer.emit("Pow", [y, try writer.number(1 - p)]))
    let place = [Attribute("input_shape", .integers(try writer.inputShape(0).dims))]
    let mean = writer.emitTraining("AveragePoolGrad", [share], attributes + place)[0]
    let sum = try writer.scale(mean, Float(count))
    let slope =
      p == 2
      ? x
      : writer.multiply(
        writer.emit("Sign", [x]), writer.emit("Pow", [writer.emit("Abs", [x]), try writer.number(p - 1)]))
    writer.add(writer.multiply(sum, slope), toInput: 0)
  }
}
