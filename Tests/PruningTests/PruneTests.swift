import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct PruneTests {
  static let weights = ["fc1.weight", "fc2.weight", "fc3.weight"]

  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var options = PruneOptions()
    change(&options)
    return options
  }

  // MARK: - Allocation

  @Test(arguments: [0, 0.1, 0.5, 0.9, 0.999, 1])
  func globalAmountsAreExactOverAllLayers(amount: Double) throws {
    let model = try Networks.mlp()
    let (pruned, report) = try prune(
      model,
      options {
        $0.amount = amount; $0.strategy = "global"
      })
    let total = 64 * 32 + 32 * 16 + 16 * 10
    // The last weight of a layer stays.
    let wanted = min(Int((amount * Double(total)).rounded()), total - 3)
    for name in Self.weights { #expect(try Networks.values(pruned, name).contains { $0 != 0 }) }
    #expect(try Networks.zeros(pruned, Self.weights) == wanted)
    #expect(report["pruned"]?.integer == wanted)
    #expect(report["weights"]?.integer == total)
    // What is left is not smaller than what went.
    let kept = try Self.weights.flatMap { try Networks.values(pruned, $0) }.filter { $0 != 0 }.map(abs).min()
    let before = try Self.weights.flatMap { try Networks.values(model, $0) }.map(abs).sorted()
    if wanted > 0, amount < 0.99, let kept { #expect(kept >= before[wanted - 1]) }
  }

  @Test func localAmountsAreExactInEachLayer() throws {
    let (pruned, report) = try prune(
      try Networks.mlp(),
      options {
        $0.strategy = "local"
        $0.amount = 0.3
      })
    for (name, count) in [("fc1.weight", 2048), ("fc2.weight", 512), ("fc3.weight", 160)] {
      #expect(try Networks.zeros(pruned, [name]) == Int((0.3 * Double(count)).rounded()))
    }
    #expect(report["layers"]?.list?.count == 3)
  }

  @Test func theClassicCallRemovesWhatIsBelowTheThreshold() throws {
    let model = try Networks.mlp()
    let (pruned, report) = try prune(
      model,
      options {
        $0.strategy = "global"
        $0.threshold = 0.01
        $0.device = "cpu"
        $0.validate = try? Dataset.digits().take(50)
      })
    for name in Self.weights {
      let before = try Networks.values(model, name), after = try Networks.values(pruned, name)
      #expect(after == before.map { abs($0) < 0.01 ? 0 : $0 })
    }
    #expect(report["before.accuracy"]?.number != nil)
    #expect(report["after.accuracy"]?.number != nil)
  }

  @Test func anL2ThresholdIsOnSquares() throws {
    func zeros(_ criterion: String, _ threshold: Double) throws -> Int {
      let (pruned, _) = try prune(
        try Networks.mlp(),
        options {
          $0.criterion = criterion
          $0.threshold = threshold
        })
      return try Networks.zeros(pruned, Self.weights)
    }
    #expect(try zeros("l2", 0.0025) == zeros("magnitude", 0.05))
  }

  @Test func weightsThatAreZeroAlreadyCount() throws {
    let half = try prune(try Networks.mlp(), options { $0.amount = 0.5 }).model
    let more = try prune(half, options { $0.amount = 0.6 }).model
    #expect(try Networks.zeros(more, Self.weights) == Int((0.6 * 2720).rounded()))
    let (same, report) = try prune(half, options { $0.amount = 0.3 })
    #expect(try Networks.zeros(same, Self.weights) == 1360)
    #expect(report["pruned"]?.integer == 1360)
  }

  @Test(arguments: ["random", "magnitude", "l2"])
  func pruningTwiceNeverRevivesAndTheSameSeedGivesTheSameModel(criterion: String) throws {
    func pruned(_ model: Model, _ amount: Double) throws -> Model {
      try prune(
        model,
        options {
          $0.amount = amount
          $0.criterion = criterion
          $0.seed = 4
        }
      ).model
    }
    let first = try pruned(try Networks.mlp(), 0.4), second = try pruned(first, 0.7)
    #expect(try Networks.zeros(second, Self.weights) == Int((0.7 * 2720).rounded()))
    for name in Self.weights {
      let a = try Networks.values(first, name), b = try Networks.values(second, name)
      #expect(zip(a, b).allSatisfy { $0 != 0 || $1 == 0 })
      #expect(try Networks.values(pruned(try Networks.mlp(), 0.4), name) == a)
    }
  }

  // MARK: - What is shared, listed and left alone

  @Test func whatDidNotChangeIsTheSameMemory() throws {
    let model = try Networks.mlp()
    let (pruned, _) = try prune(
      model,
      options {
        $0.amount = 0.5
        $0.scope = ["fc2"]
      })
    for name in ["fc1.weight", "fc1.bias", "fc3.weight"] {
      let a = try #require(model.graph.initializer(name)), b = try #require(pruned.graph.initializer(name))
      #expect(a.sharesStorage(with: b))
    }
    #expect(pruned.maskedParameters == ["fc2.weight"])
    #expect(try Networks.zeros(pruned, ["fc2.weight"]) == 256)
    #expect(try Networks.zeros(model, ["fc2.weight"]) == 0)
  }

  @Test func constantNodesArePrunedAndListed() throws {
    let (pruned, _) = try prune(
      try Networks.mixed(),
      options {
        $0.amount = 0.5
        $0.scope = ["fourth"]
      })
    #expect(try Networks.zeros(pruned, ["d"]) == 8)
    #expect(pruned.maskedParameters == ["d"])
    #expect(!pruned.graph.nodes.contains { $0.opType == "Constant" })
  }

  @Test func theCertificateHolds() throws {
    let (_, report) = try prune(
      try Networks.mixed(),
      options { $0.amount = 0.6 })
    #expect(try #require(report["certificate"]?.number) < 1e-5)
  }

  @Test func anEmptiedLayerIsSaidSo() throws {
    let (_, report) = try prune(
      try Networks.mlp(),
      options {
        $0.amount = 1
        $0.scope = ["fc3"]
      })
    #expect(report.text(color: false, width: 100).contains("fc3"))
    #expect(report["notes"]?.list?.isEmpty == false)
  }

  @Test(arguments: [Float.nan, .infinity])
  func weightsThatAreNotFiniteAreNamed(value: Float) throws {
    var model = try Networks.mlp()
    var tensor = try #require(model.graph.initializer("fc2.weight"))
    try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in span[100] = value }
    model.graph.setInitializer("fc2.weight", tensor)
    for strategy in ["global", "local"] {
      let error = #expect(throws: PruneError.self) {
        try prune(
          model,
          options {
            $0.amount = 0.5
            $0.strategy = strategy
          })
      }
      #expect(error?.status == .numeric)
      #expect(error?.message.contains("fc2.weight") == true)
    }
  }

  // MARK: - Schedules, recovery, guard

  @Test func aScheduleApproachesItsTargetStepByStep() throws {
    var seen: [Double] = []
    let (pruned, report) = try prune(
      try Networks.mlp(),
      options {
        $0.amount = 0.8
        $0.schedule = "cubic"
        $0.steps = 4
        $0.onStep = { event throws(PruneError) in
          seen.append(event.sparsity)
          return false
        }
      })
    #expect(seen.count == 4)
    for (step, sparsity) in seen.enumerated() {
      let left = 1 - Double(step + 1) / 4
      #expect(abs(sparsity - 0.8 * (1 - left * left * left)) < 1e-3)
    }
    #expect(try Networks.zeros(pruned, Self.weights) == Int((0.8 * 2720).rounded()))
    #expect(report["journal"]?.list?.count == 4)
  }

  @Test func aStopKeepsWhatWasDone() throws {
    let (pruned, report) = try prune(
      try Networks.mlp(),
      options {
        $0.amount = 0.8
        $0.schedule = "linear"
        $0.steps = 4
        $0.onStep = { event throws(PruneError) in event.step == 2 }
      })
    #expect(try Networks.zeros(pruned, Self.weights) == Int((0.4 * 2720).rounded()))
    #expect(report["stopped"]?.flag == true)
  }

  @Test func cancellingBeforeAnythingIsAnError() throws {
    let flag = try CancelFlag()
    flag.request()
    let error = #expect(throws: PruneError.self) {
      try prune(
        try Networks.mlp(),
        options {
          $0.amount = 0.5
          $0.cancel = flag
        })
    }
    #expect(error?.status == .cancelled)
  }

  @Test func masksSurviveTraining() throws {
    let data = try Dataset.digits().take(300)
    var fitting = FitOptions()
    fitting.epochs = 3
    fitting.optimizer = "adam"
    fitting.weightDecay = 1e-4
    var (pruned, _) = try prune(
      try Networks.mlp(),
      options {
        $0.amount = 0.7
        $0.data = data
        $0.recover = fitting
        $0.schedule = "linear"
        $0.steps = 2
      })
    #expect(try Networks.zeros(pruned, Self.weights) == Int((0.7 * 2720).rounded()))
    let before = try Self.weights.map { try Networks.values(pruned, $0) }
    fitting.optimizer = "sgd"
    fitting.momentum = 0.9
    _ = try fit(&pruned, data, fitting)
    for (name, old) in zip(Self.weights, before) {
      let new = try Networks.values(pruned, name)
      #expect(zip(old, new).allSatisfy { ($0 == 0) == ($1 == 0) })
      #expect(old != new)
    }
  }

  @Test func aGuardGivesBackWhatHurts() throws {
    let (model, data) = try trained()
    let (pruned, report) = try prune(
      model,
      options {
        $0.amount = 0.98
        $0.criterion = "random"
        $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 0.02)
      })
    #expect(report["rolled_back"]?.flag == true)
    #expect(report["refused"]?.flag == true)
    for name in Self.weights {
      let a = try #require(model.graph.initializer(name)), b = try #require(pruned.graph.initializer(name))
      #expect(a.sharesStorage(with: b))
    }
    #expect(pruned.maskedParameters.isEmpty)
    #expect(report.text(color: false, width: 100).contains("taken back"))
  }

  @Test(arguments: ["accuracy", "loss"])
  func aGuardedScheduleReturnsTheLastGoodStep(metric: String) throws {
    let (model, data) = try trained()
    let allowed = 0.05
    let (pruned, report) = try prune(
      model,
      options {
        $0.amount = 1
        $0.schedule = "linear"
        $0.steps = 20
        $0.guard = GuardOptions(data: data, metric: metric, maxDrop: allowed)
      })
    var settings = EvaluateOptions()
    settings.metrics = [metric]
    let before = try evaluate(model, data, settings)[metric]?.number ?? .nan
    let after = try evaluate(pruned, data, settings)[metric]?.number ?? .nan
    #expect((metric == "loss" ? after - before : before - after) <= allowed + 1e-9)
    #expect(report["rolled_back"]?.flag == true)
    #expect(report["refused"]?.flag == false)
    let journal = try #require(report["journal"]?.list)
    #expect(journal.count < 24)
    let zeros = try Networks.zeros(pruned, Self.weights)
    let kept = journal.indices.filter { report["journal.\($0).kept"]?.flag == true }
    #expect(report["journal.\(kept.last ?? 0).pruned"]?.integer == zeros)
    // A refused step is tried at half its size, and then half of the rest: what was kept lies between whole steps only
    // behind it.
    let refused = journal.indices.first { report["journal.\($0).kept"]?.flag == false } ?? 0
    for (place, index) in kept.filter({ $0 < refused }).enumerated() {
      #expect(report["journal.\(index).pruned"]?.integer == Int((Double(place + 1) / 20 * 2720).rounded()))
    }
  }

  @Test func anImpossibleGuardIsRefusedBeforeWork() throws {
    let data = try Dataset.digits().take(20)
    for bad in [
      GuardOptions(data: data, metric: "accuracy", maxDrop: -0.1),
      GuardOptions(data: data, metric: "acuracy", maxDrop: 0.1),
      GuardOptions(data: data, metric: "accuracy", maxDrop: .nan),
    ] {
      #expect(throws: PruneError.self) {
        try prune(
          try Networks.mlp(),
          options {
            $0.amount = 0.5
            $0.guard = bad
          })
      }
    }
  }

  /// A classifier of digits that is good enough to lose something.
  private func trained() throws -> (Model, Dataset) {
    let data = try Dataset.digits().take(600)
    var model = try Networks.mlp()
    var fitting = FitOptions()
    fitting.epochs = 8
    fitting.lr = 3e-3
    _ = try fit(&model, data, fitting)
    return (model, data)
  }
}
