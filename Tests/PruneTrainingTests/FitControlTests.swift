import PruneData
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// Stopping, best weights, checkpoints, groups, limits on gradients, and numbers that run away.
@Suite struct FitControlTests {
  private func trained(_ change: (inout FitOptions) -> Void) throws -> [String: [Float]] {
    var model = try Fixture.network()
    var options = FitOptions()
    options.batchSize = 64
    change(&options)
    _ = try fit(&model, Fixture.digits(256), options)
    return try Fixture.weights(model)
  }

  @Test func earlyStoppingEndsTheFitAndKeepsTheBest() throws {
    var model = try Fixture.network()
    var options = FitOptions()
    options.optimizer = "sgd"
    options.lr = 3
    options.epochs = 40
    options.seed = 3
    options.validationSplit = 0.3
    options.stopping.patience = 2
    options.stopping.restoresBest = true
    let history = try fit(&model, Fixture.digits(200), options)
    guard case .list(let rows)? = history["epochs"], case .text(let reason)? = history["reason"] else {
      Issue.record("no epochs, or no reason")
      return
    }
    #expect(reason == "early_stopping" && rows.count < 40 && history["stopped"]?.number == 0)
    let losses = rows.indices.compactMap { history["epochs.\($0).validation_loss"]?.number }
    let best = try #require(losses.indices.min { losses[$0] < losses[$1] })
    #expect(history["best_epoch"]?.number == Double(best + 1) && rows.count == best + 3)
    // The same epochs without stopping end with the very weights that were kept.
    var again = try Fixture.network()
    options.stopping = .init()
    options.epochs = best + 1
    _ = try fit(&again, Fixture.digits(200), options)
    #expect(try Fixture.weights(model) == Fixture.weights(again))
  }

  @Test func whatIsMonitoredMustBeThere() throws {
    var model = try Fixture.network()
    var options = FitOptions()
    options.stopping.patience = 1
    options.stopping.monitor = "validation_loss"
    #expect { try fit(&model, Fixture.digits(), options) } throws: { "\($0)".contains("no validation data") }
    options.stopping.monitor = "f1"
    #expect { try fit(&model, Fixture.digits(), options) } throws: { "\($0)".contains("monitor is 'f1'") }
  }

  @Test(arguments: ["sgd", "adam", "rmsprop"]) func aCheckpointGoesOnWhereItWasMade(optimizer: String) throws {
    var states: [FitState] = []
    func options(_ epochs: Int) -> FitOptions {
      var options = FitOptions()
      options.optimizer = optimizer
      options.momentum = optimizer == "adam" ? 0 : 0.9
      options.lr = optimizer == "sgd" ? 0.05 : 0.002
      options.schedule = "cosine"
      options.epochs = epochs
      options.batchSize = 64
      options.seed = 8
      return options
    }
    var whole = try Fixture.network()
    var first = options(4)
    first.onCheckpoint = { (state: FitState) throws(PruneError) in states.append(state) }
    _ = try fit(&whole, Fixture.digits(256), first)
    #expect(states.map(\.epoch) == [1, 2, 3, 4])
    // Through the form that files hold, into a model that never was trained.
    var resumed = try Fixture.network(seed: 77)
    var second = options(4)
    second.resume = .checkpoint(try FitState(tensors: try states[1].tensors()))
    let history = try fit(&resumed, Fixture.digits(256), second)
    #expect(history["epochs.0.epoch"]?.number == 3)
    #expect(try Fixture.weights(resumed) == Fixture.weights(whole))
  }

  @Test func checkpointsOfSomethingElseAreRefused() throws {
    #expect(throws: PruneError.self) { try FitState(tensors: [("x", try Tensor(scalar: Float(1)))]) }
    var kept: FitState?
    var model = try Fixture.network(hidden: [16])
    var options = FitOptions()
    options.onCheckpoint = { (state: FitState) throws(PruneError) in kept = state }
    _ = try fit(&model, Fixture.digits(), options)
    var other = try Fixture.network(hidden: [17])
    options.onCheckpoint = nil
    options.resume = .checkpoint(try #require(kept))
    #expect { try fit(&other, Fixture.digits(), options) } throws: {
      "\($0)".contains("fc1.bias") && "\($0)".contains("[16]") && "\($0)".contains("[17]")
    }
    var tensors = try #require(kept).tensors()
    tensors[0].tensor = try Tensor([1, -3, 0, 0, 1, 0, 0, 0, 0] as [Double])
    #expect(throws: PruneError.self) { try FitState(tensors: tensors) }
  }

  /// Two fits of one epoch with the state kept are one of two, but for the count of epochs.
  @Test func theOptimizersStateOutlivesAFit() throws {
    let data = try Fixture.digits(256)
    var options = FitOptions()
    options.shuffle = false
    options.epochs = 2
    var whole = try Fixture.network()
    _ = try fit(&whole, data, options)
    options.epochs = 1
    var parts = try Fixture.network()
    options.resume = .optimizer
    #expect { try fit(&parts, data, options) } throws: { ($0 as? PruneError)?.status == .notFound }
    options.resume = .never
    _ = try fit(&parts, data, options)
    #expect(parts.optimizerState?.step == 8)
    options.resume = .optimizer
    _ = try fit(&parts, data, options)
    #expect(try Fixture.weights(parts) == Fixture.weights(whole))
    options.optimizer = "sgd"
    guard case .list(let warnings)? = try fit(&parts, data, options)["warnings"] else {
      Issue.record("another optimizer's state was taken without a word")
      return
    }
    #expect(warnings.count == 1)
  }

  @Test func groupsHaveRatesOfTheirOwn() throws {
    let before = try Fixture.weights(Fixture.network())
    let plain = try trained { ($0.optimizer, $0.lr) = ("sgd", 0.1) }
    let grouped = try trained {
      ($0.optimizer, $0.lr, $0.epochs) = ("sgd", 0.1, 1)
      $0.groups = [ParameterGroup(["fc1.*"], lr: 1e-30)]
    }
    #expect(grouped["fc1.weight"] == before["fc1.weight"] && plain["fc1.weight"] != before["fc1.weight"])
    #expect(grouped["fc2.weight"] != before["fc2.weight"])
    let decayed = try trained {
      ($0.optimizer, $0.lr, $0.weightDecay) = ("sgd", 0.1, 0.5)
      $0.groups = [ParameterGroup(["fc2.weight"], weightDecay: 0)]
    }
    func size(_ values: [Float]?) -> Double { (values ?? []).reduce(0) { $0 + Double($1 * $1) } }
    #expect(size(decayed["fc1.weight"]) < 0.9 * size(plain["fc1.weight"]))
    #expect(size(decayed["fc2.weight"]) > 0.9 * size(plain["fc2.weight"]))
  }

  @Test func groupsThatMakeNoSenseAreNamed() throws {
    func message(_ groups: [ParameterGroup]) -> String {
      do { _ = try trained { $0.groups = groups } } catch { return "\(error)" }
      return ""
    }
    #expect(message([ParameterGroup(["fc7.*"])]).contains("fc7.*"))
    #expect(message([ParameterGroup(["fc1.*"]), ParameterGroup(["*.weight"])]).contains("in group 1 already"))
    #expect(message([ParameterGroup([])]).contains("no parameters"))
    #expect(message([ParameterGroup(["*"], lr: -1)]).contains("lr is -1"))
  }

  /// One step of plain descent is lr times the gradient: with the norm limited it is exactly that long.
  @Test func theNormOfAStepIsLimited() throws {
    let before = try Fixture.weights(Fixture.network())
    func moved(_ change: @escaping (inout FitOptions) -> Void) throws -> [Double] {
      let after = try trained {
        ($0.optimizer, $0.lr, $0.batchSize, $0.shuffle) = ("sgd", 1, 256, false)
        change(&$0)
      }
      return before.keys.sorted().flatMap { name in
        zip(before[name] ?? [], after[name] ?? []).map { Double($0) - Double($1) }
      }
    }
    func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    let free = try moved { _ in }
    #expect(norm(free) > 0.1)
    let short = try moved { $0.clipNorm = 0.05 }
    #expect(abs(norm(short) - 0.05) < 1e-5)
    let cosine = zip(free, short).reduce(0) { $0 + $1.0 * $1.1 } / norm(free) / norm(short)
    #expect(cosine > 0.9999)
    let cut = try moved { $0.clipValue = 0.001 }
    #expect(cut.allSatisfy { abs($0) < 0.00101 } && cut.contains { abs($0) > 0.00099 })
  }

  @Test func aPlateauLowersTheRate() throws {
    var rates: [Double] = []
    var model = try Fixture.network()
    var options = FitOptions()
    options.optimizer = "sgd"
    options.lr = 1e-9
    options.epochs = 6
    options.schedule = "reduce_on_plateau"
    options.patience = 2
    options.gamma = 0.5
    options.stopping.monitor = "accuracy"
    options.onEvent = { (event: FitEvent) throws(PruneError) in
      if event.isEpochEnd { rates.append(event.learningRate) }
      return false
    }
    _ = try fit(&model, Fixture.digits(64), options)
    #expect(rates.map { $0 / 1e-9 }.map { ($0 * 1000).rounded() / 1000 } == [1, 1, 1, 0.5, 0.5, 0.25])
  }

  /// Steps before the one that failed had ruined it; and a message says where.
  @Test func aLossThatExplodesLeavesTheNetworkAsItWas() throws {
    var model = try Fixture.network(hidden: [16])
    var options = FitOptions()
    options.optimizer = "sgd"
    options.lr = 1e30
    options.shuffle = false
    var steps = 0
    options.onEvent = { (event: FitEvent) throws(PruneError) in
      steps = max(steps, event.step)
      return false
    }
    #expect { try fit(&model, Fixture.digits(), options) } throws: {
      guard let error = $0 as? PruneError else { return false }
      return error.status == .numeric && error.message.contains("at step \(steps + 1) of epoch 1")
        && error.message.contains("largest gradient") && error.message.contains("Gemm")
    }
    #expect(try Fixture.weights(model) == Fixture.weights(Fixture.network(hidden: [16])))
  }

  @Test func dataThatAreNoNumbersAreSaid() throws {
    let before = try Fixture.network(hidden: [16])
    var model = before
    var x = try Fixture.digits(64).x.copied()
    try x.withMutableSpan(of: Float.self) { span throws(PruneError) in span[5] = .nan }
    let data = try Dataset.tensors(x, Fixture.digits(64).y)
    #expect { try fit(&model, data, FitOptions()) } throws: { ($0 as? PruneError)?.status == .numeric }
    #expect(try Fixture.weights(model) == Fixture.weights(before))
  }

  @Test(arguments: [(0.6, "nothing to train on"), (0.4, "nothing to validate with")])
  func aSplitThatEmptiesAClassIsSaid(share: Double, lack: String) throws {
    let labels = [Int64](repeating: 0, count: 50) + [Int64](repeating: 1, count: 49) + [2]
    var random = RandomSource(seed: 1)
    let x = try Tensor((0..<100 * 64).map { _ in Float(random.uniform()) }, Shape([100, 1, 8, 8]))
    let data = try Dataset.tensors(x, Tensor(labels))
    var found: [String] = []
    for seed in 0..<12 {
      var model = try Fixture.network(hidden: [4])
      var options = FitOptions()
      options.validationSplit = share
      options.seed = UInt64(seed)
      if case .list(let warnings)? = try fit(&model, data, options)["warnings"], case .text(let text)? = warnings.first
      {
        found.append(text)
      }
    }
    #expect(!found.isEmpty && found.allSatisfy { $0.contains("class 2 " + lack) && $0.contains("1 sample") })
  }

  /// Networks with convolutions, whose gradients are otherwise summed in as many parts as there are threads.
  @Test(arguments: ["lenet5", "mobilenet_v2"]) func deterministicFitsGiveTheSameBitsOnAnyNumberOfThreads(name: String)
    throws
  {
    defer { Parallel.threads = 0 }
    func trained(threads: Int, isDeterministic: Bool) throws -> [String: [Float]] {
      Parallel.threads = threads
      var model = try Fixture.network(name)
      var options = FitOptions()
      (options.batchSize, options.isDeterministic, options.seed) = (32, isDeterministic, 5)
      let report = try fit(&model, Fixture.digits(96), options)
      #expect(report["threads"]?.number == Double(isDeterministic ? 1 : threads) && report["seed"]?.number == 5)
      #expect(Parallel.threads == threads)
      return try Fixture.weights(model)
    }
    let one = try trained(threads: 1, isDeterministic: false)
    for threads in 1...3 { #expect(try trained(threads: threads, isDeterministic: true) == one) }
    // The same number of threads gives the same bits, too.
    #expect(try trained(threads: 2, isDeterministic: false) == trained(threads: 2, isDeterministic: false))
  }
}
