import PruneData
import PruneTensor
import Testing

/// Data sets that feed several inputs by name.
@Suite struct NamedInputsTests {
  private func sample(_ count: Int = 6) throws -> Dataset {
    let ids = try Tensor((0..<Int32(2 * count)).map { $0 }, Shape([count, 2]))
    let table = try Tensor((0..<count).map { Double($0) / 2 }, Shape([count, 1]))
    let mask = try Tensor((0..<UInt8(count)).map { $0 & 1 }, Shape([count]))
    return try Dataset.tensors(
      inputs: ["table": table, "ids": ids, "mask": mask], Tensor((0..<Int64(count)).map { $0 % 2 }), name: "sample")
  }

  @Test func columnsAreInTheOrderOfTheirNamesAndKeepIntegers() throws {
    let data = try sample()
    #expect(
      data.columns.map(\.name) == ["ids", "mask", "table"] && data.count == 6 && data.classCount == 2 && data.isNamed)
    #expect(data.columns.map(\.tensor.dtype) == [.int64, .uint8, .float32])
    let flags = try Dataset.tensors(
      inputs: ["m": Tensor(zeros: .bool, Shape([2, 3])), "h": Tensor(zeros: .int8, Shape([2]))], nil)
    #expect(flags.columns.allSatisfy { $0.tensor.dtype == .int64 } && flags.y == nil)
    #expect(try !Dataset.digits().isNamed)
  }

  @Test func partsTakeTheSameSamplesOfAllColumns() throws {
    let data = try sample()
    func check(_ part: Dataset, _ expected: [Int64]) throws {
      #expect(try part.columns[0].tensor.array(of: Int64.self) == expected.flatMap { [2 * $0, 2 * $0 + 1] })
      #expect(try part.columns[1].tensor.array(of: UInt8.self) == expected.map { UInt8($0 & 1) })
      #expect(try part.columns[2].tensor.array(of: Float.self) == expected.map { Float($0) / 2 })
      #expect(part.columns.map(\.name) == ["ids", "mask", "table"])
    }
    try check(data.subset([4, 0]), [4, 0])
    try check(data.take(2), [0, 1])
    try check(data.rows(2, 4), [2, 3])
    try check(data.batch([5, 1][...]), [5, 1])
    try check(data.classes([1]), [1, 3, 5])
    let (train, test) = try data.split(test: 0.5, seed: 3)
    let all = try (train.columns[0].tensor.array(of: Int64.self) + test.columns[0].tensor.array(of: Int64.self))
      .sorted()
    #expect(all == (0..<12).map { Int64($0) } && train.columns[2].tensor.shape.dims == [3, 1])
    #expect(try data.take(3).columns[0].tensor.storage === data.columns[0].tensor.storage)
  }

  @Test func whatDoesNotGoTogetherIsNamed() throws {
    let (a, b) = (try Tensor(zeros: .float32, Shape([4, 2])), try Tensor(zeros: .int64, Shape([3])))
    func failure(_ inputs: [String: Tensor], _ y: Tensor? = nil) -> PruneError? {
      do throws(PruneError) { _ = try Dataset.tensors(inputs: inputs, y) } catch { return error }
      return nil
    }
    let counts = try #require(failure(["a": a, "b": b]))
    #expect(
      counts.status == .mismatch && counts.message.contains("'a' has 4 samples") && counts.message.contains("'b'"))
    #expect(
      try failure(["a": a, "s": Tensor(scalar: Float(1))])?.message.contains("'s' of the data set is a scalar") == true)
    #expect(failure(["a": a], b)?.message.contains("'a' has 4 samples, y is int64 [3]") == true)
    #expect(failure([:])?.status == .invalidArgument && failure(["": a])?.status == .invalidArgument)
  }

  @Test func imagesAreChangedOnlyInDataOfOneInput() throws {
    let data = try sample()
    var random = RandomSource(seed: 1)
    for change in [
      { try data.resize(2, 2) }, { try data.normalize(mean: [0], std: [1]) },
      { try Augmentation().apply(data, random: &random) },
    ]
      as [() throws -> Dataset]
    {
      #expect { try change() } throws: {
        ($0 as? PruneError)?.message.contains("3 inputs ('ids', 'mask', 'table')") == true
      }
    }
    let image = try Dataset.tensors(inputs: ["image": Tensor(zeros: .float32, Shape([2, 1, 4, 4]))], nil)
    #expect(try image.resize(2, 2).normalize(mean: [1], std: [2]).columns.map(\.name) == ["image"])
  }
}
