import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Whatever is cut, by zeros or by surgery, the loop around it is the same.
@Suite struct PruneRunTests {
  /// A cut that a run goes around.
  struct Cut: CustomTestStringConvertible, Sendable {
    let granularity: String
    var mode: String?
    var testDescription: String { "\(granularity) \(mode ?? "")" }
  }

  static let cuts = [
    Cut(granularity: "weight"), Cut(granularity: "2:4"), Cut(granularity: "block:4x4"), Cut(granularity: "channel"),
    Cut(granularity: "channel", mode: "mask"), Cut(granularity: "layer"),
  ]

  private func model(_ cut: Cut) throws -> Model {
    guard cut.granularity == "layer" else { return try Networks.mlp() }
    var options = ZooOptions()
    (options.input, options.depth, options.classes) = ([3, 8, 8], 20, 4)
    return try Zoo.make("resnet", options)
  }

  /// Three steps, with a guard that asks a metric of ours.
  private func options(_ cut: Cut, _ metric: @escaping () -> Double) -> PruneOptions {
    var options = PruneOptions()
    (options.granularity, options.mode, options.schedule, options.steps) = (cut.granularity, cut.mode, "linear", 3)
    if cut.granularity != "2:4" { options.amount = 0.6 }
    options.guard = GuardOptions(
      data: nil, metric: "ours", maxDrop: 0.5, custom: CustomMetric { _ throws(PruneError) in metric() })
    return options
  }

  /// The journal of a report, row by row.
  private func journal(_ report: Report) throws -> [Report] {
    try #require(report["journal"]?.list).map { try #require($0.report) }
  }

  @Test(arguments: cuts) func everyStepIsKeptCountedAndTold(cut: Cut) throws {
    let model = try model(cut)
    var events: [PruneEvent] = []
    var options = options(cut) { 1 }
    options.onStep = { event throws(PruneError) in
      events.append(event)
      return false
    }
    let outcome = try pruned(model, options), rows = try journal(outcome.report)
    #expect(rows.count == 3 && events.map(\.step) == [1, 2, 3] && events.allSatisfy { $0.steps == 3 && $0.isKept })
    #expect(zip(rows, events).allSatisfy { $0["amount"]?.number == $1.sparsity && $0["ours"]?.number == $1.metric })
    #expect(outcome.snapshots.keys.sorted() == [0, 1, 2])
    #expect(outcome.report["rolled_back"]?.flag == false && outcome.report["stopped"]?.flag == false)
    for row in rows {
      let keys = row.entries.map(\.key).filter { !["pruned", "removed", "params"].contains($0) }
      #expect(keys == ["step", "amount", "macs", "bytes", "ours", "drop", "bar", "ms", "kept"])
    }
    let recipe = try #require(outcome.recipe)
    var again = PruneOptions()
    again.recipe = recipe
    #expect(try values(pruned(model, again).model) == values(outcome.model))
  }

  @Test(arguments: cuts) func aGuardThatRefusesAllGivesTheModelBack(cut: Cut) throws {
    let model = try model(cut)
    var isFirst = true
    let outcome = try pruned(
      model,
      options(cut) {
        defer { isFirst = false }
        return isFirst ? 1 : 0
      })
    #expect(outcome.report["refused"]?.flag == true && outcome.report["rolled_back"]?.flag == true)
    #expect(outcome.snapshots.isEmpty)
    #expect(try values(outcome.model) == values(model))
    // n:m is there or not; everything else is tried with less, then layer by layer.
    let tries = try journal(outcome.report).count
    switch cut.granularity {
    case "2:4": #expect(tries == 1)
    case "layer": #expect(tries == 4)
    default: #expect(tries > 4 && tries <= 12)
    }
    #expect(outcome.report.text(color: false, width: 200).contains("this is the given model"))
  }

  /// A layer that the metric cannot do without is let alone; the others reach what was asked of them.
  @Test(arguments: cuts.filter { !["2:4", "layer"].contains($0.granularity) })
  func aRefusedStepGoesOnInTheOtherLayers(cut: Cut) throws {
    let model = try Networks.mlp([32, 16, 24, 16])
    let name = try PrunableWeights(of: model, scope: [], ignore: []).weights[1].name
    let given = try #require(model.graph.initializer(name))
    var options = options(cut) { 1 }
    (options.schedule, options.steps, options.strategy) = ("one_shot", 0, "local")
    let whole = try pruned(model, options)
    options.guard = GuardOptions(
      data: nil, metric: "ours", maxDrop: 0.5,
      custom: CustomMetric { model throws(PruneError) in
        // Outputs of the second layer: channels of it, or weights.
        guard let tensor = model.graph.initializer(name) else { return 0 }
        func rows(_ tensor: Tensor) throws(PruneError) -> Int {
          let values = try tensor.array(of: Float.self), width = tensor.shape.dims[1]
          guard cut.granularity == "channel" else { return values.count { $0 != 0 } }
          return (0..<tensor.shape.dims[0]).count { row in values[row * width..<(row + 1) * width].contains { $0 != 0 }
          }
        }
        return try rows(tensor) < rows(given) * 9 / 10 ? 0 : 1
      })
    let outcome = try pruned(model, options)
    let rows = try journal(outcome.report)
    #expect(rows.count > 4 && rows.contains { $0["kept"]?.flag == true })
    #expect(outcome.report.text(color: false, width: 400).contains("go no further; the other layers went on"))
    #expect(outcome.report["refused"]?.flag == false && outcome.report["rolled_back"]?.flag == true)
    let last = try #require(try journal(whole.report).last?["amount"]?.number)
    let reached = try #require(rows.last { $0["kept"]?.flag == true }?["amount"]?.number)
    #expect(reached > last / 2 && reached < last)
    let recipe = try #require(outcome.recipe)
    var again = PruneOptions()
    again.recipe = recipe
    #expect(try values(pruned(model, again).model) == values(outcome.model))
  }

  @Test(arguments: cuts, [true, false]) func aStopLeavesWhatWasKept(cut: Cut, isCancelled: Bool) throws {
    let model = try model(cut), flag = try CancelFlag()
    var options = options(cut) { 1 }
    options.cancel = flag
    options.onStep = { _ throws(PruneError) in
      if isCancelled { flag.request() }
      return !isCancelled
    }
    let outcome = try pruned(model, options)
    #expect(outcome.report["stopped"]?.flag == true)
    #expect(try journal(outcome.report).count == 1)
    #expect(try values(outcome.model) == values(try #require(outcome.snapshots[0])))
    flag.request()
    let error = #expect(throws: PruneError.self) { try pruned(model, options) }
    #expect(error?.status == .cancelled)
  }

  /// The weights of a model, by name.
  private func values(_ model: Model) throws -> [String: [Float]] {
    var result: [String: [Float]] = [:]
    for value in model.graph.initializers where value.tensor.dtype == .float32 {
      result[value.name] = try value.tensor.array(of: Float.self)
    }
    return result
  }
}
