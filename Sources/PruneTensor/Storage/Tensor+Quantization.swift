import CPruneSupport

extension Tensor {
  /// The least and the largest element of a float32 tensor, nil when it is empty or an element is NaN or infinite.
  package func finiteRange() throws(PruneError) -> (low: Float, high: Float)? {
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the pointer is used within the closure, over the span's own count.
      span.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress, !buffer.isEmpty else { return nil }
        var low: Float = 0, high: Float = 0
        ps_min_max(base, Int64(buffer.count), &low, &high)
        return low.isFinite && high.isFinite ? (low, high) : nil
      }
    }
  }

  /// The largest absolute value of each channel along `axis`, or of the whole tensor with nil.
  package func absoluteMaxima(axis: Int?) throws(PruneError) -> [Float] {
    let (outer, channels, inner) = try blocks(axis)
    return try withSpan(of: Float.self) { span throws(PruneError) in
      var result = [Float](repeating: 0, count: channels)
      // Safe: outer * channels * inner is the span's count, and the result has `channels` entries.
      span.withUnsafeBufferPointer { values in
        if let base = values.baseAddress {
          ps_channel_abs_max(base, Int64(outer), Int64(channels), Int64(inner), &result)
        }
      }
      return result
    }
  }

  /// Adds the finite elements of a float32 tensor to counts of equal bins over low..<high; what lies outside goes to
  /// the outermost ones.
  package func addHistogram(to counts: inout [Int64], low: Float, high: Float) throws(PruneError) {
    let bins = Int64(counts.count)
    guard bins > 0 else { return }
    let fine = Float(bins) / (high - low)
    let scale = fine.isFinite ? fine : 0
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: the loop keeps within the span's count and the table's.
      span.withUnsafeBufferPointer { values in
        if let base = values.baseAddress { ps_histogram(base, Int64(values.count), low, scale, bins, &counts) }
      }
    }
  }

  /// int8 codes of a float32 tensor, symmetric, with a scale for each channel along `axis` (one for all with nil), and
  /// the sums of squares of the values and of what rounding changed. Exact zeros stay zero.
  /// - Throws: `.mismatch` when there is not one scale a channel.
  package func quantizedInt8(
    scales: [Float], axis: Int?
  ) throws(PruneError) -> (codes: Tensor, signal: Double, noise: Double) {
    let (outer, channels, inner) = try blocks(axis)
    guard scales.count == channels else {
      throw PruneError(
        .mismatch, "\(shape) has \(channels) channels along axis \(axis ?? 0), got \(scales.count) scales")
    }
    let codes = try Tensor(zeros: .int8, shape)
    var signal = 0.0, noise = 0.0
    try withSpan(of: Float.self) { span throws(PruneError) in
      // Safe: codes has no other owner yet, and both hold outer * channels * inner elements.
      span.withUnsafeBufferPointer { values in
        if let base = values.baseAddress {
          ps_quantize_int8(
            base, Int64(outer), Int64(channels), Int64(inner), scales,
            codes.storage.base.assumingMemoryBound(to: Int8.self), &signal, &noise)
        }
      }
    }
    return (codes, signal, noise)
  }

  /// The tensor as [outer, channels, inner] around an axis.
  private func blocks(_ axis: Int?) throws(PruneError) -> (outer: Int, channels: Int, inner: Int) {
    guard let axis else { return (1, 1, count) }
    guard let place = shape.axis(axis) else {
      throw PruneError(.invalidArgument, "\(shape) has no axis \(axis)")
    }
    let outer = shape.dims[..<place].reduce(1, *), inner = shape.dims[(place + 1)...].reduce(1, *)
    return (outer, shape[place], inner)
  }
}
