import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneTensor
import Pruning
import Testing

@Suite struct LayerTests {
  @Test(.enabled(if: Shared.isPresent, "needs ../shared"))
  func residualBlocksGoWhole() throws {
    let model = try ModelFormats.load(path: Shared.folder + "/models/resnet_cifar/resnet20_cifar10.onnx")
    var options = PruneOptions()
    options.granularity = "layer"
    options.criterion = "l2"
    options.amount = 0.5
    let (slim, report) = try prune(model, options)
    #expect(try #require(report["certificate"]?.number) < 1e-4)
    let before = try ModelStats.of(model), after = try ModelStats.of(slim)
    #expect(after.params < before.params)
    let convolutions = { (model: Model) in model.graph.nodes.count { $0.opType == "Conv" } }
    let removed = try #require(report["removed"]?.integer)
    #expect(removed > 0)
    #expect(convolutions(slim) == convolutions(model) - 2 * removed)
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: ["head", "head_dim"])
  func headsGo(granularity: String) throws {
    for name in ["vit_merged_qkv", "encoder_separate_qkv"] {
      let model = try TopologyTests.load(name)
      var options = PruneOptions()
      options.granularity = granularity
      options.strategy = "local"
      options.amount = 0.5
      let (slim, report) = try prune(model, options)
      #expect(try #require(report["certificate"]?.number) < 1e-4)
      #expect(try ModelStats.of(slim).params < ModelStats.of(model).params)
    }
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"))
  func normalizationsAreMeasuredAnew() throws {
    let model = try TopologyTests.load("resnet_basic_bn")
    var random = RandomSource(seed: 1)
    let shape = try Shape([32] + (model.graph.trueInputs[0].type?.dims?.dropFirst().compactMap(\.value) ?? []))
    let data = try Dataset.tensors(try Tensor((0..<shape.count).map { _ in Float(random.normal()) }, shape), nil)
    var options = PruneOptions()
    options.granularity = "channel"
    options.strategy = "local"
    options.amount = 0.3
    options.data = data
    options.reestimates = true
    let (slim, report) = try prune(model, options)
    #expect(report["notes"]?.list?.contains { $0.text?.contains("measured anew") == true } == true)
    options.reestimates = false
    let plain = try prune(model, options).model
    let name = try #require(slim.graph.nodes.first { $0.opType == "BatchNormalization" }?.inputs[3])
    #expect(
      try slim.graph.initializer(name)?.array(of: Float.self) != plain.graph.initializer(name)?.array(of: Float.self))
  }
}
