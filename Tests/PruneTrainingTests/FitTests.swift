import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// A digits network and data, small enough to train in a moment.
enum Fixture {
  static func network(_ name: String = "mlp", hidden: [Int] = [64], activation: String = "relu", seed: UInt64 = 1)
    throws -> Model
  {
    var options = ZooOptions()
    options.input = [1, 8, 8]
    options.hidden = hidden
    options.activation = activation
    options.seed = seed
    return try Zoo.make(name, options)
  }

  static func digits(_ count: Int = 300) throws -> Dataset { try Dataset.digits().take(count) }

  static func accuracy(_ model: Model, _ data: Dataset) throws -> Double {
    let session = Session(model)
    let output = try #require(model.graph.outputs.first?.name)
    let input = try #require(model.graph.inputs.first?.name)
    let labels = try #require(data.y).array(of: Int64.self)
    let scores = try #require(try session.run([input: data.x])[output])
    let classes = scores.shape[1]
    let values = try scores.array(of: Float.self)
    let correct = labels.indices.count { row in
      let line = values[row * classes..<(row + 1) * classes]
      return line.firstIndex(of: line.max() ?? 0).map { $0 - row * classes } == Int(labels[row])
    }
    return Double(correct) / Double(labels.count)
  }

  static func weights(_ model: Model) throws -> [String: [Float]] {
    var result: [String: [Float]] = [:]
    for entry in model.graph.initializers where entry.tensor.dtype == .float32 {
      result[entry.name] = try entry.tensor.array(of: Float.self)
    }
    return result
  }
}

@Suite struct FitTests {
  @Test(arguments: ["mlp", "lenet_300_100", "lenet5"]) func digitsAreLearnt(name: String) throws {
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 2)
    var model = try Fixture.network(name)
    var options = FitOptions()
    options.epochs = name == "mlp" ? 30 : 12
    options.batchSize = name == "mlp" ? 32 : 64
    options.lr = 2e-3
    options.schedule = "cosine"
    let history = try fit(&model, train, options)
    let losses = (0..<options.epochs).compactMap { history["epochs.\($0).loss"]?.number }
    #expect(losses.count == options.epochs)
    #expect(try #require(losses.last) < 0.1 * losses[0])
    let accuracy = try Fixture.accuracy(model, test)
    #expect(accuracy >= 0.97)
  }

  @Test(arguments: ["sgd", "adam", "adamw", "rmsprop"]) func everyOptimizerLowersTheLoss(optimizer: String) throws {
    var model = try Fixture.network()
    var options = FitOptions()
    options.optimizer = optimizer
    options.momentum = optimizer == "sgd" ? 0.9 : 0
    options.nesterov = optimizer == "sgd"
    options.lr = optimizer == "sgd" ? 0.05 : 0.003
    options.weightDecay = 1e-4
    options.epochs = 5
    let history = try fit(&model, Fixture.digits(), options)
    let first = try #require(history["epochs.0.loss"]?.number)
    let last = try #require(history["epochs.4.loss"]?.number)
    #expect(last < 0.5 * first)
  }

  @Test func onlyTrainedInitializersChange() throws {
    let before = try Fixture.network()
    var model = before
    var options = FitOptions()
    options.frozen = ["fc1.*"]
    _ = try fit(&model, Fixture.digits(), options)
    #expect(model.graph.nodes.map(\.label) == before.graph.nodes.map(\.label))
    #expect(model.graph.initializers.map(\.name) == before.graph.initializers.map(\.name))
    let (old, new) = (try Fixture.weights(before), try Fixture.weights(model))
    #expect(old["fc1.weight"] == new["fc1.weight"] && old["fc1.bias"] == new["fc1.bias"])
    #expect(old["fc2.weight"] != new["fc2.weight"] && old["fc2.bias"] != new["fc2.bias"])
  }

  @Test(arguments: ["sgd", "adam", "adamw", "rmsprop"]) func prunedWeightsStayExactlyZero(optimizer: String) throws {
    var model = try Fixture.network()
    var weight = try #require(model.graph.initializer("fc1.weight"))
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in 0..<span.count where index % 3 != 0 { span[index] = 0 }
    }
    model.graph.setInitializer("fc1.weight", weight)
    model.maskedParameters = ["fc1.weight"]
    var options = FitOptions()
    options.optimizer = optimizer
    options.momentum = optimizer == "sgd" ? 0.9 : 0
    options.weightDecay = 0.01
    options.epochs = 2
    _ = try fit(&model, Fixture.digits(), options)
    let values = try #require(Fixture.weights(model)["fc1.weight"])
    #expect(values.indices.allSatisfy { $0 % 3 == 0 || values[$0] == 0 })
    #expect(values.indices.contains { $0 % 3 == 0 && values[$0] != weightAt(weight, $0) })
    #expect(model.maskedParameters == ["fc1.weight"])
  }

  private func weightAt(_ tensor: Tensor, _ index: Int) -> Float {
    (try? tensor.withSpan(of: Float.self) { span throws(PruneError) in span[index] }) ?? 0
  }

  @Test func theSameSeedGivesTheSameModel() throws {
    func trained(_ seed: UInt64) throws -> [String: [Float]] {
      var model = try Fixture.network()
      var options = FitOptions()
      options.seed = seed
      _ = try fit(&model, Fixture.digits(100), options)
      return try Fixture.weights(model)
    }
    #expect(try trained(1) == trained(1))
    #expect(try trained(1) != trained(2))
  }

  @Test func eventsCountStepsAndEpochs() throws {
    var model = try Fixture.network()
    var events: [FitEvent] = []
    var options = FitOptions()
    options.epochs = 2
    options.batchSize = 64
    options.validationSplit = 0.25
    options.onEvent = { (event: FitEvent) throws(PruneError) in
      events.append(event)
      return false
    }
    let history = try fit(&model, Fixture.digits(200), options)
    // 150 samples left: two batches of 64 and one of 22.
    #expect(events.map(\.step) == [1, 2, 3, 3, 1, 2, 3, 3])
    #expect(events.map(\.isEpochEnd) == [false, false, false, true, false, false, false, true])
    #expect(events.allSatisfy { $0.steps == 3 && $0.epochs == 2 && $0.accuracy != nil })
    #expect(events[3].validationAccuracy != nil && events[2].validationAccuracy == nil)
    #expect(events[7].etaSeconds == 0)
    #expect(history["epochs.1.validation_loss"]?.number == events[7].validationLoss)
    #expect(history["stopped"]?.number == 0)
  }

  @Test func stoppingKeepsTheLastStep() throws {
    var (stopped, whole) = (try Fixture.network(), try Fixture.network())
    let data = try Fixture.digits(128)
    var options = FitOptions()
    options.batchSize = 64
    options.epochs = 1
    _ = try fit(&whole, data, options)
    options.epochs = 3
    options.onEvent = { (event: FitEvent) throws(PruneError) in event.step == 2 }
    let history = try fit(&stopped, data, options)
    #expect(history["steps"]?.number == 2)
    #expect(history["stopped"]?.number == 1)
    #expect(try Fixture.weights(stopped) == Fixture.weights(whole))
  }

  @Test func cancellingKeepsTheModelUsable() throws {
    let before = try Fixture.network()
    var model = before
    let flag = try CancelFlag()
    flag.request()
    var options = FitOptions()
    options.cancel = flag
    let history = try fit(&model, Fixture.digits(), options)
    #expect(history["stopped"]?.number == 1 && history["steps"]?.number == 0)
    #expect(try Fixture.weights(model) == Fixture.weights(before))
  }

  @Test func regressionUsesTheSquaredError() throws {
    var random = RandomSource(seed: 3)
    let x = (0..<200 * 4).map { _ in Float(random.normal()) }
    let y: [Float] = (0..<200).map { row -> Float in 2 * x[4 * row] - x[4 * row + 3] + 0.5 }
    let data = try Dataset.tensors(Tensor(x, Shape([200, 4])), Tensor(y, Shape([200, 1])))
    var zoo = ZooOptions()
    zoo.input = [4]
    zoo.classes = 1
    zoo.activation = "tanh"
    var model = try Zoo.make("mlp", zoo)
    var options = FitOptions()
    options.epochs = 60
    options.lr = 0.01
    let history = try fit(&model, data, options)
    #expect(try #require(history["epochs.59.loss"]?.number) < 0.02)
    #expect(history["epochs.59.accuracy"] == nil)
  }

  @Test func aModelThatEndsInSoftmaxLearnsTheSame() throws {
    var (plain, soft) = (try Fixture.network(), try Fixture.network())
    soft.graph.nodes.append(Node("Softmax", name: "softmax", inputs: ["logits"], outputs: ["probabilities"]))
    soft.graph.outputs = [ValueInfo(name: "probabilities", type: plain.graph.outputs[0].type)]
    let data = try Fixture.digits(100)
    let options = FitOptions()
    _ = try fit(&plain, data, options)
    _ = try fit(&soft, data, options)
    #expect(try Fixture.weights(plain) == Fixture.weights(soft))
  }
}
