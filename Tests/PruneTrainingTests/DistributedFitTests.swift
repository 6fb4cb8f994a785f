import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// What ranks do together is what one does alone, but for rounding.
@Suite struct DistributedFitTests {
  struct Fitted: Sendable {
    var weights: [String: [Float]]
    var losses: [Double]
    var accuracies: [Double]
  }

  /// Fits a network of the digits on so many ranks; on one without a communicator.
  private func fitted(
    _ name: String, ranks: Int, samples: Int = 203, _ set: @escaping @Sendable (inout FitOptions) -> Void
  ) throws -> [Fitted] {
    @Sendable func body(_ communicator: Communicator?) throws -> Fitted {
      var model = try Fixture.network(name), options = FitOptions()
      (options.epochs, options.batchSize, options.lr, options.seed) = (2, 32, 2e-3, 5)
      options.validation = try Dataset.digits().rows(1000, 1300)
      options.communicator = communicator
      set(&options)
      let report = try fit(&model, Fixture.digits(samples), options)
      func column(_ key: String) -> [Double] {
        (0..<options.epochs).compactMap { report["epochs.\($0).\(key)"]?.number }
      }
      return Fitted(
        weights: try Fixture.weights(model), losses: column("loss") + column("validation_loss"),
        accuracies: column("accuracy") + column("validation_accuracy"))
    }
    guard ranks > 1 else { return [try body(nil)] }
    return try ThreadRanks.run(ranks) { communicator in try body(communicator) }.map { try $0.get() }
  }

  private func distance(_ one: [String: [Float]], _ other: [String: [Float]]) -> Float {
    var largest: Float = 0
    for (name, values) in one {
      for (a, b) in zip(values, other[name] ?? []) { largest = max(largest, abs(a - b)) }
    }
    return largest
  }

  /// 203 samples in batches of 32: the last batch has 11, of which ranks have 2 and 3.
  @Test(arguments: ["sgd", "adam", "rmsprop"], [2, 3, 4]) func ranksAgreeWithOne(optimizer: String, ranks: Int) throws {
    let set: @Sendable (inout FitOptions) -> Void = { options in
      (options.optimizer, options.clipNorm, options.weightDecay) = (optimizer, 1, 1e-4)
      if optimizer == "sgd" { options.momentum = 0.9 }
    }
    let alone = try #require(try fitted("mlp", ranks: 1, set).first), together = try fitted("mlp", ranks: ranks, set)
    for rank in together {
      #expect(rank.weights == together[0].weights, "every rank has the same bits")
      // Adam divides by what may be next to nothing: a last bit of a gradient moves a weight by a step.
      #expect(distance(rank.weights, alone.weights) < 2e-4)
      for (a, b) in zip(rank.losses, alone.losses) { #expect(abs(a - b) < 1e-4 * max(1, b)) }
      #expect(rank.losses.count == 4 && rank.accuracies.count == 4)
      for (a, b) in zip(rank.accuracies, alone.accuracies) { #expect(abs(a - b) < 0.011) }
    }
  }

  /// Batches of two on four ranks, and a last batch of one.
  @Test func ranksMayHaveNothing() throws {
    let set: @Sendable (inout FitOptions) -> Void = { options in options.batchSize = 2 }
    let alone = try #require(try fitted("mlp", ranks: 1, samples: 21, set).first)
    for rank in try fitted("mlp", ranks: 4, samples: 21, set) {
      #expect(distance(rank.weights, alone.weights) < 2e-4)
      for (a, b) in zip(rank.losses, alone.losses) { #expect(abs(a - b) < 1e-4 * max(1, b)) }
    }
  }

  @Test func convolutionsAgree() throws {
    let alone = try #require(try fitted("lenet5", ranks: 1) { $0.optimizer = "sgd" }.first)
    for rank in try fitted("lenet5", ranks: 2, { $0.optimizer = "sgd" }) {
      #expect(distance(rank.weights, alone.weights) < 1e-4)
    }
  }

  @Test func classWeightsAndAugmentationAgree() throws {
    let set: @Sendable (inout FitOptions) -> Void = { options in
      options.optimizer = "sgd"
      options.lossSettings.classWeights = (0..<10).map { 0.2 + Double($0) }
      options.augmentation = Augmentation()
      options.augmentation?.crop = 1
    }
    let alone = try #require(try fitted("mlp", ranks: 1, set).first)
    for rank in try fitted("mlp", ranks: 3, set) { #expect(distance(rank.weights, alone.weights) < 1e-4) }
  }

  /// Normalizations see their rank's samples alone: the fit is another one, and a good one.
  @Test func normalizationsTrain() throws {
    let results = ThreadRanks.run(2) { communicator in
      var zoo = ZooOptions()
      (zoo.input, zoo.depth, zoo.classes) = ([1, 8, 8], 20, 10)
      var model = try Zoo.make("resnet", zoo), options = FitOptions()
      (options.epochs, options.batchSize, options.lr, options.communicator) = (2, 32, 2e-3, communicator)
      let report = try fit(&model, Fixture.digits(320), options)
      return ([0, 1].compactMap { report["epochs.\($0).loss"]?.number }, try Fixture.weights(model))
    }
    let (losses, weights) = try results[0].get()
    #expect(losses.count == 2 && losses[1] < losses[0])
    #expect(try results[1].get().1 == weights)
  }

  private func messages<T>(_ results: [Result<T, any Error>]) -> [String] {
    results.compactMap { result in
      do {
        _ = try result.get()
        return nil
      } catch { return "\(error)" }
    }
  }

  @Test(arguments: ["seed", "epochs", "data", "model", "lr"]) func disagreementsAreNamed(what: String) throws {
    let results = ThreadRanks.run(2) { communicator in
      let isOdd = communicator.rank == 1
      var model = try Fixture.network(seed: isOdd && what == "model" ? 9 : 1), options = FitOptions()
      options.seed = isOdd && what == "seed" ? 3 : 4
      options.epochs = isOdd && what == "epochs" ? 3 : 1
      options.lr = isOdd && what == "lr" ? 0.1 : 0.01
      options.communicator = communicator
      _ = try fit(&model, Fixture.digits(isOdd && what == "data" ? 90 : 100), options)
    }
    let texts = messages(results)
    #expect(texts.count == 2)
    let named = ["data": "number of samples is 100 on rank 0 and 90 on rank 1", "lr": "an option"][what] ?? what
    for text in texts { #expect(text.contains(named), "\(text)") }
  }

  @Test func moreRanksThanSamplesAreRefused() throws {
    let results = ThreadRanks.run(4) { communicator in
      var model = try Fixture.network(), options = FitOptions()
      options.communicator = communicator
      _ = try fit(&model, Fixture.digits(3), options)
    }
    let texts = messages(results)
    #expect(texts.count == 4)
    for text in texts { #expect(text.contains("there are 4 ranks, dataset 'digits' has 3 samples"), "\(text)") }
  }

  @Test func oneRanksFailureIsThatOfAll() throws {
    let results = ThreadRanks.run(3) { communicator in
      var model = try Fixture.network(), options = FitOptions()
      options.communicator = communicator
      options.onEvent = { event throws(PruneError) in
        if communicator.rank == 1, event.step == 2 { throw PruneError(.io, "the log is full") }
        return false
      }
      _ = try fit(&model, Fixture.digits(100), options)
    }
    let texts = messages(results)
    #expect(texts.count == 3)
    for text in texts { #expect(text.contains("rank 1: the log is full"), "\(text)") }
  }

  @Test func oneStopsAll() throws {
    let results = ThreadRanks.run(3) { communicator in
      var model = try Fixture.network(), options = FitOptions()
      options.communicator = communicator
      options.onEvent = { event in communicator.rank == 2 && event.step == 2 }
      let report = try fit(&model, Fixture.digits(200), options)
      return report["steps"]?.number
    }
    for result in results { #expect(try result.get() == 2) }
  }

  @Test func aRankThatIsElsewhereEndsTheOthers() throws {
    let results = ThreadRanks.run(2, seconds: 1) { communicator in
      guard communicator.rank == 0 else { return }
      var model = try Fixture.network(), options = FitOptions()
      options.communicator = communicator
      _ = try fit(&model, Fixture.digits(50), options)
    }
    #expect(messages(results).count == 1)
  }

  @Test func checkpointsGoOnOnAnotherNumberOfRanks() throws {
    func trained(_ ranks: Int, _ epochs: Int, _ resume: FitOptions.Resume) throws -> (FitState?, [String: [Float]]) {
      final class Kept: @unchecked Sendable { var state: FitState?; var count = 0 }
      let kept = Kept()
      nonisolated(unsafe) let resume = resume
      let all = try fitted("mlp", ranks: ranks) { options in
        options.epochs = epochs
        options.resume = resume
        options.onCheckpoint = { state throws(PruneError) in
          kept.state = state
          kept.count += 1
        }
      }
      return (kept.state, all[0].weights)
    }
    let whole = try trained(1, 2, .never).1
    let half = try #require(try trained(4, 1, .never).0)
    let resumed = try trained(2, 2, .checkpoint(half)).1
    #expect(distance(whole, resumed) < 2e-4)
  }

  @Test(arguments: [2, 3]) func evaluationAgrees(ranks: Int) throws {
    let names = ["loss", "accuracy", "top5", "f1", "auc", "confusion", "mse"]
    @Sendable func report(_ communicator: Communicator?) throws -> [Double] {
      var options = EvaluateOptions()
      (options.metrics, options.batchSize, options.communicator) = (names, 32, communicator)
      let report = try evaluate(Fixture.network("lenet5"), Fixture.digits(100), options)
      return names.compactMap { report[$0]?.number } + [report["samples"]?.number ?? 0]
    }
    let alone = try report(nil)
    for result in ThreadRanks.run(ranks, { try report($0) }) {
      let values = try result.get()
      #expect(values.count == alone.count)
      for (a, b) in zip(values, alone) { #expect(abs(a - b) <= 1e-9 * max(1, abs(b))) }
    }
  }
}
