import PruneTensor

/// Rectangles of images, each to be replaced by what another image of the batch has there (CutMix, Yun et al. 2019).
struct Patches {
  private let partners: [Int]
  private var places: [(rows: Range<Int>, columns: Range<Int>)] = []
  /// What of each image stays its own.
  private var shares: [Float] = []

  /// A rectangle an image of [N, C, H, W], centred anywhere and cut off at the edges, as flat as the image is.
  init(_ shape: Shape, _ partners: [Int], alpha: Double, _ random: inout RandomSource) {
    self.partners = partners
    let (height, width) = (shape[2], shape[3])
    for _ in partners {
      let side = max(1 - Augmentation.beta(alpha, &random), 0).squareRoot()
      let rows = Self.part(of: height, side, at: random.uniform()), columns = Self.part(of: width, side, at: random.uniform())
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

  /// The images with their rectangles, and their targets with the partners' as large a part as the rectangle is of the image.
  func pasted(_ x: Tensor, _ y: Tensor) throws(PruneError) -> (x: Tensor, y: Tensor) {
    let (channels, height, width) = (x.shape[1], x.shape[2], x.shape[3])
    var result = x
    try x.withSpan(of: Float.self) { source throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { target throws(PruneError) in
        for (image, place) in places.enumerated() where !place.columns.isEmpty {
          for channel in 0..<channels {
            let plane = channel * height
            for row in place.rows {
              let to = ((image * channels * height) + plane + row) * width
              let from = ((partners[image] * channels * height) + plane + row) * width
              for column in place.columns { target[to + column] = source[from + column] }
            }
          }
        }
      }
    }
    return (result, try Augmentation.mixed(y, partners, shares))
  }
}
