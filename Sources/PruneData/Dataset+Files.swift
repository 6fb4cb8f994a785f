import PruneTensor

extension Dataset {
  /// Decompressed files may be at most this large.
  static let limit = 1 << 34

  /// A file's bytes, decompressed when it is gzip'ed.
  static func content(of path: String) throws(PruneError) -> Bytes {
    do throws(PruneError) {
      let bytes = try FileReader.bytes(of: path)
      return isGzip(bytes) ? try gunzip(bytes, limit: limit) : bytes
    } catch { throw error.located(at: path) }
  }

  // MARK: - IDX

  /// MNIST's format: a file of images [N, H, W] (or samples of any rank) and a file of labels [N], bytes both, gzip'ed
  /// or not. x is float32 [N, 1, H, W] in 0...1.
  package static func idx(images: String, labels: String) throws(PruneError) -> Dataset {
    let x = try idxBytes(images)
    let y = try idxBytes(labels)
    guard x.shape.rank >= 2 else {
      throw PruneError(
        .badFormat, "holds \(x.shape), wanted images of rank 3: [N, H, W]", at: images, hint: "is it the labels' file?")
    }
    guard y.shape.rank == 1 else {
      throw PruneError(
        .badFormat, "holds \(y.shape), wanted labels of rank 1: [N]", at: labels, hint: "is it the images' file?")
    }
    guard x.shape[0] == y.shape[0] else {
      throw PruneError(.mismatch, "there are \(x.shape[0]) images and \(y.shape[0]) labels", at: labels)
    }
    let sample = x.shape.rank == 3 ? [1] + x.shape.dims.dropFirst() : Array(x.shape.dims.dropFirst())
    let scaled = try x.scaledToUnit(divisor: 255, try Shape([x.shape[0]] + sample))
    return try classes(scaled, try y.cast(to: .int64), lastComponent(images))
  }

  private static func idxBytes(_ path: String) throws(PruneError) -> Tensor {
    let bytes = try content(of: path)
    guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0 else {
      throw PruneError(.badFormat, "is not an IDX file: it does not begin with two zero bytes", at: path)
    }
    guard bytes[2] == 0x08 else {
      throw PruneError(
        .unsupported, "IDX elements of type 0x\(String(bytes[2], radix: 16)), only unsigned bytes (0x8) are read",
        at: path)
    }
    let rank = Int(bytes[3])
    guard rank >= 1, rank <= 8, bytes.count >= 4 + 4 * rank else {
      throw PruneError(
        .badFormat, "IDX header announces \(rank) dimensions and the file has \(bytes.count) bytes", at: path)
    }
    let dims = (0..<rank).map { axis in (0..<4).reduce(0) { $0 << 8 | Int(bytes[4 + 4 * axis + $1]) } }
    do throws(PruneError) {
      let shape = try Shape(dims)
      guard let data = bytes.slice(4 + 4 * rank, bytes.count), data.count == shape.count else {
        throw PruneError(
          .badFormat, "IDX header announces \(shape), the file has \(bytes.count - 4 - 4 * rank) bytes of data")
      }
      return try Tensor(.uint8, shape, over: data)
    } catch { throw error.located(at: path) }
  }

  // MARK: - CIFAR-10

  /// CIFAR-10's binary format: records of a label and 3x32x32 bytes, planes R, G, B; several files, gzip'ed or not.
  /// x is float32 [N, 3, 32, 32] in 0...1.
  package static func cifar10(paths: [String]) throws(PruneError) -> Dataset {
    guard !paths.isEmpty else { throw PruneError(.invalidArgument, "cifar10 wants at least one file") }
    let record = 3073, pixels = 3072
    var labels: [Int64] = []
    var files: [Bytes] = []
    for path in paths {
      let bytes = try content(of: path)
      guard bytes.count > 0, bytes.count % record == 0 else {
        throw PruneError(
          .badFormat, "has \(bytes.count) bytes, not a multiple of the \(record) of a CIFAR-10 record", at: path)
      }
      for index in 0..<bytes.count / record {
        guard bytes[index * record] < 10 else {
          throw PruneError(.badFormat, "record \(index) has label \(bytes[index * record]), wanted 0 to 9", at: path)
        }
        labels.append(Int64(bytes[index * record]))
      }
      files.append(bytes)
    }
    var x = try Tensor(zeros: .float32, try Shape([labels.count, 3, 32, 32]))
    try x.withMutableSpan(of: Float.self) { out throws(PruneError) in
      var position = 0
      for bytes in files {
        try bytes.withSpan { span throws(PruneError) in
          for start in stride(from: 1, to: span.count, by: record) {
            for pixel in 0..<pixels { out[position + pixel] = Float(span[start + pixel]) / 255 }
            position += pixels
          }
        }
      }
    }
    return Dataset(x: x, y: try Tensor(labels), classCount: 10, name: lastComponent(paths[0]))
  }

  // MARK: - Digits

  /// The embedded UCI digits: 1,797 images, x float32 [1797, 1, 8, 8] in 0...1, ten classes.
  package static func digits() throws(PruneError) -> Dataset {
    let table = try CSVTable(EmbeddedData.digits, path: "digits")
    var pixels = try table.features.reshaped(try Shape([table.rowCount, 1, 8, 8]))
    try pixels.withMutableSpan(of: Float.self) { values throws(PruneError) in
      for index in values.indices { values[index] /= 16 }
    }
    return Dataset(x: pixels, y: try table.classLabels() ?? table.labels, classCount: 10, name: "digits")
  }

  static func lastComponent(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}

extension Tensor {
  /// Bytes as float32 divided by `divisor`, under another shape.
  fileprivate func scaledToUnit(divisor: Float, _ shape: Shape) throws(PruneError) -> Tensor {
    var result = try Tensor(zeros: .float32, shape)
    try withSpan(of: UInt8.self) { bytes throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { out throws(PruneError) in
        for index in bytes.indices { out[index] = Float(bytes[index]) / divisor }
      }
    }
    return result
  }
}
