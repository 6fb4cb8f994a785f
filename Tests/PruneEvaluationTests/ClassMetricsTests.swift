import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import Testing

@Suite struct ClassMetricsTests {
  /// Three classes: 0 is told twice rightly and once as 1; 1 once rightly; 2 is taken for 0.
  private var data: Dataset {
    get throws {
      try Dataset.tensors(
        try Tensor([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0] as [Float], Shape([5, 3])),
        try Tensor([0, 0, 0, 1, 2] as [Int64]))
    }
  }

  private func evaluated(_ metrics: [String]) throws -> Report {
    var options = EvaluateOptions()
    (options.metrics, options.batchSize) = (metrics, 2)
    return try evaluate(echo(3), try data, options)
  }

  @Test func precisionAndRecallAreMeansOverClasses() throws {
    let report = try evaluated(["precision", "recall"])
    #expect(abs((report.number("precision") ?? 0) - (2.0 / 3 + 0.5 + 0) / 3) < 1e-12)
    #expect(abs((report.number("recall") ?? 0) - (2.0 / 3 + 1 + 0) / 3) < 1e-12)
  }

  @Test func eachClassHasARow() throws {
    let report = try evaluated(["per_class"])
    #expect(
      report.number("classes.0.samples") == 3 && report.number("classes.1.precision") == 0.5
        && report.number("classes.1.recall") == 1)
    #expect(report.number("classes.2.precision")?.isNaN == true && report.number("classes.2.recall") == 0)
  }

  @Test func theConfusionMatrixCountsEveryPair() throws {
    let report = try evaluated(["accuracy", "confusion"])
    guard case .tensor(let counts)? = report["confusion"] else {
      Issue.record("no matrix")
      return
    }
    #expect(try counts.array(of: Int64.self) == [2, 1, 0, 0, 1, 0, 1, 0, 0])
    #expect(
      report.number("confused.0.class") == 0 && report.number("confused.0.taken_for") == 1
        && report.number("confused.0.times") == 1)
    #expect(report.text().contains("   2 1 · ·") && report.number("accuracy") == 0.6)
    #expect(report.page(madeBy: "").contains("confusion: rows are what it is"))
  }

  @Test func valuesHaveNoClasses() throws {
    let data = try Dataset.tensors(
      try Tensor([1, 2] as [Float], Shape([2, 1])), try Tensor([1, 2] as [Float], Shape([2, 1])))
    var options = EvaluateOptions()
    options.metrics = ["confusion"]
    #expect(throws: PruneError.self) { try evaluate(echo(1), data, options) }
  }

  // MARK: - Inputs that are not as they were in training

  @Test(arguments: [(Float(255), "std = 255"), (1, "mean = {0.485")])
  func chanceIsSaidWithTheScale(scale: Float, mend: String) throws {
    // Every sample is taken for class 0, of ten.
    let rows = (0..<200).flatMap { _ in [scale] + [Float](repeating: 0, count: 9) }
    let data = try Dataset.tensors(try Tensor(rows, Shape([200, 10])), try Tensor((0..<200).map { Int64($0 % 10) }))
    let report = try evaluate(echo(10), data)
    guard case .list(let warnings)? = report["warnings"], case .text(let text)? = warnings.first else {
      Issue.record("no warning")
      return
    }
    #expect(text.contains("is that of chance") && text.contains(mend))
    let right = try Dataset.tensors(try Tensor(rows, Shape([200, 10])), try Tensor([Int64](repeating: 0, count: 200)))
    #expect(try evaluate(echo(10), right)["warnings"] == nil)
  }

  @Test(arguments: [
    ([4, 5, 3], [3, 4, 5], "channels last"), ([3, 4, 5], [4, 5, 3], "channels first"),
    ([3, 8, 8], [3, 4, 5], "data:resize{4, 5}"),
    ([1, 4, 5], [3, 4, 5], "1 channel, the model wants 3"), ([4, 5], [1, 4, 5], "an axis more"),
    ([1, 2, 2], [4], "[N, 4]"),
  ])
  func layoutsAreNamedWithTheirMend(sample: [Int], wanted: [Int], mend: String) throws {
    let model = chain([Node("Identity", inputs: ["x"], outputs: ["y"])], features: wanted.map { .fixed($0) })
    let count = sample.reduce(1, *)
    let data = try Dataset.tensors(
      try Tensor([Float](repeating: 0, count: 2 * count), Shape([2] + sample)), try Tensor([0, 0] as [Int64]))
    let error = failure { _ = try evaluate(model, data) }
    #expect(
      error?.status == .mismatch && error?.hint.contains(mend) == true && error?.hint.contains("reshape") == false,
      "\(error?.hint ?? "")")
  }
}

@Suite struct DiffTests {
  private func network(_ weight: [Float], extra: Bool = false) throws -> Model {
    var nodes = [Node("MatMul", inputs: ["x", "w"], outputs: ["m"])]
    if extra { nodes.append(Node("Relu", inputs: ["m"], outputs: ["y"])) }
    return chain(nodes, features: [.fixed(2)], constants: [("w", try Tensor(weight, Shape([2, weight.count / 2])))])
  }

  @Test func theSameIsTheSame() throws {
    let report = try diff(try network([1, 2, .nan, 4]), try network([1, 2, .nan, 4]))
    #expect(report.number("same") == 1 && report["weights"] == nil && report.headline == "the networks are the same")
  }

  @Test func numbersLayersAndExtentsAreTold() throws {
    let numbers = try diff(try network([3, 4, 0, 0]), try network([3, 0, 0, 0]))
    #expect(numbers.number("weights.0.largest") == 4 && numbers.number("weights.0.relative") == 0.8)
    #expect(numbers.number("weights.0.zeros") == 2 && numbers.number("weights.0.zeros_after") == 3)
    let layers = try diff(try network([1, 2, 3, 4]), try network([1, 2, 3, 4], extra: true))
    #expect(layers.number("same") == 0)
    let shapes = try diff(try network([1, 2, 3, 4]), try network([1, 2]))
    guard case .text(let after)? = shapes["weights.0.shape_after"] else {
      Issue.record("no shape")
      return
    }
    #expect(after == "[2,1]" && shapes.number("layers.0.params_after") == 2)
  }
}
