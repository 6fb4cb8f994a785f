import Foundation
import PruneData
import PruneTensor
import Testing

enum ImageFiles {
  static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../Data/images").standardized.path
  static let canDecode = ["cat/turned.jpg", "dog/plain.png"].allSatisfy { name in
    (try? Pixels(decoding: FileReader.bytes(of: "\(folder)/\(name)"))) != nil
  }
}

/// Image folders against what Pillow makes of them; see Tests/Data/images.
@Suite(.enabled(if: ImageFiles.canDecode, "needs libturbojpeg.so.0 and libspng.so.0")) struct ImageTests {

  private func options(_ change: (inout ImageOptions) -> Void) -> ImageOptions {
    var options = ImageOptions()
    (options.path, options.size, options.scale, options.layout) = (ImageFiles.folder, [24], 1, "nhwc")
    change(&options)
    return options
  }

  /// An array of the references, in a zip that holds .npy files of uint8.
  private func expected(_ name: String) throws -> [UInt8] {
    let archive = try ZipArchive(path: ImageFiles.folder + "/expected.npz")
    let bytes = try archive.read(name + ".npy").array
    return Array(bytes[(10 + Int(bytes[8]) + Int(bytes[9]) << 8)...])
  }

  @Test(arguments: ["shorter", "stretch", "gray"]) func pixelsAreThoseOfPillow(name: String) throws {
    let data = try Dataset.images(
      options {
        $0.check = true
        switch name {
        case "shorter": $0.shorter = 28
        case "stretch": ($0.size, $0.resize) = ([20, 50], "stretch")
        default: ($0.size, $0.resize, $0.color) = ([16], "stretch", "gray")
        }
      })
    let found = try data.rows(0, data.count).x.array(of: Float.self), wanted = try expected(name)
    try #require(found.count == wanted.count && data.count == 6)
    let largest = zip(found, wanted).map { abs(Int($0) - Int($1)) }.max()
    #expect(largest.map { $0 <= 1 } == true, "\(largest ?? -1)")
  }

  @Test func classesAreFoldersAndBrokenFilesAreNamed() throws {
    let data = try Dataset.images(options { _ in })
    #expect(data.count == 7 && data.classCount == 3 && data.classNames == ["cat", "dog", "owl"] && data.isStream)
    #expect(try data.y?.array(of: Int64.self) == [0, 0, 1, 1, 2, 2, 2])
    #expect(data.brokenFiles.isEmpty)
    // The broken one is the second of its class: the next that can be read stands for it.
    let owls = try data.classes([2]).batch([0, 1, 2])
    let pixels = try owls.x.array(of: Float.self), each = pixels.count / 3
    #expect(Array(pixels[each..<2 * each]) == Array(pixels[2 * each..<3 * each]))
    #expect(data.brokenFiles.map(\.file) == [ImageFiles.folder + "/owl/broken.jpg"])
    let kept = try Dataset.images(options { $0.check = true })
    #expect(kept.count == 6 && kept.brokenFiles.count == 1)
    #expect(throws: PruneError.self) { try Dataset.images(options { $0.strict = true }).rows(0, 7) }
    #expect(throws: PruneError.self) { try Dataset.images(options { ($0.strict, $0.check) = (true, true) }) }
  }

  @Test func tablesAndFlatFoldersAreData() throws {
    let table = try Dataset.images(options { $0.path += "/labels.csv" })
    #expect(table.count == 3 && table.classNames == ["large", "small"])
    #expect(try table.y?.array(of: Int64.self) == [1, 0, 1])
    // Paths from the root, whatever they end in, and numbers, which are classes by themselves.
    let folder = try TemporaryFolder(),
      copy = try folder.write(try FileReader.bytes(of: ImageFiles.folder + "/dog/plain.png").array)
    let numbered = try folder.write(Array("\(copy),3\n\(copy),0\n".utf8))
    let numbers = try Dataset.images(options { $0.path = numbered })
    #expect(numbers.count == 2 && numbers.classCount == 4 && numbers.classNames.isEmpty)
    #expect(try numbers.rows(0, 2).x.shape.dims == [2, 24, 24, 3])
    let flat = try Dataset.images(options { $0.path += "/dog" })
    #expect(flat.count == 2 && flat.y == nil && flat.classCount == nil)
  }

  @Test func layoutAndColoursAreAsAsked() throws {
    let last = try Dataset.images(options { _ in }).rows(2, 3).x.array(of: Float.self)
    let planes = try Dataset.images(
      options { ($0.layout, $0.color, $0.mean, $0.std) = ("nchw", "bgr", [1, 2, 3], [2, 4, 8]) }
    ).rows(2, 3)
    #expect(planes.layout == .nchw && planes.x.shape.dims == [1, 3, 24, 24])
    let found = try planes.x.array(of: Float.self)
    for pixel in 0..<576 {
      #expect(found[pixel] == (last[pixel * 3 + 2] - 1) / 2)
      #expect(found[1152 + pixel] == (last[pixel * 3] - 3) / 8)
    }
  }

  @Test func subsetsStayStreamsAndHoldTheSameSamples() throws {
    let data = try Dataset.images(options { $0.check = true })
    let (train, test) = try data.split(test: 0.5, seed: 3)
    #expect(train.isStream && test.isStream && train.count + test.count == 6)
    let all = try data.rows(0, 6).x.array(of: Float.self), each = all.count / 6
    let chosen: [Float] = Array(all[(5 * each)...]) + Array(all[each..<(2 * each)])
    #expect(try data.subset([5, 1]).rows(0, 2).x.array(of: Float.self) == chosen)
    #expect(try data.take(2).columns[0].samples().array(of: Float.self) == Array(all[..<(2 * each)]))
    #expect(throws: PruneError.self) { try data.normalize(mean: [0], std: [1]) }
    #expect(throws: PruneError.self) { try data.rows(0, 7) }
    #expect(throws: PruneError.self) { try data.batch([6]) }
  }

  @Test(arguments: ["", "/nowhere", "/cat/turned.jpg"]) func whatHoldsNoImagesSaysSo(path: String) throws {
    #expect(throws: PruneError.self) {
      try Dataset.images(options { ($0.path, $0.size) = (ImageFiles.folder + path, path.isEmpty ? [] : [8]) })
    }
  }

  @Test(arguments: ["cat/turned.jpg", "cat/gray.JPEG", "dog/palette.png", "owl/alpha.png", "owl/inks.jpg"])
  func damageIsAnErrorOrOtherPixels(name: String) throws {
    let whole = try FileReader.bytes(of: "\(ImageFiles.folder)/\(name)").array
    var random = RandomSource(seed: 4)
    let folder = try TemporaryFolder()
    for step in 0..<700 {
      var bytes = whole
      if step < 200 {
        bytes = Array(whole.prefix(step * whole.count / 200))
      } else {
        for _ in 0...Int(random.next() % 3) {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      let table = try folder.write(Array("\(try folder.write(bytes)),0\n".utf8))
      _ = try? Dataset.images(options { $0.path = table }).rows(0, 1)
    }
  }
}

/// Images with their channels last.
@Suite struct LayoutTests {
  /// Two images of 2x3 pixels with 3 channels, each value its own.
  private func images() throws -> Dataset {
    try Dataset.tensors(try Tensor((0..<36).map(Float.init), Shape(known: 2, 2, 3, 3)), try Tensor([0, 1] as [Int64]))
      .declared(.nhwc)
  }

  @Test func layoutsAreGuessedFromExtents() {
    #expect(Layout.guess([28, 28, 1]) == .nhwc && Layout.guess([224, 224, 3]) == .nhwc)
    #expect(
      Layout.guess([3, 224, 224]) == .nchw && Layout.guess([1, 8, 8]) == .nchw && Layout.guess([3, 3, 3]) == .nchw)
    #expect(Layout.guess([64, 7]) == .nchw)
  }

  @Test func channelsMoveThereAndBack() throws {
    let data = try images(), turned = try data.to(.nchw)
    #expect(turned.x.shape.dims == [2, 3, 2, 3] && turned.layout == .nchw)
    #expect(try turned.x.array(of: Float.self).prefix(6) == [0, 3, 6, 9, 12, 15])
    #expect(try turned.to(.nhwc).x.array(of: Float.self) == data.x.array(of: Float.self))
  }

  /// Whatever is done to pixels is done to the same ones wherever the channels are.
  @Test(arguments: ["flip", "crop", "cutout", "cutmix", "normalize", "resize"]) func changesGoByTheLayout(what: String)
    throws
  {
    let last = try images(), first = try last.to(.nchw)
    func changed(_ data: Dataset) throws -> Dataset {
      var augmentation = Augmentation(), random = RandomSource(seed: 11)
      switch what {
      case "flip": augmentation.flip = true
      case "crop": augmentation.crop = 1
      case "cutout": augmentation.cutout = 2
      case "cutmix": augmentation.cutmix = 1
      case "normalize": return try data.normalize(mean: [1, 2, 3], std: [1, 2, 4])
      default: return try data.resize(4, 5)
      }
      return try augmentation.apply(try data.oneHot(2), random: &random)
    }
    let one = try changed(last), other = try changed(first).to(.nhwc)
    #expect(try one.x.array(of: Float.self) == other.x.array(of: Float.self))
    if what != "cutmix" { #expect(try one.x.array(of: Float.self) != last.x.array(of: Float.self)) }
  }
}
