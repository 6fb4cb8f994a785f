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
}
