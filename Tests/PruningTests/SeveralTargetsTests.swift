import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Several budgets at once: each is the most that may be left of its cost.
@Suite struct SeveralTargetsTests {
  private func pruned(_ model: Model, _ change: (inout PruneOptions) -> Void) throws -> Report {
    var options = PruneOptions()
    change(&options)
    return try prune(model, options).report
  }

  private func kept(_ report: Report) throws -> [String: (target: Double, kept: Double)] {
    var result: [String: (Double, Double)] = [:]
    for row in try #require(report["targets"]?.list) {
      let row = try #require(row.report)
      result[try #require(row["cost"]?.text)] = (row["target"]?.number ?? -1, row["kept"]?.number ?? -1)
    }
    return result
  }

  private func network() throws -> Model {
    var options = ZooOptions()
    (options.classes, options.input) = (10, [1, 16, 16])
    return try Zoo.make("lenet5", options)
  }

  /// Whichever asks for most decides, and is hit as if it were alone; the others have room to spare.
  @Test(arguments: ["weight", "channel"], [(0.9, 0.3), (0.3, 0.9), (0.5, 0.5)])
  func theTightestDecides(granularity: String, shares: (macs: Double, params: Double)) throws {
    let model = try network()
    let report = try pruned(model) {
      $0.granularity = granularity
      $0.targets = [CostTarget(.macs, shares.macs), CostTarget(.params, shares.params)]
    }
    let kept = try kept(report)
    #expect(kept.count == 2)
    for (cost, row) in kept { #expect(row.kept <= row.target + 0.02, "\(cost)") }
    #expect(kept.values.contains { abs($0.kept - $0.target) <= 0.02 })
    var alone: [Double] = []
    for target in [CostTarget(.macs, shares.macs), CostTarget(.params, shares.params)] {
      let single = try pruned(model) {
        $0.granularity = granularity
        $0.target = target
      }
      #expect(single["targets"] == nil)
      alone.append((granularity == "weight" ? single["pruned"] : single["removed"])?.number ?? -1)
    }
    let both = (granularity == "weight" ? report["pruned"] : report["removed"])?.number
    #expect(both == alone.max())
    let notes = (report["notes"]?.list ?? []).compactMap(\.text).joined()
    #expect(notes.contains("decides how much goes"))
    #expect(report["target"]?.text?.contains("macs") == true && report["target"]?.text?.contains("params") == true)
  }

  @Test func bytesAndAScheduleGoTogether() throws {
    let report = try pruned(try network()) {
      $0.targets = [CostTarget(.bytes, 0.4), CostTarget(.macs, 0.6), CostTarget(.params, 0.5)]
      ($0.schedule, $0.steps) = ("linear", 3)
    }
    for (cost, row) in try kept(report) { #expect(row.kept <= row.target + 0.02, "\(cost)") }
  }

  @Test func theOneThatCannotBeMetIsNamed() throws {
    let model = try network()
    func message(_ change: (inout PruneOptions) -> Void) -> String {
      let error = #expect(throws: PruneError.self) { try pruned(model, change) }
      return error?.message ?? ""
    }
    let macs = message {
      $0.targets = [CostTarget(.params, 0.99), CostTarget(.macs, 0.1)]
      $0.scope = ["fc*"]
    }
    #expect(macs.contains("target macs is 0.1"), "\(macs)")
    #expect(
      message { $0.targets = [CostTarget(.macs, 0.5), CostTarget(.macs, 0.6)] }.contains("contradict"))
    #expect(message { $0.targets = [CostTarget(.macs, 0.5), CostTarget(.bytes, 0)] }.contains("target bytes is 0"))
    let data = try Dataset.digits().take(8)
    #expect(
      message {
        $0.data = data
        $0.targets = [CostTarget(.macs, 0.5), CostTarget(.bytes, 0.5)]
        ($0.strategy, $0.cost) = ("cost_aware", "macs")
      }.contains("a target of bytes contradict"))
  }
}
