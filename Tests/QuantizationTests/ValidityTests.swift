import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Quantization
import Testing

/// What other runtimes and the checker of ONNX would not take.
@Suite struct ValidityTests {
  /// x[N,8] -> MatMul w1 -> the nodes, which read "a" and write "b" -> MatMul w2 -> y.
  private func network(_ nodes: [Node], _ more: [(String, Tensor)] = []) throws -> Model {
    var graph = Graph(name: "g")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    graph.setInitializer("w1", try Networks.random([8, 8], seed: 1))
    graph.setInitializer("w2", try Networks.random([8, 4], seed: 2))
    for (name, tensor) in more { graph.setInitializer(name, tensor) }
    graph.nodes =
      [Node("MatMul", name: "first", inputs: ["x", "w1"], outputs: ["a"])] + nodes
      + [Node("MatMul", name: "last", inputs: ["b", "w2"], outputs: ["y"])]
    return Model(graph: graph, opset: 17)
  }

  private func expectClose(_ model: Model, _ other: Model) throws {
    let x = try Networks.random([3, 8], seed: 9, scale: 1)
    let a = try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
    let b = try #require(try Session(other).run(["x": x])["y"]).array(of: Float.self)
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 5e-3 }, "\(a) \(b)")
  }

  /// Types as the standard has them: an elementwise node never mixes float16 and float32.
  private func expectTyped(_ model: Model) throws {
    let types = try ShapeInference.run(model).types
    for node in model.graph.nodes where ["Add", "Mul", "MatMul", "LayerNormalization"].contains(node.opType) {
      let dtypes = Set(node.inputs.compactMap { model.graph.initializer($0)?.dtype ?? types[$0]?.dtype })
      #expect(dtypes.count == 1, "\(node.label): \(dtypes)")
    }
  }

  private func half(_ model: Model) throws -> Model {
    var options = QuantizeOptions()
    options.scheme = "float16"
    let half = try quantize(model, options).model
    try expectTyped(half)
    try expectClose(model, half)
    return half
  }

  @Test(arguments: ["ConstantOfShape", "HannWindow", "HammingWindow", "BlackmanWindow"])
  func float16OfOperatorsThatMakeFloatsByDefault(op: String) throws {
    let isShape = op == "ConstantOfShape"
    _ = try half(
      try network(
        [
          Node("Shape", name: "shape", inputs: ["a"], outputs: ["s"]),
          Node(op, name: "made", inputs: [isShape ? "s" : "n"], outputs: ["z"]),
          Node(isShape ? "Add" : "Mul", name: "join", inputs: ["a", "z"], outputs: ["b"]),
        ], [("n", try Tensor(scalar: 8 as Int64))]))
  }

  @Test(arguments: [1, 2], ["initializer", "Constant"]) func float16KeepsConstantsBehindIdentity(
    depth: Int, kind: String
  ) throws {
    let scale = try Networks.random([8], seed: 4)
    var nodes: [Node] = []
    if kind == "Constant" {
      nodes.append(
        Node(
          "Constant", name: "constant", inputs: [], outputs: ["g"],
          attributes: [Attribute("value", .tensor(TensorValue(name: "", tensor: scale)))]))
    }
    for step in 0..<depth {
      nodes.append(
        Node("Identity", name: "id\(step)", inputs: [step == 0 ? "g" : "g\(step)"], outputs: ["g\(step + 1)"]))
    }
    nodes += [
      Node("LayerNormalization", name: "norm", inputs: ["a", "g\(depth)"], outputs: ["n"]),
      Node("Mul", name: "mul", inputs: ["n", "g\(depth)"], outputs: ["m"]),
      Node("Mul", name: "again", inputs: ["m", "g"], outputs: ["b"]),
    ]
    let result = try half(try network(nodes, kind == "Constant" ? [] : [("g", scale)]))
    // One float16 copy for all who read it.
    #expect(result.graph.initializers.count { $0.tensor.dtype == .float16 && $0.tensor.count == 8 } == 1)
  }

  @Test func tiedWeightsBehindIdentityAreStoredOnceInFloat16() throws {
    let result = try half(
      try network(
        [
          Node("Identity", name: "id", inputs: ["w1"], outputs: ["copy"]),
          Node("MatMul", name: "second", inputs: ["a", "copy"], outputs: ["b"]),
        ]))
    #expect(result.graph.initializers.count { $0.tensor.count == 64 } == 1)
  }

  @Test(arguments: [false, true])
  func layersThatMatMulNBitsHasNoFormForGetTheOpsetTheyNeed(symmetric: Bool) throws {
    let model = try network(
      [Node("MatMul", name: "stack", inputs: ["a", "w3"], outputs: ["b"])],
      [("w3", try Networks.random([2, 8, 8], seed: 5))])
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.format, options.symmetric) = ("weight_only", 4, "matmul_nbits", symmetric)
    let small = try quantize(model, options).model
    #expect(
      small.graph.nodes.contains { $0.opType == "DequantizeLinear" } && small.opset() == 21 && small.irVersion >= 10)
    // Where all layers have one, nothing is raised.
    let plain = try network([Node("Relu", name: "relu", inputs: ["a"], outputs: ["b"])])
    #expect(try quantize(plain, options).model.opset() == 17)
  }

  @Test(arguments: ["static", "dynamic", "weight_only", "float16", "bfloat16"]) func nodeNamesStayApart(scheme: String)
    throws
  {
    var model = try Networks.residual()
    // Named as what they write, and as what rewrites like to call their nodes.
    for place in model.graph.nodes.indices { model.graph.nodes[place].name = model.graph.nodes[place].outputs[0] }
    model.graph.nodes[2].name = "w1_dequantized"
    model.graph.nodes[5].name = "x_quantized"
    model.graph.nodes[6].name = "y_cast"
    var options = QuantizeOptions()
    options.scheme = scheme
    options.calibration = try Networks.images(8)
    var result = try quantize(model, options).model
    if scheme == "float16" { result = try quantize(result, options).model }
    let names = result.graph.nodes.map(\.name).filter { !$0.isEmpty }
    #expect(Set(names).count == names.count, "\(names.sorted())")
    #expect(names.contains("w1_dequantized") && names.contains("x_quantized") && names.contains("y_cast"))
  }

  @Test func namesThatWereDoubledAlreadyStay() throws {
    var graph = Graph(name: "g")
    graph.nodes = ["a", "b"].map { Node("Relu", name: "same", inputs: ["x"], outputs: [$0]) }
    var rewritten = graph
    rewritten.nameNodesApart(since: graph)
    #expect(rewritten.nodes.map(\.name) == ["same", "same"])
    rewritten.nodes.insert(Node("Neg", name: "same", inputs: ["x"], outputs: ["c"]), at: 0)
    rewritten.nameNodesApart(since: graph)
    #expect(rewritten.nodes.map(\.name) == ["same_2", "same", "same"])
  }

  @Test(arguments: ["palette", "joint", "static", "weight_only", "dynamic"], [Float(1e-42), 1.4e-45, 1e-38, 1e30])
  func weightsOfAnySizeAreTaken(scheme: String, scale: Float) throws {
    let model = try network(
      [Node("MatMul", name: "middle", inputs: ["a", "w3"], outputs: ["b"])],
      [("w3", try Networks.random([8, 8], seed: 7, scale: scale))])
    var options = QuantizeOptions()
    options.scheme = scheme
    options.bytes = 0.5
    options.calibration = try Dataset.tensors(Networks.random([8, 8], seed: 8, scale: 1), nil)
    // An error is fine too; what it must not do is end the process.
    do {
      let small = try quantize(model, options).model
      guard scheme == "palette" else { return }
      let values = try #require(small.graph.initializer("w3")).array(of: Float.self)
      #expect(Set(values).count <= 256 && values.allSatisfy(\.isFinite))
    } catch let error as PruneError { #expect(!error.message.isEmpty) }
  }

  @Test(arguments: [1e300, Double.infinity, .nan, 1e19]) func absurdBudgetsAreRefused(bytes: Double) throws {
    var options = QuantizeOptions()
    (options.scheme, options.bytes) = ("joint", bytes)
    options.calibration = try Networks.images(8)
    #expect(throws: PruneError.self) { try quantize(try Networks.residual(), options) }
  }

  @Test func equalizationLeavesDeadChannelsWithABias() throws {
    var model = try Networks.residual()
    var graph = Graph(name: "dead")
    (graph.inputs, graph.outputs) = (model.graph.inputs, model.graph.outputs)
    var weights = try Networks.random([4, 3, 3, 3], seed: 1).array(of: Float.self)
    for place in 27..<54 { weights[place] *= 1e-9 }
    graph.setInitializer("w1", try Tensor(weights, Shape([4, 3, 3, 3])))
    graph.setInitializer("b1", try Tensor([1, 5, -1, 0.5] as [Float]))
    graph.setInitializer("w2", try Networks.random([5, 4, 3, 3], seed: 2))
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    graph.nodes = [
      Node("Conv", name: "conv1", inputs: ["x", "w1", "b1"], outputs: ["c1"], attributes: pads),
      Node("Relu", name: "relu", inputs: ["c1"], outputs: ["r"]),
      Node("Conv", name: "conv2", inputs: ["r", "w2"], outputs: ["c2"], attributes: pads),
      Node("GlobalAveragePool", name: "pool", inputs: ["c2"], outputs: ["p"]),
      Node("Flatten", name: "flatten", inputs: ["p"], outputs: ["y"]),
    ]
    model.graph = graph
    var options = QuantizeOptions()
    (options.scheme, options.equalize) = ("static", true)
    let images = try Networks.images(16)
    options.calibration = images
    let small = try quantize(model, options).model
    let a = try #require(try Session(model).run(["x": images.x])["y"]).array(of: Float.self)
    let b = try #require(try Session(small).run(["x": images.x])["y"]).array(of: Float.self)
    let noise = zip(a, b).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) },
      signal = a.reduce(Float(0)) { max($0, abs($1)) }
    #expect(noise < 0.05 * signal, "\(noise / signal)")
  }
}

/// What a graph puts out is no weight of one layer, whoever reads it.
@Suite struct OwnedWeightTests {
  @Test(arguments: ["smooth", "equalize", "bias"]) func aWeightThatIsAnOutputStaysWhatItWas(what: String) throws {
    var model = try Networks.residual()
    model.graph.outputs.append(ValueInfo(name: "w1", type: nil))
    let before = try #require(model.graph.initializer("w1"))
    var options = QuantizeOptions()
    options.calibration = try Networks.images(8)
    switch what {
    case "smooth": options.smooth = 0.5
    case "equalize": options.equalize = true
    default: options.biasCorrection = true
    }
    // The one pair of layers there would be begins with it.
    if what == "equalize" {
      let error = #expect(throws: PruneError.self) { try quantize(model, options) }
      #expect(error?.message.hasPrefix("equalize changes nothing") == true)
      return
    }
    let small = try quantize(model, options).model
    #expect(try #require(small.graph.initializer("w1")).bytes.isEqual(to: before.bytes))
  }
}

/// What simplify leaves apart.
@Suite struct SimplifiedCodesTests {
  /// ONNX Runtime rewrites zero points and weights of int8 one reader at a time.
  @Test func whatOperatorsOnCodesReadStaysApart() throws {
    var options = QuantizeOptions()
    (options.calibration, options.perChannel, options.symmetric) = (try Networks.images(16), false, true)
    let int8 = try quantize(try Networks.residual(), options).model
    let (simple, report) = try simplify(int8)
    #expect(report.number("duplicates") == 0)
    let zeros = int8.graph.initializers.map(\.name).filter { $0.hasSuffix("_zero_point") }
    #expect(zeros.count > 3 && zeros.allSatisfy { simple.graph.hasInitializer($0) })
  }
}
