import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Pruning
import Testing

import Quantization

@Suite struct RoundingTests {
  private func run(_ model: Model, _ x: Tensor) throws -> [Float] {
    try #require(try Session(model).run(["x": x])["y"]).array(of: Float.self)
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let noise = zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (noise / a.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }

  /// Conv -> rectifier -> depthwise Conv -> Relu -> Conv -> Flatten, its channels of very different ranges.
  private func uneven(_ rectifier: String) throws -> Model {
    var graph = Graph(name: "uneven")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .fixed(8), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(256)]))]
    var w1 = try Networks.random([8, 3, 3, 3], seed: 1)
    try w1.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices { span[place] *= [0.01, 3, 0.1, 1, 0.03, 0.3, 2, 0.5][place / 27] }
    }
    graph.setInitializer("w1", w1)
    graph.setInitializer("b1", try Networks.random([8], seed: 2, scale: 0.05))
    graph.setInitializer("w2", try Networks.random([8, 1, 3, 3], seed: 3))
    graph.setInitializer("b2", try Networks.random([8], seed: 4, scale: 0.05))
    graph.setInitializer("w3", try Networks.random([4, 8, 1, 1], seed: 5))
    graph.setInitializer("low", try Tensor(scalar: Float(0)))
    graph.setInitializer("high", try Tensor(scalar: Float(6)))
    let pads = [Attribute("pads", .integers([1, 1, 1, 1]))]
    graph.nodes = [
      Node("Conv", name: "conv1", inputs: ["x", "w1", "b1"], outputs: ["c1"], attributes: pads),
      Node(rectifier, name: "act1", inputs: rectifier == "Clip" ? ["c1", "low", "high"] : ["c1"], outputs: ["r1"]),
      Node(
        "Conv", name: "conv2", inputs: ["r1", "w2", "b2"], outputs: ["c2"],
        attributes: pads + [Attribute("group", .int(8))]),
      Node("Relu", name: "act2", inputs: ["c2"], outputs: ["r2"]),
      Node("Conv", name: "conv3", inputs: ["r2", "w3"], outputs: ["c3"]),
      Node("Flatten", name: "flatten", inputs: ["c3"], outputs: ["y"]),
    ]
    return Model(graph: graph, opset: 17)
  }

  @Test(arguments: ["Relu", "Clip"])
  func equalizingHelpsUnevenChannelsAndChangesNothingInFloat(rectifier: String) throws {
    let model = try uneven(rectifier), data = try Networks.images(64), x = try Networks.images(32, seed: 5).x
    var options = QuantizeOptions()
    options.calibration = data
    options.perChannel = false
    let wanted = try run(model, x)
    let plain = distance(wanted, try run(try quantize(model, options).model, x))
    options.equalize = true
    let (model2, report) = try quantize(model, options)
    let equalized = distance(wanted, try run(model2, x))
    #expect(report["equalized_pairs"]?.integer == 2)
    // Channels that calibration saw at the bound of 6 cannot be scaled.
    #expect(equalized < plain * (rectifier == "Relu" ? 0.8 : 1), "\(plain) -> \(equalized)")
  }

  @Test(arguments: ["Relu", "Clip"], [0.5, 1])
  func smoothingHelpsUnevenActivationsAndChangesNothingInFloat(rectifier: String, strength: Double) throws {
    let model = try uneven(rectifier), data = try Networks.images(64), x = try Networks.images(32, seed: 5).x
    var options = QuantizeOptions()
    (options.calibration, options.calibrator) = (data, "minmax")
    let wanted = try run(model, x)
    let plain = distance(wanted, try run(try quantize(model, options).model, x))
    options.smooth = strength
    let (even, report) = try quantize(model, options)
    let smoothed = distance(wanted, try run(even, x))
    #expect(report["smoothed_groups"]?.integer == 2)
    #expect(smoothed < plain * (rectifier == "Relu" ? 0.9 : 1), "\(plain) -> \(smoothed)")
    // Where channels become positions, the product behind is given a Mul.
    let (other, what) = try quantize(try Networks.residual(), options)
    #expect(what["smoothed_groups"]?.integer == 1 && what["not_served"]?.list?.count == 2)
    #expect(other.graph.nodes.contains { $0.opType == "Mul" })
    options.scheme = "dynamic"
    let refused = #expect(throws: PruneError.self) { try quantize(model, options) }
    #expect(refused?.message.contains("smooth") == true)
  }

  /// A stream that two blocks add to, read by two layers.
  @Test func channelsOfAResidualStreamAreScaledTogether() throws {
    var graph = Graph(name: "stream")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(3), .fixed(8), .fixed(8)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4), .fixed(8), .fixed(8)]))]
    for (name, dims, seed) in [
      ("w0", [6, 3, 1, 1], 1), ("w1", [8, 6, 1, 1], 2), ("w2", [6, 8, 1, 1], 3), ("w3", [4, 6, 1, 1], 4),
    ] {
      var weight = try Networks.random(dims, seed: UInt64(seed))
      if dims[0] == 6 {
        try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
          for place in span.indices { span[place] *= [0.02, 1, 0.1, 4, 0.5, 0.03][place / dims[1]] }
        }
      }
      graph.setInitializer(name, weight)
    }
    graph.nodes = [
      Node("Conv", name: "stem", inputs: ["x", "w0"], outputs: ["a"]),
      Node("Conv", name: "expand", inputs: ["a", "w1"], outputs: ["e"]),
      Node("Relu", name: "relu", inputs: ["e"], outputs: ["r"]),
      Node("Conv", name: "project", inputs: ["r", "w2"], outputs: ["p"]),
      Node("Add", name: "add", inputs: ["a", "p"], outputs: ["s"]),
      Node("Conv", name: "head", inputs: ["s", "w3"], outputs: ["y"]),
    ]
    let model = Model(graph: graph, opset: 17), x = try Networks.images(32, seed: 5).x
    var options = QuantizeOptions()
    options.calibration = try Networks.images(64)
    let wanted = try run(model, x)
    let plain = distance(wanted, try run(try quantize(model, options).model, x))
    options.smooth = 0.5
    let (even, report) = try quantize(model, options)
    #expect(report["smoothed_groups"]?.integer == 2)
    let smoothed = distance(wanted, try run(even, x))
    #expect(smoothed < plain, "\(plain) -> \(smoothed)")
  }

  @Test func correctedBiasesBringTheMeansBack() throws {
    let model = try uneven("Relu"), data = try Networks.images(128), x = data.x
    var options = QuantizeOptions()
    (options.calibration, options.calibrator) = (data, "minmax")
    options.perChannel = false
    let wanted = try run(model, x)
    func meanError(_ values: [Float]) -> Double {
      var sums = [Double](repeating: 0, count: 4)
      for (place, value) in values.enumerated() { sums[place / 64 % 4] += Double(value - wanted[place]) }
      return sums.reduce(0) { $0 + abs($1) } / Double(values.count)
    }
    let plain = meanError(try run(try quantize(model, options).model, x))
    options.biasCorrection = true
    let (corrected, report) = try quantize(model, options)
    #expect(report["corrected_biases"]?.integer == 3)
    #expect(meanError(try run(corrected, x)) < plain)
  }

  @Test func layersGoBackToFloatUntilTheGuardHolds() throws {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make("mlp", zoo)
    var fitting = FitOptions()
    fitting.epochs = 4
    fitting.batchSize = 64
    _ = try fit(&model, train, fitting)
    // A huge weight of a pixel that is always blank: nothing in float, and steps too wide for all others of its layer.
    let name = try #require(model.graph.nodes.first { $0.opType == "Gemm" }?.input(1))
    var weight = try #require(model.graph.initializer(name))
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in span[0] = 4000 }
    model.graph.setInitializer(name, weight)
    let layers = model.graph.nodes.count { $0.opType == "Gemm" }
    var options = QuantizeOptions()
    options.calibration = try train.take(200)
    options.perChannel = false
    options.guard = GuardOptions(data: test, metric: "loss", maxDrop: 0.05)
    let error = #expect(throws: PruneError.self) { try quantize(model, options) }
    #expect(error?.status == .refused)
    options.mixed = true
    let (mixed, report) = try quantize(model, options)
    let kept = try #require(report["float_layers"]?.list)
    #expect(kept.count >= 1 && kept.count < layers)
    #expect(report["damage"]?.list?.count == layers)
    #expect(mixed.graph.initializer(name)?.dtype == .float32)
    #expect((report["guard.drop"]?.number ?? 1) <= 0.05)
  }

  // MARK: - GPTQ

  @Test(arguments: [("static", 8), ("weight_only", 4)])
  func roundingWithRegardToTheInputsIsCloser(scheme: String, bits: Int) throws {
    let model = try Networks.residual(), data = try Networks.images(64), x = try Networks.images(32, seed: 5).x
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.calibration) = (scheme, bits, data)
    options.ignore = ["fc"]
    if scheme == "static" {
      // Weights of few steps make the difference of weights visible beside that of activations.
      var coarse = try #require(model.graph.initializer("w2"))
      try coarse.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for place in 0..<4 { span[place * 36] = 30 }
      }
      var changed = model
      changed.graph.setInitializer("w2", coarse)
      return try compare(changed, options, x)
    }
    try compare(model, options, x)
  }

  private func compare(_ model: Model, _ options: QuantizeOptions, _ x: Tensor) throws {
    var options = options
    let wanted = try run(model, x)
    let plain = distance(wanted, try run(try quantize(model, options).model, x))
    options.rounding = "gptq"
    let (rounded, report) = try quantize(model, options)
    #expect((report["gptq_layers"]?.integer ?? 0) >= 1)
    let found = distance(wanted, try run(rounded, x))
    #expect(found < plain, "\(plain) -> \(found)")
  }

  @Test func prunedWeightsStayZeroWhateverTheRounding() throws {
    var pruning = PruneOptions()
    pruning.amount = 0.6
    let pruned = try prune(try Networks.residual(), pruning).model
    var options = QuantizeOptions()
    options.calibration = try Networks.images(32)
    options.rounding = "gptq"
    let small = try quantize(pruned, options).model
    for name in ["w1", "w2", "w3"] {
      let weights = try pruned.graph.initializer(name)?.array(of: Float.self) ?? []
      #expect(zip(weights, try Networks.codes(small, name + "_quantized")).allSatisfy { $0 != 0 || $1 == 0 })
    }
  }

  // MARK: - Training

  @Test func trainingAdaptsWeightsToTheirCodesAndKeepsZeros() throws {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make("lenet5", zoo)
    var fitting = FitOptions()
    fitting.epochs = 4
    fitting.batchSize = 64
    _ = try fit(&model, train, fitting)
    var pruning = PruneOptions()
    pruning.amount = 0.7
    model = try prune(model, pruning).model
    var options = QuantizeOptions()
    options.calibration = try train.take(200)
    options.qat = true
    options.perChannel = false
    var simulated = try quantize(model, options).model
    #expect(simulated.maskedParameters == model.maskedParameters)
    let before = try evaluate(simulated, test, EvaluateOptions())["loss"]?.number ?? 0
    let name = try #require(model.maskedParameters.first)
    let old = try #require(simulated.graph.initializer(name)).array(of: Float.self)
    fitting.epochs = 3
    _ = try fit(&simulated, train, fitting)
    let new = try #require(simulated.graph.initializer(name)).array(of: Float.self)
    #expect(old != new)
    #expect(zip(old, new).allSatisfy { $0 != 0 || $1 == 0 })
    // Stored, it computes as it was trained.
    let (stored, report) = try quantize(simulated, QuantizeOptions())
    #expect(stored.graph.initializers.count { $0.tensor.dtype == .int8 && $0.tensor.shape.rank > 1 } == 4)
    #expect(!stored.graph.nodes.contains { $0.opType == "QuantizeLinear" && stored.graph.hasInitializer($0.inputs[0]) })
    #expect(stored.maskedParameters.allSatisfy { $0.hasSuffix("_quantized") } && !stored.maskedParameters.isEmpty)
    #expect(report["layers"]?.list?.count == 4)
    let after = try evaluate(simulated, test, EvaluateOptions())["loss"]?.number ?? .infinity
    let kept = try evaluate(stored, test, EvaluateOptions())["loss"]?.number ?? .infinity
    #expect(after < before)
    #expect(abs(kept - after) < 0.02 * max(after, 0.1))
  }

  @Test func settledCodesAreCloserThanThoseOfGPTQ() throws {
    let model = try uneven("Relu")
    // Neighbouring pixels that are alike, as in images: errors of neighbouring weights may then make up for each other.
    var random = RandomSource(seed: 21)
    var pixels: [Float] = []
    for _ in 0..<64 * 3 {
      let level = random.normal()
      for _ in 0..<64 { pixels.append(Float(level + 0.8 * random.normal())) }
    }
    let x = try Tensor(pixels, Shape([64, 3, 8, 8]))
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.calibration) = ("weight_only", 4, try Dataset.tensors(x, nil))
    /// The objective is the layer's own output.
    func output(_ model: Model) throws -> [Float] {
      try #require(try Session(model, outputs: ["c1"]).run(["x": x])["c1"]).array(of: Float.self)
    }
    let wanted = try output(model)
    options.ignore = ["conv2", "conv3"]
    options.blockSize = 0
    var found: [String: Double] = [:]
    for rounding in ["nearest", "gptq", "adaround"] {
      options.rounding = rounding
      let (small, report) = try quantize(model, options)
      found[rounding] = distance(wanted, try output(small))
      if rounding != "nearest" { #expect(report["\(rounding)_layers"]?.integer == 1) }
    }
    let nearest = try #require(found["nearest"]), gptq = try #require(found["gptq"]),
      settled = try #require(found["adaround"])
    #expect(gptq < nearest && settled < gptq, "\(found)")
  }

  @Test(arguments: ["qdq", "matmul_nbits"])
  func weightsThatMeetLargeActivationsAreRoundedFinely(format: String) throws {
    var graph = Graph(name: "products")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(64)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(24)]))]
    graph.setInitializer("w1", try Networks.random([64, 16], seed: 1))
    graph.setInitializer("w2", try Networks.random([64, 8], seed: 2))
    graph.nodes = [
      Node("MatMul", name: "left", inputs: ["x", "w1"], outputs: ["l"]),
      Node("MatMul", name: "right", inputs: ["x", "w2"], outputs: ["r"]),
      Node("Concat", name: "join", inputs: ["l", "r"], outputs: ["y"], attributes: [Attribute("axis", .int(1))]),
    ]
    let model = Model(graph: graph, opset: 21)
    var values = try Networks.random([128, 64], seed: 3, scale: 1)
    try values.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for place in span.indices where place % 64 % 9 == 0 { span[place] *= 20 }
    }
    var options = QuantizeOptions()
    (options.scheme, options.bits, options.format) = ("weight_only", 4, format)
    options.calibration = try Dataset.tensors(values, nil)
    let wanted = try run(model, values)
    let plain = distance(wanted, try run(try quantize(model, options).model, values))
    options.rounding = "awq"
    let (aware, report) = try quantize(model, options)
    #expect(report["awq_inputs"]?.integer == 1)
    // Both products read the one input that was scaled.
    #expect(aware.graph.nodes.count { $0.opType == "Mul" } == 1)
    let found = distance(wanted, try run(aware, values))
    #expect(found < 0.8 * plain, "\(plain) -> \(found)")
    options.scheme = "static"
    options.format = "qdq"
    options.bits = 8
    #expect(throws: PruneError.self) { try quantize(model, options) }
  }

  @Test(arguments: [false, true])
  func scalesAreLearnedTogetherWithWeights(perChannel: Bool) throws {
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 7)
    var zoo = ZooOptions()
    (zoo.input, zoo.hidden) = ([1, 8, 8], [32, 16])
    var model = try Zoo.make("mlp", zoo)
    var fitting = FitOptions()
    (fitting.epochs, fitting.batchSize) = (4, 64)
    _ = try fit(&model, train, fitting)
    var pruning = PruneOptions()
    pruning.amount = 0.5
    model = try prune(model, pruning).model
    var options = QuantizeOptions()
    // Scales that are far too large, which training has to bring down.
    options.calibration = try Dataset.tensors(Networks.random([64, 1, 8, 8], seed: 1, scale: 40), nil)
    (options.qat, options.learnScales, options.perChannel) = (true, true, perChannel)
    var simulated = try quantize(model, options).model
    let learned = simulated.graph.initializers.map(\.name).filter { $0.hasSuffix("_scale_log") }
    #expect(learned.count == 6)
    let before = try #require(try evaluate(simulated, test, EvaluateOptions())["loss"]?.number)
    let old = try learned.map { name in try simulated.graph.initializer(name)?.array(of: Float.self) }
    fitting.epochs = 6
    _ = try fit(&simulated, train, fitting)
    let new = try learned.map { name in try simulated.graph.initializer(name)?.array(of: Float.self) }
    #expect(zip(old, new).allSatisfy { $0 != $1 })
    let after = try #require(try evaluate(simulated, test, EvaluateOptions())["loss"]?.number)
    #expect(after < before, "\(before) -> \(after)")
    let stored = try quantize(simulated, QuantizeOptions()).model
    #expect(!stored.graph.nodes.contains { $0.opType == "Exp" })
    let kept = try #require(try evaluate(stored, test, EvaluateOptions())["loss"]?.number)
    #expect(abs(kept - after) < 0.02 * max(after, 0.1))
    for name in model.maskedParameters {
      let floats = try #require(model.graph.initializer(name)).array(of: Float.self)
      let codes = try #require(
        stored.maskedParameters.first { $0.hasPrefix(name) }.flatMap { stored.graph.initializer($0) })
      #expect(zip(floats, try codes.array(of: Int8.self)).allSatisfy { $0 != 0 || $1 == 0 })
    }
    options.qat = false
    #expect(throws: PruneError.self) { try quantize(model, options) }
  }
}
