import PruneTensor

extension Dataset {
  private static let apart =
    "make a data set of that input alone, change it, and put its x among the others of a new one"

  /// Throws for samples that are not in memory, which are changed as they are read.
  private func wantInMemory(_ what: String) throws(PruneError) {
    try wantOneColumn(what, hint: Self.apart)
    guard isStream else { return }
    throw PruneError(
      .unsupported, "the samples of '\(name)' are read as they are needed, \(what) changes samples in memory",
      hint: "give size, mean, std, scale and layout to prune.data.images")
  }

  /// (x - mean) / std for each channel (axis 1, of images [H, W, C] the last); one value of each stands for all
  /// channels. x becomes float32.
  package func normalize(mean: [Float], std: [Float]) throws(PruneError) -> Dataset {
    try wantInMemory("normalize")
    guard x.shape.rank >= 2 else {
      throw PruneError(.mismatch, "samples of '\(name)' are \(sampleShape): they have no channels")
    }
    let isLast = x.shape.rank == 4 && layout == .nhwc
    let channels = x.shape[isLast ? 3 : 1]
    guard mean.count == std.count, mean.count == channels || mean.count == 1 else {
      throw PruneError(
        .mismatch, "'\(name)' has \(channels) channels, got \(mean.count) means and \(std.count) deviations")
    }
    guard std.allSatisfy({ $0 > 0 && $0.isFinite }), mean.allSatisfy(\.isFinite) else {
      throw PruneError(.invalidArgument, "normalize wants finite means and deviations above 0, got \(mean) and \(std)")
    }
    var result = try x.cast(to: .float32).copied()
    let inner = isLast ? 1 : x.shape.dims.dropFirst(2).reduce(1, *)
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

  /// Images [N, C, H, W] or [N, H, W, C] resized to height x width: bilinear, pixel centres at halves (ONNX Resize
  /// "half_pixel").
  package func resize(_ height: Int, _ width: Int) throws(PruneError) -> Dataset {
    try wantInMemory("resize")
    guard let images = ImageAxes(x.shape, layout), images.height > 0, images.width > 0 else {
      throw PruneError(.mismatch, "samples of '\(name)' are \(sampleShape), resize wants images [C, H, W] or [H, W, C]")
    }
    guard height > 0, width > 0, height <= 1 << 14, width <= 1 << 14 else {
      throw PruneError(.invalidArgument, "cannot resize to \(height)x\(width)")
    }
    // Planes of one channel, or one plane an image whose pixels have several.
    let depth = images.depth, planes = images.count * images.channels / depth
    let oldHeight = images.height, oldWidth = images.width
    let rows = Self.taps(from: oldHeight, to: height), columns = Self.taps(from: oldWidth, to: width)
    var result = try Tensor(zeros: .float32, try images.shape(height: height, width: width))
    try x.cast(to: .float32).withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for plane in 0..<planes {
          let base = plane * oldHeight * oldWidth * depth
          for (y, row) in rows.enumerated() {
            for (x, column) in columns.enumerated() {
              for channel in 0..<depth {
                func mixed(_ line: Int) -> Float {
                  let start = base + line * oldWidth * depth + channel
                  return source[start + column.low * depth] * (1 - column.weight) + source[start + column.high * depth]
                    * column.weight
                }
                target[((plane * height + y) * width + x) * depth + channel] =
                  mixed(row.low) * (1 - row.weight) + mixed(row.high) * row.weight
              }
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

  /// The same images with their channels in front or last.
  /// - Throws: `.mismatch` for samples that are no images, `.unsupported` for a stream.
  package func to(_ wanted: Layout) throws(PruneError) -> Dataset {
    if wanted == layout { return self }
    try wantInMemory("to_layout")
    guard let images = ImageAxes(x.shape, layout) else {
      throw PruneError(
        .mismatch, "samples of '\(name)' are \(sampleShape), images [C, H, W] or [H, W, C] have a layout")
    }
    let source = try x.cast(to: .float32), area = images.height * images.width, channels = images.channels
    let dims =
      wanted == .nchw
      ? [images.count, channels, images.height, images.width] : [images.count, images.height, images.width, channels]
    var result = try Tensor(zeros: .float32, try Shape(dims))
    let (outer, inner) = layout == .nhwc ? (area, channels) : (channels, area)
    try source.withSpan(of: Float.self) { from throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { to throws(PruneError) in
        for image in 0..<images.count {
          let base = image * area * channels
          for i in 0..<outer {
            for j in 0..<inner { to[base + j * outer + i] = from[base + i * inner + j] }
          }
        }
      }
    }
    return replacing(x: result, y: y).declared(wanted)
  }
}

/// The extents of a batch of images, wherever their channels are.
struct ImageAxes {
  let count: Int
  let channels: Int
  let height: Int
  let width: Int
  let layout: Layout

  /// Nil for what is no batch of images.
  init?(_ shape: Shape, _ layout: Layout) {
    guard shape.rank == 4 else { return nil }
    (count, self.layout) = (shape[0], layout)
    (channels, height, width) = layout == .nchw ? (shape[1], shape[2], shape[3]) : (shape[3], shape[1], shape[2])
  }

  /// Numbers that lie together for a pixel of a plane.
  var depth: Int { layout == .nchw ? 1 : channels }

  func shape(height: Int, width: Int) throws(PruneError) -> Shape {
    try Shape(layout == .nchw ? [count, channels, height, width] : [count, height, width, channels])
  }
}
