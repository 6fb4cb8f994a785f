import PruneGraph
import PruneTensor

/// QuantizeLinear and DequantizeLinear as training sees them: rounding passes gradients straight through (Bengio et al., 2013),
/// and values beyond the codes' range get none. The gradient of codes is that of the numbers they stand for.
enum FakeQuantizationRules {
  static let table: [String: GradientRule] = [
    "QuantizeLinear": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      let gradient = try writer.gradient
      guard let range = try codedRange(writer) else { return writer.add(gradient, toInput: 0) }
      let bounds = [Attribute("min", .float(range.low)), Attribute("max", .float(range.high))]
      writer.add(writer.emitTraining("ClipGrad", [gradient, try writer.input(0)], bounds)[0], toInput: 0)
    },
    "DequantizeLinear": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      writer.add(try writer.gradient, toInput: 0)
    },
  ]

  /// The numbers that 8-bit codes of one scale stand for; nil where each channel has its own, which then is that of its largest
  /// weight.
  private static func codedRange(_ writer: GradientWriter) throws(PruneError) -> (low: Float, high: Float)? {
    guard let scale = writer.constant(1), scale.count == 1, scale.dtype == .float32, let point = writer.constant(2),
      point.count == 1, let step = try scale.array(of: Float.self).first, let zero = try point.integers().first
    else { return nil }
    let (low, high) = point.dtype == .int8 ? (-128, 127) : (0, 255)
    return (Float(low - zero) * step, Float(high - zero) * step)
  }
}
