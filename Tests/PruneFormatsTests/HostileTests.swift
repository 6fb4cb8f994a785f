import PruneFormats
import PruneTensor
import Testing

/// Damaged files give errors or, where the damage is in a weight or a text, a model; they never end the process.
@Suite struct HostileTests {
  private func attempt(_ bytes: [UInt8]) throws -> Bool {
    let model: Bytes = try Bytes(bytes)
    do throws(PruneError) {
      _ = try ONNX.decode(model, folder: nil)
      return true
    } catch {
      #expect(!error.message.isEmpty)
      return false
    }
  }

  @Test func aTinyModelCutAnywhere() throws {
    for count in 0..<TinyModel.bytes.count { _ = try attempt(Array(TinyModel.bytes.prefix(count))) }
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: Shared.files(".onnx"))
  func everyModelCutAt200Places(name: String) throws {
    let whole = try Bytes(try Shared.bytes(Shared.folder + "/" + name))
    var random = RandomSource(seed: 200)
    for step in 0..<200 {
      // Half of the cuts evenly spread, half anywhere; the smallest of all at the very ends.
      let count = step % 2 == 0 ? step * whole.count / 200 : Int(random.next() % UInt64(whole.count))
      let cut = try #require(whole.slice(0, step < 4 ? step : count))
      let error = failure { _ = try ONNX.decode(cut, folder: nil) }
      if let error { #expect(!error.message.isEmpty) }
    }
  }

  /// What can be read is also written back unchanged.
  @Test func tenThousandMutationsOfATinyModel() throws {
    var random = RandomSource(seed: 1)
    var loaded = 0
    for _ in 0..<10_000 {
      let mutated = Self.mutated(TinyModel.bytes, &random)
      let bytes = try Bytes(mutated)
      guard let model = try? ONNX.decode(bytes, folder: nil) else { continue }
      // Parts that the library keeps without looking inside may be damaged too.
      guard let wanted = try? Canonical.bytes(mutated[...]) else { continue }
      loaded += 1
      let saved = try ONNX.encode(model)
      let got = try Canonical.bytes(saved[...])
      #expect(got == wanted)
    }
    #expect(loaded > 100)
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: Self.smallModels)
  func manyMutationsOfRealModels(name: String) throws {
    let original = try Shared.bytes(Shared.folder + "/" + name)
    var random = RandomSource(seed: UInt64(original.count))
    for _ in 0..<(10_000 / max(Self.smallModels.count, 1) + 1) { _ = try attempt(Self.mutated(original, &random)) }
  }

  private static let smallModels = Shared.files(".onnx").filter {
    (try? Shared.bytes(Shared.folder + "/" + $0).count).map { $0 < 3_000_000 } ?? false
  }

  /// One to four bytes changed, removed, repeated or replaced by the values that break length checks.
  /// - Parameter range: where; anywhere when nil.
  static func mutated(_ bytes: [UInt8], _ random: inout RandomSource, at range: Range<Int>? = nil) -> [UInt8] {
    var result = bytes
    for _ in 0...(random.next() % 4) {
      let count = min(range?.count ?? result.count, result.count)
      let place = (range?.lowerBound ?? 0) + Int(random.next() % UInt64(count))
      switch random.next() % 5 {
      case 0: result[place] ^= 1 << UInt8(random.next() % 8)
      case 1: result[place] = UInt8(truncatingIfNeeded: random.next())
      case 2: result[place] = [0x00, 0x7F, 0x80, 0xFF][Int(random.next() % 4)]
      case 3: result.insert(result[place], at: place)
      default: if result.count > 1 { result.remove(at: place) }
      }
    }
    return result
  }

  struct Crafted: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var testDescription: String { name }
    init(_ name: String, _ bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
  }

  static let crafted: [Crafted] = {
    let max = Wire.varint(.max)
    return [
      Crafted("an endless varint", [UInt8](repeating: 0xFF, count: 32)),
      Crafted("a varint that ends the file", [0x08, 0x80]),
      Crafted("field 0", [0x00, 0x01]), Crafted("a huge field number", Wire.varint(.max & ~7) + [1]),
      Crafted("a length of 2^64-1", [0x3A] + max + [1, 2]), Crafted("a length of 2^63", [0x3A] + Wire.varint(1 << 63)),
      Crafted("wire type 7", [0x0F]), Crafted("a lone group end", [0x0C]),
      Crafted("groups without end", [UInt8](repeating: 0x0B, count: 100_000)),
      Crafted("a mismatched group", [0x0B, 0x14]),
      Crafted("a graph of nothing", Proto.model(graph: [])),
      Crafted("a million unnamed nodes", Proto.model(graph: (0..<1_000_000).flatMap { _ in [0x0A, 0x00] as [UInt8] })),
      Crafted("packed varints cut short", Proto.model(graph: Wire.bytes(5, Wire.bytes(1, [0x80]) + Wire.int(2, 1)))),
      Crafted("packed floats cut short", Proto.model(graph: Wire.bytes(1, Wire.bytes(5, Wire.bytes(7, [1, 2, 3]))))),
      Crafted("a graph for a name", Proto.model(graph: Wire.int(2, 5) + Wire.int(1, 5))),
      Crafted("everything is the wrong wire type", (1...30).flatMap { Wire.float($0, 1) }),
    ]
  }()

  @Test(arguments: crafted) func craftedBytesAreRefused(crafted: Crafted) throws {
    #expect(try attempt(crafted.bytes) == false)
  }
}
