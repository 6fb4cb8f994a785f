import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import Pruning
import Testing

import Quantization

@Suite(.enabled(if: Shared.isPresent, "needs ../shared")) struct ResNetTests {
  private func load() throws -> (model: Model, data: Dataset) {
    let model = try ModelFormats.load(path: Shared.folder + "/models/resnet_cifar/resnet20_cifar10_jpegft.onnx")
    let images = try Dataset.cifar10(paths: [Shared.folder + "/data/cifar10/test_first1000.bin.gz"])
    return (model, try images.normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]))
  }

  private func classes(_ model: Model, _ x: Tensor) throws -> [Int] {
    let results = try Session(model).run([model.graph.trueInputs[0].name: x])
    let logits = try #require(results[model.graph.outputs[0].name])
    let values = try logits.array(of: Float.self), width = logits.shape.dims.last ?? 1
    return stride(from: 0, to: values.count, by: width).map { first in
      (0..<width).max { values[first + $0] < values[first + $1] } ?? 0
    }
  }

  /// No layer stays float, and integer arithmetic changes few decisions.
  @Test func aPretrainedResNetKeepsItsAccuracyInInt8() throws {
    let (model, data) = try load()
    var options = QuantizeOptions()
    options.calibration = try data.take(100)
    options.validate = try data.take(400)
    let (result, report) = try quantize(model, options)
    let before = report["before.accuracy"]?.number ?? 0, after = report["after.accuracy"]?.number ?? 0
    #expect(before > 0.84)
    #expect(before - after <= 0.01)
    #expect(report["float_layers"] == nil)
    #expect(report["layers"]?.list?.count == 20)
    let x = try data.rows(0, 400).x
    let agreeing = zip(try classes(model, x), try classes(result, x)).count { $0 == $1 }
    #expect(agreeing >= 388)
  }

  /// What is saved is what was made, and prune -> quantize -> save -> load keeps every zero.
  @Test func zerosSurvivePruningQuantizingSavingAndLoading() throws {
    let (model, data) = try load()
    var pruning = PruneOptions()
    pruning.strategy = "local"
    pruning.amount = 0.3
    let pruned = try prune(model, pruning).model
    var options = QuantizeOptions()
    options.calibration = try data.take(50)
    let made = try quantize(pruned, options).model
    let loaded = try ONNX.decode(try Bytes(ONNX.encode(made)), folder: nil)
    #expect(loaded.maskedParameters == made.maskedParameters)
    #expect(loaded.maskedParameters.count == 20)
    for weight in pruned.maskedParameters {
      let floats = try pruned.graph.initializer(weight)?.array(of: Float.self) ?? []
      let codes = try Networks.codes(loaded, weight + "_quantized")
      #expect(!codes.isEmpty && codes.count == floats.count)
      #expect(zip(floats, codes).allSatisfy { $0 != 0 || $1 == 0 })
    }
    let x = try data.rows(0, 50).x
    #expect(try classes(made, x) == classes(loaded, x))
  }
}
