import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

extension ReportValue {
  fileprivate var text: String? {
    if case .text(let value) = self { return value }
    return nil
  }
  fileprivate var list: [ReportValue]? {
    if case .list(let value) = self { return value }
    return nil
  }
}

/// A fit does not ruin what it is given.
@Suite struct SafeFitTests {
  private func warnings(_ history: Report) -> String {
    history["warnings"]?.list?.compactMap(\.text).joined(separator: "\n") ?? ""
  }

  // MARK: - Zeros

  /// Three quarters of a weight are zero, and no list says so.
  private func sparse() throws -> Model {
    var model = try Fixture.network(hidden: [16])
    var weight = try #require(model.graph.initializer("fc1.weight")).copied()
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in 0..<span.count where index % 4 != 0 { span[index] = 0 }
    }
    model.graph.setInitializer("fc1.weight", weight)
    return model
  }

  private func zeros(_ model: Model) throws -> Int {
    let weight = try #require(model.graph.initializer("fc1.weight"))
    return weight.count - weight.nonzeroCount
  }

  @Test func zerosThatGrowBackAreSaid() throws {
    var model = try sparse()
    let history = try fit(&model, Fixture.digits(), FitOptions())
    #expect(try zeros(model) < 100)
    #expect(warnings(history).contains("'fc1.weight'") && warnings(history).contains("keep_zeros = true"))
    var dense = try Fixture.network(hidden: [16])
    #expect(warnings(try fit(&dense, Fixture.digits(), FitOptions())).isEmpty)
  }

  @Test(arguments: ["adam", "sgd"]) func zerosAreKeptOnDemand(optimizer: String) throws {
    var model = try sparse()
    var options = FitOptions()
    (options.keepsZeros, options.optimizer, options.weightDecay) = (true, optimizer, 0.01)
    let history = try fit(&model, Fixture.digits(), options)
    #expect(try zeros(model) == zeros(sparse()))
    #expect(warnings(history).isEmpty && model.maskedParameters.isEmpty)
    #expect(try Fixture.weights(model)["fc1.weight"] != Fixture.weights(sparse())["fc1.weight"])
    #expect(try Fixture.weights(model)["fc2.bias"]?.contains { $0 != 0 } == true)
  }

  // MARK: - Numbers that are none

  /// x -> MatMul(wq) -> Add(mask) -> Softmax -> MatMul(w2) -> y
  private func masked(_ shut: Float) throws -> Model {
    var graph = Graph(name: "masked")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(4)]))]
    graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(3)]))]
    var random = RandomSource(seed: 3)
    graph.setInitializer("wq", try Tensor((0..<16).map { _ in Float(random.normal()) }, Shape([4, 4])))
    graph.setInitializer("mask", try Tensor([0, 0, shut, shut], Shape([1, 4])))
    graph.setInitializer("w2", try Tensor((0..<12).map { _ in Float(random.normal()) }, Shape([4, 3])))
    graph.nodes = [
      Node("MatMul", name: "q", inputs: ["x", "wq"], outputs: ["s"]),
      Node("Add", name: "shut", inputs: ["s", "mask"], outputs: ["m"]),
      Node("Softmax", name: "p", inputs: ["m"], outputs: ["p1"], attributes: [Attribute("axis", .int(-1))]),
      Node("MatMul", name: "o", inputs: ["p1", "w2"], outputs: ["y"]),
    ]
    return Model(graph: graph)
  }

  @Test(arguments: [-Float.infinity, -3.4e38, -1e9, -10000])
  func whatIsNoWeightIsLeftAlone(shut: Float) throws {
    let before = try masked(shut)
    var model = before, random = RandomSource(seed: 5)
    let x = try Tensor((0..<64).map { _ in Float(random.normal()) }, Shape([16, 4]))
    let data = try Dataset.tensors(x, try Tensor((0..<48).map { _ in Float(random.normal()) }, Shape([16, 3])))
    var options = FitOptions()
    (options.epochs, options.batchSize, options.lr) = (3, 4, 0.01)
    let history = try fit(&model, data, options)
    let (old, new) = (try Fixture.weights(before), try Fixture.weights(model))
    #expect(old["mask"] == new["mask"] && old["wq"] != new["wq"] && old["w2"] != new["w2"])
    #expect(new["wq"]?.allSatisfy(\.isFinite) == true && new["w2"]?.allSatisfy(\.isFinite) == true)
    #expect(history["frozen.0.parameters"]?.text == "mask")
    #expect(history["frozen.0.node"]?.text?.contains("shut") == true)
  }

  @Test(arguments: [1e20, 1e30, 1e38]) func theLastWeightsAreNumbers(rate: Double) throws {
    var model = try Fixture.network(hidden: [16, 16])
    var options = FitOptions()
    (options.optimizer, options.lr, options.momentum) = ("sgd", rate, 0.9)
    let error = #expect(throws: PruneError.self) { try fit(&model, Fixture.digits(), options) }
    #expect(error?.status == .numeric && error?.hint.contains("as it was before the fit") == true)
    #expect(try Fixture.weights(model).values.allSatisfy { $0.allSatisfy(\.isFinite) })
  }

  /// Not weights that are finite, and ruined.
  @Test func aFitThatFailsLeavesTheNetworkAsItWas() throws {
    let source = try delicate()
    var model = source, options = FitOptions()
    (options.optimizer, options.lr, options.momentum) = ("sgd", 1e20, 0.9)
    let error = #expect(throws: PruneError.self) { try fit(&model, Fixture.digits(600), options) }
    #expect(error?.status == .numeric)
    #expect(try Fixture.weights(model) == Fixture.weights(source))
  }

  /// Few samples, and statistics that move slowly: a rate that the loss of batches bears ruins the network as it is used.
  @Test(arguments: 0..<3 as Range<UInt64>) func fewSamplesDoNotRuinASlowNormalization(seed: UInt64) throws {
    var zoo = ZooOptions()
    (zoo.input, zoo.depth) = ([1, 8, 8], 20)
    var model = try Zoo.make("resnet", zoo), options = FitOptions()
    (options.epochs, options.lr) = (3, 2e-3)
    let (train, held) = try Dataset.digits().split(test: 0.3, seed: 9)
    _ = try fit(&model, train, options)
    for index in model.graph.nodes.indices where model.graph.nodes[index].opType == "BatchNormalization" {
      model.graph.nodes[index].set("momentum", .float(0.99))
    }
    let before = try Fixture.accuracy(model, held)
    var again = FitOptions()
    again.seed = seed
    let history = try fit(&model, try train.take(96), again)
    #expect(try Fixture.accuracy(model, held) >= before - 0.02, "\(history["lr"]?.number ?? 0) \(warnings(history))")
  }

  // MARK: - Two classes by one number

  @Test(arguments: [false, true]) func labelsOfOneOutputAreLearntByBinaryCrossEntropy(hasSigmoid: Bool) throws {
    var zoo = ZooOptions()
    (zoo.input, zoo.hidden, zoo.classes) = ([1, 8, 8], [16], 1)
    var model = try Zoo.make("mlp", zoo)
    if hasSigmoid {
      let output = try #require(model.graph.outputs.first)
      model.graph.nodes.append(Node("Sigmoid", name: "p", inputs: [output.name], outputs: ["probability"]))
      model.graph.outputs = [ValueInfo(name: "probability", type: output.type)]
    }
    let digits = try Fixture.digits(600), labels = try #require(digits.y).array(of: Int64.self)
    let data = try Dataset.tensors(digits.x, try Tensor(labels.map { $0 % 2 }, Shape([digits.count])))
    var options = FitOptions()
    (options.epochs, options.lr) = (8, 3e-3)
    let history = try fit(&model, data, options)
    let first = history["epochs.0.loss"]?.number ?? 9, last = history["epochs.7.loss"]?.number ?? 9
    #expect(first < 0.8 && last < 0.35, "\(first), \(last)")
    let error = #expect(throws: PruneError.self) { try fit(&model, digits, options) }
    #expect(error?.message.contains("has 2 classes") == true, "\(String(describing: error))")
  }

  // MARK: - The rate that is not given

  /// A trained network that computes what it did with weights a hundredth as large in front, and a hundred times as
  /// large behind.
  private func delicate() throws -> Model {
    var model = try Fixture.network(hidden: [32])
    var options = FitOptions()
    (options.epochs, options.lr) = (20, 3e-3)
    _ = try fit(&model, Fixture.digits(600), options)
    for (name, factor) in [("fc1.weight", 0.01), ("fc1.bias", 0.01), ("fc2.weight", 100)] as [(String, Float)] {
      let tensor = try #require(model.graph.initializer(name))
      model.graph.setInitializer(name, try Tensor(try tensor.array(of: Float.self).map { $0 * factor }, tensor.shape))
    }
    return model
  }

  @Test(arguments: [("adam", 0.0), ("adamw", 0), ("sgd", 0.9), ("rmsprop", 0)])
  func aTrainedNetworkGetsARateThatSparesIt(optimizer: String, momentum: Double) throws {
    let (held, source) = (try Dataset.digits().split(test: 0.3, seed: 9).test, try delicate())
    let before = try Fixture.accuracy(source, held)
    for seed in 0..<3 as Range<UInt64> {
      var options = FitOptions()
      (options.optimizer, options.momentum, options.seed) = (optimizer, momentum, seed)
      var model = source
      let history = try fit(&model, Fixture.digits(600), options)
      let rate = try #require(history["lr"]?.number)
      #expect(rate > 0 && rate < 1e-3)
      #expect(history["lr_reason"]?.text?.contains("range test") == true)
      #expect(try Fixture.accuracy(model, held) >= before - 0.02)
      var again = source
      _ = try fit(&again, Fixture.digits(600), options)
      #expect(try Fixture.weights(again) == Fixture.weights(model))
    }
  }

  @Test func aRateThatRuinsIsSaid() throws {
    var model = try delicate()
    var options = FitOptions()
    options.lr = 0.01
    let history = try fit(&model, Fixture.digits(600), options)
    #expect(warnings(history).contains("worse than before"))
    #expect(history["lr"]?.number == 0.01 && history["lr_reason"]?.text == "given")
  }

  @Test(arguments: [("adam", 1e-3), ("sgd", 0.01)]) func aFreshNetworkGetsTheOptimizersRate(
    optimizer: String, rate: Double
  ) throws {
    var (model, same) = (try Fixture.network(), try Fixture.network())
    var options = FitOptions()
    options.optimizer = optimizer
    let history = try fit(&model, Fixture.digits(), options)
    #expect(history["lr"]?.number == rate && history["lr_reason"]?.text?.contains("not trained") == true)
    #expect(warnings(history).isEmpty)
    options.lr = rate
    _ = try fit(&same, Fixture.digits(), options)
    #expect(try Fixture.weights(model) == Fixture.weights(same))
  }

  @Test func aCheckpointKeepsTheRate() throws {
    let source = try delicate()
    var options = FitOptions(), states: [FitState] = []
    options.epochs = 3
    options.onCheckpoint = { state throws(PruneError) in states.append(state) }
    var whole = source
    let history = try fit(&whole, Fixture.digits(600), options)
    options.resume = .checkpoint(try FitState(tensors: try states[1].tensors()))
    var resumed = source
    let rest = try fit(&resumed, Fixture.digits(600), options)
    #expect(rest["lr"]?.number == history["lr"]?.number)
    #expect(try Fixture.weights(whole) == Fixture.weights(resumed))
  }
}
