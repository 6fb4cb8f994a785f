import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Layer after layer, the least important first, each as far as the guard allows.
@Suite struct LayerwiseTests {
  private func trained() throws -> (Model, Dataset) {
    var model = try Networks.mlp()
    let data = try Dataset.digits().take(400)
    var fitting = FitOptions()
    (fitting.epochs, fitting.seed) = (6, 1)
    _ = try fit(&model, data, fitting)
    return (model, data)
  }

  private func options(_ data: Dataset, _ granularity: String, maxDrop: Double) -> PruneOptions {
    var options = PruneOptions()
    (options.strategy, options.granularity) = ("layerwise", granularity)
    options.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: maxDrop)
    return options
  }

  private func rows(_ report: Report, _ key: String) throws -> [Report] {
    try #require(report[key]?.list).map { try #require($0.report) }
  }

  @Test(arguments: ["weight", "block:2x2", "channel"]) func theLeastImportantGoesFirst(granularity: String) throws {
    let (model, data) = try trained()
    let outcome = try pruned(model, options(data, granularity, maxDrop: 0.02)), report = outcome.report
    let importance = try rows(report, "layer_importance"), journal = try rows(report, "journal")
    #expect(importance.count == (granularity == "channel" ? 2 : 3))
    // What was kept stays within the guard, layer after layer.
    #expect(journal.allSatisfy { $0["kept"]?.flag == ($0["drop"]?.number ?? 1 <= 0.02 + 1e-9) })
    let before = try #require(evaluate(model, data, EvaluateOptions())["accuracy"]?.number)
    let after = try #require(evaluate(outcome.model, data, EvaluateOptions())["accuracy"]?.number)
    #expect(after >= before - 0.02 - 1e-9)
    #expect(importance.contains { ($0["removed"]?.integer ?? 0) > 0 })
    for row in importance {
      let (units, removed) = (row["units"]?.integer ?? 0, row["removed"]?.integer ?? 0)
      #expect(Double(removed) <= 0.9 * Double(units) + 1)
    }
    #expect(report.headline == nil)
  }

  /// A metric that only one layer moves: that one stays, however little it has; the others go all the way.
  @Test func aLayerThatMattersStays() throws {
    let model = try Networks.mlp()
    let names = try PrunableWeights(of: model).weights.map(\.name)
    let dense = try Networks.values(model, names[1])
    var options = PruneOptions()
    (options.strategy, options.amount) = ("layerwise", 0.5)
    options.guard = GuardOptions(
      data: nil, metric: "ours", maxDrop: 0,
      custom: CustomMetric { model throws(PruneError) in
        let now = try model.graph.initializer(names[1])?.array(of: Float.self) ?? []
        return -Double(zip(now, dense).count { $0 != $1 })
      })
    let report = try pruned(model, options).report
    let importance = try rows(report, "layer_importance")
    #expect(importance.map { $0["importance"]?.number ?? -1 }.enumerated().max { $0.element < $1.element }?.offset == 1)
    let removed = importance.map { $0["removed"]?.integer ?? -1 }, units = importance.map { $0["units"]?.integer ?? 0 }
    #expect(removed[1] == 0 && removed[0] == units[0] / 2 && removed[2] == units[2] / 2)
    // It comes last, whatever its place in the graph.
    let journal = try rows(report, "journal")
    #expect(journal.map { $0["step"]?.integer } == [1, 2, 3, 3, 3, 3])
    #expect(journal.map { $0["kept"]?.flag } == [true, true, false, false, false, false])
  }

  @Test func aRecipeTakesTheSameAgain() throws {
    let (model, data) = try trained()
    let first = try pruned(model, options(data, "weight", maxDrop: 0.02))
    var again = PruneOptions()
    again.recipe = try #require(first.recipe)
    let second = try pruned(model, again).model
    for name in try PrunableWeights(of: model).weights.map(\.name) {
      #expect(try Networks.values(first.model, name) == Networks.values(second, name))
    }
  }

  @Test func whatHasNoSayIsNamed() throws {
    let model = try Networks.mlp(), data = try Dataset.digits().take(32)
    func message(_ change: (inout PruneOptions) -> Void) -> String {
      var options = options(data, "weight", maxDrop: 0.1)
      change(&options)
      let error = #expect(throws: PruneError.self) { try pruned(model, options) }
      return error?.message ?? ""
    }
    #expect(message { $0.guard = nil }.contains("as far as a guard allows"))
    #expect(message { $0.target = CostTarget(.params, 0.5) }.contains("target has no say"))
    #expect(message { $0.threshold = 0.5 }.contains("threshold has no say"))
    #expect(message { $0.schedule = "linear" }.contains("schedule has no say"))
    #expect(message { $0.granularity = "2:4" }.contains("says itself"))
    #expect(message { $0.allocation = "erk" }.contains("contradict"))
  }
}
