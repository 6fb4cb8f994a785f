import PruneTensor

/// A batch normalization merged into the convolution before it.
package enum BatchNormFold {
  /// The convolution's weight and bias with the normalization in them: w' = w·γ/√(σ²+ε) and b' = (b-μ)·γ/√(σ²+ε) + β,
  /// channel by channel, the weight's first axis. Zeros stay zero.
  /// - Parameter norm: γ, β, μ, σ².
  /// - Returns: nil where something is not float32 or not one a channel, or where a factor is no finite number.
  package static func folded(
    weight: Tensor, bias: Tensor?, norm: [Tensor], epsilon: Double
  ) throws(PruneError) -> (weight: Tensor, bias: Tensor)? {
    guard weight.shape.rank > 0, weight.shape[0] > 0, norm.count == 4 else { return nil }
    let channels = weight.shape[0]
    let parts = norm + (bias.map { [$0] } ?? [])
    guard weight.dtype == .float32, parts.allSatisfy({ $0.dtype == .float32 && $0.count == channels }) else {
      return nil
    }
    var values: [[Float]] = []
    for part in parts { values.append(try part.array(of: Float.self)) }
    let factors = (0..<channels).map { Double(values[0][$0]) / (Double(values[3][$0]) + epsilon).squareRoot() }
    guard factors.allSatisfy(\.isFinite) else { return nil }
    let shifts = (0..<channels).map { channel -> Float in
      let centred = Double(bias == nil ? 0 : values[4][channel]) - Double(values[2][channel])
      return Float(centred * factors[channel] + Double(values[1][channel]))
    }
    var scaled = try weight.copied()
    weight.forgetPages()
    let each = weight.count / channels
    try scaled.withMutableSpan(of: Float.self) { span in
      for channel in 0..<channels {
        let factor = factors[channel]
        for place in channel * each..<(channel + 1) * each { span[place] = Float(Double(span[place]) * factor) }
      }
    }
    return (scaled, try Tensor(shifts))
  }
}
