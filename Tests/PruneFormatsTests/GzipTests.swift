import PruneTensor
import Testing

@Suite struct GzipTests {
  /// "hello\n" as gzip wrote it.
  private let hello: [UInt8] = [
    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0xE7, 2, 0, 0x20, 0x30, 0x3A, 0x36, 6, 0, 0, 0,
  ]

  @Test func membersAreUnpackedOneAfterTheOther() throws {
    #expect(try gunzip(try Bytes(hello), limit: 100).text == "hello\n")
    #expect(try gunzip(try Bytes(hello + hello + [0, 0]), limit: 100).text == "hello\nhello\n")
  }

  @Test func theLimitIsExact() throws {
    #expect(try gunzip(try Bytes(hello), limit: 6).count == 6)
    for limit in [-1, 0, 5] {
      #expect(failure { _ = try gunzip(try Bytes(self.hello), limit: limit) }?.status == .refused)
    }
  }

  @Test func damageIsFound() throws {
    for count in 0..<hello.count {
      #expect(failure { _ = try gunzip(try Bytes(Array(self.hello.prefix(count))), limit: 100) }?.status == .badFormat)
    }
    for place in 10..<hello.count {
      var bytes = hello
      bytes[place] ^= 0x10
      let damaged = try Bytes(bytes)
      // The byte before the checksum ends in unused bits.
      #expect((try? gunzip(damaged, limit: 1000))?.text ?? "hello\n" == "hello\n")
    }
  }
}
