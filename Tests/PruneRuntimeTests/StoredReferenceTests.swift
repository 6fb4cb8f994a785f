import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

/// Whole models against outputs that ONNX Runtime computed.
@Suite(.enabled(if: Shared.isPresent, "../shared is not there"))
struct StoredReferenceTests {
  static let trained = [
    ("models/resnet_cifar/resnet20_cifar10.onnx", "ref/resnet20_cifar10.npz"),
    ("models/resnet_cifar/resnet56_cifar10.onnx", "ref/resnet56_cifar10.npz"),
    ("models/mobilenet_v2/mobilenet_v2_imagenet.onnx", "ref/mobilenet_v2_imagenet.npz"),
    ("models/tied/siamese_resnet20_tied.onnx", "ref/siamese_resnet20_tied.npz"),
  ]
  static let topologies = [
    "densenet", "inception_concat_flatten", "mobilenet_v2", "mobilenet_v3_se", "resnet_basic_bn", "resnet_bottleneck",
    "resnext_grouped", "shufflenet_v2", "squeezenet_fire", "two_inputs_two_outputs", "encoder_separate_qkv",
    "gru_bidirectional", "lstm", "tied_embedding", "unet_convtranspose", "vit_merged_qkv", "yolo_split_concat_resize",
  ].map { ("models/topologies/\($0).onnx", "models/topologies/\($0).npz") }

  @Test(arguments: trained + topologies)
  func outputsAreThoseOfTheReference(model path: String, arrays: String) throws {
    let model = try ModelFormats.load(path: "\(Shared.folder)/\(path)")
    let stored = try Npz.load(path: "\(Shared.folder)/\(arrays)")
    var inputs: [String: Tensor] = [:]
    for (name, tensor) in stored where name.hasPrefix("in_") {
      inputs[name.split(separator: "_", maxSplits: 2).last.map(String.init) ?? ""] = tensor
    }
    if let node = model.graph.nodes.first(where: { ReferenceKernels.kernel(for: $0, opset: model.opset() ?? 17) == nil }
    ) {
      let error = #expect(throws: PruneError.self) { try Session(model).run(inputs) }
      #expect(error?.status == .unsupported && error?.place == node.label)
      return
    }
    let results = try Session(model).run(inputs)
    for (index, output) in model.graph.outputs.enumerated() {
      let wanted = try #require(stored.first { $0.name == "out_\(index)" }).tensor
      let got = try #require(results[output.name])
      #expect(got.shape == wanted.shape)
      let difference = try relativeNorm(got, wanted)
      #expect(difference < 1e-4, "\(output.name): \(difference)")
    }
  }
}
