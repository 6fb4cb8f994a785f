import PruneTensor

extension Tensor {
  /// int8 elements that hold codes of 8 or 4 bits, of a float32 tensor with one scale a channel along `axis`, or one
  /// for all.
  func codes(scales: [Float], axis: Int?, bits: Int) throws(PruneError) -> Tensor {
    if bits == 8 { return try quantizedInt8(scales: scales, axis: axis).codes }
    let (inner, extent) = channels(axis)
    var codes = try Tensor(zeros: .int8, shape)
    try withSpan(of: Float.self) { values throws(PruneError) in
      try codes.withMutableSpan(of: Int8.self) { target throws(PruneError) in
        for place in values.indices {
          let steps = values[place] / (scales.count == 1 ? scales[0] : scales[place / inner % extent])
          target[place] = Int8(min(max(steps.rounded(.toNearestOrEven), -8), 7))
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

  /// Elements between neighbours along an axis, and how many lie along it.
  private func channels(_ axis: Int?) -> (inner: Int, extent: Int) {
    guard let axis, axis < shape.rank else { return (1, 1) }
    return (max(shape.dims[(axis + 1)...].reduce(1, *), 1), max(shape[axis], 1))
  }
}
