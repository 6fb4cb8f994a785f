import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Random changes of images [N, C, H, W] or [N, H, W, C] as they are fed to training.
package struct Augmentation: Sendable {
  /// Mirrors half of the images left to right.
  package var flip = false
  /// Moves images by up to so many pixels each way; what comes in is zeros.
  package var crop = 0
  /// Side of a square of zeros, centred anywhere in the image (DeVries and Taylor 2017).
  package var cutout = 0
  /// Above 0: each image and its target become a mixture with another of the batch, by a share drawn from Beta(mixup,
  /// mixup) (Zhang et al. 2018).
  package var mixup = 0.0
  /// Above 0: a rectangle of each image becomes that of another of the batch, and as much of its target; its share of
  /// the image is one drawn from Beta(cutmix, cutmix) (Yun et al. 2019). With `mixup` a batch gets one of the two.
  package var cutmix = 0.0

  package init() {}

  /// - Throws: `.invalidArgument` naming the option.
  package func check() throws(PruneError) {
    for (name, value) in [("crop", crop), ("cutout", cutout)] {
      guard value >= 0, value <= 1 << 14 else {
        throw PruneError(.invalidArgument, "\(name) is \(value), wanted a number of pixels", at: "augment")
      }
    }
    for (name, value) in [("mixup", mixup), ("cutmix", cutmix)] {
      guard value >= 0, value <= 100 else {
        throw PruneError(.invalidArgument, "\(name) is \(value), wanted 0...100", at: "augment")
      }
    }
  }

  /// Whether an image's target becomes a mixture too.
  package var mixes: Bool { mixup > 0 || cutmix > 0 }
  private var changesImages: Bool { flip || crop > 0 || cutout > 0 }

  /// A batch changed as `random` decides.
  /// - Throws: as below; `.unsupported` for samples of several inputs.
  package func apply(_ batch: Dataset, random: inout RandomSource) throws(PruneError) -> Dataset {
    try batch.wantOneColumn("augment")
    guard let targets = batch.y else { throw PruneError(.invalidArgument, "dataset '\(batch.name)' has no targets") }
    try Self.check(targets, of: batch)
    let (x, y) = try apply(batch.x, targets, batch.layout, random: &random)
    return batch.replacing(x: x, y: y)
  }

  /// - Throws: `.unsupported` for targets that have a class for each position.
  package static func check(_ targets: Tensor, of data: Dataset) throws(PruneError) {
    guard targets.dtype == .int64, targets.count != data.count else { return }
    throw PruneError(
      .unsupported,
      "targets of dataset '\(data.name)' are \(targets.shape), a class a position, which would not move along",
      at: "augment", hint: "leave augment out")
  }

  /// A batch changed as `random` decides: the same generator changes the same batch the same way.
  /// - Throws: `.mismatch` for samples that are no float32 images; for mixtures of targets that are class numbers.
  package func apply(
    _ x: Tensor, _ y: Tensor, _ layout: Layout = .nchw, random: inout RandomSource
  ) throws(PruneError) -> (x: Tensor, y: Tensor) {
    if changesImages || cutmix > 0 {
      guard x.shape.rank == 4, x.dtype == .float32 else {
        throw PruneError(
          .mismatch, "samples are \(x.dtype.name) \(x.shape), wanted float32 images [N, C, H, W] or [N, H, W, C]",
          at: "augment")
      }
    }
    var result = x
    if changesImages, let images = ImageAxes(x.shape, layout) { result = try changed(x, images, &random) }
    guard mixes, x.shape.rank > 0, x.shape[0] > 1 else { return (result, y) }
    guard x.dtype == .float32, y.dtype == .float32, y.shape.rank > 0, y.shape[0] == x.shape[0] else {
      throw PruneError(
        .mismatch,
        "mixtures are of float32 samples and as many float32 targets, got \(x.dtype.name) \(x.shape) and "
          + "\(y.dtype.name) \(y.shape)", at: "augment")
    }
    let cuts = cutmix > 0 && (mixup == 0 || random.next() >> 63 == 1)
    let partners = random.permutation(x.shape[0])
    if cuts, let images = ImageAxes(x.shape, layout) {
      return try Patches(images, partners, alpha: cutmix, &random).pasted(result, y)
    }
    let shares = [Float](repeating: Float(Self.beta(mixup, &random)), count: partners.count)
    return (try Self.mixed(result, partners, shares), try Self.mixed(y, partners, shares))
  }

  private func changed(_ x: Tensor, _ images: ImageAxes, _ random: inout RandomSource) throws(PruneError) -> Tensor {
    let (count, height, width) = (images.count, images.height, images.width)
    // Of [N, H, W, C] an image is one plane, and a pixel has several numbers.
    let depth = images.depth, planes = images.channels / max(depth, 1)
    var result = try Tensor(zeros: .float32, x.shape)
    var draws: [(flips: Bool, down: Int, right: Int, hole: (y: Int, x: Int))] = []
    func draw(_ limit: Int) -> Int { limit > 0 ? Int(random.next() % UInt64(limit)) : 0 }
    for _ in 0..<count {
      let flips = flip && random.next() >> 63 == 1
      draws.append((flips, draw(2 * crop + 1) - crop, draw(2 * crop + 1) - crop, (draw(height), draw(width))))
    }
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for (image, change) in draws.enumerated() {
          let rows = Self.overlap(height, change.down),
            columns = Self.overlap(width, change.flips ? -change.right : change.right)
          let first = (change.flips ? width - 1 - columns.lowerBound : columns.lowerBound) + change.right
          let hole = (
            y: Self.part(change.hole.y - cutout / 2, cutout, of: height),
            x: Self.part(change.hole.x - cutout / 2, cutout, of: width)
          )
          for channel in 0..<planes {
            let plane = (image * planes + channel) * height * width
            for row in rows {
              let (from, to) = (plane + (row + change.down) * width + first, plane + row * width + columns.lowerBound)
              if depth > 1 {
                for column in 0..<columns.count {
                  let old = (change.flips ? from - column : from + column) * depth, new = (to + column) * depth
                  for part in 0..<depth { target[new + part] = source[old + part] }
                }
              } else if change.flips {
                for column in 0..<columns.count { target[to + column] = source[from - column] }
              } else {
                for column in 0..<columns.count { target[to + column] = source[from + column] }
              }
            }
            for row in hole.y {
              for index in hole.x.lowerBound * depth..<hole.x.upperBound * depth {
                target[plane * depth + row * width * depth + index] = 0
              }
            }
          }
        }
      }
    }
    return result
  }

  /// The places 0..<extent that see one of 0..<extent when they look `shift` further.
  private static func overlap(_ extent: Int, _ shift: Int) -> Range<Int> {
    let lower = min(max(0, -shift), extent)
    return lower..<max(min(extent, extent - shift), lower)
  }

  /// What of `first` and the `count` places from there lies in 0..<extent.
  private static func part(_ first: Int, _ count: Int, of extent: Int) -> Range<Int> {
    let lower = min(max(first, 0), extent)
    return lower..<max(min(first + count, extent), lower)
  }

  /// Of each row its share, and of its partner's the rest.
  static func mixed(_ tensor: Tensor, _ partners: [Int], _ shares: [Float]) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, tensor.shape)
    let width = tensor.count / max(partners.count, 1)
    try tensor.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for (row, partner) in partners.enumerated() {
          let share = shares[row]
          for index in 0..<width {
            target[row * width + index] =
              share * source[row * width + index] + (1 - share) * source[partner * width + index]
          }
        }
      }
    }
    return result
  }

  /// A number from Beta(alpha, alpha), as a ratio of two from Gamma.
  static func beta(_ alpha: Double, _ random: inout RandomSource) -> Double {
    let (a, b) = (gamma(alpha, &random), gamma(alpha, &random))
    return a + b > 0 ? a / (a + b) : 0.5
  }

  /// Marsaglia and Tsang 2000.
  private static func gamma(_ shape: Double, _ random: inout RandomSource) -> Double {
    if shape < 1 { return gamma(shape + 1, &random) * pow(1 - random.uniform(), 1 / shape) }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = random.normal()
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      if v > 0, log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }
}

extension Dataset {
  /// The same samples with class numbers as rows of 0 and 1, which may be mixed.
  /// - Throws: `.mismatch` for a class that there is no room for.
  package func oneHot(_ classes: Int) throws(PruneError) -> Dataset {
    guard let y, y.dtype == .int64 else { return self }
    var rows = try Tensor(zeros: .float32, Shape([count, classes]))
    let labels = try y.array(of: Int64.self)
    try rows.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for (row, label) in labels.enumerated() {
        guard label >= 0, label < classes else {
          throw PruneError(.mismatch, "sample \(row) of '\(name)' has class \(label), there are \(classes)")
        }
        span[row * classes + Int(label)] = 1
      }
    }
    return Dataset(columns: columns, y: rows, classCount: classes, name: name, layout: layout, classNames: classNames)
  }
}
