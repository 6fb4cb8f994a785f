import PruneTensor

/// Rectangles of images, each to be replaced by what another image of the batch has there (CutMix, Yun et al. 2019).
struct Patches {
  private let partners: [Int]
  private let images: ImageAxes
  private var places: [(rows: Range<Int>, columns: Range<Int>)] = []
  /// What of each image stays its own.
  private var shares: [Float] = []

  /// A rectangle an image, centred anywhere and cut off at the edges, as flat as the image is.
  init(_ images: ImageAxes, _ partners: [Int], alpha: Double, _ random: inout RandomSource) {
    (self.partners, self.images) = (partners, images)
    let (height, width) = (images.height, images.width)
    for _ in partners {
      let side = max(1 - Augmentation.beta(alpha, &random), 0).squareRoot()
      let rows = Self.part(of: height, side, at: random.uniform()),
        columns = Self.part(of: width, side, at: random.uniform())
      places.append((rows, columns))
      shares.append(1 - Float(rows.count * columns.count) / Float(max(height * width, 1)))
    }
  }

  /// `side` of 0..<extent around a point, both as fractions of the extent, where it is inside.
  private static func part(of extent: Int, _ side: Double, at centre: Double) -> Range<Int> {
    let extents = Double(extent)
    let lower = Int(max((centre - side / 2) * extents, 0).rounded())
    return lower..<max(Int(min((centre + side / 2) * extents, extents).rounded()), lower)
  }

  /// The images with their rectangles, and their targets with the partners' as large a part as the rectangle is of the
  /// image.
  func pasted(_ x: Tensor, _ y: Tensor) throws(PruneError) -> (x: Tensor, y: Tensor) {
    let (height, width, depth) = (images.height, images.width, images.depth)
    let planes = images.channels / max(depth, 1)
    var result = x
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for (image, place) in places.enumerated() where !place.columns.isEmpty {
          for channel in 0..<planes {
            let plane = channel * height
            for row in place.rows {
              let to = ((image * planes * height) + plane + row) * width
              let from = ((partners[image] * planes * height) + plane + row) * width
              for index in place.columns.lowerBound * depth..<place.columns.upperBound * depth {
                target[to * depth + index] = source[from * depth + index]
              }
            }
          }
        }
      }
    }
    return (result, try Augmentation.mixed(y, partners, shares))
  }
}
