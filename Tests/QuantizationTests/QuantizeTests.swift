import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Pruning
import Testing

import Quantization

@Suite struct QuantizeTests {
  private func options(_ data: Dataset?, _ change: (inout QuantizeOptions) -> Void = { _ in }) -> QuantizeOptions {
    var options = QuantizeOptions()
    options.calibration = data
    change(&options)
    return options
  }

  private func outputs(_ model: Model, _ x: Tensor) throws -> [Float] {
    let results = try Session(model).run(["x": x])
    return try #require(results["y"]).array(of: Float.self)
  }

  // MARK: - The rewritten graph

  @Test func foldingABatchNormChangesNothing() throws {
    let model = try Networks.residual()
    let folded = try FoldBatchNormalization.apply(model)
    #expect(!folded.graph.nodes.contains { $0.opType == "BatchNormalization" })
    #expect(!folded.graph.hasInitializer("gamma"))
    let x = try Networks.images(3).x
    let a = try outputs(model, x), b = try outputs(folded, x)
    for (one, other) in zip(a, b) { #expect(abs(one - other) < 1e-4) }
  }

  @Test func pairsAreWhereIntegerRuntimesLookForThem() throws {
    let (result, _) = try quantize(try Networks.residual(), options(try Networks.images(20)))
    let graph = result.graph
    let producers = graph.producers
    func source(_ value: String?) throws -> Node { graph.nodes[try #require(producers[value ?? ""])] }
    for name in ["conv1", "conv2", "fc"] {
      let node = try #require(graph.nodes.first { $0.name == name })
      // Input, weight and bias each behind a DequantizeLinear of codes.
      for (input, dtype) in zip(node.inputs, [DType.uint8, .int8, .int32]) {
        let dequantize = try source(input)
        #expect(dequantize.opType == "DequantizeLinear")
        if dtype == .uint8 {
          #expect(try source(dequantize.input(0)).opType == "QuantizeLinear")
        } else {
          #expect(graph.initializer(dequantize.inputs[0])?.dtype == dtype)
        }
      }
    }
    // Relu is fused: no pair between it and what it follows; the residual addition reads codes on both sides.
    #expect(try source(graph.nodes.first { $0.name == "relu1" }?.input(0)).opType == "Conv")
    #expect(try source(graph.nodes.first { $0.name == "relu2" }?.input(0)).opType == "Add")
    let add = try #require(graph.nodes.first { $0.name == "add" })
    for input in add.inputs { #expect(try source(input).opType == "DequantizeLinear") }
    // Pooling and flattening hand on the scale.
    let pool = try #require(graph.nodes.first { $0.name == "pool" })
    let before = try source(pool.input(0))
    let after = try #require(graph.nodes.first { $0.opType == "QuantizeLinear" && $0.inputs[0] == pool.outputs[0] })
    #expect(before.inputs[1...] == after.inputs[1...])
    #expect(try source("y").opType == "Gemm")
    #expect(!graph.hasInitializer("w1"))
  }

  @Test func outputsStayClose() throws {
    let model = try Networks.residual(), data = try Networks.images(64)
    let (result, report) = try quantize(model, options(data))
    let a = try outputs(model, data.x), b = try outputs(result, data.x)
    let signal = a.reduce(0) { $0 + Double($1 * $1) }
    let noise = zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    #expect(signal / noise > 300)
    #expect(report["layers"]?.list?.count == 3)
    #expect(report["samples"]?.integer == 64)
  }

  @Test func anOutputKeepsItsNameWhenItGetsCodes() throws {
    var model = try Networks.residual()
    model.graph.nodes = Array(model.graph.nodes[..<4])
    model.graph.outputs = [ValueInfo(name: "c2", type: nil)]
    let data = try Networks.images(8)
    let (result, _) = try quantize(model, options(data))
    #expect(result.graph.outputs.map(\.name) == ["c2"])
    #expect(try Session(result).run(["x": data.x])["c2"] != nil)
    #expect(result.graph.nodes.last?.opType == "DequantizeLinear")
  }

  @Test func aTiedWeightIsStoredOnce() throws {
    var model = try Networks.residual()
    model.graph.nodes.insert(
      Node(
        "Conv", name: "again", inputs: ["r1", "w2", "b2"], outputs: ["c2b"],
        attributes: [Attribute("pads", .integers([1, 1, 1, 1]))]), at: 4)
    model.graph.nodes[5].inputs = ["c2", "c2b"]
    let (result, _) = try quantize(model, options(try Networks.images(8)))
    #expect(result.graph.initializers.count { $0.name.hasPrefix("w2_quantized") } == 1)
  }

  @Test func ignoredLayersStayFloatAndAreListed() throws {
    let (result, report) = try quantize(
      try Networks.residual(), options(try Networks.images(8)) { $0.ignore = ["fc"] })
    #expect(result.graph.hasInitializer("w3"))
    #expect(report["float_layers"]?.list?.count == 1)
    #expect(report["layers"]?.list?.count == 2)
  }

  // MARK: - Zeros

  @Test func prunedWeightsStayExactlyZero() throws {
    var pruning = PruneOptions()
    pruning.amount = 0.6
    let pruned = try prune(try Networks.residual(), pruning).model
    let result = try quantize(pruned, options(try Networks.images(8))).model
    for name in ["w1", "w2", "w3"] {
      let weights = try pruned.graph.initializer(name)?.array(of: Float.self) ?? []
      let codes = try Networks.codes(result, name + "_quantized")
      #expect(weights.count == codes.count && !codes.isEmpty)
      #expect(zip(weights, codes).allSatisfy { $0 != 0 || $1 == 0 })
    }
    #expect(result.maskedParameters == ["w1_quantized", "w2_quantized", "w3_quantized"])
  }

  @Test func aChannelWithoutWeightsKeepsItsBias() throws {
    var model = try Networks.residual()
    var weight = try #require(model.graph.initializer("w2"))
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in for i in 0..<36 { span[i] = 0 } }
    model.graph.setInitializer("w2", weight)
    let data = try Networks.images(16)
    let result = try quantize(model, options(data) { $0.calibrator = "minmax" }).model
    let codes = try result.graph.initializer("b2_quantized")?.array(of: Int32.self) ?? []
    let scales = try result.graph.initializer("b2_scale")?.array(of: Float.self) ?? []
    let bias = try model.graph.initializer("b2")?.array(of: Float.self) ?? []
    try #require(codes.count == bias.count && scales.count == bias.count)
    for index in bias.indices { #expect(abs(Float(codes[index]) * scales[index] - bias[index]) < 1e-3) }
  }

  // MARK: - Errors

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let status: Status
    let change: @Sendable (inout QuantizeOptions) -> Void
    init(_ name: String, _ status: Status, _ change: @escaping @Sendable (inout QuantizeOptions) -> Void) {
      testDescription = name
      self.status = status
      self.change = change
    }
  }

  static let cases: [Case] = [
    Case("no data", .invalidArgument) { $0.calibration = nil },
    Case("scheme", .invalidArgument) { $0.scheme = "ternary" },
    Case("bits", .unsupported) { $0.bits = 4 },
    Case("calibrator", .invalidArgument) { $0.calibrator = "average" },
    Case("rounding", .invalidArgument) { $0.rounding = "up" },
    Case("rounding without data", .invalidArgument) {
      ($0.scheme, $0.rounding, $0.calibration) = ("weight_only", "gptq", nil)
    },
    Case("rounding of halves", .invalidArgument) { ($0.scheme, $0.rounding) = ("float16", "gptq") },
    Case("training of weights alone", .invalidArgument) { ($0.scheme, $0.qat) = ("weight_only", true) },
    Case("mixed without a guard", .invalidArgument) { $0.mixed = true },
    Case("equalizing weights alone", .invalidArgument) { ($0.scheme, $0.equalize) = ("weight_only", true) },
    Case("fisher without labels", .invalidArgument) { ($0.scheme, $0.fisher) = ("palette", true) },
    Case("groups of activations", .invalidArgument) { $0.groupSize = 4 },
    Case("percentile", .invalidArgument) { $0.percentile = 101 },
    Case("blocks of activations", .invalidArgument) { $0.blockSize = 32 },
    Case("odd blocks", .invalidArgument) { ($0.scheme, $0.format, $0.blockSize) = ("weight_only", "matmul_nbits", 24) },
    Case("a format of another scheme", .unsupported) { $0.format = "matmul_nbits" },
    Case("format", .invalidArgument) { $0.format = "qoperators" },
    Case("ignore", .notFound) { $0.ignore = ["nothing*"] },
    Case("everything ignored", .invalidArgument) { $0.ignore = ["*"] },
    Case("batch size", .invalidArgument) { $0.batchSize = -1 },
  ]

  @Test(arguments: cases)
  func whatCannotBeDoneIsSaid(test: Case) throws {
    let settings = options(try Networks.images(4), test.change)
    let error = #expect(throws: PruneError.self) { try quantize(try Networks.residual(), settings) }
    #expect(error?.status == test.status, "\(error?.description ?? "")")
  }

  @Test func oldOpsetsAreRaised() throws {
    let data = try Networks.images(4)
    #expect(try quantize(try Networks.residual(opset: 12), options(data)).model.opset() == 13)
    let result = try quantize(try Networks.residual(opset: 12), options(data) { $0.perChannel = false }).model
    #expect(result.graph.initializer("w1_scale")?.shape == .scalar)
  }

  @Test(arguments: ["static", "dynamic", "weight_only", "float16", "palette"])
  func aQuantizedModelIsNotQuantizedAgain(scheme: String) throws {
    let data = try Networks.images(4)
    let once = try quantize(try Networks.residual(), options(data)).model
    let error = #expect(throws: PruneError.self) { try quantize(once, options(data) { $0.scheme = scheme }) }
    #expect(error?.status == .invalidArgument && error?.message.contains("already") == true)
  }

  // MARK: - Calibration data

  private func calibration(_ place: Int, _ value: Float) throws -> Dataset {
    var x = try Networks.images(4).x
    try x.withMutableSpan(of: Float.self) { span throws(PruneError) in span[place] = value }
    return try Dataset.tensors(x, nil)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity], ["minmax", "percentile", "entropy", "mse"])
  func calibrationDataThatIsNotFiniteIsNamed(value: Float, calibrator: String) throws {
    let data = try calibration(5, value)
    let error = #expect(throws: PruneError.self) {
      try quantize(try Networks.residual(), options(data) { $0.calibrator = calibrator })
    }
    #expect(error?.status == .numeric && error?.message.contains("'x'") == true)
  }

  @Test func otherSchemesNameItToo() throws {
    let data = try calibration(5, .infinity), model = try Networks.residual()
    for change: (inout QuantizeOptions) -> Void in [
      { $0.rounding = "gptq" }, { $0.smooth = 0.5 }, { ($0.scheme, $0.rounding) = ("weight_only", "gptq") },
      { ($0.scheme, $0.bytes) = ("joint", 0.2) },
    ] {
      let error = #expect(throws: PruneError.self) { try quantize(model, options(data, change)) }
      #expect(error?.status == .numeric, "\(error?.description ?? "")")
    }
  }

  @Test func calibrationDataThatDoesNotFitIsNamed() throws {
    let narrow = try Dataset.tensors(Networks.random([40, 3, 8, 7], seed: 1), nil)
    let misshapen = #expect(throws: PruneError.self) { try quantize(try Networks.residual(), options(narrow)) }
    #expect(misshapen?.status == .mismatch && misshapen?.message.contains("[3,8,7]") == true)
    let none = try Dataset.tensors(Tensor(zeros: .float32, Shape([0, 3, 8, 8])), nil)
    let empty = #expect(throws: PruneError.self) { try quantize(try Networks.residual(), options(none)) }
    #expect(empty?.status == .invalidArgument)
  }

  @Test(arguments: [1, 31, 32])
  func fewSamplesAreWarnedOf(count: Int) throws {
    let report = try quantize(try Networks.residual(), options(try Networks.images(count))).report
    let warnings = report["warnings"]?.list?.compactMap(\.text) ?? []
    #expect(warnings.count == (count < 32 ? 1 : 0))
    if count < 32 {
      #expect(
        warnings.first?.hasPrefix("calibrated on \(count) sample") == true && warnings.first?.contains("32") == true)
    }
    let weights = try quantize(
      try Networks.residual(),
      options(try Networks.images(count)) { ($0.scheme, $0.rounding) = ("weight_only", "gptq") }
    ).report
    #expect((weights["warnings"] != nil) == (count < 32))
  }

  @Test(arguments: ["minmax", "moving_average", "percentile", "entropy", "mse"], [Float(0), 3])
  func constantActivationsHaveAScale(calibrator: String, value: Float) throws {
    let data = try Dataset.tensors(Tensor([Float](repeating: value, count: 32 * 192), Shape([32, 3, 8, 8])), nil)
    let model = try Networks.residual()
    let (result, report) = try quantize(model, options(data) { $0.calibrator = calibrator })
    let warnings = report["warnings"]?.list?.compactMap(\.text) ?? []
    #expect(warnings == (value == 0 ? ["always 0 on the calibration data, so rounded to whole numbers: 'x'"] : []))
    for scale in report["activations"]?.list ?? [] { #expect((scale.report?["scale"]?.number ?? 0) > 0) }
    let a = try outputs(model, data.x), b = try outputs(result, data.x)
    let signal = a.reduce(0) { $0 + Double($1 * $1) },
      noise = zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    #expect(noise < 0.01 * signal)
  }
}

@Suite struct QuantizedDigitsTests {
  @Test func aTrainedPrunedNetworkKeepsItsAccuracyInInt8() throws {
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 7)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var model = try Zoo.make("lenet5", zoo)
    var fitting = FitOptions()
    fitting.epochs = 4
    fitting.batchSize = 64
    _ = try fit(&model, train, fitting)
    var pruning = PruneOptions()
    pruning.amount = 0.7
    pruning.recover = fitting
    pruning.data = train
    let pruned = try prune(model, pruning).model
    var options = QuantizeOptions()
    options.calibration = try train.take(200)
    options.validate = test
    options.guard = GuardOptions(data: test, metric: "accuracy", maxDrop: 0.01)
    let (_, report) = try quantize(pruned, options)
    let before = try #require(report["before.accuracy"]?.number), after = try #require(report["after.accuracy"]?.number)
    #expect(before > 0.9)
    #expect(abs(before - after) <= 0.01)
    #expect((report["after.bytes"]?.integer ?? .max) < (report["before.bytes"]?.integer ?? 0) / 3)
  }

  @Test func aGuardThatDoesNotHoldRefuses() throws {
    let data = try Dataset.digits().take(100)
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    var options = QuantizeOptions()
    options.calibration = data
    options.calibrator = "minmax"
    options.guard = GuardOptions(data: data, metric: "loss", maxDrop: 0)
    var refused = 0
    // Of several random networks some lose a little.
    for seed in 0..<4 {
      zoo.seed = UInt64(seed)
      do { _ = try quantize(try Zoo.make("mlp", zoo), options) } catch {
        #expect(error.status == .refused)
        refused += 1
      }
    }
    #expect(refused > 0)
  }
}
