import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// What is done where nobody says how.
@Suite struct DefaultTests {
  private func pruned(_ model: Model, _ change: (inout PruneOptions) -> Void) throws -> (model: Model, report: Report) {
    var options = PruneOptions()
    change(&options)
    return try prune(model, options)
  }

  private func groups(_ report: Report) -> [String: Int] {
    var result: [String: Int] = [:]
    for row in report["groups"]?.list ?? [] {
      if let name = row.report?["name"]?.text { result[name] = row.report?["removed"]?.integer }
    }
    return result
  }

  private func notes(_ report: Report) -> String {
    (report["notes"]?.list ?? []).compactMap(\.text).joined(separator: "\n")
  }

  private func resnet() throws -> Model {
    var options = ZooOptions()
    (options.depth, options.classes, options.input) = (20, 10, [1, 8, 8])
    return try Zoo.make("resnet", options)
  }

  @Test func unitsAreScoredByWhatTheLossLosesAndWeightsByMagnitude() throws {
    let model = try Networks.mlp(), data = try Dataset.digits().take(64)
    let labelled = try pruned(model) {
      $0.granularity = "channel"; $0.amount = 0.25; $0.data = data
    }.report
    #expect(labelled["criterion"]?.text == "gate")
    #expect(notes(labelled).contains("least squares"))
    let bare = try pruned(model) {
      $0.granularity = "channel"; $0.amount = 0.25
    }.report
    #expect(bare["criterion"]?.text == "l2")
    let plain = try pruned(model) {
      $0.granularity = "channel"; $0.amount = 0.25; $0.data = data; $0.reconstruct = "none"; $0.criterion = "l2"
    }.report
    #expect(!notes(plain).contains("least squares"))
    #expect(try pruned(model) { $0.amount = 0.5 }.report["criterion"]?.text == "magnitude")
    #expect(
      try pruned(model) {
        $0.granularity = "channel"; $0.threshold = 0.1
      }.report["criterion"]?.text == "magnitude")
  }

  @Test func weightsAreDividedByLampUnlessAStrategyIsNamed() throws {
    let model = try Networks.mlp()
    #expect(try pruned(model) { $0.amount = 0.8 }.report["allocation"]?.text == "lamp")
    #expect(
      try pruned(model) {
        $0.amount = 0.8; $0.strategy = "global"
      }.report["allocation"]?.text == "global")
    #expect(
      try pruned(model) {
        $0.amount = 0.8; $0.criterion = "random"
      }.report["allocation"]?.text == "global")
  }

  /// Channels that run through sums stay, until they are asked for or those inside blocks are not enough.
  @Test func residualStreamsStayWhole() throws {
    let model = try resnet(), whole = try Dependencies(of: model)
    let streams = Set(
      whole.groups.filter { $0.members.count { !$0.isInput && $0.operation == "Conv" } > 1 }.map(\.name))
    #expect(!streams.isEmpty)
    func touched(_ change: (inout PruneOptions) -> Void) throws -> Set<String> {
      let report = try pruned(model) { options in
        (options.granularity, options.certifies) = ("channel", false)
        change(&options)
      }.report
      return Set(groups(report).filter { $0.value > 0 }.keys)
    }
    #expect(try touched { $0.target = CostTarget(.macs, 0.7) }.isDisjoint(with: streams))
    #expect(
      try !touched {
        $0.amount = 0.5; $0.prunesStreams = true; $0.strategy = "local"
      }.isDisjoint(with: streams))
    #expect(
      try !touched {
        $0.target = CostTarget(.params, 0.02); $0.maxFraction = 0.95
      }.isDisjoint(with: streams))
    #expect(throws: PruneError.self) {
      try touched {
        $0.target = CostTarget(.params, 0.02); $0.prunesStreams = false
      }
    }
    let name = try #require(streams.sorted().first)
    #expect(
      try touched {
        $0.amount = 0.5; $0.scope = [name]
      }.contains(name))
  }

  /// What a criterion that nobody named cannot score is scored by its weights, and the report says so.
  @Test func anImpliedCriterionGivesWay() throws {
    var model = try Networks.mlp([8])
    let first = try #require(model.graph.nodes.firstIndex { $0.opType == "Relu" })
    let output = try #require(model.graph.nodes[first].outputs.first)
    model.graph.nodes[first].outputs = ["rounding"]
    model.graph.nodes.insert(
      Node(
        "Mod", name: "mod", inputs: ["rounding", "one"], outputs: [output], attributes: [Attribute("fmod", .int(1))]),
      at: first + 1)
    model.graph.setInitializer("one", try Tensor([1000 as Float]))
    let data = try Dataset.digits().take(32)
    let report = try pruned(model) {
      $0.granularity = "channel"; $0.amount = 0.25; $0.data = data; $0.certifies = false
    }.report
    #expect(report["criterion"]?.text == "l2")
    #expect(notes(report).contains("scored by their weights"))
  }
}
