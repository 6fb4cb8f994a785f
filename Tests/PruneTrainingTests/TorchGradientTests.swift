import Foundation
import PruneFormats
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// Gradients of whole networks as PyTorch computes them (Tests/Data/training/gradients.py): of each parameter's
/// gradient the norm and its products with four vectors of signs.
enum TorchGradients {
  static let folder: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(2)
    return parts.joined(separator: "/") + "/Data/training"
  }()

  /// Murmur3's finalizer of index + seed * 0x9E3779B9.
  static func hash(_ index: Int, _ seed: UInt32) -> UInt32 {
    var x = UInt32(truncatingIfNeeded: index) &+ seed &* 0x9E37_79B9
    x ^= x >> 16
    x = x &* 0x85EB_CA6B
    x ^= x >> 13
    x = x &* 0xC2B2_AE35
    return x ^ (x >> 16)
  }

  /// Uniform numbers in -1...1.
  static func uniform(_ count: Int, seed: UInt32) -> [Float] {
    (0..<count).map { Float(Double(hash($0, seed) >> 8) / Double(1 << 23) - 1) }
  }

  static func summary(_ gradient: Tensor) throws -> [Double] {
    let values = try gradient.array(of: Float.self)
    var result = [values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()]
    for seed in 1...4 as ClosedRange<UInt32> {
      result.append(values.indices.reduce(0.0) { $0 + (hash($1, seed) & 1 == 1 ? 1 : -1) * Double(values[$1]) })
    }
    return result
  }

  /// Compares the loss, and every gradient within 1e-4 of its norm.
  static func compare(_ model: Model, _ name: String, loss: String, x: Tensor, y: Tensor) throws {
    var expected: [String: [Double]] = [:]
    for line in try FileReader.bytes(of: "\(folder)/\(name).csv").text.split(separator: "\n") {
      let fields = line.split(separator: ",")
      expected[String(fields[0])] = fields.dropFirst().compactMap { Double($0) }
    }
    let source = try LossGradients(
      model, loss: loss, targets: y.dtype, parameters: expected.keys.filter { $0 != "loss" }.sorted())
    let (value, gradients) = try source.run(x, y)
    #expect(source.blocked.isEmpty)
    let wanted = try #require(expected["loss"]?.first)
    #expect(abs(value - wanted) < 1e-4 * wanted)
    let largest = expected.filter { $0.key != "loss" }.values.map { $0[0] }.max() ?? 0
    for (parameter, numbers) in expected where parameter != "loss" {
      let found = try summary(try #require(gradients[parameter], "\(parameter) has no gradient"))
      // A projection on signs is of the size of the norm. Some gradients are nought but for rounding: those of the
      // keys' biases, which a softmax does not see.
      let bound = 1e-4 * max(numbers[0], 1e-4 * largest)
      for (index, number) in numbers.enumerated() {
        #expect(
          abs(found[index] - number) < bound * (index == 0 ? 1 : 4),
          "\(parameter)[\(index)]: \(found[index]), PyTorch \(number)")
      }
    }
  }
}

@Suite struct TorchGradientTests {
  @Test func aBidirectionalLSTM() throws {
    let model = try ModelFormats.load(path: TorchGradients.folder + "/lstm.onnx")
    let x = try Tensor(TorchGradients.uniform(3 * 7 * 5, seed: 9), Shape([3, 7, 5]))
    try TorchGradients.compare(model, "lstm", loss: "cross_entropy", x: x, y: Tensor([0, 2, 3] as [Int64]))
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared beside the repository")) func resnet20() throws {
    let x = try Tensor(TorchGradients.uniform(4 * 3 * 32 * 32, seed: 7), Shape([4, 3, 32, 32]))
    try TorchGradients.compare(
      Shared.resnet20(), "resnet20", loss: "cross_entropy", x: x, y: Tensor([3, 1, 4, 1] as [Int64]))
  }

  /// Where `models/minilm_l6_v2/get` put it.
  private static let minilm =
    ProcessInfo.processInfo.environment["PRUNE_MINILM"] ?? NSTemporaryDirectory() + "/minilm/minilm_l6_v2.onnx"

  /// The mask and the segments are constants here: a batch feeds one input.
  @Test(.enabled(if: FileReader.exists(minilm), "needs PRUNE_MINILM, the path of minilm_l6_v2.onnx"))
  func aSentenceTransformer() throws {
    var model = try ModelFormats.load(path: Self.minilm)
    var mask = [Int64](repeating: 1, count: 24)
    for index in 21..<24 { mask[index] = 0 }
    model.graph.inputs.removeAll { $0.name != "input_ids" }
    model.graph.setInitializer("attention_mask", try Tensor(mask, Shape([2, 12])))
    model.graph.setInitializer("token_type_ids", try Tensor([Int64](repeating: 0, count: 24), Shape([2, 12])))
    let ids = TorchGradients.uniform(24, seed: 3).map { Int64(abs($0) * 20000 + 1000) }
    let targets = try Tensor(TorchGradients.uniform(24 * 384, seed: 5), Shape([2, 12, 384]))
    try TorchGradients.compare(model, "minilm", loss: "mse", x: Tensor(ids, Shape([2, 12])), y: targets)
  }
}
