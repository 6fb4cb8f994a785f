import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

import Quantization

@Suite struct SchemeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Largest relative distance of the outputs.
    let distance: Double
    /// Largest part of the bytes that is left.
    let bytes: Double
    let operators: Set<String>
    let set: @Sendable (inout QuantizeOptions) -> Void

    init(
      _ name: String, distance: Double, bytes: Double, _ operators: Set<String>,
      _ set: @escaping @Sendable (inout QuantizeOptions) -> Void
    ) {
      testDescription = name
      (self.distance, self.bytes, self.operators, self.set) = (distance, bytes, operators, set)
    }
  }

  static let cases = [
    Case("dynamic", distance: 0.03, bytes: 0.5, ["DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"]) {
      $0.scheme = "dynamic"
    },
    Case("dynamic per tensor", distance: 0.05, bytes: 0.4, ["MatMulInteger"]) {
      ($0.scheme, $0.perChannel) = ("dynamic", false)
    },
    Case("weights of 8 bits", distance: 0.02, bytes: 0.5, ["DequantizeLinear"]) { $0.scheme = "weight_only" },
    Case("8 bits in blocks", distance: 0.02, bytes: 0.5, ["DequantizeLinear"]) {
      ($0.scheme, $0.blockSize) = ("weight_only", 16)
    },
    Case("4 bits", distance: 0.3, bytes: 0.4, ["DequantizeLinear"]) { ($0.scheme, $0.bits) = ("weight_only", 4) },
    Case("4 bits around zero", distance: 0.3, bytes: 0.4, ["DequantizeLinear"]) {
      ($0.scheme, $0.bits, $0.symmetric) = ("weight_only", 4, true)
    },
    Case("4 bits fused", distance: 0.2, bytes: 0.85, ["MatMulNBits"]) {
      ($0.scheme, $0.bits, $0.format, $0.blockSize) = ("weight_only", 4, "matmul_nbits", 16)
    },
    Case("8 bits fused", distance: 0.02, bytes: 0.85, ["MatMulNBits"]) {
      ($0.scheme, $0.bits, $0.format) = ("weight_only", 8, "matmul_nbits")
    },
    Case("float16", distance: 2e-3, bytes: 0.51, ["Cast", "Conv"]) { $0.scheme = "float16" },
    Case("bfloat16", distance: 1e-2, bytes: 0.6, ["Cast", "Conv"]) { $0.scheme = "bfloat16" },
  ]

  private func run(_ model: Model, _ x: Tensor) throws -> [Float] {
    try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let noise = zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (noise / a.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }

  @Test(arguments: cases)
  func outputsStayCloseAndFilesGetSmall(test: Case) throws {
    let model = try Networks.residual(), x = try Networks.images(16).x
    var options = QuantizeOptions()
    test.set(&options)
    let (small, report) = try quantize(model, options)
    let found = distance(try run(model, x), try run(small, x))
    #expect(found <= test.distance && found > 0)
    let before = report["before.bytes"]?.integer ?? 0, after = report["after.bytes"]?.integer ?? 0
    #expect(Double(after) <= Double(before) * test.bytes, "\(before) -> \(after)")
    #expect(test.operators.isSubset(of: Set(small.graph.nodes.map(\.opType))))
    #expect(small.metadata.contains { $0.key == "libprune.quantized" && $0.value.hasPrefix(options.scheme) })
    // What is written is what is read.
    let again = try ONNX.decode(try Bytes(try ONNX.encode(small)), folder: nil)
    #expect(try run(again, x) == run(small, x))
  }

  @Test(arguments: cases)
  func prunedWeightsStayZero(test: Case) throws {
    var pruning = PruneOptions()
    pruning.amount = 0.6
    let pruned = try prune(try Networks.residual(), pruning).model
    var options = QuantizeOptions()
    test.set(&options)
    let small = try quantize(pruned, options).model
    // A pixel that only pruned weights read: outputs do not change with it.
    var checked = 0
    for name in ["w1", "w2", "w3"] {
      let weight = try #require(pruned.graph.initializer(name)).array(of: Float.self)
      guard let masked = small.maskedParameters.first(where: { $0.hasPrefix(name) }) else { continue }
      let stored = try #require(small.graph.initializer(masked)).cast(to: .float32).array(of: Float.self)
      guard stored.count == weight.count,
        small.graph.initializer(masked)?.shape == pruned.graph.initializer(name)?.shape
      else {
        continue
      }
      #expect(zip(weight, stored).allSatisfy { $0 != 0 || $1 == 0 })
      checked += 1
    }
    #expect(checked == 3 || options.format == "matmul_nbits")
  }

  @Test func fourBitsNeedOpset21AndRaiseIt() throws {
    var model = try Networks.residual(opset: 13)
    model.graph.nodes.append(
      Node("ReduceMean", name: "mean", inputs: ["f"], outputs: ["m"], attributes: [Attribute("axes", .integers([1]))]))
    model.graph.outputs.append(ValueInfo(name: "m", type: nil))
    var options = QuantizeOptions()
    (options.scheme, options.bits) = ("weight_only", 4)
    let small = try quantize(model, options).model
    #expect(small.opset() == 21 && small.irVersion >= 10)
    let mean = try #require(small.graph.nodes.first { $0.name == "mean" })
    #expect(mean.inputs.count == 2 && mean.ints("axes") == nil)
    let x = try Networks.images(3).x
    let a = try #require(try Session(model).run(["x": x])["m"]).array(of: Float.self)
    let b = try #require(try Session(small).run(["x": x])["m"]).array(of: Float.self)
    #expect(distance(a, b) < 0.2)
    options.bits = 8
    #expect(try quantize(model, options).model.opset() == 13)
    options.bits = 4
    #expect(try quantize(try Networks.residual(opset: 12), options).model.opset() == 21)
  }

  @Test func embeddingsAreGatheredAsCodes() throws {
    var graph = Graph(name: "embedding")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.int64, [.named("N"), .fixed(4)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4), .fixed(6)]))]
    graph.setInitializer("table", try Networks.random([50, 8], seed: 1))
    graph.setInitializer("w", try Networks.random([8, 6], seed: 2))
    graph.nodes = [
      Node("Gather", name: "embed", inputs: ["table", "x"], outputs: ["e"]),
      Node("MatMul", name: "project", inputs: ["e", "w"], outputs: ["y"]),
    ]
    let model = Model(graph: graph, opset: 17)
    var options = QuantizeOptions()
    options.scheme = "weight_only"
    let small = try quantize(model, options).model
    #expect(!small.graph.hasInitializer("table"))
    #expect(small.graph.initializer("table_quantized")?.dtype == .int8)
    let x = try Tensor([0, 7, 49, 3] as [Int64], Shape([1, 4]))
    #expect(distance(try run(model, x), try run(small, x)) < 0.02)
  }

  @Test func operatorsThatFloat16WouldBreakStayFloat() throws {
    var model = try Networks.residual()
    model.graph.nodes[8].outputs = ["z"]
    model.graph.nodes.append(Node("Exp", name: "exp", inputs: ["z"], outputs: ["y"]))
    model.graph.setInitializer("b3", try Tensor([0, 1, 2, 3, 1e6] as [Float]))
    var options = QuantizeOptions()
    options.scheme = "float16"
    options.ignore = ["conv1"]
    let (small, report) = try quantize(model, options)
    let kept = report["float_layers"]?.list?.count ?? 0
    // The exponential, the ignored convolution, and the layer whose bias is beyond float16.
    #expect(kept == 3)
    #expect(small.graph.initializer("w1")?.dtype == .float32)
    #expect(small.graph.nodes.first { $0.name == "exp" }?.inputs == ["z"])
  }

  @Test func layersWhoseWeightsAreNoNumbersStayFloatWithTheReason() throws {
    var model = try Networks.residual()
    var weight = try #require(model.graph.initializer("w3"))
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in span[3] = .infinity }
    model.graph.setInitializer("w3", weight)
    for (scheme, bits) in [("weight_only", 4), ("weight_only", 8), ("dynamic", 8)] {
      var options = QuantizeOptions()
      (options.scheme, options.bits) = (scheme, bits)
      let (small, report) = try quantize(model, options)
      let kept = report["float_layers"]?.list?.compactMap(\.report).first { $0["name"]?.text == "fc" }
      #expect(kept?["reason"]?.text == "its weight holds NaN or infinity")
      #expect(small.graph.initializer("w3")?.dtype == .float32)
    }
  }
}
