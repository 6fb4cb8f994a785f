import PruneGraph
import PruneTensor

/// QuantizeLinear and DequantizeLinear as training sees them: rounding passes gradients straight through (Bengio et
/// al., 2013), and values beyond the codes' range get none. The gradient of codes is that of the numbers they stand
/// for.
enum FakeQuantizationRules {
  static let table: [String: GradientRule] = [
    "QuantizeLinear": GradientRule([0, 1]) { (writer: GradientWriter) throws(PruneError) in
      let gradient = try writer.gradient
      if writer.needs(1) { return try quantize(writer, gradient) }
      guard let range = try codedRange(writer) else { return writer.add(gradient, toInput: 0) }
      let bounds = [Attribute("min", .float(range.low)), Attribute("max", .float(range.high))]
      writer.add(writer.emitTraining("ClipGrad", [gradient, try writer.input(0)], bounds)[0], toInput: 0)
    },
    "DequantizeLinear": GradientRule([0, 1]) { (writer: GradientWriter) throws(PruneError) in
      let gradient = try writer.gradient
      writer.add(gradient, toInput: 0)
      guard writer.needs(1) else { return }
      // x̂ = s·q, so ∂x̂/∂s = q = x̂/s.
      let codes = writer.emit("Div", [try writer.output(), try spread(writer)])
      try addToScale(writer, writer.multiply(gradient, codes))
    },
  ]

  // MARK: - Scales that are learned (Esser et al., "Learned step size quantization", 2020)

  /// q = clip(x/s) rounded: inside the range ∂q/∂x = 1/s and ∂q/∂s = -x/s², beyond it 0. Gradients of codes are those
  /// of s·q.
  private static func quantize(_ writer: GradientWriter, _ gradient: String) throws(PruneError) {
    let ratio = writer.emit("Div", [try writer.input(0), try spread(writer)])
    let (low, high) = try codeLimits(writer)
    let cut = writer.emit("Clip", [ratio, try writer.number(low), try writer.number(high)])
    let isInside = writer.emit(
      "Cast", [writer.emit("Equal", [ratio, cut])], [Attribute("to", .int(Int64(DType.float32.rawValue)))])
    let inside = writer.multiply(gradient, isInside)
    writer.add(inside, toInput: 0)
    try addToScale(writer, writer.emit("Neg", [writer.multiply(inside, ratio)]))
  }

  /// Steps from the zero point to the ends of the codes.
  private static func codeLimits(_ writer: GradientWriter) throws(PruneError) -> (low: Float, high: Float) {
    guard let point = writer.constant(2), let zero = try point.integers().first,
      try point.integers().allSatisfy({ $0 == zero })
    else {
      throw PruneError(.unsupported, "its zero points differ or are not constant", at: writer.node.label)
    }
    let (low, high) = point.dtype == .int8 ? (-128, 127) : (0, 255)
    return (Float(low - zero), Float(high - zero))
  }

  /// The scales in a shape that broadcasts to the values.
  private static func spread(_ writer: GradientWriter) throws(PruneError) -> String {
    let scale = try writer.input(1), shape = try spreadShape(writer)
    return try shape == writer.inputShape(1) ? scale : writer.reshape(scale, to: shape)
  }

  private static func spreadShape(_ writer: GradientWriter) throws(PruneError) -> Shape {
    let values = try writer.inputShape(0), scales = try writer.inputShape(1)
    guard scales.count > 1 else { return .scalar }
    let axis = try writer.axis(default: 1, rank: values.rank)
    return try Shape(values.dims.indices.map { $0 == axis ? values[$0] : 1 })
  }

  /// Sums over what shares a scale, times 1/√(n·Qp), which makes steps of scales and of weights alike.
  private static func addToScale(_ writer: GradientWriter, _ each: String) throws(PruneError) {
    let values = try writer.outputShape(), scales = try writer.inputShape(1)
    let most: Float = writer.constant(2)?.dtype == .int8 ? 127 : 255
    let share = Float(max(values.count, 1)) / Float(max(scales.count, 1))
    let summed = try writer.sum(each, from: values, to: spreadShape(writer))
    let scaled = try writer.scale(summed, 1 / (share * most).squareRoot())
    let shape = try spreadShape(writer)
    writer.add(try shape == scales ? scaled : writer.reshape(scaled, to: scales), toInput: 1)
  }

  /// The numbers that 8-bit codes of one scale stand for; nil where each channel has its own, which then is that of its
  /// largest weight.
  private static func codedRange(_ writer: GradientWriter) throws(PruneError) -> (low: Float, high: Float)? {
    guard let scale = writer.constant(1), scale.count == 1, scale.dtype == .float32, let point = writer.constant(2),
      point.count == 1, let step = try scale.array(of: Float.self).first, let zero = try point.integers().first
    else { return nil }
    let (low, high) = point.dtype == .int8 ? (-128, 127) : (0, 255)
    return (Float(low - zero) * step, Float(high - zero) * step)
  }
}
