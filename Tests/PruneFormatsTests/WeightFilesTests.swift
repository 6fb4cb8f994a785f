import Foundation
import PruneFormats
import PruneGraph
import PruneTensor
import Testing

/// Files of weights as others write them; see Tests/Data/formats.
@Suite struct WeightFilesTests {
  static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../Data/formats").standardized.path

  private func load(_ name: String) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for entry in try WeightFormats.load(path: Self.folder + "/" + name) { result[entry.name] = try entry.tensor() }
    return result
  }

  @Test(arguments: ["state.pt", "state_legacy.pth", "state.safetensors"]) func stateDictsAreWhatWasSaved(name: String)
    throws
  {
    let found = try load(name), wanted = try load("state.npz")
    #expect(found.count == wanted.count && wanted.count == 13)
    for (name, tensor) in wanted {
      let own = try #require(found[name])
      #expect(own.shape == tensor.shape, "\(name)")
      #expect(try own.cast(to: .float64).bytes.isEqual(to: tensor.cast(to: .float64).bytes), "\(name)")
    }
    #expect(found["half"]?.dtype == .float16 && found["brain"]?.dtype == .bfloat16 && found["flag"]?.dtype == .bool)
  }

  @Test(arguments: ["module.pt", "module_legacy.pt", "checkpoint.pt"]) func weightsAreFoundAmongOtherThings(
    name: String
  ) throws {
    let names = try load(name).keys.sorted()
    #expect(
      names == [
        "blocks.0.weight", "blocks.1.bias", "blocks.1.weight", "fc.bias", "fc.weight", "norm.bias",
        "norm.num_batches_tracked",
        "norm.running_mean", "norm.running_var", "norm.weight",
      ])
  }

  @Test func everyBlockFormatDecodesAsItsOwnReaderDoes() throws {
    let found = try load("blocks.gguf"), wanted = try load("blocks.npz")
    #expect(found.count == 13 && wanted.count == 13)
    for (name, tensor) in wanted {
      let own = try #require(found[name])
      #expect(own.shape == tensor.shape, "\(name)")
      // A zero may have another sign.
      #expect(try own.array(of: Float.self) == tensor.array(of: Float.self), "\(name)")
    }
  }

  @Test func shardsAreReadByTheirIndex() throws {
    let folder = try TemporaryFolder()
    let a = try Tensor([1, 2, 3] as [Float]), b = try Tensor([4, 5] as [Float])
    try WeightFormats.save([("a", a), ("unlisted", b)], path: folder.path + "/one.safetensors")
    try WeightFormats.save([("b", b)], path: folder.path + "/two.safetensors")
    func index(_ map: String) throws -> [WeightEntry] {
      try WeightFormats.load(path: folder.write("m.index.json", Array("{\"weight_map\": {\(map)}}".utf8)))
    }
    #expect(try index("\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"").map(\.name) == ["a", "b"])
    #expect(failure { _ = try index("\"a\": \"../one.safetensors\"") }?.hint.contains("a name is wanted") == true)
    #expect(failure { _ = try index("\"c\": \"one.safetensors\"") }?.message.contains("'c'") == true)
    #expect(failure { _ = try index("\"a\": \"three.safetensors\"") }?.status == .io)
    #expect(failure { _ = try index("\"a\": \"m.index.json\"") }?.status == .badFormat)
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    let folder = try TemporaryFolder()
    let all = try NpzTests.dtypes.filter { $0 != .complex128 }.map { dtype in
      (
        name: "\(dtype) \"é\"",
        tensor: try Tensor(dtype, Shape(known: 3), over: try Bytes((0..<UInt8(dtype.bitWidth / 8 * 3)).map { $0 }))
      )
    }
    let path = folder.path + "/all.safetensors"
    try WeightFormats.save(all, path: path)
    let again = try WeightFormats.load(path: path)
    #expect(again.count == all.count)
    for (name, tensor) in all {
      let entry = try #require(again.first { $0.name == name })
      #expect(try entry.dtype == tensor.dtype && entry.tensor().bytes.isEqual(to: tensor.bytes))
    }
    let refused = failure { try WeightFormats.save(all, path: folder.path + "/all.h5w") }
    #expect(refused?.status == .unsupported && refused?.hint == "end it in .safetensors or .npz")
    #expect(folder.names == ["all.safetensors"])
  }

  @Test func hostileSafetensorsAreRefused() throws {
    func read(_ header: String, data: Int = 16) throws -> [WeightEntry] {
      let folder = try TemporaryFolder(), count = UInt8(header.utf8.count)
      return try WeightFormats.load(
        path: folder.write("x", [count, 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + [UInt8](repeating: 0, count: data)))
    }
    func entry(_ offsets: String, _ shape: String = "2", _ dtype: String = "F32") -> String {
      "{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
    }
    #expect(try read("{\"a\":\(entry("0,8")),\"b\":\(entry("8,16"))}").count == 2)
    #expect(
      failure { _ = try read("{\"a\":\(entry("0,8")),\"b\":\(entry("4,12"))}") }?.message.contains("overlap") == true)
    #expect(failure { _ = try read("{\"a\":\(entry("12,20"))}") }?.hint == "the file was cut short")
    #expect(failure { _ = try read("{\"a\":\(entry("8,0"))}") }?.status == .badFormat)
    #expect(failure { _ = try read("{\"a\":\(entry("0,8", "4611686018427387904,4"))}") }?.status == .badFormat)
    #expect(failure { _ = try read("{\"a\":\(entry("0,8", "-2"))}") }?.status == .badFormat)
    #expect(failure { _ = try read("{\"a\":\(entry("0,8", "2", "F9"))}") }?.status == .unsupported)
    #expect(
      failure { _ = try read("{\"a\":\(entry("0,8")),\"a\":\(entry("8,16"))}") }?.message.contains("have the name")
        == true)
    #expect(failure { _ = try read("{\"a\":" + String(repeating: "[", count: 240)) }?.status == .badFormat)
  }

  /// A pickle that calls what it should not, nests without end, or holds itself.
  @Test func picklesExecuteNothing() throws {
    func read(_ bytes: [UInt8]) throws -> [WeightEntry] {
      let folder = try TemporaryFolder()
      return try WeightFormats.load(path: folder.write("x.pt", [0x80, 2] + bytes + [UInt8(ascii: ".")]))
    }
    let system = Array(
      "cposix\nsystem\nX\u{4}\0\0\0true\u{85}R".unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
    #expect(failure { _ = try read(system) }?.message.contains("'posix.system'") == true)
    #expect(failure { _ = try read([UInt8(ascii: "i")]) }?.message.contains("opcode 0x69") == true)
    let deep = [UInt8](repeating: UInt8(ascii: ")"), count: 1) + [UInt8](repeating: 0x85, count: 300_000)
    #expect(failure { _ = try read(deep) } != nil)
    // A list that is put into itself, and handed to the function that rebuilds subclasses.
    let itself = Array("]q\0h\0a".utf8) + Array("ctorch._tensor\n_rebuild_from_type_v2\nh\0R".utf8)
    #expect(failure { _ = try read(itself) } != nil)
  }

  @Test(arguments: [
    "state.pt", "state_legacy.pth", "state.safetensors", "module_legacy.pt", "checkpoint.pt", "blocks.gguf",
    "state.npz",
  ]) func damageIsAnErrorOrOtherWeights(name: String) throws {
    let whole = try Shared.bytes(Self.folder + "/" + name), folder = try TemporaryFolder()
    var random = RandomSource(seed: 21)
    func attempt(_ bytes: [UInt8]) throws {
      let path = try folder.write("damaged", bytes)
      do throws(PruneError) { for entry in try WeightFormats.load(path: path) { _ = try entry.tensor() } } catch {
        #expect(!error.message.isEmpty)
      }
    }
    for step in 0..<200 { try attempt(Array(whole.prefix(step * whole.count / 200))) }
    for _ in 0..<1500 {
      var bytes = whole
      for _ in 0...Int(random.next() % 4) {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 4 {
        case 0: bytes[place] ^= 1 << UInt8(random.next() % 8)
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes[place] = 0xFF
        default: bytes.remove(at: place)
        }
      }
      try attempt(bytes)
    }
  }
}
