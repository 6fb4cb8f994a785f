import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct PrunezTests {
  private func random(_ count: Int, _ value: (inout RandomSource) -> Float) -> [Float] {
    var source = RandomSource(seed: 9)
    return (0..<count).map { _ in value(&source) }
  }

  /// A model that only stores: every tensor is an output.
  private func model(_ tensors: [(String, Tensor)]) -> Model {
    var graph = Graph(name: "weights")
    for (name, tensor) in tensors {
      graph.setInitializer(name, tensor)
      graph.nodes.append(Node("Identity", name: "read \(name)", inputs: [name], outputs: [name + "_out"]))
      graph.outputs.append(ValueInfo(name: name + "_out", type: TensorType(tensor.dtype, tensor.shape)))
    }
    return Model(graph: graph, opset: 21)
  }

  private func tensors() throws -> [(String, Tensor)] {
    let dense = try Tensor(random(3000) { Float($0.normal()) }, Shape([30, 100]))
    let sparse = try Tensor(random(4000) { $0.uniform() < 0.9 ? 0 : Float($0.normal()) }, Shape([40, 10, 5, 2]))
    let few = try Tensor(random(5000) { Float(Int($0.uniform() * 13)) * 0.37 - 2 }, Shape([50, 100]))
    let both = try Tensor(random(5000) { $0.uniform() < 0.8 ? 0 : Float(Int($0.uniform() * 7)) - 3.5 }, Shape([5000]))
    return [
      ("dense", dense), ("sparse", sparse), ("few", few), ("both", both), ("half", try dense.cast(to: .float16)),
      ("brain", try sparse.cast(to: .bfloat16)), ("double", try few.cast(to: .float64)),
      ("codes", try dense.cast(to: .int8)),
      ("nibbles", try few.cast(to: .int4)), ("indices", try few.cast(to: .int64)),
      ("small", try Tensor([1, 2] as [Float])),
      ("zeros", try Tensor(zeros: .float32, Shape([100, 7]))),
      ("signed", try Tensor([Float](repeating: -0.0, count: 90))),
      ("empty", try Tensor(zeros: .float32, Shape([0, 4]))),
      ("odd", try Tensor([.nan, .infinity, -.infinity, 1e-42] + random(60) { Float($0.normal()) })),
    ]
  }

  @Test func nothingIsLost() throws {
    let model = try model(try tensors())
    let onnx = try ONNX.encode(model), packed = try Bytes(try Prunez.pack(model))
    #expect(packed.count < onnx.count / 2)
    #expect(try PackedFile.unpack(packed).array == onnx)
    let again = try ModelFormats.decode(packed)
    for (name, tensor) in try tensors() {
      let read = try #require(again.graph.initializer(name))
      #expect(
        read.dtype == tensor.dtype && read.shape == tensor.shape && read.bytes.isEqual(to: tensor.bytes), "\(name)")
    }
  }

  @Test func whatIsRepeatedOrZeroTakesLittle() throws {
    let sizes = try Prunez.sizes(try model(try tensors()))
    func size(_ name: String) -> Int { sizes.tensors[name] ?? .max }
    // Entropies: of 13 values 3.7 bits; of 10 % others 0.47 bits a flag; of sign and exponent of normal numbers about 3
    // bits.
    #expect(size("few") < 5000 * 38 / 80 + 100)
    #expect(size("both") < 5000 * 14 / 80 + 100)
    #expect(size("sparse") < 4000 * 5 / 80 + 400 * 4 + 100)
    #expect(size("dense") < 3000 * 4 * 93 / 100)
    #expect(size("zeros") < 16)
    #expect(sizes.tensors["small"] == nil)
    #expect(sizes.file > sizes.tensors.values.reduce(0, +))
  }

  @Test func damagedFilesAreRefusedOrReadAsSomethingElse() throws {
    let good = try Prunez.pack(try model(try tensors()))
    for length in stride(from: 0, to: good.count, by: max(good.count / 60, 1)) {
      #expect(throws: PruneError.self) { try ModelFormats.decode(try Bytes(Array(good[..<length]))) }
    }
    var source = RandomSource(seed: 4)
    for _ in 0..<300 {
      var bytes = good
      for _ in 0..<1 + Int(source.uniform() * 3) {
        // Half of the damage falls on the sizes and the head.
        let reach = source.uniform() < 0.5 ? min(400, bytes.count) : bytes.count
        bytes[Int(source.uniform() * Double(reach - 1))] ^= UInt8(1 << Int(source.uniform() * 8))
      }
      _ = try? ModelFormats.decode(try Bytes(bytes))
    }
  }
}
