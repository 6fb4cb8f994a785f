import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import Testing

@Suite struct EvaluateTests {
  /// Four samples of three outputs; class 0 twice, 1, 2.
  private func data(_ values: [Float]) throws -> Dataset {
    try Dataset.tensors(try Tensor(values, Shape([4, 3])), try Tensor([0, 0, 1, 2] as [Int64]))
  }
  private func options(_ metrics: String..., batch: Int = 0) -> EvaluateOptions {
    var options = EvaluateOptions()
    options.metrics = metrics
    options.batchSize = batch
    return options
  }

  @Test(arguments: [0, 1, 3, 4, 100]) func metricsDoNotDependOnTheBatch(batch: Int) throws {
    // Right, second, third, right.
    let data = try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1])
    let report = try evaluate(echo(3), data, options("loss", "accuracy", "error", "top2", "top_3", "f1", batch: batch))
    #expect(report.number("accuracy") == 0.5 && report.number("error") == 0.5 && report.number("samples") == 4)
    #expect(report.number("top2") == 0.75 && report.number("top_3") == 1)
    // Class 0: 1 hit of 2 predicted, 2 wanted; class 1: none; class 2: 1 of 1 and 1.
    let f1 = try #require(report.number("f1"))
    #expect(abs(f1 - 0.5) < 1e-12)
    func loss(_ row: [Double], _ wanted: Int) -> Double {
      logarithm(row.reduce(0) { $0 + exponential($1) }) - row[wanted]
    }
    let rows: [([Double], Int)] = [([9, 1, 0], 0), ([4, 5, 0], 0), ([7, 5, 6], 1), ([0, 0, 1], 2)]
    let expected = rows.map { loss($0.0, $0.1) }.reduce(0, +) / 4
    let found = try #require(report.number("loss"))
    #expect(abs(found - expected) < 1e-9)
  }

  @Test(arguments: [Dim.named("N"), .fixed(4), .fixed(3)])
  func samplesAreLabelledWithAnswers(batch: Dim) throws {
    // The first of the highest counts, whatever the labels were.
    let data = try self.data([9, 1, 0, 4, 5, 5, 7, 5, 8, 0, 0, 1]), session = Session(echo(3, batch: batch))
    let answered = try data.labelled(by: session)
    #expect(try answered.y?.array(of: Int64.self) == [0, 1, 2, 2])
    #expect(answered.classCount == 3 && answered.count == 4)
    #expect(try evaluate(session: session, answered).number("accuracy") == 1)
    #expect(try evaluate(session: session, data).number("accuracy") == 0.5)
    let named = try Dataset.tensors(inputs: ["x": data.x], nil)
    #expect(try named.labelled(by: session).y?.array(of: Int64.self) == [0, 1, 2, 2])
  }

  @Test func onlyClassesAreAnswers() throws {
    let one = try Dataset.tensors(Tensor([1, 2] as [Float], Shape([2, 1])), nil)
    #expect(failure { _ = try one.labelled(by: Session(echo(1))) }?.status == .mismatch)
    let data = try self.data([9, 1, 0, 4, .nan, 5, 7, 5, 8, 0, 0, 1])
    let error = failure { _ = try data.labelled(by: Session(echo(3))) }
    #expect(error?.status == .numeric && error?.message.contains("sample 1") == true)
  }

  @Test func theLossIsTheSameOfLogitsProbabilitiesAndLogProbabilities() throws {
    let data = try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1])
    let wanted = try #require(evaluate(echo(3), data).number("loss"))
    for op in ["Softmax", "LogSoftmax"] {
      let found = try #require(evaluate(echo(3, then: op), data).number("loss"))
      #expect(abs(found - wanted) < 1e-5, "\(op)")
    }
  }

  @Test func equalAndNaNOutputsAreNotRightByChance() throws {
    let data = try data([0, 0, 0, .nan, 0, 0, 0, 0, 0, 1, .infinity, 0])
    let report = try evaluate(echo(3), data, options("accuracy", "top2", "loss"))
    // The first of equals is the prediction.
    #expect(report.number("accuracy") == 0.25 && report.number("top2") == 0.5)
    #expect(try #require(report.number("loss")).isNaN)
  }

  @Test func oneOutputTellsTwoClassesApart() throws {
    let x = try Tensor([3, -2, 1, -1] as [Float], Shape([4, 1]))
    let data = try Dataset.tensors(x, try Tensor([1, 0, 0, 0] as [Int64]))
    let logits = try evaluate(echo(1), data), sigmoid = try evaluate(echo(1, then: "Sigmoid"), data)
    #expect(logits.number("accuracy") == 0.75 && sigmoid.number("accuracy") == 0.75)
    let (a, b) = (try #require(logits.number("loss")), try #require(sigmoid.number("loss")))
    #expect(abs(a - b) < 1e-6)
  }

  @Test func valuesAreComparedByTheirDifferences() throws {
    let x = try Tensor([2.5, 0, 2, 8] as [Float], Shape([2, 2]))
    let data = try Dataset.tensors(x, try Tensor([3, -0.5, 2, 7] as [Float], Shape([2, 2])))
    let report = try evaluate(echo(2), data, options("loss", "mse", "rmse", "mae"))
    #expect(report.number("loss") == 0.375 && report.number("mse") == 0.375 && report.number("mae") == 0.5)
    let root = try #require(report.number("rmse"))
    #expect(abs(root * root - 0.375) < 1e-12)
    #expect(try evaluate(echo(2), data).entries.map(\.key) == ["loss", "samples"])
  }

  @Test func fixedBatchesAreFilled() throws {
    let data = try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1])
    let wanted = try #require(evaluate(echo(3), data).number("loss"))
    for batch in [1, 3, 16] {
      let found = try evaluate(echo(3, batch: .fixed(batch)), data, options("loss", "accuracy", batch: 2))
      let loss = try #require(found.number("loss"))
      #expect(abs(loss - wanted) < 1e-12 && found.number("samples") == 4)
    }
  }

  @Test func integerInputsTakeWhatTheyCanHold() throws {
    let model = chain(
      [Node("Cast", inputs: ["x"], outputs: ["y"], attributes: [Attribute("to", .int(1))])], features: [.fixed(3)],
      dtype: .int8)
    let report = try evaluate(model, try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1]))
    #expect(report.number("accuracy") == 0.5)
    #expect(failure { _ = try evaluate(model, try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1.5])) }?.status == .mismatch)
  }

  @Test func otherOutputsAreFoundByName() throws {
    var model = echo(3, then: "Softmax")
    model.graph.outputs.append(ValueInfo(name: "same", type: nil))
    var chosen = options("loss")
    chosen.output = "same"
    let data = try data([9, 1, 0, 4, 5, 0, 7, 5, 6, 0, 0, 1])
    #expect(try evaluate(model, data, chosen).number("loss") == (try evaluate(echo(3), data).number("loss")))
    chosen.output = "sane"
    let error = failure { _ = try evaluate(model, data, chosen) }
    #expect(error?.status == .notFound && error?.hint.contains("same") == true)
  }

  // MARK: - What does not fit

  @Test func aSampleOfAnotherShapeNamesBoth() throws {
    let error = failure { _ = try evaluate(echo(4), try data([Float](repeating: 0, count: 12))) }
    #expect(error?.status == .mismatch)
    #expect(
      error?.message.contains("[3]") == true && error?.message.contains("'x'") == true
        && error?.message.contains("[N,4]") == true)
  }

  @Test func aClassTheModelDoesNotHaveIsNamed() throws {
    let x = try Tensor(zeros: .float32, Shape([2, 3]))
    let error = failure { _ = try evaluate(echo(3), try Dataset.tensors(x, try Tensor([0, 7] as [Int64]))) }
    #expect(error?.status == .mismatch && error?.message.contains("sample 1 has class 7") == true)
  }

  @Test func rowsOfProbabilitiesWarnOfTheChosenLoss() throws {
    func warning(_ rows: [Float], _ loss: String? = nil, metric: String = "loss") throws -> String? {
      var wanted = options(metric)
      wanted.loss = loss
      let data = try Dataset.tensors(Tensor(zeros: .float32, Shape([2, 3])), Tensor(rows, Shape([2, 3])))
      guard case .text(let text)? = try evaluate(echo(3), data, wanted)["warnings.0"] else { return nil }
      return text
    }
    let rows: [Float] = [0.2, 0.3, 0.5, 1, 0, 0]
    #expect(try warning(rows)?.contains("loss = \"cross_entropy\"") == true)
    #expect(
      try warning(rows, "mse") == nil && warning(rows, "cross_entropy") == nil && warning(rows, metric: "mae") == nil)
    #expect(try warning([0.2, 0.3, 0.4, 1, 0, 0]) == nil && warning([1.5, -0.5, 0, 1, 0, 0]) == nil)
    // Rows of 0 and 1 are class numbers.
    #expect(try warning([0, 1, 0, 1, 0, 0]) == nil)
  }

  @Test func otherMisfitsAreErrors() throws {
    let x = try Tensor(zeros: .float32, Shape([2, 3]))
    let labels = try Tensor([0, 1] as [Int64])
    let none = try Dataset.tensors(x, nil), classes = try Dataset.tensors(x, labels)
    #expect(failure { _ = try evaluate(echo(3), none) }?.status == .invalidArgument)
    #expect(failure { _ = try evaluate(echo(3), try classes.take(0)) }?.status == .invalidArgument)
    #expect(failure { _ = try evaluate(echo(3), classes, options("acuracy")) }?.hint.contains("accuracy") == true)
    for name in ["top0", "top-1", "top", "top_", "top99999999999999999999"] {
      #expect(failure { _ = try evaluate(echo(3), classes, options(name)) }?.status == .invalidArgument)
    }
    var wrong = options("loss")
    wrong.loss = "hinge"
    #expect(failure { _ = try evaluate(echo(3), classes, wrong) }?.status == .invalidArgument)
    #expect(failure { _ = try evaluate(echo(3), classes, options(batch: -1)) }?.status == .invalidArgument)
    let values = try Dataset.tensors(x, try Tensor(zeros: .float32, Shape([2, 5])))
    #expect(failure { _ = try evaluate(echo(3), values) }?.status == .mismatch)
    let singles = try Dataset.tensors(
      try Tensor(zeros: .float32, Shape([2, 1])), try Tensor([0.5, 1.5] as [Float], Shape([2, 1])))
    #expect(failure { _ = try evaluate(echo(1), singles, options("accuracy")) }?.status == .invalidArgument)
    var two = echo(3)
    two.graph.inputs.append(ValueInfo(name: "more", type: TensorType(.float32, [.named("N")])))
    #expect(failure { _ = try evaluate(two, classes) }?.status == .mismatch)
    #expect(failure { _ = try evaluate(Model(graph: Graph()), classes) }?.status == .invalidModel)
  }

  @Test func aStopIsHeard() throws {
    var stopped = EvaluateOptions()
    let flag = try CancelFlag()
    flag.request()
    stopped.cancel = flag
    #expect(
      failure { _ = try evaluate(echo(3), try data([Float](repeating: 0, count: 12)), stopped) }?.status == .cancelled)
  }
}

@Suite struct BenchmarkTests {
  @Test func theReportIsComplete() throws {
    var options = BenchmarkOptions()
    options.batchSize = 4
    options.runs = 7
    options.threads = 1
    let before = Parallel.threads
    let report = try benchmark(echo(3, then: "Softmax"), options)
    #expect(Parallel.threads == before)
    #expect(report.number("runs") == 7 && report.number("threads") == 1 && report.number("batch_size") == 4)
    let (least, middle, most) = (
      try #require(report.number("min_ms")), try #require(report.number("median_ms")),
      try #require(report.number("p90_ms"))
    )
    #expect(least <= middle && middle <= most && least > 0)
  }

  @Test func threadsAreRestoredAfterAnError() throws {
    var options = BenchmarkOptions()
    options.threads = 1
    let before = Parallel.threads
    let model = chain([Node("NoSuchOperator", domain: "none", inputs: ["x"], outputs: ["y"])], features: [.fixed(3)])
    #expect(throws: PruneError.self) { try benchmark(model, options) }
    #expect(Parallel.threads == before)
    options.runs = 0
    #expect(failure { _ = try benchmark(echo(3), options) }?.status == .invalidArgument)
  }

  @Test func comparingPutsModelsSideBySide() throws {
    let data = try Dataset.tensors(
      try Tensor([1, 0, 0, 0, 1, 0] as [Float], Shape([2, 3])), try Tensor([0, 1] as [Int64]))
    let report = try compare([("plain", echo(3)), ("soft", echo(3, then: "Softmax"))], data: data)
    #expect(report.number("models.0.accuracy") == 1 && report.number("models.1.accuracy") == 1)
    guard case .text("soft")? = report["models.1.label"] else {
      Issue.record("no label")
      return
    }
    #expect(report.text().contains("plain") && report["models.0.median_ms"] != nil)
    let error = failure { _ = try compare([("plain", echo(3)), ("odd", echo(4))], data: data) }
    #expect(error?.place.contains("odd") == true)
    #expect(throws: PruneError.self) { try compare([], data: data) }
    let timed = try compare([("plain", echo(3)), ("soft", echo(3, then: "Softmax"))], data: nil)
    #expect(
      timed["models.0.accuracy"] == nil && timed.number("models.1.p90_ms") ?? 0 >= timed.number("models.1.min_ms") ?? 1)
    #expect(timed.number("threads") == Double(Parallel.threads) && timed.number("runs") == 20)
  }
}
