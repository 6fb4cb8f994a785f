import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

import Quantization

@Suite struct JointBudgetTests {
  @Test func weightsFitTheBudgetTogether() throws {
    let (train, test) = try Dataset.digits().split(test: 0.2, seed: 7)
    var zoo = ZooOptions()
    (zoo.input, zoo.hidden) = ([1, 8, 8], [48, 24])
    var model = try Zoo.make("mlp", zoo)
    var fitting = FitOptions()
    (fitting.epochs, fitting.batchSize) = (8, 64)
    _ = try fit(&model, train, fitting)
    let before = try #require(try evaluate(model, test, EvaluateOptions())["accuracy"]?.number)
    var options = QuantizeOptions()
    (options.scheme, options.calibration) = ("joint", try train.take(64))
    for share in [0.15, 0.06] {
      options.bytes = share
      let (small, report) = try quantize(model, options)
      let rows = try #require(report["layers"]?.list).compactMap(\.report)
      #expect(rows.count == 3)
      let budget = try #require(report["budget"]?.integer)
      #expect(try #require(report["estimated_bytes"]?.integer) <= budget)
      // The packed weights are what the table said, but for what a coder has to learn.
      let sizes = try Prunez.sizes(small)
      let packed = rows.reduce(0) { $0 + (sizes.tensors[$1["weight"]?.text ?? ""] ?? 0) }
      #expect(Double(packed) < 1.1 * Double(budget) + 100, "\(packed) of \(budget)")
      let accuracy = try #require(try evaluate(small, test, EvaluateOptions())["accuracy"]?.number)
      #expect(accuracy > before - (share > 0.1 ? 0.02 : 0.1), "\(before) -> \(accuracy)")
      // What was pruned is listed as masked, and zero.
      for row in rows where (row["density"]?.number ?? 1) < 1 {
        #expect(small.maskedParameters.contains(row["weight"]?.text ?? ""))
      }
    }
    options.bytes = 0.001
    let error = #expect(throws: PruneError.self) { try quantize(model, options) }
    #expect(error?.message.contains("budget") == true)
    options.bytes = 0
    #expect(throws: PruneError.self) { try quantize(model, options) }
    (options.bytes, options.calibration) = (0.1, nil)
    #expect(throws: PruneError.self) { try quantize(model, options) }
  }
}
