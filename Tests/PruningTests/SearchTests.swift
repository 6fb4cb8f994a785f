import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct SearchTests {
  private func trained() throws -> (model: Model, data: Dataset) {
    let data = try Dataset.digits().take(400)
    var model = try Networks.mlp([24])
    var options = FitOptions()
    options.epochs = 8
    options.lr = 4e-3
    _ = try fit(&model, data, options)
    return (model, data)
  }

  @Test func theBestIsWithinTheBoundAndItsRecipeGivesIt() throws {
    let (model, data) = try trained()
    var options = SearchOptions()
    options.data = data
    options.maxDrop = 0.03
    let (found, report) = try search(model, options)
    let before = try evaluate(model, data).number("accuracy") ?? 1,
      after = try evaluate(found, data).number("accuracy") ?? 0
    #expect(before - after <= 0.03 + 1e-9)
    // MACs are what is computed, zeros or not.
    #expect(try #require(ModelStats.of(found).macs) < #require(ModelStats.of(model).macs))
    let front = try #require(report["front"]?.list)
    // No point of the front is beaten in both.
    for index in 1..<max(front.count, 1) where index < front.count {
      #expect((report["front.\(index - 1).cost"]?.number ?? 0) <= (report["front.\(index).cost"]?.number ?? 0))
      #expect((report["front.\(index - 1).drop"]?.number ?? 0) > (report["front.\(index).drop"]?.number ?? 0))
    }
    let place = try #require(front.indices.first { report["front.\($0).within"]?.flag == true })
    var again = PruneOptions()
    again.recipe = report["front.\(place).recipe"]?.text
    again.data = try data.take(256)
    let replayed = try prune(model, again).model
    for name in ["fc1.weight", "fc2.weight"] {
      #expect(try Networks.values(replayed, name) == Networks.values(found, name))
    }
  }

  /// No runtime skips single zeros: what saves MACs or time is removed, what saves bytes may be zeroed. Each way is
  /// named in full.
  @Test(arguments: ["macs", "latency", "bytes"])
  func waysSaveWhatTheObjectiveCounts(objective: String) throws {
    let (model, data) = try trained()
    var options = SearchOptions()
    (options.data, options.objective, options.maxDrop) = (data, objective, 0.5)
    let report = try search(model, options).report
    let front = try #require(report["front"]?.list).compactMap(\.report)
    #expect(!front.isEmpty)
    for row in front {
      let way = try #require(row["way"]?.text)
      #expect(way.hasPrefix("weights, ") == (objective == "bytes"))
      #expect(report.text(width: 100).contains(way))
    }
    // What it reckons with is what the network computes.
    if objective == "macs" {
      let whole = try #require(ModelStats.of(model).macs),
        found = try #require(ModelStats.of(search(model, options).model).macs)
      #expect(front.contains { $0["cost"]?.integer == found || $0["cost"]?.number == Double(found) } && found <= whole)
    }
  }

  @Test func aSearchEndsWhenItIsTold() throws {
    let (model, data) = try trained()
    var options = SearchOptions()
    options.data = data
    options.onCandidate = { candidate throws(PruneError) in candidate.number >= 3 }
    let report = try search(model, options).report
    #expect(report["tried"]?.integer == 3)
    #expect(report["stopped"]?.flag == true)
  }

  @Test func badInputIsNamedFirst() throws {
    let model = try Networks.mlp(), data = try Dataset.digits().take(20)
    func message(_ change: (inout SearchOptions) -> Void) -> String {
      var options = SearchOptions()
      options.data = data
      change(&options)
      do { _ = try search(model, options) } catch { return "\(error)" }
      return ""
    }
    #expect(message { $0.data = nil }.contains("data"))
    #expect(message { $0.objective = "mac" }.contains("macs"))
    #expect(message { $0.maxDrop = -1 }.contains("max_drop"))
    #expect(message { $0.budget = .infinity }.contains("budget"))
  }
}
