import PruneTensor

/// A weight as codes of 2 to 8 bits with a scale, and perhaps a zero point, for each block along one axis.
struct BlockCodes {
  /// One code an element, in the weight's own order.
  let codes: [Int8]
  let scales: [Float]
  /// Empty for symmetric codes.
  let zeroPoints: [Int8]
  /// The weight's shape with the number of blocks along the axis.
  let blocks: Shape
  let signal: Double
  let noise: Double

  /// How a block is coded.
  struct Form {
    let bits: Int
    /// Around zero, or from a least value with a zero point; zero has a code of its own either way.
    let symmetric: Bool
    let low: Float
    let high: Float
    /// Whether zero points are those of half-quadratic quantization.
    let isHalfQuadratic: Bool

    init(bits: Int, symmetric: Bool, isHalfQuadratic: Bool = false) {
      self.bits = bits
      self.symmetric = symmetric
      self.isHalfQuadratic = isHalfQuadratic && !symmetric
      let half = Float(1 << (bits - 1))
      // Symmetric codes of 8 bits leave out -128, as those of channels do; of fewer bits every one counts.
      (low, high) = symmetric ? (bits == 8 ? 1 - half : -half, half - 1) : (0, 2 * half - 1)
    }
  }

  /// Codes with the scale for each block, out of a few, that makes the least squared error.
  /// - Parameter size: elements a block along `axis`; the last one may be shorter.
  /// - Throws: `.numeric` when a weight is not finite.
  init(_ weight: Tensor, axis: Int, size: Int, _ form: Form) throws(PruneError) {
    let dims = weight.shape.dims, extent = dims[axis], inner = dims[(axis + 1)...].reduce(1, *)
    let outer = dims[..<axis].reduce(1, *), count = (extent + size - 1) / max(size, 1)
    var shape = dims
    shape[axis] = count
    blocks = try Shape(shape)
    var codes = [Int8](repeating: 0, count: weight.count)
    var scales = [Float](repeating: 1, count: blocks.count)
    var zeros = [Int8](repeating: 0, count: form.symmetric ? 0 : blocks.count)
    var signal = 0.0, noise = 0.0
    try weight.withSpan(of: Float.self) { span throws(PruneError) in
      var values = [Float](repeating: 0, count: size)
      for row in 0..<outer {
        for block in 0..<count {
          let first = block * size, length = min(size, extent - first)
          for column in 0..<inner {
            let start = (row * extent + first) * inner + column
            for place in 0..<length { values[place] = span[start + place * inner] }
            let fitted = try Self.fit(values, length, form)
            let slot = (row * count + block) * inner + column
            scales[slot] = fitted.scale
            if !form.symmetric { zeros[slot] = Int8(truncatingIfNeeded: Int(fitted.zero)) }
            for place in 0..<length {
              let value = values[place], code = Self.code(value, 1 / fitted.scale, fitted.zero, form)
              codes[start + place * inner] = Int8(truncatingIfNeeded: Int(code))
              let difference = Double(value - (code - fitted.zero) * fitted.scale)
              signal += Double(value * value)
              noise += difference * difference
            }
          }
        }
      }
    }
    (self.codes, self.scales, zeroPoints, self.signal, self.noise) = (codes, scales, zeros, signal, noise)
  }

  /// The same scales and zero points with the codes of another tensor, which was rounded to them.
  func recoded(_ rounded: Tensor, of weight: Tensor, axis: Int, size: Int, _ form: Form) throws(PruneError)
    -> BlockCodes
  {
    let dims = weight.shape.dims, extent = dims[axis], inner = max(dims[(axis + 1)...].reduce(1, *), 1),
      count = blocks[axis]
    let values = try rounded.array(of: Float.self), old = try weight.array(of: Float.self)
    var codes = codes, noise = 0.0
    for place in values.indices {
      let slot = (place / (inner * extent) * count + place / inner % extent / max(size, 1)) * inner + place % inner
      let zero = zeroPoints.isEmpty ? 0 : Float(UInt8(bitPattern: zeroPoints[slot]))
      let code = Self.code(values[place], 1 / scales[slot], zero, form)
      codes[place] = Int8(truncatingIfNeeded: Int(code))
      let difference = Double(old[place] - (code - zero) * scales[slot])
      noise += difference * difference
    }
    return BlockCodes(
      codes: codes, scales: scales, zeroPoints: zeroPoints, blocks: blocks, signal: signal, noise: noise)
  }

  private init(codes: [Int8], scales: [Float], zeroPoints: [Int8], blocks: Shape, signal: Double, noise: Double) {
    (self.codes, self.scales, self.zeroPoints, self.blocks) = (codes, scales, zeroPoints, blocks)
    (self.signal, self.noise) = (signal, noise)
  }

  @inline(__always)
  private static func code(_ value: Float, _ inverse: Float, _ zero: Float, _ form: Form) -> Float {
    min(max((value * inverse).rounded(.toNearestOrEven) + zero, form.low), form.high)
  }

  private static func fit(_ values: [Float], _ length: Int, _ form: Form) throws(PruneError) -> (
    scale: Float, zero: Float
  ) {
    var low: Float = 0, high: Float = 0
    for place in 0..<length {
      guard values[place].isFinite else { throw PruneError(.numeric, "a weight is NaN or infinite") }
      low = min(low, values[place])
      high = max(high, values[place])
    }
    guard low < high else { return (1, form.symmetric ? 0 : min(8, (form.high + 1) / 2)) }
    if form.isHalfQuadratic { return HalfQuadratic.fit(values, length, low: low, high: high, most: form.high) }
    var best: (scale: Float, zero: Float) = (1, 0), least = Float.infinity
    // The fewer codes there are, the more it pays to cut off the ends.
    for step in 0..<(form.bits == 8 ? 1 : form.bits < 4 ? 12 : 7) {
      let shrink = 1 - 0.05 * Float(step)
      var scale: Float, zero: Float = 0
      if form.symmetric {
        scale = max(-low / -form.low, high / form.high) * shrink
      } else {
        scale = (high - low) / form.high * shrink
      }
      scale = max(scale, AffineScale.least)
      if !form.symmetric { zero = min(max((-low * shrink / scale).rounded(.toNearestOrEven), 0), form.high) }
      let inverse = 1 / scale
      var error: Float = 0
      for place in 0..<length {
        let difference = values[place] - (code(values[place], inverse, zero, form) - zero) * scale
        error += difference * difference
      }
      if error < least { (least, best) = (error, (scale, zero)) }
    }
    return best
  }
}
