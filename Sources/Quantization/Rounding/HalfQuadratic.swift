import PruneTensor

/// Half-quadratic quantization (Badri & Shaji, "HQQ", 2023): the zero point that makes the errors of a block sparse, from
/// the weights alone. It minimizes the sum of |w - s(q - z)|^p with p < 1 by turns: the errors shrunk by the proximal
/// operator of the norm, and the zero point that is the mean of what they leave.
///
/// The files' zero points are whole numbers: the one found is rounded at the end, and kept where it is no worse than the
/// one that it began with.
enum HalfQuadratic {
  /// The paper's settings.
  static let norm: Float = 0.7
  static let rounds = 20
  private static let strength: Float = 10
  private static let growth: Float = 1.01

  /// The scale and the zero point of a block.
  /// - Parameters:
  ///   - low, high: the range that codes from 0 to `most` cover, with zero in it.
  static func fit(_ values: [Float], _ length: Int, low: Float, high: Float, most: Float) -> (scale: Float, zero: Float)
  {
    let scale = max((high - low) / most, AffineScale.least), inverse = 1 / scale
    let start = min(max((-low * inverse).rounded(.toNearestOrEven), 0), most)
    var zero = -low * inverse, best = zero, least = Float.infinity, beta = strength
    for _ in 0..<rounds {
      var sum: Float = 0, error: Float = 0
      for place in 0..<length {
        let value = values[place]
        let code = min(max((value * inverse + zero).rounded(.toNearestOrEven), 0), most)
        let difference = value - (code - zero) * scale
        error += difference.magnitude
        sum += code - (value - shrunk(difference, beta)) * inverse
      }
      guard error < least else { break }
      (least, best) = (error, zero)
      zero = sum / Float(length)
      beta *= growth
    }
    let found = min(max(best.rounded(.toNearestOrEven), 0), most)
    func loss(_ zero: Float) -> Double {
      var sum = 0.0
      for place in 0..<length {
        let code = min(max((values[place] * inverse).rounded(.toNearestOrEven) + zero, 0), most)
        sum += power(Double((values[place] - (code - zero) * scale).magnitude), Double(norm))
      }
      return sum
    }
    return (scale, loss(found) <= loss(start) ? found : start)
  }

  /// The proximal operator of |x|^p: sign(x) max(|x| - |x|^(p - 1) / beta, 0).
  @inline(__always)
  private static func shrunk(_ x: Float, _ beta: Float) -> Float {
    let magnitude = x.magnitude
    guard magnitude > 0 else { return 0 }
    let rest = magnitude - Float(power(Double(magnitude), Double(norm) - 1)) / beta
    return rest > 0 ? (x < 0 ? -rest : rest) : 0
  }
}
