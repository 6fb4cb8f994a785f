import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Quantization
import Testing

/// Channels of networks that were quantized before.
@Suite struct PrunedLaterTests {
  private static func quantized(_ kind: String) throws -> Model {
    var options = ZooOptions()
    options.input = [3, 32, 32]
    var settings = QuantizeOptions()
    settings.scheme = "static"
    settings.calibration = try Dataset.tensors(Networks.random([8, 3, 32, 32], seed: 4, scale: 1), nil)
    return try quantize(try Zoo.make(kind, options), settings).model
  }

  /// Hundreds of steps one behind another: a value between two of them turns with the order of a sum, and what is
  /// compared then differs by more than floats do. The cut is exact all the same.
  @Test(arguments: ["densenet121", "mobilenet_v2"])
  func deepQuantizedNetworksLoseChannels(kind: String) throws {
    let model = try Self.quantized(kind)
    for (amount, seed) in [(0.1, 1), (0.3, 2), (0.6, 3)] as [(Double, UInt64)] {
      var options = PruneOptions()
      (options.granularity, options.amount, options.seed) = ("channel", amount, seed)
      let (slim, report) = try prune(model, options)
      #expect(report["certificate"]?.number != nil)
      #expect(try ModelStats.of(slim).params < ModelStats.of(model).params)
    }
  }
}
