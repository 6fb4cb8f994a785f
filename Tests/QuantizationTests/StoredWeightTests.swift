import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

import Quantization

/// Weights of every operator get small, whether or not the operator has an integer form.
@Suite struct StoredWeightTests {
  struct Layer: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let input: [Int]
    let weights: [[Int]]
    let attributes: [Attribute]
    var operands: [String] = []
    var output = 0

    init(
      _ operation: String, input: [Int], weights: [[Int]], _ attributes: [Attribute] = [], operands: [String] = [],
      output: Int = 0
    ) {
      (testDescription, self.input, self.weights, self.attributes) = (operation, input, weights, attributes)
      (self.operands, self.output) = (operands.isEmpty ? ["x"] + weights.indices.map { "w\($0)" } : operands, output)
    }

    func model() throws -> Model {
      var graph = Graph(name: testDescription)
      graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, input.map { .fixed($0) }))]
      graph.outputs = [ValueInfo(name: "y", type: nil)]
      for (place, dims) in weights.enumerated() {
        graph.setInitializer("w\(place)", try Networks.random(dims, seed: UInt64(place + 1)))
      }
      var outputs = [String](repeating: "", count: output + 1)
      outputs[output] = "y"
      graph.nodes = [Node(testDescription, name: "layer", inputs: operands, outputs: outputs, attributes: attributes)]
      return Model(graph: graph, opset: 17)
    }
  }

  private static func text(_ name: String, _ value: String) -> Attribute { Attribute(name, .string(Array(value.utf8))) }

  static let layers = [
    Layer(
      "LSTM", input: [5, 2, 32], weights: [[1, 64, 32], [1, 64, 16], [1, 128]], [Attribute("hidden_size", .int(16))]),
    Layer(
      "LSTM", input: [5, 2, 32], weights: [[2, 64, 32], [2, 64, 16], [2, 128], [2, 48]],
      [Attribute("hidden_size", .int(16)), text("direction", "bidirectional")],
      operands: ["x", "w0", "w1", "w2", "", "", "", "w3"], output: 1),
    Layer(
      "GRU", input: [5, 2, 32], weights: [[1, 48, 32], [1, 48, 16], [1, 96]], [Attribute("hidden_size", .int(16))]),
    Layer("RNN", input: [5, 2, 32], weights: [[1, 16, 32], [1, 16, 16]], [Attribute("hidden_size", .int(16))]),
    Layer("ConvTranspose", input: [1, 16, 6, 6], weights: [[16, 8, 3, 3]]),
    Layer("Conv", input: [1, 16, 20], weights: [[12, 16, 3]]),
    Layer("Conv", input: [1, 4, 6, 6, 6], weights: [[12, 4, 3, 3, 3]]),
    Layer("MatMul", input: [3, 5, 32], weights: [[3, 32, 16]]),
    Layer("MatMul", input: [32, 7], weights: [[12, 32]], operands: ["w0", "x"]),
    Layer(
      "Gemm", input: [32, 7], weights: [[32, 12], [12]],
      [Attribute("transA", .int(1)), Attribute("alpha", .float(0.5)), Attribute("beta", .float(2))]),
    Layer("Einsum", input: [2, 5, 32], weights: [[32, 4, 8]], [text("equation", "bik,khd->bihd")]),
  ]

  struct Scheme: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bits: Int
    let distance: Double
  }

  static let schemes = [
    Scheme(testDescription: "dynamic", bits: 0, distance: 0.03),
    Scheme(testDescription: "weight_only", bits: 8, distance: 0.02),
    Scheme(testDescription: "weight_only", bits: 4, distance: 0.25),
    Scheme(testDescription: "bfloat16", bits: 0, distance: 0.02),
    Scheme(testDescription: "palette", bits: 6, distance: 0.1),
  ]

  private func run(_ model: Model, _ x: Tensor) throws -> [Float] {
    try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    var noise = 0.0, signal = 0.0
    for (x, y) in zip(a, b) { (noise, signal) = (noise + Double((x - y) * (x - y)), signal + Double(x * x)) }
    return (noise / signal).squareRoot()
  }

  @Test(arguments: layers, schemes)
  func everyWeightGetsSmall(layer: Layer, scheme: Scheme) throws {
    let model = try layer.model(), x = try Networks.random(layer.input, seed: 9, scale: 1)
    var options = QuantizeOptions()
    (options.scheme, options.bits) = (scheme.testDescription, scheme.bits)
    let (small, report) = try quantize(model, options)
    #expect(report["float_layers"] == nil)
    let wide = small.graph.initializers.filter { $0.tensor.dtype == .float32 && $0.tensor.count > 300 }
    #expect(scheme.testDescription == "palette" || wide.isEmpty, "\(wide.map(\.name))")
    let found = distance(try run(model, x), try run(small, x))
    #expect(found > 0 && found < scheme.distance, "\(found)")
  }

  @Test(arguments: layers.filter { ["LSTM", "GRU", "RNN", "ConvTranspose", "Einsum"].contains($0.testDescription) })
  func staticStoresWhatHasNoIntegerForm(layer: Layer) throws {
    var model = try layer.model()
    model.graph.inputs.append(ValueInfo(name: "z", type: TensorType(.float32, [.fixed(layer.input[0]), .fixed(8)])))
    model.graph.outputs.append(ValueInfo(name: "q", type: nil))
    model.graph.setInitializer("w9", try Networks.random([8, 4], seed: 7))
    model.graph.nodes.append(Node("MatMul", name: "other", inputs: ["z", "w9"], outputs: ["q"]))
    var options = QuantizeOptions()
    let count = layer.input[0]
    options.calibration = try .tensors(
      inputs: ["x": Networks.random(layer.input, seed: 9, scale: 1), "z": Networks.random([count, 8], seed: 8)], nil)
    let (small, report) = try quantize(model, options)
    #expect(report["float_layers"] == nil)
    let made = try #require(report["layers"]?.list?.compactMap(\.report).first { $0["name"]?.text == "layer" })
    // Einsum is a product.
    #expect(
      made["float"]?.text
        == (layer.testDescription == "Einsum" ? nil : "integer runtimes have no \(layer.testDescription)"))
    #expect(small.graph.initializers.allSatisfy { $0.tensor.dtype != .float32 || $0.tensor.count < 300 })
  }

  @Test(arguments: [false, true]) func embeddingsOfDynamicNetworksAreSmall(isTied: Bool) throws {
    var graph = Graph(name: "embedding")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.int64, [.named("N"), .fixed(4)]))]
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    graph.setInitializer("table", try Networks.random([300, 32], seed: 1))
    graph.setInitializer("w", try Networks.random([32, 32], seed: 2))
    graph.nodes = [
      Node("Gather", name: "embed", inputs: ["table", "x"], outputs: ["e"]),
      Node("MatMul", name: "project", inputs: ["e", "w"], outputs: [isTied ? "p" : "y"]),
    ]
    if isTied {
      graph.nodes += [
        Node(
          "Transpose", name: "turn", inputs: ["table"], outputs: ["t"],
          attributes: [Attribute("perm", .integers([1, 0]))]),
        Node("MatMul", name: "head", inputs: ["p", "t"], outputs: ["y"]),
      ]
    }
    let model = Model(graph: graph, opset: 17)
    var options = QuantizeOptions()
    options.scheme = "dynamic"
    let (small, report) = try quantize(model, options)
    #expect(!small.graph.initializers.contains { $0.tensor.dtype == .float32 && $0.tensor.count > 300 })
    // A tied table is stored once.
    #expect(small.graph.initializers.count { $0.tensor.dtype == .int8 && $0.tensor.count == 9600 } == 1)
    #expect(
      isTied
        || report["layers"]?.list?.compactMap(\.report).contains { $0["name"]?.text == "embed" && $0["float"] != nil }
          == true
    )
    let x = try Tensor([0, 7, 299, 3] as [Int64], Shape([1, 4]))
    #expect(distance(try run(model, x), try run(small, x)) < 0.04)
  }
}
