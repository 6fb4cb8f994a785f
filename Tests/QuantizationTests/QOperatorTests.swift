import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

import Quantization

@Suite struct QOperatorTests {
  private func run(_ model: Model, _ x: Tensor) throws -> [Float] {
    try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func quantized(_ model: Model, _ format: String, symmetric: Bool = false) throws -> Model {
    var options = QuantizeOptions()
    options.calibration = try Networks.images(64)
    (options.format, options.symmetric) = (format, symmetric)
    return try quantize(model, options).model
  }

  @Test(arguments: [false, true])
  func operatorsOnCodesComputeWhatPairsDo(symmetric: Bool) throws {
    let model = try Networks.residual(), x = try Networks.images(16, seed: 3).x
    let pairs = try quantized(model, "qdq", symmetric: symmetric),
      codes = try quantized(model, "qoperator", symmetric: symmetric)
    let a = try run(pairs, x), b = try run(codes, x)
    #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-4 })
    // The reference kernels of the integer operators round as the pairs do, but for ties.
    let program = try Program(codes, ProgramOptions(inputShapes: ["x": x.shape], optimizes: false))
    let plain = try #require(try program.run(["x": x])["y"]).array(of: Float.self)
    #expect(zip(a, plain).allSatisfy { ($0 - $1).magnitude < 0.1 })
    let again = try ONNX.decode(try Bytes(try ONNX.encode(codes)), folder: nil)
    #expect(try run(again, x) == b)
  }

  @Test func noFloatIsLeftBetweenLayers() throws {
    let codes = try quantized(try Networks.residual(), "qoperator")
    #expect(
      codes.graph.nodes.map(\.opType) == [
        "QuantizeLinear", "QLinearConv", "QLinearConv", "QLinearAdd", "MaxPool", "Flatten", "QGemm",
      ])
    #expect(codes.opset("com.microsoft") == 1)
    #expect(codes.graph.initializers.allSatisfy { $0.tensor.dtype != .float32 || $0.tensor.count <= 5 })
    // Around zero, what saturation does not cut off a Clip of codes does.
    let signed = try quantized(try Networks.residual(), "qoperator", symmetric: true)
    #expect(signed.graph.nodes.count { $0.opType == "Clip" } == 2)
    #expect(throws: PruneError.self) { try quantized(codes, "qdq") }
  }

  @Test func whatHasNoOperatorOnCodesKeepsItsPairs() throws {
    var model = try Networks.residual()
    let place = try #require(model.graph.nodes.firstIndex { $0.name == "flatten" })
    model.graph.nodes[place].inputs = ["t"]
    model.graph.nodes.insert(Node("Tanh", name: "tanh", inputs: ["p"], outputs: ["t"]), at: place)
    let codes = try quantized(model, "qoperator"), x = try Networks.images(8, seed: 3).x
    let kinds = codes.graph.nodes.map(\.opType)
    #expect(kinds.contains("Tanh") && kinds.contains("DequantizeLinear") && kinds.contains("QGemm"))
    let pairs = try quantized(model, "qdq")
    let a = try run(pairs, x), b = try run(codes, x)
    #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-4 })
  }
}

@Suite struct LayerSpeedTests {
  @Test func layersThatAreSlowerInIntegersStayFloat() throws {
    let model = try Networks.residual(), x = try Networks.images(16, seed: 3).x
    var options = QuantizeOptions()
    options.calibration = try Networks.images(32)
    options.keepFaster = true
    let (mixed, report) = try quantize(model, options)
    let rows = try #require(report["speed"]?.list).compactMap(\.report)
    #expect(rows.compactMap { $0["name"]?.text }.sorted() == ["conv1", "conv2", "fc"])
    let slow = rows.filter { ($0["int8_ms"]?.number ?? 0) > ($0["float_ms"]?.number ?? 0) }.compactMap {
      $0["name"]?.text
    }
    let kept = (report["float_layers"]?.list ?? []).compactMap(\.report)
    #expect(kept.compactMap { $0["name"]?.text }.sorted() == slow.sorted())
    #expect(kept.allSatisfy { $0["reason"]?.text?.hasPrefix("int8 is slower here") == true })
    #expect((report["layers"]?.list?.count ?? 0) + slow.count == 3)
    #expect(rows.allSatisfy { ($0["int8_ms"]?.number ?? 0) > 0 && ($0["float_ms"]?.number ?? 0) > 0 })
    _ = try #require(try Session(mixed).run(["x": x])["y"])
    options.scheme = "dynamic"
    #expect(throws: PruneError.self) { try quantize(model, options) }
  }
}
