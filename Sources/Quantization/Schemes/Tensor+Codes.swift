import PruneTensor

extension Tensor {
  /// int8 elements that hold codes of 2 to 8 bits, of a float32 tensor with one scale a channel along `axis`, or one
  /// for all.
  func codes(scales: [Float], axis: Int?, bits: Int) throws(PruneError) -> Tensor {
    if bits == 8 { return try quantizedInt8(scales: scales, axis: axis).codes }
    let (inner, extent) = channels(axis), half = Float(1 << (bits - 1))
    var codes = try Tensor(zeros: .int8, shape)
    try withSpan(of: Float.self) { values throws(PruneError) in
      try codes.withMutableSpan(of: Int8.self) { target throws(PruneError) in
        for place in values.indices {
          let steps = values[place] / (scales.count == 1 ? scales[0] : scales[place / inner % extent])
          target[place] = Int8(min(max(steps.rounded(.toNearestOrEven), -half), half - 1))
        }
      }
    }
    return codes
  }

  /// Sums of squares of a float32 tensor and of its distance to what codes stand for.
  func noise(of codes: Tensor, scales: [Float], axis: Int?) throws(PruneError) -> (signal: Double, noise: Double) {
    let (inner, extent) = channels(axis)
    var signal = 0.0, noise = 0.0
    try withSpan(of: Float.self) { values throws(PruneError) in
      try codes.withSpan(of: Int8.self) { codes throws(PruneError) in
        for place in values.indices {
          let value = values[place]
          let difference =
            value - Float(codes[place]) * (scales.count == 1 ? scales[0] : scales[place / inner % extent])
          signal += Double(value * value)
          noise += Double(difference * difference)
        }
      }
    }
    return (signal, noise)
  }

  /// float8 elements (E4M3) of a float32 tensor with one scale a channel along `axis`, one for all, or one for each
  /// block of `size` along it: the largest magnitude is 448, the greatest number of the type.
  func float8(axis: Int?, size: Int = 0) throws(PruneError) -> (
    codes: Tensor, scales: [Float], signal: Double, noise: Double
  ) {
    let (inner, extent) = channels(axis), isBlocked = size > 0
    let slots = isBlocked ? (extent + size - 1) / size : extent, outer = isBlocked ? count / max(inner * extent, 1) : 1
    func slot(_ place: Int) -> Int {
      guard isBlocked else { return axis == nil ? 0 : place / inner % extent }
      return (place / (inner * extent) * slots + place / inner % extent / size) * inner + place % inner
    }
    let values = try array(of: Float.self)
    var scales = [Float](repeating: 0, count: isBlocked ? outer * slots * inner : slots)
    for place in values.indices { scales[slot(place)] = max(scales[slot(place)], values[place].magnitude) }
    for place in scales.indices { scales[place] = scales[place] > 0 ? max(scales[place] / 448, AffineScale.least) : 1 }
    let steps = values.indices.map { values[$0] / scales[slot($0)] }
    let codes = try Tensor(steps, shape).cast(to: .float8e4m3fn)
    let rounded = try codes.cast(to: .float32).array(of: Float.self)
    var signal = 0.0, noise = 0.0
    for place in values.indices {
      let difference = Double(values[place] - rounded[place] * scales[slot(place)])
      (signal, noise) = (signal + Double(values[place] * values[place]), noise + difference * difference)
    }
    return (codes, scales, signal, noise)
  }

  /// Elements between neighbours along an axis, and how many lie along it.
  private func channels(_ axis: Int?) -> (inner: Int, extent: Int) {
    guard let axis, axis < shape.rank else { return (1, 1) }
    return (max(shape.dims[(axis + 1)...].reduce(1, *), 1), max(shape[axis], 1))
  }
}
