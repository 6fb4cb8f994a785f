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

  /// Scored and fitted on data, step by step: what is left answers better than what is left by weights alone.
  @Test(arguments: ["lenet5", "resnet"]) func dataIsWorthIt(name: String) throws {
    var zoo = ZooOptions()
    (zoo.classes, zoo.input, zoo.seed) = (10, [1, 8, 8], 3)
    if name == "resnet" { zoo.depth = 20 }
    var model = try Zoo.make(name, zoo)
    let data = try Dataset.digits().take(600)
    var fitting = FitOptions()
    (fitting.epochs, fitting.seed, fitting.batchSize) = (name == "resnet" ? 3 : 6, 1, 32)
    _ = try fit(&model, data, fitting)
    func loss(_ change: (inout PruneOptions) -> Void) throws -> (loss: Double, report: Report) {
      let (result, report) = try pruned(model) { options in
        (options.granularity, options.target) = ("channel", CostTarget(.macs, 0.5))
        change(&options)
      }
      return (try #require(evaluate(result, data, EvaluateOptions())["loss"]?.number), report)
    }
    let plain = try loss { $0.criterion = "l2" }, best = try loss { $0.data = data }
    #expect(best.report["criterion"]?.text == "gate" && best.report["steps"]?.integer == 4)
    #expect(best.loss <= plain.loss, "\(best.loss) of the default, \(plain.loss) of l2")
    // Fits of later steps aim at what the given network gave: steps do not add up their errors.
    let many = try loss {
      $0.data = data
      ($0.schedule, $0.steps) = ("linear", 8)
    }
    #expect(many.loss <= plain.loss)
  }

  @Test func stepsAreImpliedWhereNobodySaysOtherwise() throws {
    let model = try Networks.mlp(), data = try Dataset.digits().take(64)
    func steps(_ change: (inout PruneOptions) -> Void) throws -> String {
      let report = try pruned(model) { options in
        (options.granularity, options.amount, options.data) = ("channel", 0.4, data)
        change(&options)
      }.report
      return "\(report["schedule"]?.text ?? "") \(report["steps"]?.integer ?? 0)"
    }
    #expect(try steps { _ in } == "linear 4")
    #expect(try steps { $0.schedule = "one_shot" } == "one_shot 1")
    #expect(try steps { $0.steps = 3 } == "linear 3")
    #expect(try steps { $0.criterion = "l2" } == "one_shot 1")
    #expect(try steps { $0.reconstruct = "none" } == "one_shot 1")
    #expect(try steps { $0.data = nil } == "one_shot 1")
    #expect(try steps { $0.guard = GuardOptions(data: data, maxDrop: 1) } == "one_shot 1")
    #expect(
      try steps {
        $0.recover = FitOptions()
        $0.recover?.epochs = 1
      } == "one_shot 1")
    #expect(try steps { $0.granularity = "weight" } == "one_shot 1")
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
