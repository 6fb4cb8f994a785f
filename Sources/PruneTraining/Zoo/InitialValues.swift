import PruneTensor

/// Where the values of a new weight come from.
enum InitialValues {
  case constant(Float)
  /// He et al. 2015: normal of variance 2/fan-in.
  case he(fanIn: Int)
  /// Glorot and Bengio 2010: uniform of variance 2/(fan-in + fan-out).
  case glorot(fanIn: Int, fanOut: Int)
  /// Normal of this deviation, drawn again beyond two deviations.
  case truncatedNormal(Double)
  /// Uniform between -limit and limit.
  case uniform(Double)
  /// Biases of an LSTM, [1, 8 * width]: zero, but one for the forget gate's input bias (Gers et al. 2000).
  case forgetGate(width: Int)

  func tensor(_ shape: Shape, _ random: inout RandomSource) throws(PruneError) -> Tensor {
    var draws = random
    var tensor = try Tensor(zeros: .float32, shape)
    try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
      switch self {
      case .constant(let value):
        if value != 0 { for index in 0..<span.count { span[index] = value } }
      case .he(let fanIn):
        let deviation = (2 / Double(max(fanIn, 1))).squareRoot()
        for index in 0..<span.count { span[index] = Float(draws.normal() * deviation) }
      case .glorot(let fanIn, let fanOut):
        let limit = (6 / Double(max(fanIn + fanOut, 1))).squareRoot()
        for index in 0..<span.count { span[index] = Float((2 * draws.uniform() - 1) * limit) }
      case .truncatedNormal(let deviation):
        for index in 0..<span.count {
          var draw = draws.normal()
          while abs(draw) > 2 { draw = draws.normal() }
          span[index] = Float(draw * deviation)
        }
      case .uniform(let limit):
        for index in 0..<span.count { span[index] = Float((2 * draws.uniform() - 1) * limit) }
      case .forgetGate(let width):
        // Gates in ONNX's order: input, output, forget, cell.
        for index in 2 * width..<3 * width where index < span.count { span[index] = 1 }
      }
    }
    random = draws
    return tensor
  }
}
