import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct JournalTests {
  private func options(_ change: (inout PruneOptions) -> Void) -> PruneOptions {
    var options = PruneOptions()
    change(&options)
    return options
  }

  private func trained(seed: UInt64 = 1, epochs: Int = 6) throws -> (model: Model, data: Dataset) {
    let data = try Dataset.digits().take(500)
    var model = try Networks.mlp(seed: seed)
    var fitting = FitOptions()
    fitting.epochs = epochs
    fitting.lr = 4e-3
    fitting.seed = seed
    _ = try fit(&model, data, fitting)
    return (model, data)
  }

  private func weights(_ model: Model) throws -> [[Float]] {
    try PruneTests.weights.map { try Networks.values(model, $0) }
  }

  @Test func everyKeptStepCanBeBroughtBack() throws {
    let (model, data) = try trained()
    var fitting = FitOptions()
    fitting.epochs = 1
    let outcome = try pruned(
      model,
      options {
        $0.amount = 0.9
        $0.schedule = "linear"
        $0.steps = 3
        $0.data = data
        $0.recover = fitting
        $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 1)
      })
    #expect(outcome.snapshots.keys.sorted() == [0, 1, 2])
    for (index, snapshot) in outcome.snapshots {
      let zeros = try Networks.zeros(snapshot, PruneTests.weights)
      #expect(outcome.report["journal.\(index).pruned"]?.integer == zeros)
      let metric = try evaluate(snapshot, data).number("accuracy")
      #expect(outcome.report["journal.\(index).accuracy"]?.number == metric)
      #expect((outcome.report["journal.\(index).ms"]?.number ?? 0) > 0)
    }
    #expect(try weights(outcome.snapshots[2] ?? model) == weights(outcome.model))
    let bytes = (0..<3).compactMap { outcome.report["journal.\($0).bytes"]?.integer }
    let macs = (0..<3).compactMap { outcome.report["journal.\($0).macs"]?.integer }
    #expect(bytes == bytes.sorted(by: >) && Set(bytes).count == 3)
    #expect(macs == macs.sorted(by: >) && Set(macs).count == 3)
  }

  @Test func aRecipeGivesTheSameBits() throws {
    let (model, data) = try trained()
    var fitting = FitOptions()
    fitting.epochs = 1
    fitting.lr = 2e-3
    fitting.seed = 5
    let first = try pruned(
      model,
      options {
        $0.amount = 0.8
        $0.criterion = "taylor"
        $0.allocation = "erk"
        $0.schedule = "cubic"
        $0.steps = 3
        $0.data = data
        $0.recover = fitting
        $0.ignore = ["fc3"]
        $0.seed = 9
      })
    let text = try #require(first.recipe)
    func replayed(_ model: Model) throws -> Model {
      try pruned(
        model,
        options {
          $0.recipe = text; $0.data = data
        }
      ).model
    }
    #expect(try weights(replayed(model)) == weights(first.model))
    // On another network of the same architecture it is the same work.
    let other = try trained(seed: 8).model
    let once = try replayed(other), twice = try replayed(other)
    #expect(try weights(once) == weights(twice))
    #expect(try Networks.zeros(once, ["fc1.weight", "fc2.weight"]) == Int((0.8 * 2560).rounded()))
    #expect(try Networks.zeros(once, ["fc3.weight"]) == 0)
  }

  @Test func aRecipeHoldsOnlyWhatWasKept() throws {
    let (model, data) = try trained()
    let outcome = try pruned(
      model,
      options {
        $0.amount = 1
        $0.schedule = "linear"
        $0.steps = 10
        $0.guard = GuardOptions(data: data, metric: "accuracy", maxDrop: 0.03)
      })
    let text = try #require(outcome.recipe)
    let replayed = try pruned(model, options { $0.recipe = text })
    #expect(try weights(replayed.model) == weights(outcome.model))
  }

  @Test(arguments: [
    "", "libprune recipe 1\n", "libprune recipe 1\nnonsense\n", "libprune recipe 1\nflavour sweet\nstep 0.5\n",
    "libprune recipe 1\nstep much\n", "libprune recipe 1\nsteps -3\nstep 0.5\n", "libprune recipe 2\nstep 0.5\n",
  ])
  func whatIsNoRecipeIsSaidSo(text: String) throws {
    let error = #expect(throws: PruneError.self) { try pruned(try Networks.mlp(), options { $0.recipe = text }) }
    #expect(error?.status == .badFormat)
  }

  @Test func aRecipeAndAnAmountContradict() throws {
    let error = #expect(throws: PruneError.self) {
      try pruned(
        try Networks.mlp(),
        options {
          $0.recipe = "libprune recipe 1\nstep 0.5\n"; $0.amount = 0.5
        })
    }
    #expect(error?.message.contains("recipe") == true)
  }

  // MARK: - Schedules that bring weights back

  @Test func whatWasPrunedComesBackAndAsMuchGoesAgain() throws {
    let (model, data) = try trained(epochs: 2)
    var fitting = FitOptions()
    fitting.epochs = 2
    fitting.lr = 3e-3
    let outcome = try pruned(
      model,
      options {
        $0.amount = 0.9
        $0.schedule = "dynamic"
        $0.steps = 4
        $0.data = data
        $0.recover = fitting
      })
    for index in 0..<4 { #expect(outcome.report["journal.\(index).pruned"]?.integer == Int((0.9 * 2720).rounded())) }
    let first = try weights(outcome.snapshots[0] ?? model), last = try weights(outcome.model)
    let revived = zip(first, last).reduce(0) { $0 + zip($1.0, $1.1).count { $0 == 0 && $1 != 0 } }
    #expect(revived > 0)
    #expect(throws: PruneError.self) {
      try pruned(
        model,
        options {
          $0.amount = 0.5; $0.schedule = "dynamic"; $0.steps = 2
        })
    }
  }

  @Test func aTicketIsTheFirstWeightsUnderTheLastMask() throws {
    let start = try Networks.mlp()
    let (model, _) = try trained()
    let outcome = try pruned(
      model,
      options {
        $0.amount = 0.8; $0.rewind = start
      })
    let masked = try pruned(model, options { $0.amount = 0.8 }).model
    for name in PruneTests.weights {
      let ticket = try Networks.values(outcome.model, name)
      let mask = try Networks.values(masked, name), first = try Networks.values(start, name)
      for index in ticket.indices { #expect(ticket[index] == (mask[index] == 0 ? 0 : first[index])) }
    }
    #expect(try Networks.values(outcome.model, "fc1.bias") == Networks.values(start, "fc1.bias"))
    let other = try Networks.mlp([20])
    #expect(throws: PruneError.self) {
      try pruned(
        model,
        options {
          $0.amount = 0.8; $0.rewind = other
        })
    }
  }

  // MARK: - Divisions by curves

  @Test(arguments: ["sensitivity", "cost_aware"])
  func curvesDivideAnAmountExactlyAndBetterThanEvenly(allocation: String) throws {
    let (model, data) = try trained()
    func loss(_ change: (inout PruneOptions) -> Void) throws -> Double {
      let outcome = try pruned(
        model,
        options {
          $0.amount = 0.85; $0.data = data; change(&$0)
        })
      #expect(outcome.report["pruned"]?.integer == Int((0.85 * 2720).rounded()))
      return try evaluate(outcome.model, data).number("loss") ?? .nan
    }
    let even = try loss { $0.strategy = "local" }
    let found = try loss {
      if allocation == "cost_aware" { $0.strategy = allocation } else { $0.allocation = allocation }
    }
    #expect(found < even)
  }

  @Test func costAwareSparesWhatIsCheapToKeep() throws {
    // MACs and parameters weigh the layers of a convolution net differently.
    var zoo = ZooOptions()
    zoo.input = [1, 8, 8]
    let model = try Zoo.make("lenet5", zoo), data = try Dataset.digits().take(64)
    func sparsity(_ cost: String) throws -> [Double?] {
      let report = try pruned(
        model,
        options {
          $0.strategy = "cost_aware"; $0.cost = cost; $0.amount = 0.5; $0.data = data
        }
      ).report
      return (0..<4).map { report["layers.\($0).sparsity"]?.number }
    }
    #expect(try sparsity("macs") != sparsity("params"))
    func message(_ change: (inout PruneOptions) -> Void) -> String {
      do { _ = try pruned(model, options(change)) } catch { return "\(error)" }
      return ""
    }
    #expect(
      message {
        $0.strategy = "cost_aware"; $0.amount = 0.5
      }.contains("data"))
    #expect(
      message {
        $0.strategy = "cost_aware"; $0.amount = 0.5; $0.data = data; $0.cost = "joules"
      }.contains("joules"))
    #expect(
      message {
        $0.strategy = "cost_aware"; $0.amount = 0.5; $0.data = data; $0.granularity = "kernel"
      }.contains("kernel"))
  }
}
