import Foundation
import PruneFormats
import PruneTensor
import Testing

@Suite struct NpzTests {
  static let dtypes: [DType] = [
    .float32, .float64, .float16, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool, .complex64,
    .complex128,
  ]

  @Test(arguments: dtypes) func everyTypeRoundTrips(dtype: DType) throws {
    for shape in [Shape.scalar, Shape(known: 5), Shape(known: 2, 3), Shape(known: 0, 4)] {
      let count = dtype.byteCount(shape.count) ?? 0
      let tensor = try Tensor(dtype, shape, over: try Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }))
      let encoded = try Npy.encode(tensor)
      #expect((encoded.count - count) % 64 == 0)
      let again = try Npy.decode(try Bytes(encoded))
      #expect(again.dtype == dtype && again.shape == shape && again.bytes.isEqual(to: tensor.bytes))
    }
  }

  @Test(arguments: [true, false]) func archivesRoundTrip(compressed: Bool) throws {
    let folder = try TemporaryFolder()
    let arrays: [(name: String, tensor: Tensor)] = [
      ("x", try Tensor((0..<600).map(Float.init), Shape(known: 20, 30))),
      ("labels/α", try Tensor([1, 2, 3] as [Int64])),
      ("empty", try Tensor(zeros: .uint8, Shape(known: 0))),
    ]
    let path = folder.path + "/a.npz"
    try Npz.save(arrays, path: path, compressed: compressed)
    let again = try Npz.load(path: path)
    #expect(again.map(\.name) == arrays.map(\.name))
    for (found, wanted) in zip(again, arrays) {
      #expect(found.tensor.shape == wanted.tensor.shape && found.tensor.bytes.isEqual(to: wanted.tensor.bytes))
    }
    let first = try Shared.bytes(path)
    try Npz.save(arrays, path: path, compressed: compressed)
    #expect(try Shared.bytes(path) == first)
    #expect(folder.names == ["a.npz"])
    #expect(failure { try Npz.save([arrays[0], arrays[0]], path: path) }?.status == .invalidArgument)
    #expect(try Shared.bytes(path) == first)
  }

  /// A zip archive of one stored file that its directory lists so many times.
  private func archive(listing count: Int, _ data: [UInt8]) -> [UInt8] {
    func number(_ value: Int, _ width: Int) -> [UInt8] { (0..<width).map { UInt8(value >> (8 * $0) & 255) } }
    let sum =
      data.reduce(UInt32.max) { sum, byte in
        (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
      } ^ .max
    let name = Array("x.npy".utf8)
    // Version, flags, method, time, date, sum, sizes, name's length, extra's length.
    let common =
      number(20, 2) + number(0, 8) + number(Int(sum), 4) + number(data.count, 4) + number(data.count, 4)
      + number(name.count, 2) + number(0, 2)
    let local = number(0x0403_4B50, 4) + common + name + data
    let entry = number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 14) + name
    let directory = (0..<count).flatMap { _ in entry }
    return local + directory + number(0x0605_4B50, 4) + number(0, 4) + number(count, 2) + number(count, 2)
      + number(directory.count, 4)
      + number(local.count, 4) + number(0, 2)
  }

  @Test func entriesThatShareTheirBytesAreRefused() throws {
    let array = npy(
      "{'descr': '|u1', 'fortran_order': False, 'shape': (4000,), }\n", [UInt8](repeating: 7, count: 4000))
    #expect(try Npz.decode(try Bytes(archive(listing: 1, array))).first?.tensor.count == 4000)
    let bomb = try Bytes(archive(listing: 100, array))
    let found = failure { _ = try Npz.decode(bomb) }
    #expect(found?.status == .badFormat && found?.message.contains("overlap") == true)
  }

  private func npy(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let length = header.utf8.count
    let size =
      version == 1 ? [UInt8(length & 255), UInt8(length >> 8)] : [UInt8(length & 255), UInt8(length >> 8), 0, 0]
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + size + Array(header.utf8) + data
  }

  @Test func otherOrdersAreRearranged() throws {
    let column = npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", [1, 4, 2, 5, 3, 6])
    #expect(try Npy.decode(try Bytes(column)).array(of: UInt8.self) == [1, 2, 3, 4, 5, 6])
    let big = npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2L,), }\n", [1, 2, 0xFF, 0xFE], version: 2)
    #expect(try Npy.decode(try Bytes(big)).array(of: Int16.self) == [258, -2])
  }

  static let broken: [String] = [
    "", "{", "{}", "{'descr': 'f4'", "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'shape': (1,), 'fortran_order': 3}",
    "{'descr': '<U5', 'fortran_order': False, 'shape': ()}", "{'a' 'b'}", "{'a': (1 2)}", "{'a': ]}", "{'a': (",
  ]

  @Test(arguments: broken) func brokenHeadersAreRefused(header: String) throws {
    let bytes = try Bytes(npy(header, [1, 2, 3, 4]))
    #expect(throws: PruneError.self) { try Npy.decode(bytes) }
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: Shared.files(".npz"))
  func everySharedArchiveRoundTrips(name: String) throws {
    let folder = try TemporaryFolder()
    let arrays = try Npz.load(path: Shared.folder + "/" + name)
    #expect(!arrays.isEmpty)
    try Npz.save(arrays, path: folder.path + "/copy.npz")
    let again = try Npz.load(path: folder.path + "/copy.npz")
    #expect(again.map(\.name) == arrays.map(\.name))
    for (found, wanted) in zip(again, arrays) {
      #expect(found.tensor.dtype == wanted.tensor.dtype && found.tensor.bytes.isEqual(to: wanted.tensor.bytes))
    }
  }

  @Test func damagedArchivesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.npz"
    try Npz.save([("x", try Tensor((0..<100).map(Float.init)))], path: path)
    let whole = try Shared.bytes(path)
    for count in 0..<whole.count {
      let cut = try Bytes(Array(whole.prefix(count)))
      #expect(throws: PruneError.self) { try Npz.decode(cut) }
    }
    var random = RandomSource(seed: 5)
    for _ in 0..<2000 {
      var bytes = whole
      for _ in 0...(random.next() % 3) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      let mutated = try Bytes(bytes)
      _ = failure { _ = try Npz.decode(mutated) }
    }
  }
}
