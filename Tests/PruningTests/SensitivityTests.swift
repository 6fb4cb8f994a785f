import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct SensitivityTests {
  private func trained() throws -> (model: Model, test: Dataset) {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 7)
    var model = try Networks.mlp()
    var options = FitOptions()
    options.epochs = 6
    options.lr = 0.005
    _ = try fit(&model, train, options)
    return (model, test)
  }

  private func options(_ data: Dataset, _ change: (inout SensitivityOptions) -> Void = { _ in }) -> SensitivityOptions {
    var options = SensitivityOptions()
    options.data = data
    change(&options)
    return options
  }

  /// Each value is what pruning that layer alone and evaluating the whole model gives.
  @Test(arguments: ["weight", "block:4x4"])
  func tailsMeasureWhatWholeModelsDo(granularity: String) throws {
    let (model, test) = try trained()
    let report = try sensitivity(
      model,
      options(test) {
        $0.amounts = [0.5, 0.9]; $0.granularity = granularity
      })
    #expect(report["baseline"]?.number == (try evaluate(model, test).number("accuracy")))
    for (index, name) in ["fc1", "fc2", "fc3"].enumerated() {
      for (place, amount) in [0.5, 0.9].enumerated() {
        var prune = PruneOptions()
        prune.scope = [name]
        prune.amount = amount
        prune.granularity = granularity
        let expected = try evaluate(try Pruning.prune(model, prune).model, test).number("accuracy")
        #expect(report["layers.\(index).values.\(place)"]?.number == expected, "\(name) \(amount)")
      }
      #expect(report["layers.\(index).curve"]?.text?.count == 2)
    }
  }

  @Test func residualNetworksAreCutBetweenBlocks() throws {
    var zoo = ZooOptions()
    zoo.depth = 20
    zoo.input = [3, 32, 32]
    let model = try Zoo.make("resnet", zoo)
    var random = RandomSource(seed: 3)
    let x = try Tensor((0..<12 * 3072).map { _ in Float(random.normal()) }, Shape([12, 3, 32, 32]))
    let y = try Tensor((0..<12).map { Int64($0 % 10) })
    let data = try Dataset.tensors(x, y)
    let report = try sensitivity(
      model,
      options(data) {
        $0.amounts = [0.6]; $0.metric = "loss"; $0.batchSize = 5
      })
    let rows = try #require(report["layers"]?.list)
    #expect(rows.count >= 20)
    for index in [0, 1, 8, rows.count - 1] {
      var prune = PruneOptions()
      prune.scope = [report["layers.\(index).name"]?.text ?? ""]
      prune.amount = 0.6
      let expected = try evaluate(try Pruning.prune(model, prune).model, data).number("loss") ?? 0
      #expect(abs((report["layers.\(index).values.0"]?.number ?? 0) - expected) < 1e-4 * max(1, expected))
    }
  }

  @Test func safeAmountsKeepTheMetric() throws {
    let (model, test) = try trained()
    let report = try sensitivity(
      model,
      options(test) {
        $0.amounts = [0.2, 0.5, 0.95, 1]; $0.maxDrop = 0.05
      })
    for index in 0..<3 {
      let safe = try #require(report["layers.\(index).safe"]?.number)
      let values = (0..<4).map { report["layers.\(index).values.\($0)"]?.number ?? 0 }
      let baseline = report["baseline"]?.number ?? 0
      for (amount, value) in zip([0.2, 0.5, 0.95, 1], values) where amount <= safe {
        #expect(baseline - value <= 0.05 + 1e-9)
      }
      #expect(safe < 1)
    }
  }

  @Test func aStopKeepsWhatIsThere() throws {
    let (model, test) = try trained()
    let report = try sensitivity(
      model,
      options(test) {
        $0.amounts = [0.5]; $0.onLayer = { $0.layer == 2 }
      })
    #expect(report["layers"]?.list?.count == 2)
    #expect(report["stopped"]?.flag == true)
  }

  @Test func badInputIsNamedFirst() throws {
    let model = try Networks.mlp(), data = try Dataset.digits().take(20)
    func message(_ change: (inout SensitivityOptions) -> Void) -> String {
      do { _ = try sensitivity(model, options(data, change)) } catch { return "\(error)" }
      return ""
    }
    #expect(message { $0.data = nil }.contains("data"))
    #expect(message { $0.amounts = [0.5, 1.5] }.contains("1.5"))
    #expect(message { $0.amounts = [.nan] }.contains("nan"))
    #expect(message { $0.metric = "acuracy" }.contains("accuracy"))
    #expect(message { $0.granularity = "2:4" }.contains("2:4"))
    #expect(message { $0.maxDrop = -1 }.contains("max_drop"))
  }
}
