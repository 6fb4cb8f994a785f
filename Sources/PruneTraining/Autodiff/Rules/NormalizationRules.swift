import PruneGraph
import PruneTensor

/// Normalizations.
enum NormalizationRules {
  static let table: [String: GradientRule] = [
    "BatchNormalization": GradientRule([0, 1, 2], batchNorm),
    "LayerNormalization": GradientRule([0, 1, 2], layerNorm),
  ]

  /// Batch statistics; the running ones are not differentiated.
  static let batchNormTrain = GradientRule([0, 1, 2]) { (writer: GradientWriter) throws(PruneError) in
    let inputs = [
      try writer.gradient, try writer.input(0), try writer.input(1), try writer.output(1), try writer.output(2),
    ]
    let gradients = writer.emitTraining("BatchNormGrad", inputs, outputs: 3)
    for index in 0..<3 where writer.needs(index) { writer.add(gradients[index], toInput: index) }
  }

  /// Frozen statistics: Y = scale * (X - mean) / sqrt(var + epsilon) + B is linear in all three.
  @Sendable private static func batchNorm(_ writer: GradientWriter) throws(PruneError) {
    let (shape, channels) = (try writer.inputShape(0), try writer.inputShape(1))
    let perChannel = try Shape([channels.count] + [Int](repeating: 1, count: max(shape.rank - 2, 0)))
    func spread(_ value: String) throws(PruneError) -> String { try writer.reshape(value, to: perChannel) }
    let epsilon = try writer.number(writer.node.float("epsilon", default: 1e-5))
    let deviation = writer.emit("Sqrt", [writer.emit("Add", [try writer.input(4), epsilon])])
    let dy = try writer.gradient
    if writer.needs(0) {
      let slope = writer.emit("Div", [try writer.input(1), deviation])
      writer.add(writer.multiply(dy, try spread(slope)), toInput: 0)
    }
    func total(_ value: String) throws(PruneError) -> String {
      let narrow = try Shape([1] + perChannel.dims)
      return try writer.reshape(writer.sum(value, from: shape, to: narrow), to: channels)
    }
    if writer.needs(1) {
      let centred = writer.emit("Sub", [try writer.input(0), try spread(writer.input(3))])
      let sum = try total(writer.multiply(dy, centred))
      writer.add(writer.emit("Div", [sum, deviation]), toInput: 1)
    }
    if writer.needs(2) { writer.add(try total(dy), toInput: 2) }
  }

  @Sendable private static func layerNorm(_ writer: GradientWriter) throws(PruneError) {
    let node = writer.node
    let shape = try writer.inputShape(0)
    let axis = try writer.axis(default: -1, rank: shape.rank)
    let width = try Shape(Array(shape.dims[axis...]))
    // Scale and bias may be of fewer axes; the gradient operator has them at the full width.
    let shapeOfScale = try writer.inputShape(1)
    let scale =
      shapeOfScale == width
      ? try writer.input(1) : writer.emit("Expand", [try writer.input(1), try writer.integers(width.dims)])
    let attributes = [
      Attribute("axis", .int(Int64(axis))), Attribute("epsilon", .float(node.float("epsilon", default: 1e-5))),
    ]
    let gradients = writer.emitTraining(
      "LayerNormGrad", [try writer.gradient, try writer.input(0), scale], attributes, outputs: 3)
    if writer.needs(0) { writer.add(gradients[0], toInput: 0) }
    for index in 1...2 where writer.needs(index) {
      writer.add(writer.sum(gradients[index], from: width, to: try writer.inputShape(index)), toInput: index)
    }
  }
}
