import PruneGraph
import PruneTensor

/// Conv and ConvTranspose, whose gradients are each other.
enum ConvolutionRules {
  static let table: [String: GradientRule] = [
    "Conv": GradientRule(conv), "ConvTranspose": GradientRule(convTranspose),
  ]

  /// Where a window lies, as explicit attributes.
  static func attributes(
    kernel: [Int], strides: [Int], dilations: [Int], pads: [Int], group: Int? = nil
  ) -> [Attribute] {
    [
      Attribute("dilations", .integers(dilations)), Attribute("kernel_shape", .integers(kernel)),
      Attribute("pads", .integers(pads)), Attribute("strides", .integers(strides)),
    ] + (group.map { [Attribute("group", .int(Int64($0)))] } ?? [])
  }

  static func attributes(_ window: Window, group: Int? = nil) -> [Attribute] {
    attributes(
      kernel: window.kernel, strides: window.strides, dilations: window.dilations,
      pads: window.padsBegin + window.padsEnd, group: group)
  }

  static func spatial(_ shape: Shape) -> [Int] { Array(shape.dims.dropFirst(2)) }

  @Sendable private static func conv(_ writer: GradientWriter) throws(PruneError) {
    let (shapeX, shapeW) = (try writer.inputShape(0), try writer.inputShape(1))
    let window = try Window(writer.node, kernel: spatial(shapeW), input: spatial(shapeX).map(Dim.fixed))
    let attributes = attributes(window, group: writer.node.int("group", default: 1))
    let dy = try writer.gradient
    if writer.needs(0) {
      let place = [Attribute("input_shape", .integers(shapeX.dims))]
      writer.add(writer.emitTraining("ConvGradInput", [dy, try writer.input(1)], attributes + place)[0], toInput: 0)
    }
    guard writer.needs(1) || writer.needs(2) else { return }
    let place = [Attribute("weight_shape", .integers(shapeW.dims))]
    let gradients = writer.emitTraining(
      "ConvGradWeight", [dy, try writer.input(0)], attributes + place, outputs: writer.needs(2) ? 2 : 1)
    if writer.needs(1) { writer.add(gradients[0], toInput: 1) }
    if writer.needs(2) { writer.add(gradients[1], toInput: 2) }
  }

  /// ConvTranspose is the gradient of a convolution of the same weight that goes the other way.
  @Sendable private static func convTranspose(_ writer: GradientWriter) throws(PruneError) {
    let (shapeX, shapeW, shapeY) = (try writer.inputShape(0), try writer.inputShape(1), try writer.outputShape())
    let window = try TransposedWindow(writer.node, kernel: spatial(shapeW), input: spatial(shapeX).map(Dim.fixed))
    // Output padding lengthens the output past the last window; going back, nothing reads there.
    let attributes = attributes(
      kernel: window.kernel, strides: window.strides, dilations: window.dilations,
      pads: window.padsBegin + window.padsEnd, group: writer.node.int("group", default: 1))
    let dy = try writer.gradient
    if writer.needs(0) {
      writer.add(writer.emit("Conv", [dy, try writer.input(1)], attributes), toInput: 0)
    }
    if writer.needs(1) {
      let place = [Attribute("weight_shape", .integers(shapeW.dims))]
      writer.add(writer.emitTraining("ConvGradWeight", [try writer.input(0), dy], attributes + place)[0], toInput: 1)
    }
    if writer.needs(2) {
      let perChannel = try Shape([1, shapeY[1]] + [Int](repeating: 1, count: window.kernel.count))
      let sum = writer.sum(dy, from: shapeY, to: perChannel)
      writer.add(try writer.reshape(sum, to: Shape([shapeY[1]])), toInput: 2)
    }
  }
}
