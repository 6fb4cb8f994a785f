import CZlib
import Foundation
import PruneData
import PruneTensor
import Testing

@Suite struct TableReadingTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// As gzip packs it.
  private func gzip(_ text: [UInt8], level: String = "wb9") throws -> [UInt8] {
    let path = try folder.write([])
    let file = gzopen(path, level)
    for start in stride(from: 0, to: text.count, by: 1 << 20) {
      let part = Array(text[start..<min(text.count, start + 1 << 20)])
      #expect(gzwrite(file, part, UInt32(part.count)) == Int32(part.count))
    }
    gzclose(file)
    return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// 1.3 MB, so that lines lie across the pieces that are unpacked at a time.
  private let table = (0..<60_000).map { "\($0).25,\($0 % 91),\(-$0),\($0 % 5)\r\n" }.joined()

  @Test func packedTablesAreReadAsPlainOnes() throws {
    let plain = try Dataset.csv(try folder.write(Array(table.utf8)))
    let packed = try Dataset.csv(try folder.write(try gzip(Array(table.utf8))))
    #expect(plain.count == 60_000 && plain.classCount == 5)
    #expect(try plain.x.rows(59_999, 60_000).array(of: Float.self) == [59_999.25, 30, -59_999])
    #expect(packed.x.bytes.isEqual(to: plain.x.bytes))
    #expect(try packed.y?.array(of: Int64.self) == plain.y?.array(of: Int64.self))
  }

  @Test(arguments: [
    "a,b,c\n1,2,x\n3,4,y\n\n5,6,x", "\u{FEFF}1;2;x\n3;4;y\n5;6;x\n", "1\t2\tx\r\n3\t4\ty\r\n5\t6\tx\r\n",
  ])
  func labelsOfTextAreNumberedByTheirBytes(text: String) throws {
    let data = try Dataset.csv(try folder.write(Array(text.utf8)))
    #expect(try data.x.array(of: Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(try data.y?.array(of: Int64.self) == [0, 1, 0])
  }

  @Test func numbersThatAreNoClassesAreValues() throws {
    let data = try Dataset.csv(try folder.write(Array("1,0.5\n2,1\n".utf8)))
    #expect(try data.y?.array(of: Float.self) == [0.5, 1] && data.classCount == nil)
  }

  @Test(arguments: [
    ("1,2\n3\n", "line 2 has 1 columns"), ("1,2\n3,4\nx,5\n", "line 3, column 1"), ("a,b\n", "no rows"),
    ("", "is empty"), ("\n\n", "is empty"),
  ])
  func badTablesNameTheLine(text: String, part: String) throws {
    let path = try folder.write(Array(text.utf8))
    let found = #expect(throws: PruneError.self) { try Dataset.csv(path) }
    #expect(found?.message.contains(part) == true && found?.place == path)
  }

  /// A file of kilobytes that unpacks to megabytes takes the memory of what was read until the limit stops it.
  @Test func bombsStopAtTheMemoryLimit() throws {
    let zeros = try gzip([UInt8](repeating: UInt8(ascii: "0"), count: 1 << 27), level: "wb1")
    let rows = try gzip(Array(String(repeating: "0,0,0,0,0,0,0,0,0,0\n", count: 1 << 20).utf8))
    let account = try MemoryAccount()
    account.limit = 16 << 20
    for (bytes, words) in [(zeros, ["memory limit"]), (rows, ["memory limit", "of the table"])] {
      let path = try folder.write(bytes)
      let call = MemoryAccount.beginCall()
      defer { MemoryAccount.endCall(call) }
      account.enter()
      let found = #expect(throws: PruneError.self) { try Dataset.csv(path) }
      for word in words { #expect(found?.message.contains(word) == true) }
      #expect(account.used == 0 && account.peak <= account.limit)
    }
  }
}
