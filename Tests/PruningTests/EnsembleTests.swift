import PruneData
import PruneEvaluation
import PruneFormats
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct EnsembleTests {
  private func members() throws -> (models: [(label: String, model: Model)], train: Dataset, test: Dataset) {
    let (train, test) = try Dataset.digits().split(test: 0.3, seed: 2)
    var models: [(label: String, model: Model)] = []
    for seed in 1...3 {
      var model = try Networks.mlp([16], seed: UInt64(seed))
      var options = FitOptions()
      options.epochs = 3
      options.lr = 5e-3
      options.seed = UInt64(seed)
      _ = try fit(&model, train, options)
      models.append(("m\(seed)", model))
    }
    return (models, train, test)
  }

  private func logits(_ model: Model, _ x: Tensor) throws -> [[Double]] {
    let output = try #require(try Session(model).run([model.graph.trueInputs[0].name: x])[model.graph.outputs[0].name])
    let values = try output.array(of: Float.self)
    return stride(from: 0, to: values.count, by: 10).map { values[$0..<$0 + 10].map(Double.init) }
  }

  private func softmax(_ row: [Double]) -> [Double] {
    let top = row.max() ?? 0, terms = row.map { exponential($0 - top) }, sum = terms.reduce(0, +)
    return terms.map { $0 / sum }
  }

  @Test func averageIsTheMeanOfProbabilities() throws {
    let (models, _, test) = try members()
    let (model, _) = try ensemble(models, EnsembleOptions())
    let x = try test.take(20).x
    let own = try models.map { try logits($0.model, x).map(softmax) }
    for (row, found) in try logits(model, x).enumerated() {
      for place in 0..<10 {
        let mean = own.reduce(0) { $0 + $1[row][place] } / 3
        #expect(abs(exponential(found[place]) - mean) < 1e-5)
      }
    }
  }

  @Test func votesCountAndTiesGoToTheMean() throws {
    let (models, _, test) = try members()
    var options = EnsembleOptions()
    options.method = "vote"
    let (model, _) = try ensemble(models, options)
    let x = test.x
    func best(_ row: [Double]) -> Int { row.indices.max { row[$0] < row[$1] } ?? 0 }
    let own = try models.map { try logits($0.model, x) }
    for (row, found) in try logits(model, x).enumerated() {
      var votes = [Double](repeating: 0, count: 10)
      for member in own {
        votes[best(member[row])] += 1
        for (place, value) in softmax(member[row]).enumerated() { votes[place] += value / 6 }
      }
      #expect(best(found) == best(votes))
    }
  }

  @Test(arguments: ["average", "vote", "stack"])
  func ensemblesAreModelsLikeAnyOther(method: String) throws {
    let (models, train, test) = try members()
    var options = EnsembleOptions()
    options.method = method
    options.data = method == "stack" ? train : test
    var mixed = models
    var pruning = PruneOptions()
    pruning.amount = 0.5
    mixed[1].model = try prune(models[1].model, pruning).model
    let (model, report) = try ensemble(mixed, options)
    #expect(report["members"]?.list?.count == 3)
    let worst = try mixed.map { try evaluate($0.model, test).number("accuracy") ?? 0 }.min() ?? 1
    let accuracy = try evaluate(model, test).number("accuracy") ?? 0
    #expect(accuracy > worst)
    // Members stay as they are, masks and all.
    #expect(try Networks.values(model, "m2/fc1.weight") == Networks.values(mixed[1].model, "fc1.weight"))
    #expect(model.maskedParameters.contains("m2/fc1.weight"))
    // Through a file.
    let back = try ONNX.decode(Bytes(ONNX.encode(model)), folder: nil)
    #expect(try evaluate(back, test).number("accuracy") == accuracy)
  }

  @Test func whatDoesNotGoTogetherIsNamed() throws {
    let (models, _, _) = try members()
    func message(_ models: [(label: String, model: Model)], _ change: (inout EnsembleOptions) -> Void = { _ in })
      -> String
    {
      var options = EnsembleOptions()
      change(&options)
      do { _ = try ensemble(models, options) } catch { return "\(error)" }
      return ""
    }
    #expect(message([models[0]]).contains("two models"))
    #expect(message(models) { $0.method = "averge" }.contains("average"))
    #expect(message(models) { $0.method = "stack" }.contains("data"))
    var zoo = ZooOptions()
    zoo.input = [1, 28, 28]
    let other = try Zoo.make("lenet_300_100", zoo)
    #expect(message([models[0], ("big", other)]).contains("big"))
  }
}
