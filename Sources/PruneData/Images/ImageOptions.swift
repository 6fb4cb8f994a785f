import PruneTensor

/// Where images come from and what they become.
package struct ImageOptions: Sendable {
  enum Resize: String, Choice { case shorter, stretch, pad }
  enum Color: String, Choice { case rgb, bgr, gray }

  /// A folder of folders, one a class; a folder of images; or a CSV of file and label.
  package var path = ""
  /// Height and width, or one number for both.
  package var size: [Int] = []
  package var resize = "shorter"
  /// What the shorter side is resized to before the middle is cut out; 0 is the size itself.
  package var shorter = 0
  package var color = "rgb"
  package var mean: [Double] = []
  package var std: [Double] = []
  package var scale = 1.0 / 255
  package var layout = "nchw"
  /// Whether a file that cannot be read is an error, rather than left out.
  package var strict = false
  /// Whether every file is decoded at once, so that broken ones are left out before anything is counted.
  package var check = false

  package init() {}
}

/// Checked options: what makes a sample of a file.
struct ImageRecipe: Sendable {
  let height: Int
  let width: Int
  let layout: Layout
  private let resize: ImageOptions.Resize
  private let color: ImageOptions.Color
  private let shorter: Int
  let scale: PixelScale

  var channels: Int { color == .gray ? 1 : 3 }
  var sampleShape: [Int] { layout == .nchw ? [channels, height, width] : [height, width, channels] }

  /// - Throws: `.invalidArgument` naming the option.
  init(_ options: ImageOptions) throws(PruneError) {
    let place = "images"
    guard (1...2).contains(options.size.count), let first = options.size.first, let last = options.size.last else {
      throw PruneError(
        .invalidArgument, options.size.isEmpty ? "size is missing" : "size has \(options.size.count) extents",
        at: place,
        hint: "give the extents that the model takes: size = 224, or {height, width}")
    }
    guard options.size.allSatisfy({ $0 >= 1 && $0 <= 1 << 13 }) else {
      throw PruneError(.invalidArgument, "size is \(options.size), wanted 1 to \(1 << 13)", at: place)
    }
    (height, width) = (first, last)
    resize = try ImageOptions.Resize("resize", named: options.resize)
    color = try ImageOptions.Color("color", named: options.color)
    layout = try Layout("layout", named: options.layout)
    guard
      options.shorter == 0
        || (resize == .shorter && options.shorter >= max(height, width) && options.shorter <= 1 << 13)
    else {
      throw PruneError(
        .invalidArgument, "shorter is \(options.shorter) for a size of \(height)x\(width)", at: place,
        hint: "it goes with resize = \"shorter\" and is the size or more: 256 for 224")
    }
    shorter = options.shorter
    let channels = color == .gray ? 1 : 3
    for (name, values) in [("mean", options.mean), ("std", options.std)] {
      guard values.isEmpty || values.count == 1 || values.count == channels, values.allSatisfy(\.isFinite) else {
        throw PruneError(
          .invalidArgument, "\(name) has \(values.count) numbers, images have \(channels) channels", at: place)
      }
    }
    guard options.std.allSatisfy({ $0 > 0 }), options.scale > 0, options.scale.isFinite else {
      throw PruneError(.invalidArgument, "std and scale must be above 0", at: place)
    }
    scale = PixelScale(
      channels: channels, scale: options.scale, mean: options.mean, std: options.std, isReversed: color == .bgr,
      isPlanar: layout == .nchw)
  }

  /// The pixels of a file, upright, of the recipe's extents and channels.
  func pixels(of file: Bytes) throws(PruneError) -> Pixels {
    var image = try Pixels(decoding: file).oriented(Orientation.of(file))
    if color == .gray { image = try image.gray() }
    switch resize {
    case .stretch: return try image.resized(to: (width, height), window: (0, 0, width, height))
    case .pad:
      let ratio = min(Double(width) / Double(image.width), Double(height) / Double(image.height))
      let inner = (
        width: min(max(Int((Double(image.width) * ratio).rounded()), 1), width),
        height: min(max(Int((Double(image.height) * ratio).rounded()), 1), height)
      )
      return try image.resized(to: inner, window: (0, 0, inner.width, inner.height)).padded(to: (width, height))
    case .shorter:
      let full = covering(image.width, image.height)
      guard max(full.width, full.height) <= 1 << 17 else {
        throw PruneError(
          .badFormat, "the image is \(image.width)x\(image.height): too thin to be cut to \(width)x\(height)")
      }
      // Halves to even, as Python rounds and so torchvision's CenterCrop.
      let left = Int((Double(full.width - width) / 2).rounded(.toNearestOrEven))
      let top = Int((Double(full.height - height) / 2).rounded(.toNearestOrEven))
      return try image.resized(to: full, window: (left, top, width, height))
    }
  }

  /// The extents that an image is resized to before its middle is cut out.
  private func covering(_ oldWidth: Int, _ oldHeight: Int) -> (width: Int, height: Int) {
    if height == width {
      // By whole numbers, as torchvision's Resize.
      let side = max(shorter, width)
      return oldWidth <= oldHeight
        ? (side, max(side * oldHeight / oldWidth, side)) : (max(side * oldWidth / oldHeight, side), side)
    }
    let least = (width: max(width, shorter), height: max(height, shorter))
    let ratio = max(Double(least.width) / Double(oldWidth), Double(least.height) / Double(oldHeight))
    return (max(Int(Double(oldWidth) * ratio), least.width), max(Int(Double(oldHeight) * ratio), least.height))
  }
}
