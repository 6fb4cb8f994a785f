import PruneData
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

@Suite struct ZooTests {
  private func parameterCount(_ model: Model) -> Int {
    model.graph.initializers.reduce(0) { $0 + $1.tensor.count }
  }

  @Test(arguments: [("lenet_300_100", 266_610), ("lenet5", 431_080)])
  func paperNetworksHaveThePapersParameterCounts(name: String, count: Int) throws {
    let model = try Zoo.make(name)
    #expect(parameterCount(model) == count)
    #expect(model.graph.inputs.map(\.type) == [TensorType(.float32, [.named("N"), .fixed(1), .fixed(28), .fixed(28)])])
    #expect(model.graph.outputs.map(\.name) == ["logits"])
  }

  @Test func smallImagesArePaddedInLeNet5() throws {
    var options = ZooOptions()
    options.input = [1, 8, 8]
    let model = try Zoo.make("lenet5", options)
    #expect(model.graph.initializer("fc1.weight")?.shape.dims == [500, 200])
  }

  @Test func theSeedDecidesTheWeights() throws {
    var options = ZooOptions()
    options.input = [64]
    options.hidden = [32, 16]
    func first(_ seed: UInt64) throws -> [Float] {
      options.seed = seed
      return try #require(try Zoo.make("mlp", options).graph.initializer("fc1.weight")).array(of: Float.self)
    }
    #expect(try first(1) == first(1))
    #expect(try first(1) != first(2))
    let spread = try first(3).reduce(0) { $0 + Double($1 * $1) } / 2048
    #expect(abs(spread - 2.0 / 64) < 0.004)
  }

  /// Trainable parameters as torchvision and timm count them, or the papers.
  @Test(arguments: [
    ("resnet", 18, 11_689_512), ("resnet", 34, 21_797_672), ("resnet", 50, 25_557_032), ("resnet", 20, 269_722),
    ("resnet", 32, 464_154), ("resnet", 56, 853_018), ("vgg", 16, 138_365_992), ("mobilenet_v2", 0, 3_504_872),
    ("densenet121", 0, 7_978_856), ("vit", 0, 5_717_416), ("lstm", 0, 82_186),
  ])
  func largeNetworksHaveTheKnownParameterCounts(name: String, depth: Int, count: Int) throws {
    var options = ZooOptions()
    options.depth = depth
    let model = try Zoo.make(name, options)
    let trained = TrainableParameters.names(in: model).compactMap { model.graph.initializer($0)?.count }
    #expect(trained.reduce(0, +) == count)
    // Beside them, a running mean and variance for each scale and bias.
    let statistics = model.graph.initializers.filter { $0.name.contains(".running_") }
    let normalizations = model.graph.nodes.filter { $0.opType == "BatchNormalization" }
    #expect(statistics.count == 2 * normalizations.count)
  }

  @Test(arguments: [(11, 9_231_114), (13, 9_416_010), (16, 14_728_266), (19, 20_040_522)])
  func smallStemsGiveTheNetworksKnownFromCIFAR(depth: Int, count: Int) throws {
    var options = ZooOptions()
    options.depth = depth
    options.input = [3, 32, 32]
    let model = try Zoo.make("vgg", options)
    let trained = TrainableParameters.names(in: model).compactMap { model.graph.initializer($0)?.count }
    #expect(trained.reduce(0, +) == count)
  }

  @Test func widthScalesMobileNet() throws {
    var options = ZooOptions()
    options.width = 0.5
    let model = try Zoo.make("mobilenet_v2", options)
    let trained = TrainableParameters.names(in: model).compactMap { model.graph.initializer($0)?.count }
    #expect(trained.reduce(0, +) == 1_968_680)
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var input: [Int]
    var depth = 0
    var stem = ""
    var hidden: [Int] = []
    var heads = 0
    var testDescription: String { "\(name) \(depth) \(input) \(stem)" }
  }

  static let cases = [
    Case(name: "vgg", input: [1, 32, 32], depth: 11),
    Case(name: "vgg", input: [2, 32, 36], depth: 11, stem: "imagenet"),
    Case(name: "resnet", input: [3, 16, 16], depth: 18),
    Case(name: "resnet", input: [1, 33, 47], depth: 18, stem: "imagenet"),
    Case(name: "resnet", input: [1, 32, 32], depth: 50, stem: "imagenet"),
    Case(name: "resnet", input: [3, 15, 17], depth: 20),
    Case(name: "mobilenet_v2", input: [3, 32, 32]), Case(name: "mobilenet_v2", input: [1, 40, 32], stem: "imagenet"),
    Case(name: "densenet121", input: [1, 16, 16]),
    Case(name: "vit", input: [1, 8, 8], depth: 2, hidden: [32, 48], heads: 4),
    Case(name: "lstm", input: [7, 5], hidden: [16, 8]), Case(name: "lstm", input: [2, 8, 6], hidden: [16]),
  ]

  /// Any batch runs, a step of training moves the weights and the statistics, and the result is saved and read again.
  @Test(arguments: cases) func networksRunTrainAndAreSaved(_ given: Case) throws {
    var options = ZooOptions()
    (options.input, options.depth, options.stem) = (given.input, given.depth, given.stem)
    (options.hidden, options.heads, options.classes) = (given.hidden, given.heads, 4)
    var model = try Zoo.make(given.name, options)
    let dims = model.graph.outputs[0].type?.dims
    #expect(dims == [.named("N"), .fixed(4)])
    var undeclared = model
    undeclared.graph.outputs = [ValueInfo(name: "logits", type: nil)]
    let inferred = try ShapeInference.run(undeclared)
    #expect(inferred.types["logits"] == TensorType(.float32, [.named("N"), .fixed(4)]))

    var random = RandomSource(seed: 5)
    let shape = try Shape([6] + given.input)
    let x = try Tensor((0..<shape.count).map { _ in Float(random.normal()) }, shape)
    let data = try Dataset.tensors(x, try Tensor([0, 1, 2, 3, 0, 1] as [Int64]))
    func logits(_ model: Model, _ count: Int) throws -> [Float] {
      let results = try Session(model).run(["input": data.rows(0, count).x])
      return try #require(results["logits"]).array(of: Float.self)
    }
    let before = model
    #expect(try logits(model, 1).count == 4)
    let all = try logits(model, 6)
    #expect(all.count == 24 && all.allSatisfy(\.isFinite))

    var training = FitOptions()
    training.batchSize = 6
    let history = try fit(&model, data, training)
    #expect(history["epochs.0.loss"]?.number?.isFinite == true)
    // A gradient reaches every weight.
    if given.name != "lstm" { #expect(history["frozen"] == nil) }
    for entry in before.graph.initializers where entry.name.contains("running_var") || entry.name.hasSuffix("fc.weight")
    {
      let new = try #require(model.graph.initializer(entry.name))
      #expect(try new.array(of: Float.self) != entry.tensor.array(of: Float.self), "\(entry.name) did not move")
    }
    let reread = try ONNX.decode(Bytes(ONNX.encode(model)), folder: nil)
    #expect(try logits(reread, 3) == logits(model, 3))
  }

  @Test func sizesThatDoNotGoTogetherAreNamed() {
    func refuses(_ name: String, _ text: String, _ change: (inout ZooOptions) -> Void) {
      var options = ZooOptions()
      change(&options)
      #expect("\(name): \(text)") { try Zoo.make(name, options) } throws: { error in
        guard let error = error as? PruneError else { return false }
        return (error.message + error.hint).contains(text)
      }
    }
    refuses("resnet", "18, 34, 50") { $0.depth = 17 }
    refuses("vgg", "11, 13, 16, 19") { $0.depth = 12 }
    refuses("vgg", "larger image") { $0.input = [3, 16, 16] }
    refuses("densenet121", "[channels, height, width]") { $0.input = [64] }
    refuses("resnet", "imagenet, small") { $0.stem = "huge" }
    refuses("mobilenet_v2", "width is -1.0") { $0.width = -1 }
    refuses("vit", "patches of 5x5") { $0.patch = 5 }
    refuses("vit", "5 equal heads") { $0.heads = 5 }
    refuses("lstm", "[steps, features]") { $0.input = [64] }
    refuses("lstm", "at most 16384") { $0.hidden = [1 << 20] }
  }

  @Test(arguments: ["mlpp", ""])
  func unknownNamesAreListed(name: String) {
    #expect { try Zoo.make(name) } throws: { ($0 as? PruneError)?.hint.contains("lenet5") == true }
  }

  @Test func impossibleSizesAreRefused() {
    var options = ZooOptions()
    options.input = [1, 3, 3]
    #expect(throws: PruneError.self) { try Zoo.make("lenet5", options) }
    options.input = [1 << 24, 1 << 24, 1 << 24]
    #expect(throws: PruneError.self) { try Zoo.make("mlp", options) }
    options = ZooOptions()
    options.activation = "swoosh"
    #expect(throws: PruneError.self) { try Zoo.make("mlp", options) }
  }
}
