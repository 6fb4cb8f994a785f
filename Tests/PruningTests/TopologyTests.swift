import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Every small network of structures that break pruners, at four amounts.
@Suite struct TopologyTests {
  static let names = [
    "densenet", "encoder_separate_qkv", "gru_bidirectional", "inception_concat_flatten", "lstm", "mobilenet_v2",
    "mobilenet_v3_se", "resnet_basic_bn", "resnet_bottleneck", "resnext_grouped", "shufflenet_v2", "squeezenet_fire",
    "tied_embedding", "two_inputs_two_outputs", "unet_convtranspose", "vit_merged_qkv", "yolo_split_concat_resize",
  ]

  static func load(_ name: String) throws -> Model {
    try ModelFormats.load(path: Shared.folder + "/models/topologies/\(name).onnx")
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared"), arguments: names, [0.1, 0.3, 0.5, 0.7])
  func shrinksAndIsCertified(name: String, amount: Double) throws {
    let model = try Self.load(name)
    var options = PruneOptions()
    options.granularity = "channel"
    options.criterion = "l2"
    options.strategy = "local"
    options.amount = amount
    let (slim, report) = try prune(model, options)
    #expect(try #require(report["certificate"]?.number) <= 1e-4)
    let before = try ModelStats.of(model), after = try ModelStats.of(slim)
    #expect(after.params < before.params)
    #expect(try #require(after.macs) < #require(before.macs))
    #expect(slim.graph.outputs.map(\.type) == model.graph.outputs.map(\.type))
  }

  /// What no export stands beside the checkout for, written by scripts/topologies.py.
  static let written = [
    "attention_operators", "control_flow", "convnext", "efficientnet_mbconv", "llama_gqa", "shared_constants",
    "swin_windows",
  ]

  static let folder: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
    return parts.joined(separator: "/") + "/Data/topologies"
  }()

  static func written(_ name: String) throws -> Model { try ModelFormats.load(path: folder + "/\(name).onnx") }

  @Test(arguments: written, [0.1, 0.3, 0.5, 0.7])
  func writtenOnesShrinkAndAreCertified(name: String, amount: Double) throws {
    let model = try Self.written(name)
    var options = PruneOptions()
    options.granularity = "channel"
    options.criterion = "l2"
    options.strategy = "local"
    options.amount = amount
    let (slim, report) = try prune(model, options)
    #expect(try #require(report["certificate"]?.number) <= 1e-4)
    let before = try #require(report["before"]?.report), after = try #require(report["after"]?.report)
    #expect(try #require(after["params"]?.integer) < before["params"]?.integer ?? 0)
    #expect(try #require(after["macs"]?.integer) < before["macs"]?.integer ?? 0)
    #expect(slim.graph.outputs.map(\.type) == model.graph.outputs.map(\.type))
  }
}
