import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

import Quantization

/// Calibration sees what If, Loop and Scan write, and what follows them.
@Suite struct ControlFlowTests {
  enum Kind: String, CaseIterable {
    case branch, loop, scanned, scan
    /// A loop that runs no iteration: what it gathers has no element.
    case idle
  }

  private static func value(_ name: String, _ dims: [Dim]) -> ValueInfo {
    ValueInfo(name: name, type: TensorType(.float32, dims))
  }

  /// x[N, 8] -> MatMul `fc1` -> the operator -> Relu, if so said -> MatMul `fc2`.
  static func model(_ kind: Kind, follows: Bool = false) throws -> Model {
    let rows: [Dim] = [.named("N"), .fixed(8)]
    var graph = Graph(name: "control")
    graph.inputs = [value("x", rows)]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, nil))]
    graph.setInitializer("w1", try Networks.random([8, 8], seed: 1))
    graph.setInitializer("w2", try Networks.random([8, 4], seed: 2))
    graph.setInitializer("zero", try Tensor(scalar: Float(0)))
    graph.setInitializer("count", try Tensor(scalar: Int64(kind == .idle ? 0 : 3)))
    graph.nodes = [Node("MatMul", name: "fc1", inputs: ["x", "w1"], outputs: ["h"])]
    var body = Graph(name: "body")
    // Bodies name their values as the outer graph does: those are not the values to look at.
    switch kind {
    case .branch:
      var other = Graph(name: "other")
      (body.nodes, body.outputs) = ([Node("Tanh", inputs: ["h"], outputs: ["t"])], [value("t", rows)])
      (other.nodes, other.outputs) = ([Node("Neg", inputs: ["h"], outputs: ["t"])], [value("t", rows)])
      graph.nodes += [
        Node("ReduceMax", inputs: ["h"], outputs: ["most"], attributes: [Attribute("keepdims", .int(0))]),
        Node("Greater", inputs: ["most", "zero"], outputs: ["condition"]),
        Node(
          "If", name: "choice", inputs: ["condition"], outputs: ["v"],
          attributes: [Attribute("then_branch", .graph(body)), Attribute("else_branch", .graph(other))]),
      ]
    case .loop, .scanned, .idle:
      body.inputs = [
        ValueInfo(name: "i", type: TensorType(.int64, [])), ValueInfo(name: "on", type: TensorType(.bool, [])),
        value("v", rows),
      ]
      body.nodes = [
        Node("Tanh", inputs: ["v"], outputs: ["next"]), Node("Identity", inputs: ["on"], outputs: ["still"]),
        Node("Neg", inputs: ["v"], outputs: ["part"]),
      ]
      body.outputs = [ValueInfo(name: "still", type: TensorType(.bool, [])), value("next", rows), value("part", rows)]
      graph.nodes.append(
        Node(
          "Loop", name: "repeat", inputs: ["count", "", "h"], outputs: kind == .loop ? ["v"] : ["last", "v"],
          attributes: [Attribute("body", .graph(body))]))
    case .scan:
      body.inputs = [value("row", [.fixed(8)])]
      body.nodes = [Node("Tanh", inputs: ["row"], outputs: ["v"])]
      body.outputs = [value("v", [.fixed(8)])]
      graph.nodes.append(
        Node(
          "Scan", name: "rows", inputs: ["h"], outputs: ["v"],
          attributes: [Attribute("body", .graph(body)), Attribute("num_scan_inputs", .int(1))]))
    }
    if follows { graph.nodes.append(Node("Relu", name: "relu", inputs: ["v"], outputs: ["r"])) }
    graph.nodes.append(Node("MatMul", name: "fc2", inputs: [follows ? "r" : "v", "w2"], outputs: ["y"]))
    return Model(graph: graph)
  }

  private func quantized(
    _ model: Model, _ change: (inout QuantizeOptions) -> Void = { _ in }
  ) throws -> (model: Model, report: Report, data: Dataset) {
    let data = try Dataset.tensors(Networks.random([32, 8], seed: 5, scale: 1), nil)
    var options = QuantizeOptions()
    options.calibration = data
    change(&options)
    let (result, report) = try quantize(model, options)
    return (result, report, data)
  }

  private func differs(_ model: Model, _ other: Model, on x: Tensor) throws -> Float {
    let a = try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
    let b = try #require(try Session(other).run(["x": x])["y"]).array(of: Float.self)
    #expect(a.count == b.count)
    return zip(a, b).map { abs($0 - $1) }.max().map { $0 / (a.map(abs).max() ?? 1) } ?? 0
  }

  @Test(arguments: Kind.allCases.filter { $0 != .idle }, [false, true])
  func theLayerBehindIsCalibrated(kind: Kind, follows: Bool) throws {
    let model = try Self.model(kind, follows: follows)
    let (result, report, data) = try quantized(model) { $0.calibrator = "minmax" }
    #expect(report["layers"]?.list?.count == 2)
    #expect(try differs(model, result, on: data.x) < 0.05)
  }

  @Test(arguments: ["gptq", "adaround"], ["minmax", "percentile", "entropy", "mse"])
  func everyWayOfLookingSeesThem(rounding: String, calibrator: String) throws {
    let model = try Self.model(.branch, follows: true)
    let (result, report, data) = try quantized(model) {
      ($0.rounding, $0.calibrator, $0.equalize, $0.smooth, $0.biasCorrection) = (
        rounding, calibrator, false, 0.5, false
      )
    }
    #expect(report["layers"]?.list?.count == 2)
    #expect(try differs(model, result, on: data.x) < 0.1)
  }

  @Test(arguments: [false, true], ["nearest", "gptq"])
  func whatHeldNoValueIsComputedInFloatFromStoredWeights(follows: Bool, rounding: String) throws {
    let (result, report, data) = try quantized(try Self.model(.idle, follows: follows)) { $0.rounding = rounding }
    #expect(report["float_layers"] == nil)
    let layers = try #require(report["layers"]?.list).compactMap(\.report)
    #expect(layers.count == 2)
    let stored = try #require(layers.first { $0["name"]?.text == "fc2" })
    #expect(stored["float"]?.text?.contains("never gave activation") == true)
    #expect(try Session(result).run(["x": data.x])["y"]?.shape.dims.last == 4)
  }
}
