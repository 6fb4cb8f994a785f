import Glibc
import PruneTensor
import Testing

@Suite struct TensorTests {
  @Test func writingToASharedTensorCopiesIt() throws {
    let first = try Tensor([1, 2, 3] as [Float])
    var second = first
    #expect(first.sharesStorage(with: second))
    try second.withMutableSpan(of: Float.self) { span throws(PruneError) in span[0] = 9 }
    #expect(try first.array(of: Float.self) == [1, 2, 3])
    #expect(try second.array(of: Float.self) == [9, 2, 3])
  }

  @Test func misalignedBytesReadAsTheirElements() throws {
    let bytes = try Bytes([0xFF, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    let view = try Tensor(.float32, Shape([2]), over: try #require(bytes.slice(1, 9)))
    #expect(try view.withSpan(of: Float.self) { span throws(PruneError) in span[0] + span[1] } == 3)
    #expect(try view.cast(to: .int32).array(of: Int32.self) == [1, 2])
  }

  /// A copy for each chunk would take minutes.
  @Test(arguments: [DType.float16, .bfloat16, .int8])
  func largeMisalignedTensorsAreConverted(type: DType) throws {
    let count = 8 << 20, numbers = try Tensor((0..<count).map { Float($0 % 100) })
    let bytes = try Bytes([0] + numbers.bytes.array)
    let view = try Tensor(.float32, Shape([count]), over: try #require(bytes.slice(1, count * 4 + 1)))
    #expect(try view.cast(to: type).bytes.isEqual(to: numbers.cast(to: type).bytes))
  }

  @Test(arguments: [[-1], [1 << 40, 1 << 40], [Int.max, 2, 0]])
  func absurdShapesAreRefused(dims: [Int]) {
    #expect(throws: PruneError.self) { try Shape(dims) }
  }

  @Test func readingAsAnotherTypeIsAnError() throws {
    let tensor = try Tensor([1] as [Int64])
    #expect(throws: PruneError.self) { try tensor.array(of: Float.self) }
  }

  @Test func forgottenPagesAreReadAgain() throws {
    let path = "/tmp/prune-forget-\(UInt64.random(in: 0...UInt64.max))"
    defer { unlink(path) }
    let count = FileReader.mappingThreshold / 4 + 1000
    let numbers = try Tensor((0..<count).map { Int32(truncatingIfNeeded: $0) })
    let file = try AtomicFile(path: path)
    try file.write(numbers.bytes)
    try file.commit()
    let bytes = try FileReader.bytes(of: path)
    #expect(!bytes.storage.isWritable)
    let part = try Tensor(.int32, Shape([count - 5]), over: try #require(bytes.slice(20, count * 4)))
    for tensor in [part, try part.rows(1000, 200_000), try part.rows(7, 8), numbers] {
      let before = try tensor.array(of: Int32.self)
      tensor.forgetPages()
      #expect(try tensor.array(of: Int32.self) == before)
    }
  }

  @Test func rowsAreViews() throws {
    let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Int32], Shape([3, 2]))
    #expect(try tensor.rows(1, 3).array(of: Int32.self) == [3, 4, 5, 6])
    #expect(throws: PruneError.self) { try tensor.rows(2, 4) }
  }
}

@Suite struct RandomSourceTests {
  @Test func theSameSeedGivesTheSameStream() {
    var a = RandomSource(seed: 7), b = RandomSource(seed: 7), c = RandomSource(seed: 8)
    let first = (0..<4).map { _ in a.next() }
    #expect(first == (0..<4).map { _ in b.next() })
    #expect(first != (0..<4).map { _ in c.next() })
  }

  @Test func normalsHaveUnitVariance() {
    var source = RandomSource(seed: 1)
    let draws = (0..<20_000).map { _ in source.normal() }
    let mean = draws.reduce(0, +) / 20_000
    let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.05)
  }

  @Test func permutationHoldsEveryIndexOnce() {
    var source = RandomSource(seed: 3)
    #expect(source.permutation(100).sorted() == Array(0..<100))
  }
}
