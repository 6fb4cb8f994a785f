import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Zeros stay zero, and a guard never loses the better network.
@Suite struct SafePruneTests {
  private static let weights = ["fc1.weight", "fc2.weight", "fc3.weight"]

  private func trained() throws -> (Model, Dataset) {
    let data = try Dataset.digits().take(400)
    var model = try Networks.mlp(), fitting = FitOptions()
    (fitting.epochs, fitting.lr) = (12, 3e-3)
    _ = try fit(&model, data, fitting)
    return (model, data)
  }

  /// Most weights are zero, as another tool left them.
  private func sparse() throws -> (Model, Dataset) {
    var (model, data) = try trained()
    for name in Self.weights {
      let tensor = try #require(model.graph.initializer(name))
      let values = try tensor.array(of: Float.self), cut = values.map(\.magnitude).sorted()[values.count * 78 / 100]
      model.graph.setInitializer(name, try Tensor(values.map { $0.magnitude < cut ? 0 : $0 }, tensor.shape))
    }
    return (model, data)
  }

  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var result = PruneOptions()
    change(&result)
    return result
  }

  // MARK: - Zeros

  @Test(arguments: [0.5, 0.78, 0.8]) func zerosOfOthersStay(amount: Double) throws {
    let (model, data) = try sparse()
    var (pruned, report) = try prune(model, options { $0.amount = amount })
    let zeros = try Networks.zeros(pruned, Self.weights), before = try Networks.zeros(model, Self.weights)
    #expect(report["pruned"]?.number == Double(zeros) && report["newly_pruned"]?.number == Double(zeros - before))
    #expect(Set(pruned.maskedParameters) == Set(Self.weights))
    _ = try fit(&pruned, data, FitOptions())
    #expect(try Networks.zeros(pruned, Self.weights) == zeros)
  }

  @Test func zerosOfOthersStayWhereUnitsGo() throws {
    let (model, data) = try sparse()
    let (slim, _) = try prune(
      model, options { ($0.granularity, $0.amount, $0.data, $0.recover) = ("channel", 0.3, data, FitOptions()) })
    let zeros = try Networks.zeros(slim, Self.weights)
    let all = Self.weights.reduce(0) { $0 + (slim.graph.initializer($1)?.count ?? 0) }
    #expect(Double(zeros) > 0.5 * Double(all))
  }

  // MARK: - The guard and recovery

  @Test(arguments: ["weight", "channel"]) func aRecoveryThatHurtsIsTakenBack(granularity: String) throws {
    let (model, data) = try trained()
    func result(_ rate: Double?) throws -> (Model, Report) {
      try prune(
        model,
        options {
          ($0.granularity, $0.amount, $0.data) = (granularity, granularity == "weight" ? 0.5 : 0.2, data)
          $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 0.1)
          if let rate {
            $0.recover = FitOptions()
            $0.recover?.lr = rate
          }
        })
    }
    let (cut, alone) = try result(nil)
    #expect(alone["refused"]?.flag == false)
    let (kept, report) = try result(3)
    let last = (report["journal"]?.list?.count ?? 1) - 1
    #expect(report["journal.\(last).recovery"]?.text == "taken back")
    #expect(report["journal.\(last).accuracy"]?.number == report["journal.\(last).accuracy_cut"]?.number)
    #expect(report.text(color: false, width: 200).contains("the recovery was taken back"))
    for name in Self.weights { #expect(try Networks.values(kept, name) == Networks.values(cut, name)) }
    let (_, good) = try result(1e-3)
    let end = (good["journal"]?.list?.count ?? 1) - 1
    let after = try #require(good["journal.\(end).accuracy"]?.number),
      before = try #require(good["journal.\(end).accuracy_cut"]?.number)
    #expect(after >= before)
  }

  @Test(arguments: ["weight", "channel"]) func aStepThatFailsIsHalved(granularity: String) throws {
    let (model, data) = try trained()
    let (pruned, report) = try prune(
      model,
      options {
        ($0.granularity, $0.amount, $0.maxFraction) = (
          granularity, granularity == "weight" ? 0.97 : 0.8, granularity == "weight" ? nil : 0.9
        )
        $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 0.03)
      })
    #expect(report["rolled_back"]?.flag == true && report["refused"]?.flag == false)
    // Four of all layers together, then up to eight of some.
    #expect(report["journal"]?.list?.count ?? 99 <= 12)
    let metrics = try evaluate(pruned, data, EvaluateOptions()), before = try evaluate(model, data, EvaluateOptions())
    #expect((metrics["accuracy"]?.number ?? 0) >= (before["accuracy"]?.number ?? 1) - 0.03 - 1e-9)
  }

  @Test func halvesLieBetweenWhatWasKeptAndWhatWasNot() {
    var way = StepProgress(halvings: 3)
    way.begin(0.5)
    #expect(way.next(isKept: true) == .step)
    way.begin(1)
    #expect(way.next(isKept: false) == .again && way.progress == 0.75)
    #expect(way.next(isKept: true) == .again && way.progress == 0.875)
    #expect(way.next(isKept: false) == .again && way.progress == 0.8125)
    #expect(way.next(isKept: false) == .end)
    var whole = StepProgress(halvings: 0)
    whole.begin(1)
    #expect(whole.next(isKept: false) == .end)
  }

  @Test(arguments: ["weight", "channel"], [true, false]) func aCancelledRecoveryLeavesTheCut(
    granularity: String, isGuarded: Bool
  ) throws {
    let (model, data) = try trained()
    let flag = try CancelFlag()
    var recover = FitOptions()
    recover.lr = 1e-3
    recover.onEvent = { event throws(PruneError) in
      if event.step == 3 { flag.request() }
      return false
    }
    func result(_ recover: FitOptions?) throws -> (Model, Report) {
      try prune(
        model,
        options {
          ($0.granularity, $0.amount, $0.data, $0.recover) = (granularity, 0.3, data, recover)
          $0.schedule = "one_shot"
          if recover != nil { $0.cancel = flag }
          if isGuarded { $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 1) }
        })
    }
    let (stopped, report) = try result(recover)
    let (cut, _) = try result(nil)
    #expect(report["stopped"]?.flag == true && report["journal.0.recovery"]?.text == "cancelled")
    for name in Self.weights { #expect(try Networks.values(stopped, name) == Networks.values(cut, name)) }
  }
}
