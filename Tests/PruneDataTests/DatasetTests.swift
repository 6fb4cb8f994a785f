import PruneData
import PruneTensor
import Testing

@Suite struct DatasetTests {
  @Test func digitsAreAllThere() throws {
    let digits = try Dataset.digits()
    #expect(digits.count == 1797 && digits.classCount == 10 && digits.sampleShape == [1, 8, 8])
    #expect(try digits.y?.array(of: Int64.self).prefix(5) == [0, 1, 2, 3, 4])
    // The first row of the set: 0,0,5,13,9,1,0,0.
    #expect(try digits.x.rows(0, 1).array(of: Float.self).prefix(4) == [0, 0, 5.0 / 16, 13.0 / 16])
  }

  @Test(arguments: [0.1, 0.2, 0.5]) func splitsKeepTheProportionOfEachClass(fraction: Double) throws {
    let digits = try Dataset.digits()
    let (train, test) = try digits.split(test: fraction, seed: 7)
    #expect(train.count + test.count == digits.count)
    func sizes(_ data: Dataset) throws -> [Int] {
      try (try #require(data.y)).array(of: Int64.self).reduce(into: [Int](repeating: 0, count: 10)) { $0[Int($1)] += 1 }
    }
    for (whole, part) in zip(try sizes(digits), try sizes(test)) { #expect(abs(Double(part) - Double(whole) * fraction) <= 1) }
    let again = try digits.split(test: fraction, seed: 7).test
    #expect(try again.x.array(of: Float.self) == test.x.array(of: Float.self))
    let other = try digits.split(test: fraction, seed: 8).test
    #expect(try other.x.array(of: Float.self) != test.x.array(of: Float.self))
  }

  @Test(arguments: [0, 1, -1, 2, Double.nan]) func impossibleSplitsAreRefused(fraction: Double) throws {
    let digits = try Dataset.digits()
    #expect(throws: PruneError.self) { try digits.split(test: fraction, seed: 1) }
  }

  @Test func oneHotRowsAreClasses() throws {
    let x = try Tensor([1, 2, 3, 4] as [Float], Shape([2, 2]))
    let data = try Dataset.tensors(x, try Tensor([0, 0, 1, 1, 0, 0] as [Float], Shape([2, 3])))
    #expect(try data.y?.array(of: Int64.self) == [2, 0] && data.classCount == 3)
    let values = try Dataset.tensors(x, try Tensor([0.5, 0.5, 1, 0] as [Float], Shape([2, 2])))
    #expect(values.classCount == nil)
    #expect(throws: PruneError.self) { try Dataset.tensors(x, try Tensor([1] as [Int64])) }
    #expect(throws: PruneError.self) { try Dataset.tensors(x, try Tensor([-1, 0] as [Int64])) }
  }

  @Test func classesAreRenumbered() throws {
    let part = try Dataset.digits().classes([7, 3])
    #expect(part.classCount == 2)
    #expect(try Set(try #require(part.y).array(of: Int64.self)) == [0, 1])
    #expect(throws: PruneError.self) { try Dataset.digits().classes([10]) }
    #expect(throws: PruneError.self) { try Dataset.digits().classes([1, 1]) }
  }

  @Test func normalizingGivesTheAskedMeanAndDeviation() throws {
    let x = try Tensor([1, 3, 10, 30] as [Float], Shape([1, 2, 2]))
    let data = try Dataset.tensors(x, nil).normalize(mean: [2, 20], std: [1, 10])
    #expect(try data.x.array(of: Float.self) == [-1, 1, -1, 1])
    #expect(throws: PruneError.self) { try Dataset.tensors(x, nil).normalize(mean: [0, 0, 0], std: [1, 1, 1]) }
    #expect(throws: PruneError.self) { try Dataset.tensors(x, nil).normalize(mean: [0], std: [0]) }
  }

  @Test func resizingByTwoKeepsTheMeanOfAGradient() throws {
    let x = try Tensor([0, 1, 0, 1] as [Float], Shape([1, 1, 2, 2]))
    let resized = try Dataset.tensors(x, nil).resize(2, 4)
    #expect(try resized.x.array(of: Float.self).prefix(4) == [0, 0.25, 0.75, 1])
    #expect(try Dataset.tensors(x, nil).resize(2, 2).x.array(of: Float.self) == [0, 1, 0, 1])
  }

  @Test func batchesGatherAndRefuseWhatIsNotThere() throws {
    let digits = try Dataset.digits()
    let batch = try digits.batch([4, 2][...])
    #expect(try batch.y?.array(of: Int64.self) == [4, 2])
    #expect(throws: PruneError.self) { try digits.batch([1797][...]) }
    #expect(throws: PruneError.self) { try digits.batch([-1][...]) }
  }
}

@Suite struct FileTests {
  private func file(_ bytes: [UInt8]) throws -> String {
    let path = "/tmp/prune-data-\(UInt64.random(in: 0...UInt64.max))"
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
    return path
  }

  @Test func idxRoundTrip() throws {
    let images = try file([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102])
    let labels = try file([0, 0, 8, 1, 0, 0, 0, 2, 3, 1])
    let data = try Dataset.idx(images: images, labels: labels)
    #expect(data.x.shape.dims == [2, 1, 1, 2])
    #expect(try data.x.array(of: Float.self) == [0, 1, 0.2, 0.4])
    #expect(throws: PruneError.self) { try Dataset.idx(images: labels, labels: images) }
  }

  @Test(arguments: [
    [], [0], [0, 0, 8, 3], [1, 2, 8, 3, 0], [0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255],
    [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51], [0x1F, 0x8B, 8, 0, 0, 0],
  ] as [[UInt8]])
  func brokenIdxFilesAreRefused(bytes: [UInt8]) throws {
    let broken = try file(bytes)
    let labels = try file([0, 0, 8, 1, 0, 0, 0, 2, 3, 1])
    #expect(throws: PruneError.self) { try Dataset.idx(images: broken, labels: labels) }
    #expect(throws: PruneError.self) { try Dataset.cifar10(paths: [broken]) }
  }

  @Test func csvWithAndWithoutHeader() throws {
    let named = try file(Array("a,b,\"kind\"\r\n1,2,0\r\n3,4,1\r\n".utf8))
    let data = try Dataset.csv(named, label: "kind")
    #expect(try data.x.array(of: Float.self) == [1, 2, 3, 4] && data.classCount == 2)
    let first = try Dataset.csv(named, label: "0")
    #expect(try first.x.array(of: Float.self) == [2, 0, 4, 1])
    let values = try Dataset.csv(try file(Array("1,0.5\n2,1.5\n".utf8)), label: nil)
    #expect(values.classCount == nil && values.y?.shape.dims == [2, 1])
    #expect(throws: PruneError.self) { try Dataset.csv(named, label: "sort") }
    #expect(throws: PruneError.self) { try Dataset.csv(try file(Array("1,2\n3\n".utf8)), label: nil) }
    #expect(throws: PruneError.self) { try Dataset.csv(try file(Array("1,2\n3,x\n".utf8)), label: nil) }
  }
}
