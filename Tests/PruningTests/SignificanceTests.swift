import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

@Suite struct SignificanceTests {
  private func scores(_ report: Report, _ name: String) throws -> [Float] {
    guard case .report(let all)? = report["scores"],
      case .tensor(let tensor)? = all.entries.first(where: { $0.key == name })?.value
    else {
      Issue.record("no scores of \(name)")
      return []
    }
    return try tensor.array(of: Float.self)
  }

  private func run(_ model: Model, _ criterion: String, _ data: Dataset? = nil, batchSize: Int = 0) throws -> Report {
    var options = SignificanceOptions()
    options.criterion = criterion
    options.data = data
    options.batchSize = batchSize
    return try significance(model, options)
  }

  @Test func magnitudeAndL2AreWhatTheySay() throws {
    let model = try Networks.mlp()
    let weights = try Networks.values(model, "fc1.weight")
    #expect(try scores(run(model, "magnitude"), "fc1.weight") == weights.map(abs))
    #expect(try scores(run(model, "l2"), "fc1.weight") == weights.map { $0 * $0 })
  }

  @Test func sharesAddUpAndEveryLayerHasABar() throws {
    let report = try run(try Networks.mlp(), "magnitude")
    let rows = try #require(report["layers"]?.list)
    var total = 0.0
    for case .report(let row) in rows {
      total += row["share"]?.number ?? 0
      #expect(row["bar"]?.text?.isEmpty == false)
    }
    #expect(abs(total - 1) < 1e-9)
    let text = report.text(color: false, width: 120)
    for name in ["fc1", "fc2", "fc3"] { #expect(text.contains(name)) }
  }

  /// gradient and taylor against finite differences of the loss, on one batch.
  @Test func gradientCriteriaAgreeWithFiniteDifferences() throws {
    let model = try Networks.mlp([8])
    let data = try Dataset.digits().take(40)
    let gradient = try scores(run(model, "gradient", data, batchSize: 40), "fc2.weight")
    let taylor = try scores(run(model, "taylor", data, batchSize: 40), "fc2.weight")
    let weights = try Networks.values(model, "fc2.weight")
    func loss(_ index: Int, _ change: Float) throws -> Double {
      var copy = model
      var tensor = try #require(copy.graph.initializer("fc2.weight"))
      try tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += change }
      copy.graph.setInitializer("fc2.weight", tensor)
      return try evaluate(copy, data, EvaluateOptions())["loss"]?.number ?? .nan
    }
    for index in stride(from: 0, to: weights.count, by: 7) {
      let step: Float = 0.01
      let expected = (try loss(index, step) - loss(index, -step)) / Double(2 * step)
      #expect(abs(Double(gradient[index]) - abs(expected)) < 2e-3)
      #expect(abs(taylor[index] - gradient[index] * abs(weights[index])) < 1e-6)
    }
  }

  @Test func batchesAreAveragedByTheirSize() throws {
    let model = try Networks.mlp([8])
    let data = try Dataset.digits().take(50)
    // 32 and 18 samples: the mean of |g| by hand.
    let whole = try scores(run(model, "gradient", data, batchSize: 32), "fc1.weight")
    let first = try scores(run(model, "gradient", data.subset(Array(0..<32)), batchSize: 32), "fc1.weight")
    let last = try scores(run(model, "gradient", data.subset(Array(32..<50)), batchSize: 32), "fc1.weight")
    for index in stride(from: 0, to: whole.count, by: 11) {
      #expect(abs(whole[index] - (0.64 * first[index] + 0.36 * last[index])) < 1e-5)
    }
  }

  @Test(arguments: ["gradient", "taylor"])
  func dataIsAskedFor(criterion: String) throws {
    let error = #expect(throws: PruneError.self) { try run(try Networks.mlp(), criterion) }
    #expect(error?.message.contains("data") == true)
  }

  @Test(arguments: ["gradient", "taylor"])
  func prunedWeightsRankLowestForCriteriaThatWouldReviveThem(criterion: String) throws {
    let data = try Dataset.digits().take(100)
    var options = PruneOptions()
    options.amount = 0.5
    let half = try prune(try Networks.mlp(), options).model
    options.criterion = criterion
    options.data = data
    options.amount = 0.75
    let more = try prune(half, options).model
    #expect(try Networks.zeros(more, PruneTests.weights) == Int((0.75 * 2720).rounded()))
    for name in PruneTests.weights {
      let a = try Networks.values(half, name), b = try Networks.values(more, name)
      #expect(zip(a, b).allSatisfy { $0 != 0 || $1 == 0 })
    }
  }
}
