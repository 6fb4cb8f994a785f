import PruneData
import PruneTensor
import Testing

@Suite struct AugmentationTests {
  /// Image n, channel c: 1000 n + 100 c + 10 row + column + 1.
  private func images(_ count: Int = 40) throws -> Tensor {
    var values: [Float] = []
    for image in 0..<count {
      for channel in 0..<2 {
        for row in 0..<6 {
          for column in 0..<5 {
            values.append(Float(1000 * image + 100 * channel + 10 * row + column + 1))
          }
        }
      }
    }
    return try Tensor(values, Shape([count, 2, 6, 5]))
  }

  private func run(_ change: (inout Augmentation) -> Void, seed: UInt64 = 1, count: Int = 40) throws -> [[Float]] {
    var augmentation = Augmentation()
    change(&augmentation)
    try augmentation.check()
    var random = RandomSource(seed: seed)
    let y = try Tensor((0..<count).map { Int64($0) })
    let values = try augmentation.apply(images(count), y, random: &random).x.array(of: Float.self)
    return (0..<count).map { Array(values[$0 * 60..<($0 + 1) * 60]) }
  }

  @Test func flipsMirrorHalfOfTheImages() throws {
    let plain = try run { _ in }
    let flipped = try run { $0.flip = true }
    var mirrored = 0
    for (old, new) in zip(plain, flipped) where old != new {
      mirrored += 1
      for index in 0..<60 { #expect(new[index] == old[index / 5 * 5 + 4 - index % 5]) }
    }
    #expect((10...30).contains(mirrored))
    #expect(try run { $0.flip = true } == flipped)
    #expect(try run({ $0.flip = true }, seed: 2) != flipped)
  }

  @Test func cropsMoveImagesAndFillWithZeros() throws {
    let plain = try run { _ in }
    var moves: Set<[Int]> = []
    for (old, new) in zip(plain, try run { $0.crop = 2 }) {
      let place = try #require(new.firstIndex { $0 != 0 })
      let from = try #require(old.firstIndex(of: new[place]))
      let (down, right) = (from / 5 - place / 5, from % 5 - place % 5)
      #expect(abs(down) <= 2 && abs(right) <= 2)
      moves.insert([down, right])
      for index in 0..<60 {
        let (channel, row, column) = (index / 30, index / 5 % 6 + down, index % 5 + right)
        let inside = (0..<6).contains(row) && (0..<5).contains(column)
        #expect(new[index] == (inside ? old[channel * 30 + row * 5 + column] : 0))
      }
    }
    #expect(moves.count > 12)
  }

  @Test func imagesMayBeMirroredAndMoved() throws {
    let plain = try run { _ in }
    let changed = try run { augmentation in (augmentation.flip, augmentation.crop) = (true, 2) }
    // Every image is one of the 2 x 5 x 5 that there can be.
    for (old, new) in zip(plain, changed) {
      var found = false
      for flips in [false, true] {
        for down in -2...2 {
          for right in -2...2 {
            let wanted = (0..<60).map { index -> Float in
              let (row, column) = (index / 5 % 6 + down, (flips ? 4 - index % 5 : index % 5) + right)
              return (0..<6).contains(row) && (0..<5).contains(column) ? old[index / 30 * 30 + row * 5 + column] : 0
            }
            if new == wanted { found = true }
          }
        }
      }
      #expect(found)
    }
  }

  @Test func cutoutsAreSquaresThatMayLieOverTheEdge() throws {
    let plain = try run { _ in }
    for (old, new) in zip(plain, try run { $0.cutout = 3 }) {
      let gone = (0..<30).filter { new[$0] == 0 }
      let (rows, columns) = (Set(gone.map { $0 / 5 }), Set(gone.map { $0 % 5 }))
      #expect(!gone.isEmpty && gone.count == rows.count * columns.count && rows.count <= 3 && columns.count <= 3)
      for index in 0..<60 { #expect(new[index] == (gone.contains(index % 30) ? 0 : old[index])) }
    }
  }

  @Test func mixupMixesTargetsAsItMixesImages() throws {
    var augmentation = Augmentation()
    augmentation.mixup = 0.4
    let x = try images(8)
    let labels = try Tensor((0..<8).map { Int64($0) })
    let data = try Dataset.tensors(x, labels).oneHot(8)
    let y = try #require(data.y)
    var shares: [Float] = []
    for seed in 0..<200 {
      var random = RandomSource(seed: UInt64(seed))
      let mixed = try augmentation.apply(x, y, random: &random)
      let (images, rows) = (try mixed.x.array(of: Float.self), try mixed.y.array(of: Float.self))
      for row in 0..<8 {
        let target = Array(rows[row * 8..<(row + 1) * 8])
        #expect(abs(target.reduce(0, +) - 1) < 1e-5)
        // The first pixel is 1000 n + 1 of every image.
        let expected = target.enumerated().reduce(Float(1)) { $0 + Float($1.offset) * 1000 * $1.element }
        #expect(abs(images[row * 60] - expected) < 0.1)
        if row == 0 { shares.append(target[0]) }
      }
    }
    // Beta(0.4, 0.4) lies mostly near the ends.
    #expect(shares.count { $0 < 0.2 || $0 > 0.8 } > 100 && shares.contains { $0 > 0.3 && $0 < 0.7 })
    var random = RandomSource(seed: 1)
    #expect(throws: PruneError.self) { try augmentation.apply(x, labels, random: &random) }
  }

  @Test func cutmixPastesARectangleAndAsMuchOfTheTarget() throws {
    var augmentation = Augmentation()
    augmentation.cutmix = 1
    let x = try images(8), plain = try x.array(of: Float.self)
    let data = try Dataset.tensors(x, try Tensor((0..<8).map { Int64($0) })).oneHot(8)
    let y = try #require(data.y)
    var sizes: Set<Int> = [], others = 0
    for seed in 0..<100 {
      var random = RandomSource(seed: UInt64(seed))
      let pasted = try augmentation.apply(x, y, random: &random)
      let (images, targets) = (try pasted.x.array(of: Float.self), try pasted.y.array(of: Float.self))
      for image in 0..<8 {
        // Every pixel is that of one of the eight images at the same place.
        let from: [Int] = (0..<60).map { index in
          // Pixels say which image they are of.
          let pixel = Int(images[image * 60 + index])
          return plain[pixel / 1000 * 60 + index] == images[image * 60 + index] ? pixel / 1000 : -1
        }
        let foreign = (0..<30).filter { from[$0] != image }
        #expect(Array(from[0..<30]) == Array(from[30..<60]) && Set(foreign.map { from[$0] }).count <= 1)
        let (rows, columns) = (Set(foreign.map { $0 / 5 }), Set(foreign.map { $0 % 5 }))
        #expect(foreign.count == rows.count * columns.count)
        if let partner = foreign.first.map({ from[$0] }) {
          others += 1
          sizes.insert(foreign.count)
          #expect(abs(targets[image * 8 + partner] - Float(foreign.count) / 30) < 1e-6)
        }
        #expect(abs(targets[image * 8..<image * 8 + 8].reduce(0, +) - 1) < 1e-5)
      }
    }
    #expect(others > 400 && sizes.count > 10 && sizes.contains { $0 > 20 })
  }

  @Test func aBatchIsMixedOneWayOfTwo() throws {
    var augmentation = Augmentation()
    (augmentation.mixup, augmentation.cutmix) = (5, 5)
    let x = try images(8), plain = try x.array(of: Float.self)
    let data = try Dataset.tensors(x, try Tensor((0..<8).map { Int64($0) })).oneHot(8)
    let y = try #require(data.y)
    var cut = 0
    for seed in 0..<60 {
      var random = RandomSource(seed: UInt64(seed))
      let images = try augmentation.apply(x, y, random: &random).x.array(of: Float.self)
      let areWhole = images.enumerated().allSatisfy { index, value in
        plain[Int(value) / 1000 * 60 + index % 60] == value
      }
      if areWhole { cut += 1 }
    }
    #expect((15...45).contains(cut))
  }

  @Test func whatIsNoImageIsRefused() throws {
    var augmentation = Augmentation()
    augmentation.flip = true
    var random = RandomSource(seed: 1)
    let rows = try Tensor(zeros: .float32, Shape([3, 4]))
    #expect(throws: PruneError.self) { try augmentation.apply(rows, rows, random: &random) }
    augmentation.flip = false
    augmentation.cutmix = 1
    #expect(throws: PruneError.self) { try augmentation.apply(rows, rows, random: &random) }
    augmentation.cutmix = 101
    #expect(throws: PruneError.self) { try augmentation.check() }
    augmentation.cutmix = 0
    augmentation.crop = -1
    #expect(throws: PruneError.self) { try augmentation.check() }
  }
}
