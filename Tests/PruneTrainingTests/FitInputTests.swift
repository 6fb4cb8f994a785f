import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// What fit says to data, models and options that do not go together.
@Suite struct FitInputTests {
  private func error(_ model: Model, _ data: Dataset, _ change: @Sendable (inout FitOptions) -> Void = { _ in }) throws
    -> PruneError
  {
    var copy = model
    var options = FitOptions()
    change(&options)
    do {
      _ = try fit(&copy, data, options)
    } catch {
      return error
    }
    Issue.record("fit accepted it")
    return PruneError(.ok, "")
  }

  @Test func samplesOfAnotherShapeAreNamedWithTheInput() throws {
    var options = ZooOptions()
    options.input = [64]
    let failure = try error(Zoo.make("mlp", options), Fixture.digits())
    #expect(failure.status == .mismatch)
    #expect(
      failure.message.contains("'input'") && failure.message.contains("[1,8,8]") && failure.message.contains("digits"))
    #expect(failure.hint.contains("[N, 64]"))
  }

  @Test func tooFewClassesAreSaid() throws {
    var options = ZooOptions()
    options.input = [1, 8, 8]
    options.classes = 7
    let failure = try error(Zoo.make("mlp", options), Dataset.digits())
    #expect(failure.status == .mismatch)
    #expect(failure.message.contains("0...9") && failure.message.contains("7 classes"))
  }

  @Test func integerSamplesAreRefused() throws {
    let data = try Dataset.tensors(Tensor(zeros: .uint8, Shape([4, 1, 8, 8])), Tensor([0, 1, 2, 3] as [Int64]))
    let failure = try error(Fixture.network(), data)
    #expect(failure.status == .mismatch && failure.message.contains("uint8"))
  }

  @Test func targetsAreNeeded() throws {
    let data = try Dataset.tensors(Tensor(zeros: .float32, Shape([4, 1, 8, 8])), nil)
    #expect(try error(Fixture.network(), data).message.contains("no targets"))
  }

  @Test func targetsMustHaveTheOutputsShape() throws {
    let x = try Tensor(zeros: .float32, Shape([4, 1, 8, 8]))
    let data = try Dataset.tensors(x, Tensor(zeros: .float32, Shape([4, 3])))
    let failure = try error(Fixture.network(), data)
    #expect(failure.status == .mismatch && failure.message.contains("'logits'") && failure.message.contains("[4,3]"))
  }

  @Test func labelsWantCrossEntropy() throws {
    let failure = try error(Fixture.network(), Fixture.digits()) { $0.loss = "mse" }
    #expect(failure.status == .mismatch && failure.hint.contains("cross_entropy"))
  }

  static let wrongOptions: [(String, @Sendable (inout FitOptions) -> Void)] = [
    ("optimizer", { $0.optimizer = "adamm" }), ("schedule", { $0.schedule = "warm" }), ("lr", { $0.lr = -1 }),
    ("lr", { $0.lr = .nan }), ("momentum", { $0.momentum = 1 }), ("validation_split", { $0.validationSplit = 1.5 }),
    ("batch_size", { $0.batchSize = -1 }), ("epochs", { $0.epochs = -3 }), ("beta2", { $0.beta2 = 2 }),
    ("nesterov", { $0.nesterov = true }), ("loss", { $0.loss = "hinge" }), ("fc9", { $0.frozen = ["fc9*"] }),
  ]

  @Test(arguments: wrongOptions)
  func optionsOutOfRangeAreNamed(name: String, change: @Sendable (inout FitOptions) -> Void) throws {
    let failure = try error(Fixture.network(), Fixture.digits(), change)
    #expect([.invalidArgument, .notFound].contains(failure.status))
    #expect(failure.message.contains(name))
  }

  @Test func everythingFrozenIsAnError() throws {
    let failure = try error(Fixture.network(), Fixture.digits()) { $0.frozen = ["*"] }
    #expect(failure.status == .unsupported && failure.message.contains("nothing to train"))
  }

  @Test func aNodeWithoutGradientIsNamed() throws {
    var model = try Fixture.network()
    model.graph.nodes.append(Node("Round", name: "quantize", inputs: ["logits"], outputs: ["rounded"]))
    model.graph.outputs = [ValueInfo(name: "rounded", type: model.graph.outputs[0].type)]
    #expect(try error(model, Fixture.digits()).message.contains("Round 'quantize'"))
  }

  @Test func parametersBehindANodeWithoutGradientStay() throws {
    var model = try Fixture.network(hidden: [16])
    let before = try Fixture.weights(model)
    let index = try #require(model.graph.nodes.firstIndex { $0.name == "fc2" })
    model.graph.nodes[index].inputs[0] = "rounded"
    model.graph.nodes.insert(Node("Round", name: "quantize", inputs: ["act1.out"], outputs: ["rounded"]), at: index)
    let history = try fit(&model, Fixture.digits(), FitOptions())
    guard case .text(let node)? = history["frozen.0.node"], case .text(let names)? = history["frozen.0.parameters"]
    else {
      Issue.record("the report names nothing frozen")
      return
    }
    #expect(node == "Round 'quantize'" && names == "fc1.weight, fc1.bias")
    let after = try Fixture.weights(model)
    #expect(after["fc1.weight"] == before["fc1.weight"] && after["fc2.weight"] != before["fc2.weight"])
  }
}
