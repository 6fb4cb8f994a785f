import PruneTensor

/// The integer type and the symmetry of activation codes.
package enum ActivationCodes: Sendable, Hashable {
  /// 0...255 with a zero point.
  case unsigned
  /// -127...127 around zero.
  case signed
}

/// How codes stand for numbers: x = scale * (code - zeroPoint).
package struct AffineScale: Sendable, Hashable {
  package let scale: Float
  package let zeroPoint: Int
  package let codes: ActivationCodes

  /// Scales below this are raised to it, so that products of two of them are still normal numbers.
  package static let least: Float = 1e-18

  /// The scale that covers a range and has a code for zero.
  package init(low: Float, high: Float, codes: ActivationCodes) {
    self.codes = codes
    let low = Double(min(low, 0)), high = Double(max(high, 0))
    switch codes {
    case .unsigned:
      let step = Float((high - low) / 255)
      // A value that is always zero has no range; any scale represents it.
      scale = step == 0 ? 1 : max(step, Self.least)
      zeroPoint = Int(max(0, min(255, (-low / Double(scale)).rounded(.toNearestOrEven))))
    case .signed:
      let step = Float(max(-low, high) / 127)
      scale = step == 0 ? 1 : max(step, Self.least)
      zeroPoint = 0
    }
  }

  /// Scale and zero point as the scalars that QuantizeLinear takes.
  func tensors() throws(PruneError) -> (scale: Tensor, zeroPoint: Tensor) {
    let zero =
      switch codes {
      case .unsigned: try Tensor(scalar: UInt8(clamping: zeroPoint))
      case .signed: try Tensor(scalar: Int8(clamping: zeroPoint))
      }
    return (try Tensor(scalar: scale), zero)
  }
}

/// Symmetric int8 scales of a weight.
package enum WeightScale {
  /// One scale a channel: the largest absolute value over 127.
  ///
  /// - Parameters:
  ///   - biasBounds: scales below which a bias would not fit int32 (0 where there is none). A channel without any
  ///     weight left takes the scale of the others, which keeps its bias precise.
  package static func symmetric(maxima: [Float], biasBounds: [Float]) -> [Float] {
    let largest = maxima.max() ?? 0
    return maxima.enumerated().map { index, value in
      let bound = index < biasBounds.count ? biasBounds[index] : biasBounds.first ?? 0
      let step = max((value > 0 ? value : largest) / 127, bound)
      return step == 0 ? 1 : max(step, AffineScale.least)
    }
  }
}
