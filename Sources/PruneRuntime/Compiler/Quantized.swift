import COneDNN
import PruneTensor

/// What an operation computes on 8-bit codes, in place of the float operations between DequantizeLinear and
/// QuantizeLinear that it was made of.
struct Quantized {
  /// How codes stand for numbers: (code - zero) * scale.
  struct Codes: Equatable {
    var scale: Float
    var zero: Int32
    /// uint8 or int8.
    var dtype: DType

    /// The least and greatest code, in steps from zero.
    var limits: (low: Float, high: Float) {
      dtype == .uint8 ? (Float(-zero), Float(255 - zero)) : (Float(-128 - zero), Float(127 - zero))
    }
    /// The offset that makes a quantized value unsigned: 128 where it was signed.
    var flip: UInt8 { dtype == .uint8 ? 0 : 0x80 }
    /// The zero point among the unsigned codes.
    var unsignedZero: Float { Float(dtype == .uint8 ? zero : zero + 128) }
  }

  /// What happens to the products' sums, or to a sum of operands, before they are written; in order.
  enum Stage {
    case activation(Activation)
    /// Rounds to quantized values, saturating, and continues with the numbers that they stand for.
    case round(Codes)
    /// Adds the numbers that codes of the last input stand for.
    case add(Codes)
  }

  /// How the codes of each data input stand for numbers.
  var operands: [Codes]
  /// Scales of a layer's weights: one, or one for each output channel. Their zero is 0.
  var weightScales: [Float] = []
  var stages: [Stage] = []
  /// How the result is written; nil is float32.
  var result: Codes?
  /// The operations it stands for, in order; they run when no kernel takes it.
  var parts: [Dataflow.Op]

  /// The attributes that turn sums of a layer's products into what is written. Nil when oneDNN cannot express it.
  var attributes: PostOperations? {
    guard let input = operands.first else { return nil }
    var post = PostOperations()
    post.isOfCodes = true
    var unit = unit(0)
    post.scales = weightScales.map { Float(Double(input.scale) * Double($0) / Double(unit)) }
    var cut = (low: -Float.infinity, high: Float.infinity)
    for (index, stage) in stages.enumerated() {
      let next = self.unit(index + 1)
      switch stage {
      case .activation(let activation):
        if let limits = activation.limits {
          (cut.low, cut.high) = (max(limits.low / unit, cut.low), min(max(limits.high / unit, cut.low), cut.high))
          // The rounding that comes next cuts off as well.
          if index + 1 < stages.count, case .round = stages[index + 1] { continue }
          post.items += Self.items(cut, before: index + 1 == stages.count ? result : nil)
        } else if case .eltwise(let kind, let alpha, let beta, _) = activation.postOperation {
          post.items.append(.eltwise(kind, alpha: alpha, beta: beta, scale: activation.isHomogeneous ? 1 : unit / next))
          if !activation.isHomogeneous { unit = next }
        }
        cut = (-.infinity, .infinity)
      case .round(let codes):
        post.items.append(
          .eltwise(dnnl_eltwise_clip_v2, alpha: max(cut.low, codes.limits.low), beta: min(cut.high, codes.limits.high)))
        post.items.append(.eltwise(dnnl_eltwise_round, alpha: 0, beta: 0, scale: codes.scale / next))
        unit = next
        cut = (-.infinity, .infinity)
      case .add(let codes):
        guard result != nil, let type = codes.dtype.dnnl else { return nil }
        post.items.append(.sumOfCodes(scale: codes.scale / unit, zero: codes.zero, type: type))
      }
    }
    post.resultZero = result?.zero ?? 0
    return post.isUnambiguous ? post : nil
  }

  /// The unit of the numbers that enter stage `index`: the step of the codes they are rounded to next, unless a
  /// function that depends on the unit comes first.
  private func unit(_ index: Int) -> Float {
    for stage in stages[index...] {
      switch stage {
      case .activation(let activation): if activation.limits == nil, !activation.isHomogeneous { return 1 }
      case .round(let codes): return codes.scale
      case .add: continue
      }
    }
    return result?.scale ?? 1
  }

  /// Limits in steps; none where saturation that follows at once cuts off by itself.
  private static func items(_ limits: (low: Float, high: Float), before codes: Codes?) -> [PostOperations.Item] {
    var (low, high) = limits
    if let codes {
      if low.rounded(.toNearestOrEven) <= codes.limits.low { low = -.infinity }
      if high.rounded(.toNearestOrEven) >= codes.limits.high { high = .infinity }
    }
    if low == -.infinity && high == .infinity { return [] }
    if low == 0 && high == .infinity { return [.eltwise(dnnl_eltwise_relu, alpha: 0, beta: 0)] }
    return [
      .eltwise(dnnl_eltwise_clip, alpha: max(low, -.greatestFiniteMagnitude), beta: min(high, .greatestFiniteMagnitude))
    ]
  }

  /// Limits of the only stage, when there is at most one and it just cuts off.
  var limits: (low: Float, high: Float)? {
    guard let stage = stages.first else { return (-.infinity, .infinity) }
    guard stages.count == 1, case .activation(let activation) = stage else { return nil }
    return activation.limits
  }
}
