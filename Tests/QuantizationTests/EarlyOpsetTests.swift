import PruneGraph
import PruneRuntime
import PruneTensor
import Quantization
import Testing

/// Networks of opsets 7 to 12 compute the same once they are raised: a layer to quantize, and an operator whose form
/// changed.
@Suite struct EarlyOpsetTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let opset: Int64
    let nodes: @Sendable () -> [Node]
    var constants: [String: [Int64]] = [:]
    var floats: [String: [Float]] = [:]
    var testDescription: String { "\(name) of opset \(opset)" }
  }

  private static func node(_ op: String, _ inputs: [String] = ["h"], _ attributes: [(String, AttributeValue)] = [])
    -> [Node]
  {
    [Node(op, name: "old", inputs: inputs, outputs: ["y"], attributes: attributes.map { Attribute($0.0, $0.1) })]
  }

  static let cases: [Case] = [
    Case(name: "Clip", opset: 7) { node("Clip", ["h"], [("min", .float(-0.1)), ("max", .float(0.3))]) },
    Case(name: "Clip from below", opset: 10) { node("Clip", ["h"], [("min", .float(0))]) },
    Case(name: "Dropout", opset: 7) { node("Dropout", ["h"], [("ratio", .float(0.4))]) },
    Case(name: "Dropout", opset: 10) { node("Dropout") },
    Case(name: "Pad", opset: 7) {
      node("Pad", ["h"], [("pads", .ints([0, 0, 1, 2, 0, 0, 0, 1])), ("value", .float(0.5))])
    },
    Case(name: "Pad by reflection", opset: 10) {
      node("Pad", ["h"], [("pads", .ints([0, 0, 1, 1, 0, 0, 1, 1])), ("mode", .text("reflect"))])
    },
    Case(name: "Slice", opset: 9) {
      node("Slice", ["h"], [("starts", .ints([1, 0])), ("ends", .ints([9, -1])), ("axes", .ints([1, 3]))])
    },
    Case(name: "TopK", opset: 9) {
      [
        Node(
          "TopK", name: "old", inputs: ["h"], outputs: ["y", "places"],
          attributes: [Attribute("k", .int(2)), Attribute("axis", .int(3))])
      ]
    },
    Case(name: "Unsqueeze and Squeeze", opset: 11) {
      [
        Node("Unsqueeze", name: "u", inputs: ["h"], outputs: ["u"], attributes: [Attribute("axes", .ints([1]))]),
        Node("Squeeze", name: "s", inputs: ["u"], outputs: ["y"], attributes: [Attribute("axes", .ints([1]))]),
      ]
    },
    Case(name: "ReduceSum", opset: 12) { node("ReduceSum", ["h"], [("axes", .ints([2, 3])), ("keepdims", .int(0))]) },
    Case(name: "Split", opset: 11) {
      [
        Node(
          "Split", name: "old", inputs: ["h"], outputs: ["p", "q"],
          attributes: [Attribute("axis", .int(1)), Attribute("split", .ints([3, 1]))]),
        Node("Concat", name: "c", inputs: ["q", "p"], outputs: ["y"], attributes: [Attribute("axis", .int(1))]),
      ]
    },
    Case(name: "Upsample", opset: 7) {
      node("Upsample", ["h"], [("scales", .floats([1, 1, 2, 3])), ("mode", .text("nearest"))])
    },
    Case(
      name: "Upsample", opset: 9, nodes: { node("Upsample", ["h", "scales"], [("mode", .text("linear"))]) },
      floats: ["scales": [1, 1, 2, 2]]),
    Case(
      name: "Resize", opset: 10, nodes: { node("Resize", ["h", "scales"], [("mode", .text("nearest"))]) },
      floats: ["scales": [1, 1, 1.5, 2]]),
    Case(name: "Softmax over all but the batch", opset: 11) { node("Softmax") },
    Case(name: "LogSoftmax of the last two axes", opset: 12) { node("LogSoftmax", ["h"], [("axis", .int(2))]) },
    Case(name: "Softmax of the last axis", opset: 8) { node("Softmax", ["h"], [("axis", .int(3))]) },
    Case(
      name: "BatchNormalization", opset: 7,
      nodes: { node("BatchNormalization", ["h", "g", "b", "m", "v"], [("spatial", .int(1))]) },
      floats: ["g": [1, 2, 3, 4], "b": [0.1, 0.2, 0.3, 0.4], "m": [0, 0.1, 0, 0.2], "v": [1, 2, 1, 0.5]]),
  ]

  private static func model(_ test: Case) throws -> Model {
    var model = Model(graph: Graph(name: "old"), opset: test.opset)
    model.irVersion = 4
    model.graph.inputs = [
      ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .fixed(4), .fixed(4)]))
    ]
    model.graph.outputs = [ValueInfo(name: "y", type: nil)]
    model.graph.setInitializer("w", try Networks.random([4, 3, 1, 1], seed: 7))
    for (name, values) in test.constants { model.graph.setInitializer(name, try Tensor(values)) }
    for (name, values) in test.floats { model.graph.setInitializer(name, try Tensor(values)) }
    model.graph.nodes = [Node("Conv", name: "conv", inputs: ["x", "w"], outputs: ["h"])] + test.nodes()
    return model
  }

  @Test(arguments: cases) func raisedNetworksComputeTheSame(test: Case) throws {
    let model = try Self.model(test)
    var options = QuantizeOptions()
    (options.scheme, options.bits) = ("weight_only", 8)
    let raised = try quantize(model, options).model
    #expect(raised.opset() == 13)
    let x = try Networks.random([2, 3, 4, 4], seed: 8)
    // The quantized kernel makes the only difference: with it in the old network, both agree.
    var reference = model
    let codes = try #require(raised.graph.initializer("w_quantized")),
      scale = try #require(raised.graph.initializer("w_scale"))
    let (q, s) = (try codes.array(of: Int8.self), try scale.array(of: Float.self))
    reference.graph.setInitializer("w", try Tensor(q.indices.map { Float(q[$0]) * s[$0 / 3] }, codes.shape))
    let a = try #require(try Session(reference).run(["x": x])["y"]),
      b = try #require(try Session(raised).run(["x": x])["y"])
    #expect(a.shape == b.shape)
    for (old, new) in zip(try a.array(of: Float.self), try b.array(of: Float.self)) { #expect(abs(old - new) < 1e-5) }
  }

  @Test func whatMeansSomethingElseIsNamed() throws {
    let scan = Case(
      name: "spatial", opset: 8,
      nodes: {
        Self.node("BatchNormalization", ["h", "g", "b", "m", "v"], [("spatial", .int(0))])
      }, floats: ["g": [1, 2, 3, 4], "b": [0, 0, 0, 0], "m": [0, 0, 0, 0], "v": [1, 1, 1, 1]])
    var options = QuantizeOptions()
    options.scheme = "weight_only"
    let error = #expect(throws: PruneError.self) { try quantize(try Self.model(scan), options) }
    #expect(error?.status == .unsupported && error?.place.contains("old") == true)
  }
}
