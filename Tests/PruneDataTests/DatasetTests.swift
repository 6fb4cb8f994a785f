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
    for (whole, part) in zip(try sizes(digits), try sizes(test)) {
      #expect(abs(Double(part) - Double(whole) * fraction) <= 1)
    }
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
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }
  private func file(_ bytes: [UInt8]) throws -> String { try folder.write(bytes) }

  @Test func idxRoundTrip() throws {
    let images = try file([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102])
    let labels = try file([0, 0, 8, 1, 0, 0, 0, 2, 3, 1])
    let data = try Dataset.idx(images: images, labels: labels)
    #expect(data.x.shape.dims == [2, 1, 1, 2])
    #expect(try data.x.array(of: Float.self) == [0, 1, 0.2, 0.4])
    #expect(throws: PruneError.self) { try Dataset.idx(images: labels, labels: images) }
  }

  @Test(
    arguments: [
      [], [0], [0, 0, 8, 3], [1, 2, 8, 3, 0], [0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0],
      [0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255],
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

@Suite struct CSVTests {
  private func table(_ text: String, label: String? = nil) throws -> Dataset {
    let folder = try TemporaryFolder()
    return try Dataset.csv(try folder.write(Array(text.utf8)), label: label)
  }

  @Test(arguments: [
    "1", "-1", "+1.5", "0.1", "123456789012345", "1234567890123456789", "0.000000000000001", "1e-7", "3.4028235e38",
    "-.5", "5.", "\"7\"",
    " 2 ", "\t3",
  ])
  func numbersAreReadAsWritten(text: String) throws {
    let wanted = try #require(Double(text.filter { !" \t\"".contains($0) }))
    #expect(try table("\(text),0\n").x.array(of: Float.self) == [Float(wanted)])
  }

  @Test(arguments: ["", "-", ".", "+.", "1.2.3", "1-", "0x", "one", "1 2", "\"", "1e", "--1", "١"])
  func whatIsNoNumberIsNamed(text: String) throws {
    #expect(throws: PruneError.self) { try table("1,2\n\(text),3\n") }
  }

  @Test func textLabelsAreClassesInOrder() throws {
    let data = try table("5.1,3.5,versicolor\n4.9,3.0,setosa\n6.0,2.2,versicolor\n")
    #expect(data.classCount == 2 && data.sampleShape == [2])
    #expect(try data.y?.array(of: Int64.self) == [1, 0, 1])
    let named = try table("kind,a\nx,1\ny,2\n", label: "kind")
    #expect(try named.y?.array(of: Int64.self) == [0, 1])
  }

  @Test func delimitersAndLineEndsVary() throws {
    for text in [
      "\u{FEFF}a;b;c\r\n1;2;0\r\n\r\n3;4;1", "a\tb\tc\n1\t2\t0\n3\t4\t1\n\n", "\"a,1\",b,c\n1,2,0\n3,4,1",
      "\"a;1\",b,c\n1,2,0\n3,4,1",
    ] {
      let data = try table(text)
      #expect(try data.x.array(of: Float.self) == [1, 2, 3, 4] && data.classCount == 2)
    }
  }

  @Test(arguments: ["", "\n\n", "1\n2\n", "a,b\n", "1,2\n1,2,3\n", "1,2\n3\n", "1,1\n\u{0},\u{0}\n", ",\n,\n"])
  func brokenTablesAreRefused(text: String) throws { #expect(throws: PruneError.self) { try table(text) } }

  @Test func arbitraryBytesDoNotTrap() throws {
    var random = RandomSource(seed: 5)
    let alphabet = Array("0123456789,,,;.\"-e\n\n\r\t abn\u{FEFF}".utf8)
    for _ in 0..<300 {
      let bytes = (0..<Int(random.next() % 120)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
      _ = try? table(String(decoding: bytes, as: UTF8.self), label: random.next() % 2 == 0 ? nil : "1")
    }
  }
}

@Suite struct SubsetTests {
  @Test func partsShareTheBytesTheyCan() throws {
    let digits = try Dataset.digits()
    #expect(try digits.take(100).x.storage === digits.x.storage)
    #expect(try digits.take(5000).count == 1797 && digits.take(0).count == 0)
    #expect(throws: PruneError.self) { try digits.take(-1) }
    #expect(try digits.subset([3, 3, 0]).y?.array(of: Int64.self) == [3, 3, 0])
    #expect(throws: PruneError.self) { try digits.rows(1790, 1798) }
  }

  @Test func classesMayKeepTheirNumbers() throws {
    let part = try Dataset.digits().classes([7, 3], renumber: false)
    #expect(part.classCount == 10)
    #expect(try Set(try #require(part.y).array(of: Int64.self)) == [3, 7])
  }

  @Test func splitsOfFewSamplesKeepEveryClassWithinOne() throws {
    for count in 2...40 {
      let labels = (0..<count).map { Int64($0 * $0 % 3) }
      let data = try Dataset.tensors(try Tensor((0..<count).map { Float($0) }, Shape([count, 1])), try Tensor(labels))
      let (train, test) = try data.split(test: 0.5, seed: UInt64(count))
      let all = try (train.x.array(of: Float.self) + test.x.array(of: Float.self)).sorted()
      #expect(all == (0..<count).map { Float($0) })
      for number in 0..<3 as Range<Int64> {
        let whole = labels.count { $0 == number }, part = try test.y?.array(of: Int64.self).count { $0 == number } ?? 0
        #expect(abs(Double(part) - Double(whole) / 2) <= 1)
      }
    }
  }

  @Test func otherTypesOfTensors() throws {
    let bytes = try Dataset.tensors(
      try Tensor([1, 2, 3, 4] as [UInt8], Shape([2, 2])), try Tensor([0, 1] as [Int32]))
    #expect(bytes.x.dtype == .uint8 && bytes.y?.dtype == .int64)
    let doubles = try Dataset.tensors(try Tensor([1, 2] as [Double], Shape([2, 1])), try Tensor([1, 2] as [Double]))
    #expect(doubles.x.dtype == .float32 && doubles.y?.dtype == .float32 && doubles.classCount == nil)
    #expect(throws: PruneError.self) { try Dataset.tensors(try Tensor(scalar: Float(1)), nil) }
    let empty = try Dataset.tensors(try Tensor(zeros: .float32, Shape([0, 3])), try Tensor(zeros: .int64, Shape([0])))
    #expect(empty.count == 0)
    #expect(throws: PruneError.self) { try empty.split(test: 0.5, seed: 1) }
    #expect(try empty.normalize(mean: [0], std: [1]).count == 0)
  }

  @Test func cifarRecordsOfSeveralFiles() throws {
    let folder = try TemporaryFolder()
    func file(_ labels: [UInt8]) throws -> String {
      try folder.write(labels.flatMap { [$0] + [UInt8](repeating: $0 * 20, count: 3072) })
    }
    let data = try Dataset.cifar10(paths: [try file([1, 2]), try file([9])])
    #expect(try data.sampleShape == [3, 32, 32] && data.y?.array(of: Int64.self) == [1, 2, 9])
    #expect(try data.x.rows(2, 3).array(of: Float.self).allSatisfy { $0 == 180.0 / 255 })
    #expect(throws: PruneError.self) { try Dataset.cifar10(paths: [try file([10])]) }
    #expect(throws: PruneError.self) { try Dataset.cifar10(paths: []) }
    #expect(throws: PruneError.self) { try Dataset.cifar10(paths: ["/nowhere"]) }
  }
}
