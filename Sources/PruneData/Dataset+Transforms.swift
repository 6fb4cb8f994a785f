import PruneTensor

extension Dataset {
  private static let apart = "make a data set of that input alone, change it, and put its x among the others of a new one"

  /// (x - mean) / std for each channel (axis 1); one value of each stands for all channels. x becomes float32.
  package func normalize(mean: [Float], std: [Float]) throws(PruneError) -> Dataset {
    try wantOneColumn("normalize", hint: Self.apart)
    guard x.shape.rank >= 2 else {
      throw PruneError(.mismatch, "samples of '\(name)' are \(sampleShape): they have no channels")
    }
    let channels = x.shape[1]
    guard mean.count == std.count, mean.count == channels || mean.count == 1 else {
      throw PruneError(
        .mismatch, "'\(name)' has \(channels) channels, got \(mean.count) means and \(std.count) deviations")
    }
    guard std.allSatisfy({ $0 > 0 && $0.isFinite }), mean.allSatisfy(\.isFinite) else {
      throw PruneError(.invalidArgument, "normalize wants finite means and deviations above 0, got \(mean) and \(std)")
    }
    var result = try x.cast(to: .float32).copied()
    let inner = x.shape.dims.dropFirst(2).reduce(1, *)
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      guard channels > 0, inner > 0 else { return }
      for row in 0..<span.count / inner {
        let channel = mean.count == 1 ? 0 : row % channels
        let shift = mean[channel], scale = 1 / std[channel]
        for index in row * inner..<(row + 1) * inner { span[index] = (span[index] - shift) * scale }
      }
    }
    return replacing(x: result, y: y)
  }

  /// Images [N, C, H, W] resized to height x width: bilinear, pixel centres at halves (ONNX Resize "half_pixel").
  package func resize(_ height: Int, _ width: Int) throws(PruneError) -> Dataset {
    try wantOneColumn("resize", hint: Self.apart)
    guard x.shape.rank == 4, x.shape[2] > 0, x.shape[3] > 0 else {
      throw PruneError(.mismatch, "samples of '\(name)' are \(sampleShape), resize wants images [C, H, W]")
    }
    guard height > 0, width > 0, height <= 1 << 14, width <= 1 << 14 else {
      throw PruneError(.invalidArgument, "cannot resize to \(height)x\(width)")
    }
    let planes = x.shape[0] * x.shape[1], oldHeight = x.shape[2], oldWidth = x.shape[3]
    let rows = Self.taps(from: oldHeight, to: height), columns = Self.taps(from: oldWidth, to: width)
    var result = try Tensor(zeros: .float32, try Shape([x.shape[0], x.shape[1], height, width]))
    try x.cast(to: .float32).withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for plane in 0..<planes {
          let base = plane * oldHeight * oldWidth
          for (y, row) in rows.enumerated() {
            for (x, column) in columns.enumerated() {
              func mixed(_ line: Int) -> Float {
                let start = base + line * oldWidth
                return source[start + column.low] * (1 - column.weight) + source[start + column.high] * column.weight
              }
              target[(plane * height + y) * width + x] = mixed(row.low) * (1 - row.weight) + mixed(row.high) * row.weight
            }
          }
        }
      }
    }
    return replacing(x: result, y: y)
  }

  /// For each new position, the two old ones it lies between and the weight of the second.
  private static func taps(from old: Int, to new: Int) -> [(low: Int, high: Int, weight: Float)] {
    (0..<new).map { index in
      let place = min(max((Double(index) + 0.5) * Double(old) / Double(new) - 0.5, 0), Double(old - 1))
      let low = Int(place)
      return (low, min(low + 1, old - 1), Float(place - Double(low)))
    }
  }
}
