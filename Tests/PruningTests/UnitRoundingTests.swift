import PruneEvaluation
import PruneGraph
import PruneTensor
import Pruning
import Testing

/// Widths that this machine's kernels like: the default where time counts.
@Suite struct UnitRoundingTests {
  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var options = SmallGraph.channels(0.4)
    change(&options)
    return options
  }

  private func widths(_ model: Model) -> [Int] {
    ["fc1.weight", "fc2.weight"].compactMap { model.graph.initializer($0)?.shape.dims.min() }
  }

  @Test func timesMeanMultiplesAndWhatOthersWouldHaveGiven() throws {
    let model = try Networks.mlp([128, 96])
    let (timed, report) = try prune(model, options { $0.benchmarks = true })
    let multiple = try #require(report["round_to"]?.integer)
    #expect([8, 16].contains(multiple))
    for row in try #require(report["groups"]?.list) {
      #expect(try #require(row.report?["left"]?.integer) % multiple == 0)
    }
    // The same amount in whole units, timed likewise.
    let whole = try #require(report["with_round_to_1"]?.report)
    let plain = try prune(model, options { _ in }).report
    #expect(abs(try #require(whole["macs_kept"]?.number) - (try #require(plain["macs_kept"]?.number))) < 1e-9)
    #expect(try #require(whole["median_ms"]?.number) > 0 && whole["latency_kept"]?.number ?? 0 > 0)
    #expect(plain["round_to"] == nil && plain["with_round_to_1"] == nil)
    // One asked for is as it was asked for, with nothing beside it.
    let (asked, own) = try prune(
      model,
      options {
        $0.benchmarks = true
        $0.roundTo = PruneOptions.machineRounding
      })
    #expect(own["round_to"]?.integer == multiple && own["with_round_to_1"] == nil)
    #expect(widths(asked) == widths(timed))
    #expect(try prune(model, options { ($0.benchmarks, $0.roundTo) = (true, 1) }).report["round_to"] == nil)
  }

  /// Nobody asked for multiples: they give way where they leave the network as it is, or a budget unmet.
  @Test func multiplesThatNobodyAskedForGiveWay() throws {
    let small = try Networks.mlp([8, 6])
    let (_, report) = try prune(small, options { $0.benchmarks = true })
    #expect(try #require(report["removed"]?.integer) > 0)
    #expect(report["round_to"] == nil)
    let (_, budget) = try prune(
      try Networks.mlp([8, 8]),
      options {
        ($0.benchmarks, $0.amount, $0.strategy) = (true, nil, nil)
        $0.target = CostTarget(.macs, 0.5)
      })
    #expect(abs(try #require(budget["macs_kept"]?.number) - 0.5) < 0.1)
    // A budget that multiples are too coarse for.
    for fraction in [0.3, 0.45, 0.6, 0.75] {
      let (_, exact) = try prune(
        try Networks.mlp([32, 16]),
        options {
          ($0.benchmarks, $0.amount, $0.strategy) = (true, nil, nil)
          $0.target = CostTarget(.macs, fraction)
        })
      #expect(abs(try #require(exact["macs_kept"]?.number) - fraction) < 0.021)
    }
  }

  @Test func aMultipleOutOfRangeIsRefused() throws {
    for wrong in [-1, 65537, Int.max] {
      let error = #expect(throws: PruneError.self) { try prune(try Networks.mlp(), options { $0.roundTo = wrong }) }
      #expect(error?.message.contains("round_to is \(wrong)") == true)
    }
  }
}
