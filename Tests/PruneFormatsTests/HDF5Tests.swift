import PruneFormats
import PruneTensor
import Testing

@Suite struct HDF5Tests {
  private func encoded(_ tree: HDF5Tree) throws -> Bytes {
    try Bytes(try HDF5Writer.encode(tree).flatMap { $0.array })
  }

  @Test func whatIsWrittenIsRead() throws {
    var tree = HDF5Tree()
    tree.set("note", .text("Grüße " + String(repeating: "x", count: 70_000)))
    tree.set("names", .texts(["a", "", "longer"]))
    tree.set("nothing", .texts([]))
    try tree.set("group/inner/weights", try Tensor((0..<24).map(Float.init), try Shape([2, 3, 4])))
    try tree.set("group/count", try Tensor(scalar: Int64(-7)))
    try tree.set("group/empty", try Tensor([Float](), try Shape([0, 3])))
    let root = try HDF5File(try encoded(tree)).root
    #expect(try root.attribute("note")?.text?.utf8.count == 70_008)
    #expect(try root.attribute("names")?.texts == ["a", "", "longer"])
    #expect(try root.attribute("nothing")?.texts == [])
    #expect(try root.attribute("missing") == nil)
    let weights = try #require(try root.descendant("group/inner/weights")).tensor()
    #expect(weights.shape.dims == [2, 3, 4])
    #expect(try weights.array(of: Float.self) == (0..<24).map(Float.init))
    #expect(try root.descendant("group/count")?.tensor().array(of: Int64.self) == [-7])
    #expect(try root.descendant("group/empty")?.tensor().shape.dims == [0, 3])
    #expect(try root.descendant("group/none") == nil)
  }

  @Test(arguments: [0, 1, 7, 8, 9, 300, 3000]) func groupsOfAnySize(count: Int) throws {
    var tree = HDF5Tree()
    for index in 0..<count { try tree.set("m\(index)", try Tensor(scalar: Float(index))) }
    let root = try HDF5File(try encoded(tree)).root
    let links = try root.links
    #expect(links.map(\.name) == (0..<count).map { "m\($0)" }.sorted())
    for link in links {
      #expect(try root.open(link).tensor().array(of: Float.self) == [try #require(Float(link.name.dropFirst()))])
    }
  }

  /// Tensors are views of the file, 64 bytes aligned.
  @Test func weightsAreNotCopied() throws {
    var tree = HDF5Tree()
    try tree.set("w", try Tensor((0..<1000).map(Float.init)))
    let bytes = try encoded(tree)
    let tensor = try #require(try HDF5File(bytes).root.child("w")).tensor()
    #expect(tensor.storage === bytes.storage)
    #expect(tensor.byteOffset % 64 == 0)
  }

  private static let names = ["chunks.h5", "latest.h5"]

  /// Files of h5py: chunks, deflate, shuffle and fletcher32; and the newer groups and headers.
  @Test func chunksAndFilters() throws {
    let root = try HDF5File(try Bytes(try Shared.bytes(Cases.keras + "chunks.h5"))).root
    let wanted = (0..<35 * 11).map { Float($0) * 0.5 }
    for name in ["plain", "deflate", "shuffle", "all"] {
      let tensor = try #require(try root.child(name)).tensor()
      #expect(tensor.shape.dims == [35, 11])
      #expect(try tensor.array(of: Float.self) == wanted)
    }
    let lzf = failure { _ = try root.child("lzf")?.tensor() }
    #expect(lzf?.status == .unsupported)
    #expect(lzf?.message.contains("lzf") == true)
    #expect(failure { _ = try root.child("outside")?.tensor() }?.message.contains("another file") == true)
    let links = failure { _ = try root.descendant("links/elsewhere") }
    #expect(links?.message.contains("link") == true)
  }

  @Test func newerGroups() throws {
    let root = try HDF5File(try Bytes(try Shared.bytes(Cases.keras + "latest.h5"))).root
    #expect(try root.attribute("text")?.text == "some text")
    let many = try #require(try root.child("many"))
    #expect(try many.links.count == 60)
    #expect(try many.child("member 41")?.tensor().array(of: Int32.self) == [41, 42])
    #expect(try root.child("few")?.links.map(\.name).sorted() == ["a", "b"])
    for index in 0..<12 { #expect(try root.attribute("attribute \(index)")?.text == "value \(index)") }
  }

  @Test(arguments: names) func damagedFilesAreErrors(name: String) throws {
    let whole = try Shared.bytes(Cases.keras + name)
    func read(_ object: HDF5Object, _ depth: Int) throws {
      if object.isDataset {
        _ = try? object.tensor()
      } else if depth < 4 {
        for link in try object.links { try read(try object.open(link), depth + 1) }
      }
    }
    var random = RandomSource(seed: UInt64(whole.count))
    for step in 0..<200 {
      let cut = try Bytes(Array(whole.prefix(step * whole.count / 200)))
      #expect(failure { try read(try HDF5File(cut).root, 0) } != nil)
    }
    for _ in 0..<10_000 {
      let mutated = try Bytes(HostileTests.mutated(whole, &random, at: 0..<min(whole.count, 6000)))
      if let error = failure({ try read(try HDF5File(mutated).root, 0) }) { #expect(!error.message.isEmpty) }
    }
  }
}

/// Files that tests read.
enum Cases {
  static let keras = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Data/keras/"
}
