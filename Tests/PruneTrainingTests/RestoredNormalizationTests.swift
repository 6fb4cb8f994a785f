import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// Convolutions that have a batch normalization while they are trained, and none before and after.
@Suite struct RestoredNormalizationTests {
  private func options(_ rate: Double, epochs: Int = 1) -> FitOptions {
    var options = FitOptions()
    (options.restoresNormalization, options.lr, options.epochs, options.batchSize) = (true, rate, epochs, 32)
    return options
  }

  private func outputs(_ model: Model) throws -> [Float] {
    try #require(try Session(model).run(["input": Fixture.digits(50).x])["logits"]).array(of: Float.self)
  }

  /// LeNet-5 whose convolutions share a bias of zeros, as exporters store what is equal, or have none.
  private func network(bias: Bool) throws -> Model {
    var model = try Fixture.network("lenet5")
    for position in model.graph.nodes.indices where model.graph.nodes[position].opType == "Conv" {
      model.graph.nodes[position].inputs = Array(model.graph.nodes[position].inputs.prefix(2))
    }
    model.graph.removeInitializers { $0.name.hasPrefix("conv") && $0.name.hasSuffix("bias") }
    guard bias else { return model }
    let first = try #require(model.graph.nodes.firstIndex { $0.opType == "Conv" })
    let width = try #require(model.graph.initializer("conv1.weight")).shape[0]
    model.graph.setInitializer("shared", try Tensor((0..<width).map { Float($0) * 0.1 - 0.3 }))
    model.graph.nodes[first].inputs.append("shared")
    // A 1x1 convolution behind the first, with the same bias.
    let square = try Tensor((0..<width * width).map { Float($0 % 7) * 0.1 - 0.25 }, Shape([width, width, 1, 1]))
    model.graph.setInitializer("mix.weight", square)
    let output = model.graph.nodes[first].outputs[0]
    for position in model.graph.nodes.indices where position > first {
      model.graph.nodes[position].inputs = model.graph.nodes[position].inputs.map { $0 == output ? "mixed" : $0 }
    }
    model.graph.nodes.insert(
      Node("Conv", name: "mix", inputs: [output, "mix.weight", "shared"], outputs: ["mixed"]), at: first + 1)
    return model
  }

  @Test(arguments: [true, false]) func aStepWithoutLengthChangesNothing(bias: Bool) throws {
    let source = try network(bias: bias)
    var model = source
    // One batch of all there is: it has the statistics that were measured.
    var settings = options(1e-12)
    settings.batchSize = 300
    let report = try fit(&model, Fixture.digits(), settings)
    #expect(report["batch_norms"]?.number == (bias ? 3 : 2))
    #expect(model.graph.nodes.map(\.opType) == source.graph.nodes.map(\.opType))
    let (before, after) = (try outputs(source), try outputs(model))
    #expect(zip(before, after).allSatisfy { abs($0 - $1) < 1e-4 })
    let convolutions = model.graph.nodes.filter { $0.opType == "Conv" }
    #expect(Set(convolutions.map { $0.inputs[2] }).count == convolutions.count)
    #expect(!model.graph.initializers.contains { $0.name.contains("norm_") })
  }

  /// The loss on held-out data, by running statistics and then by folded weights.
  @Test func whatIsFoldedIsWhatWasTrained() throws {
    var model = try Fixture.network("lenet5")
    let name = "conv2.weight"
    let weight = try #require(model.graph.initializer(name)).array(of: Float.self)
    let half = weight.indices.map { $0 % 2 == 0 ? 0 : weight[$0] }
    model.graph.setInitializer(name, try Tensor(half, #require(model.graph.initializer(name)).shape))
    model.maskedParameters = [name]
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 2)
    var settings = options(3e-3, epochs: 3)
    settings.validation = test
    let report = try fit(&model, train, settings)
    let loss = try #require(report["epochs.2.validation_loss"]?.number)
    let found = try #require(evaluate(model, test)["loss"]?.number)
    #expect(abs(found - loss) < 1e-4 && loss < 0.3)
    let trained = try #require(model.graph.initializer(name)).array(of: Float.self)
    #expect(weight.indices.allSatisfy { $0 % 2 != 0 || trained[$0] == 0 })
    #expect(weight.indices.contains { $0 % 2 != 0 && trained[$0] != half[$0] })
    #expect(model.optimizerState == nil)
  }

  @Test func ratesThatBreakTheNetworkAreBorne() throws {
    func loss(_ isRestored: Bool) throws -> Double {
      var model = try Fixture.network("lenet5")
      var settings = options(0.3, epochs: 2)
      (settings.restoresNormalization, settings.optimizer, settings.frozen) = (isRestored, "sgd", ["fc*"])
      do { _ = try fit(&model, Dataset.digits(), settings) } catch { if error.status != .numeric { throw error } }
      return try evaluate(model, Dataset.digits())["loss"]?.number ?? .infinity
    }
    let (with, without) = (try loss(true), try loss(false))
    #expect(with < 0.5 * without, "\(with), \(without)")
  }

  @Test func whatHasNothingToNormalizeIsTold() throws {
    var model = try Fixture.network()
    let report = try fit(&model, Fixture.digits(), options(1e-3))
    #expect(report["batch_norms"]?.number == 0 && report["warnings"] != nil)
    var lenet = try Fixture.network("lenet5")
    var settings = options(1e-3)
    settings.frozen = ["conv1*"]
    let frozen = try #require(lenet.graph.initializer("conv1.weight")).array(of: Float.self)
    #expect(try fit(&lenet, Fixture.digits(), settings)["batch_norms"]?.number == 1)
    #expect(try #require(lenet.graph.initializer("conv1.weight")).array(of: Float.self) == frozen)
    settings.frozen = ["conv1.bias"]
    let bias = try #require(lenet.graph.initializer("conv1.bias")).array(of: Float.self)
    #expect(try fit(&lenet, Fixture.digits(), settings)["batch_norms"]?.number == 1)
    #expect(try #require(lenet.graph.initializer("conv1.bias")).array(of: Float.self) == bias)
    settings.palettes = true
    #expect { try fit(&lenet, Fixture.digits(), settings) } throws: { "\($0)".contains("batch_norm and palettes") }
  }

  /// Data that is no number: the fit says so, and the model is what it was.
  @Test func dataThatIsNoNumberLeavesTheModel() throws {
    let source = try Fixture.network("lenet5")
    var model = source
    let digits = try Fixture.digits(64)
    var pixels = try digits.x.array(of: Float.self)
    pixels[100] = .nan
    let data = try Dataset.tensors(Tensor(pixels, digits.x.shape), digits.y)
    #expect { try fit(&model, data, options(1e-3)) } throws: { ($0 as? PruneError)?.status == .numeric }
    #expect(model.graph.nodes.map(\.opType) == source.graph.nodes.map(\.opType))
    #expect(try Fixture.weights(model).allSatisfy { $0.value.allSatisfy(\.isFinite) })
  }
}
