import CPruneSupport
import Synchronization

/// An image of 8-bit pixels, row by row.
package struct Pixels: Sendable {
  package let width: Int
  package let height: Int
  /// 3 (red, green, blue) or 1.
  package let channels: Int
  private let storage: Storage

  private init(_ width: Int, _ height: Int, _ channels: Int, zeroed: Bool = false) throws(PruneError) {
    (self.width, self.height, self.channels) = (width, height, channels)
    storage = try Storage(byteCount: width * height * channels, zeroed: zeroed)
  }

  private var base: UnsafeMutablePointer<UInt8> { storage.base.assumingMemoryBound(to: UInt8.self) }

  package var bytes: Bytes { Bytes(storage: storage) }

  /// A JPEG or PNG file as red, green and blue; transparency is dropped.
  /// - Throws: `.badFormat` for a damaged file or one of another kind, `.unsupported` where the library that decodes it
  ///   is missing.
  package init(decoding file: Bytes) throws(PruneError) {
    var (width, height): (Int32, Int32) = (0, 0)
    var reason = [CChar](repeating: 0, count: 200)
    // Safe: the file's bytes live as long as `file`, the messages have 200 bytes.
    let data = file.storage.base.advanced(by: file.offset).assumingMemoryBound(to: UInt8.self)
    try Self.check(ps_image_extents(data, file.count, &width, &height, &reason), reason)
    try self.init(Int(width), Int(height), 3)
    // Safe: the storage has 3 * width * height bytes.
    try Self.check(ps_image_decode(data, file.count, width, height, base, &reason), reason)
  }

  private static func check(_ status: Int32, _ reason: [CChar]) throws(PruneError) {
    guard status != 0 else { return }
    let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard Int(status) != PS_IMAGE_NO_LIBRARY else {
      throw PruneError(.unsupported, text, hint: "install it: libprune opens it when it reads the first such image")
    }
    throw PruneError(.badFormat, text)
  }

  /// The luma of the pixels.
  package func gray() throws(PruneError) -> Pixels {
    guard channels == 3 else { return self }
    let result = try Pixels(width, height, 1)
    ps_image_gray(base, Int64(width * height), result.base)
    return result
  }

  /// Turned and mirrored as EXIF's orientation says: 1 is as it is.
  package func oriented(_ orientation: Int) throws(PruneError) -> Pixels {
    guard (2...8).contains(orientation) else { return self }
    let isTurned = orientation > 4
    let result = try Pixels(isTurned ? height : width, isTurned ? width : height, channels)
    for y in 0..<result.height {
      for x in 0..<result.width {
        let (column, row): (Int, Int) =
          switch orientation {
          case 2: (width - 1 - x, y)
          case 3: (width - 1 - x, height - 1 - y)
          case 4: (x, height - 1 - y)
          case 5: (y, x)
          case 6: (y, height - 1 - x)
          case 7: (width - 1 - y, height - 1 - x)
          default: (width - 1 - y, x)
          }
        // Safe: both places lie within their images.
        let from = base + (row * width + column) * channels, to = result.base + (y * result.width + x) * channels
        for channel in 0..<channels { to[channel] = from[channel] }
      }
    }
    return result
  }

  /// A part of the image resized to `size`, by an antialiased triangle filter, as Pillow's BILINEAR.
  /// - Parameter window: what of the resized image is made; inside it.
  package func resized(
    to size: (width: Int, height: Int), window: (x: Int, y: Int, width: Int, height: Int)
  ) throws(PruneError) -> Pixels {
    guard size.width > 0, size.height > 0, window.x >= 0, window.y >= 0, window.width > 0, window.height > 0,
      window.x + window.width <= size.width, window.y + window.height <= size.height
    else {
      throw PruneError(.invalidArgument, "an image of \(width)x\(height) cannot become \(size.width)x\(size.height)")
    }
    let across = Taps(width, size.width), down = Taps(height, size.height)
    let rows = down.reach(window.y..<window.y + window.height)
    let narrow = try Pixels(window.width, rows.count, channels)
    // Safe: the rows reached lie within the image, the taps within their tables, the targets have the window's extents.
    across.with(from: window.x) { starts, counts, weights in
      ps_image_resize_rows(
        base + rows.lowerBound * width * channels, Int32(width), Int64(rows.count), Int32(channels), starts, counts,
        weights,
        across.limit, Int32(window.width), narrow.base)
    }
    let result = try Pixels(window.width, window.height, channels)
    down.shifted(by: rows.lowerBound).with(from: window.y) { starts, counts, weights in
      ps_image_resize_columns(
        narrow.base, Int64(window.width * channels), starts, counts, weights, down.limit, Int32(window.height),
        result.base)
    }
    return result
  }

  /// The image in the middle of a black one.
  package func padded(to size: (width: Int, height: Int)) throws(PruneError) -> Pixels {
    guard size.width >= width, size.height >= height else {
      throw PruneError(.invalidArgument, "an image of \(width)x\(height) does not fit in \(size.width)x\(size.height)")
    }
    let result = try Pixels(size.width, size.height, channels, zeroed: true)
    let (left, top) = ((size.width - width) / 2, (size.height - height) / 2)
    for row in 0..<height {
      // Safe: the image fits, so that each row lies within one of the result.
      (result.base + ((top + row) * size.width + left) * channels).update(
        from: base + row * width * channels, count: width * channels)
    }
    return result
  }

  /// The taps of a resize along one axis.
  private struct Taps {
    let limit: Int32
    private var starts: [Int32]
    private var counts: [Int32]
    private var weights: [Int32]

    init(_ from: Int, _ to: Int) {
      let (from, to) = (Int32(clamping: from), Int32(clamping: to))
      limit = ps_image_tap_limit(from, to)
      starts = [Int32](repeating: 0, count: Int(to))
      counts = starts
      weights = [Int32](repeating: 0, count: Int(to) * Int(limit))
      ps_image_taps(from, to, &starts, &counts, &weights)
    }

    /// The positions that some outputs are made of.
    func reach(_ outputs: Range<Int>) -> Range<Int> {
      let lower = outputs.map { Int(starts[$0]) }.min() ?? 0
      return lower..<(outputs.map { Int(starts[$0] + counts[$0]) }.max() ?? lower)
    }

    func shifted(by offset: Int) -> Taps {
      var copy = self
      for index in copy.starts.indices { copy.starts[index] -= Int32(clamping: offset) }
      return copy
    }

    /// The tables from an output on.
    func with(from first: Int, _ body: (UnsafePointer<Int32>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> Void) {
      starts.withUnsafeBufferPointer { starts in
        counts.withUnsafeBufferPointer { counts in
          weights.withUnsafeBufferPointer { weights in
            guard let starts = starts.baseAddress, let counts = counts.baseAddress, let weights = weights.baseAddress
            else { return }
            body(starts + first, counts + first, weights + first * Int(limit))
          }
        }
      }
    }
  }
}

/// How pixels become the numbers of a tensor.
package struct PixelScale: Sendable {
  /// What each of the 256 values of a channel becomes, channel by channel, as they are stored in the tensor.
  private let tables: [Float]
  /// Blue before green before red.
  private let isReversed: Bool
  /// Channel by channel rather than pixel by pixel.
  private let isPlanar: Bool

  /// (value * scale - mean) / std of each channel, in the order of the tensor's.
  package init(channels: Int, scale: Double, mean: [Double], std: [Double], isReversed: Bool, isPlanar: Bool) {
    var tables: [Float] = []
    for channel in 0..<channels {
      let mean = mean.count == channels ? mean[channel] : mean.first ?? 0,
        std = std.count == channels ? std[channel] : std.first ?? 1
      for value in 0..<256 { tables.append(Float((Double(value) * scale - mean) / std)) }
    }
    (self.tables, self.isReversed, self.isPlanar) = (tables, isReversed, isPlanar)
  }

  /// A tensor of images, made by all threads at once.
  /// - Parameters:
  ///   - shape: [N, C, H, W] or [N, H, W, C].
  ///   - pixels: image number `index`, of the extents that the shape says.
  /// - Throws: what `pixels` throws for the first that does, `.mismatch` for other extents.
  package func tensor(
    _ shape: Shape, _ pixels: @Sendable (Int) throws(PruneError) -> Pixels
  ) throws(PruneError) -> Tensor {
    guard shape.rank == 4, tables.count == 256 * shape[isPlanar ? 1 : 3] else {
      throw PruneError(.mismatch, "images of \(tables.count / 256) channels do not make \(shape)")
    }
    let result = try Tensor(unfilled: .float32, shape)
    let (count, elements) = (shape[0], shape.count / max(shape[0], 1))
    let channels = tables.count / 256, failure = Mutex<(index: Int, error: PruneError)?>(nil)
    Parallel.forEach(count, grain: 1) { range in
      for index in range {
        do throws(PruneError) {
          let image = try pixels(index)
          guard image.channels == channels, image.bytes.count == elements else {
            throw PruneError(.mismatch, "an image of \(image.width)x\(image.height) does not make \(shape)")
          }
          // Safe: the result has `elements` floats an image, and each image is written by one thread.
          let target = result.storage.base.advanced(by: index * elements * 4).assumingMemoryBound(to: Float.self)
          let source = image.bytes
          ps_image_floats(
            source.storage.base.advanced(by: source.offset).assumingMemoryBound(to: UInt8.self),
            Int64(elements / channels),
            Int32(channels), isReversed ? 1 : 0, isPlanar ? 1 : 0, tables, target)
        } catch {
          failure.withLock { first in
            if first.map({ index < $0.index }) ?? true { first = (index, error) }
          }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    return result
  }
}
