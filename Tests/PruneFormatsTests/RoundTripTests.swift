import PruneFormats
import PruneGraph
import PruneTensor
import Testing

@Suite struct RoundTripTests {
  /// Loads and saves, and compares what is in the two files as protobuf messages.
  private func expectLossless(_ original: [UInt8], _ model: Model) throws {
    let saved = try ONNX.encode(model)
    let wanted = try Canonical.bytes(original[...])
    let got = try Canonical.bytes(saved[...])
    #expect(wanted == got)
  }

  @Test func aTinyModelWithABitOfEverything() throws {
    try expectLossless(TinyModel.bytes, try ONNX.decode(try Bytes(TinyModel.bytes), folder: nil))
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: Shared.files(".onnx"))
  func everySharedModel(name: String) throws {
    // Its weights are elsewhere; see ExternalDataTests for models with external data.
    guard !name.contains("minilm") else { return }
    let path = Shared.folder + "/" + name
    try expectLossless(try Shared.bytes(path), try ModelFormats.load(path: path))
  }

  @Test func whatWasReadIsWhatTheFileSays() throws {
    let model = try ONNX.decode(try Bytes(TinyModel.bytes), folder: nil)
    let graph = model.graph
    #expect(model.opset() == 17 && model.irVersion == 8 && model.metadata.first?.value == "value")
    #expect(graph.nodes.map(\.opType) == ["Gemm", "If", "Twice"])
    #expect(graph.nodes[0].float("alpha", default: 0) == 0.5)
    #expect(graph.nodes[0].int("transB") == 0)
    #expect(graph.nodes[0].float("beta", default: 9) == 0)
    #expect(graph.nodes[1].subgraphs.map(\.name) == ["then", "else"])
    #expect(graph.inputs.map(\.type) == [TensorType(.float32, [.fixed(1), .fixed(2)]), TensorType(.bool, [])])
    #expect(try graph.initializer("w")?.array(of: Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(try graph.initializer("scale")?.array(of: Float.self) == [0.5])
    #expect(try graph.initializer("flags")?.array(of: UInt8.self) == [1, 0])
    #expect(try graph.initializer("small")?.array(of: Int8.self) == [-1, 2, -128])
    #expect(try graph.initializer("packed")?.array(of: UInt16.self) == [1, 0, 255])
    #expect(graph.initializer("labels")?.shape == Shape(known: 2))
  }

  @Test func editsAreWrittenAndTheRestStays() throws {
    var model = try ONNX.decode(try Bytes(TinyModel.bytes), folder: nil)
    model.docString = "edited"
    model.graph.setInitializer("small", try Tensor([7, 8] as [Int8]))
    model.graph.setInitializer("new", try Tensor([1, 2] as [Int64]))
    model.graph.nodes[0].set("transB", .int(1))
    model.graph.nodes[0].set("beta", .float(0))
    model.graph.nodes[0].set("values", .floats([1, -2]))
    model.graph.inputs[0].type = TensorType(.float32, [.named("N"), .fixed(2), .unknown])
    model.graph.outputs[0].docString = "the result"
    let again = try ONNX.decode(try Bytes(try ONNX.encode(model)), folder: nil)
    #expect(again.docString == "edited" && again.metadata.count == 1)
    #expect(try again.graph.initializer("small")?.array(of: Int8.self) == [7, 8])
    #expect(try again.graph.initializer("new")?.array(of: Int64.self) == [1, 2])
    #expect(again.graph.nodes[0].int("transB") == 1)
    #expect(again.graph.nodes[0].float("beta", default: 9) == 0)
    #expect(again.graph.nodes[0].floats("values") == [1, -2])
    #expect(again.graph.inputs[0].type == model.graph.inputs[0].type)
    #expect(again.graph.outputs[0].type == model.graph.outputs[0].type)
    #expect(again.graph.outputs[0].docString == "the result")
    // The unknown field 100 of the attribute outlives the edit.
    #expect(try ONNX.encode(model).contains([0xA0, 0x06, 0x07]))
  }

  @Test func stringTensorsSurviveARename() throws {
    let model = try ONNX.decode(try Bytes(TinyModel.bytes), folder: nil)
    var value = try #require(model.graph.initializers.first { $0.name == "labels" })
    value.name = "classes"
    var graph = model.graph
    graph.removeInitializers { $0.name == "labels" }
    graph.append(initializer: value)
    var renamed = model
    renamed.graph = graph
    let saved = try ONNX.encode(renamed)
    #expect(saved.contains(Array("dog".utf8)) && saved.contains(Array("classes".utf8)))
    #expect(try ONNX.decode(try Bytes(saved), folder: nil).graph.hasInitializer("classes"))
  }

  @Test func aModelMadeInMemoryRoundTrips() throws {
    var graph = Graph(name: "made")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(2)]))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    graph.setInitializer("w", try Tensor([1, 0, 0, 1] as [Float], Shape(known: 2, 2)))
    graph.nodes = [Node("MatMul", name: "m", inputs: ["x", "w"], outputs: ["y"])]
    let model = Model(graph: graph)
    let again = try ONNX.decode(try Bytes(try ONNX.encode(model)), folder: nil)
    #expect(again.graph.inputs[0].type == graph.inputs[0].type)
    #expect(again.graph.outputs[0].type == nil && again.producerName == "libprune" && again.opset() == 17)
    #expect(try ONNX.encode(again) == ONNX.encode(model))
  }
}
