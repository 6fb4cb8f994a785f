import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining
import Pruning
import Testing

/// Criteria that take the gradient of a loss, on a model of which the loss reads one output of two.
@Suite struct SeveralOutputsTests {
  private static let criteria = ["gradient", "taylor", "fisher", "snip", "hessian", "grasp", "movement"]

  /// h = relu(x trunk); y = relu(h a1) a2, z = relu(h b1) b2.
  private func model() throws -> Model {
    var random = RandomSource(seed: 4)
    var graph = Graph(name: "heads")
    graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(6)]))]
    for (name, width) in [("y", 3), ("z", 2)] {
      graph.outputs.append(ValueInfo(name: name, type: TensorType(.float32, [.named("N"), .fixed(width)])))
    }
    for (name, dims) in [("trunk", [6, 12]), ("a1", [12, 8]), ("a2", [8, 3]), ("b1", [12, 10]), ("b2", [10, 2])] {
      let shape = try Shape(dims)
      graph.setInitializer(name, try Tensor((0..<shape.count).map { _ in Float(0.4 * random.normal()) }, shape))
    }
    func layer(_ input: String, _ weight: String, _ output: String, last: Bool = false) {
      graph.nodes.append(
        Node("MatMul", name: "by_\(weight)", inputs: [input, weight], outputs: [last ? output : "\(output).0"]))
      if !last { graph.nodes.append(Node("Relu", name: "relu_\(weight)", inputs: ["\(output).0"], outputs: [output])) }
    }
    layer("x", "trunk", "h")
    layer("h", "a1", "ha")
    layer("ha", "a2", "y", last: true)
    layer("h", "b1", "hb")
    layer("hb", "b2", "z", last: true)
    return Model(graph: graph)
  }

  private func data(classes: Int = 3) throws -> Dataset {
    var random = RandomSource(seed: 5)
    let x = try Tensor((0..<6 * 48).map { _ in Float(random.normal()) }, Shape([48, 6]))
    return try Dataset.tensors(x, Tensor((0..<48).map { Int64($0 % classes) }))
  }

  private func options(_ criterion: String, _ change: (inout PruneOptions) -> Void = { _ in }) throws -> PruneOptions {
    var options = PruneOptions()
    options.criterion = criterion
    options.amount = 0.5
    options.data = try data()
    change(&options)
    return options
  }

  private func notes(_ report: Report) -> String {
    (report["notes"]?.list ?? []).compactMap(\.text).joined(separator: "\n")
  }

  @Test(arguments: criteria, ["global", "local"]) func weightsOfTheOtherOutputStayAndAreNamed(
    criterion: String, strategy: String
  ) throws {
    let (pruned, report) = try prune(model(), options(criterion) { $0.strategy = strategy })
    #expect(try Networks.zeros(pruned, ["b1", "b2"]) == 0)
    let scored = 6 * 12 + 12 * 8 + 8 * 3
    #expect(report["weights"]?.integer == scored)
    #expect(abs(try Networks.zeros(pruned, ["trunk", "a1", "a2"]) - scored / 2) <= 2)
    #expect(notes(report).contains("'b1', 'b2'"))
  }

  @Test(arguments: criteria) func unitsAreScoredByWhatTheLossReaches(criterion: String) throws {
    let model = try model()
    let (slim, report) = try prune(model, options(criterion) { $0.granularity = "channel" })
    #expect(report["certificate"]?.number ?? 1 < 1e-5)
    #expect(notes(report).contains("'b1', 'b2'"))
    // The hidden units of the other output have no score at all; those of the trunk are scored by what else reads them.
    #expect(slim.graph.initializer("b2")?.shape.dims == [10, 2])
    #expect(report["units"]?.integer == 12 + 8)
    // The same units go as where the other output is not there.
    var alone = model
    alone.graph.outputs.removeLast()
    alone.graph.nodes.removeLast(3)
    alone.graph.removeInitializers { $0.name.hasPrefix("b") }
    let expected = try prune(alone, options(criterion) { $0.granularity = "channel" }).model
    for name in ["trunk", "a1", "a2"] { #expect(try Networks.values(slim, name) == Networks.values(expected, name)) }
  }

  /// Named, the other output is what is scored, measured, guarded and trained.
  @Test(arguments: criteria, ["weight", "channel"]) func theOutputMayBeNamed(criterion: String, granularity: String)
    throws
  {
    let data = try data(classes: 2)
    let (pruned, report) = try prune(
      model(),
      options(criterion) {
        ($0.output, $0.data, $0.granularity, $0.validate) = ("z", data, granularity, data)
        $0.guard = GuardOptions(data: data, metric: "loss", maxDrop: 10)
        $0.recover = FitOptions()
      })
    // Units of the trunk go, and their rows of a1 with them.
    for name in ["a1", "a2"] where granularity == "weight" || name == "a2" {
      #expect(try Networks.values(pruned, name) == Networks.values(model(), name))
    }
    #expect(notes(report).contains("'a1', 'a2'"))
    #expect(try Networks.values(pruned, "b2") != Networks.values(model(), "b2"))
    var settings = EvaluateOptions()
    settings.output = "z"
    let before = try evaluate(model(), data, settings), after = try evaluate(pruned, data, settings)
    #expect(report["before"]?.report?.number("loss") == before.number("loss"))
    #expect(report["after"]?.report?.number("loss") == after.number("loss"))
    #expect(report["journal"]?.list?.first?.report?.number("loss") == after.number("loss"))
  }

  @Test func curvesAndScoresMayBeOfANamedOutput() throws {
    let data = try data(classes: 2)
    var scoring = SignificanceOptions()
    (scoring.criterion, scoring.data, scoring.output) = ("taylor", data, "z")
    #expect(notes(try significance(model(), scoring)).contains("'a1', 'a2'"))
    var curves = SensitivityOptions()
    (curves.amounts, curves.data, curves.metric, curves.output) = ([0.5], data, "loss", "z")
    let report = try sensitivity(model(), curves)
    var settings = EvaluateOptions()
    settings.output = "z"
    #expect(report.number("baseline") == (try evaluate(model(), data, settings).number("loss")))
    let values = (report["layers"]?.list ?? []).compactMap { row -> Double? in
      row.report?["name"]?.text?.contains("by_a") == true ? row.report?["values"]?.list?.first?.number : nil
    }
    // The other output's layers change nothing.
    #expect(values.count == 2 && values.allSatisfy { abs($0 - (report.number("baseline") ?? 0)) < 1e-6 })
    let divided = try prune(
      model(), options("magnitude") { ($0.allocation, $0.data, $0.output) = ("sensitivity", data, "z") }
    ).model
    #expect(try Networks.zeros(divided, ["a1", "a2"]) > Networks.zeros(divided, ["b1", "b2"]))
    for change: (inout PruneOptions) -> Void in [
      { $0.output = "zz" }, { $0.guard = GuardOptions(data: data, output: "zz") },
    ] {
      let error = #expect(throws: PruneError.self) { try prune(model(), options("magnitude", change)) }
      #expect(error?.status == .notFound && error?.hint.contains("'z'") == true)
    }
    scoring.output = "zz"
    #expect(throws: PruneError.self) { try significance(model(), scoring) }
  }

  @Test func aRecipeNamesTheOutput() throws {
    let data = try data(classes: 2)
    let outcome = try pruned(model(), options("taylor") { ($0.output, $0.data) = ("z", data) })
    var again = PruneOptions()
    (again.recipe, again.data) = (outcome.recipe, data)
    let other = try prune(model(), again).model
    for name in ["trunk", "a1", "b1", "b2"] {
      #expect(try Networks.values(outcome.model, name) == Networks.values(other, name))
    }
  }

  @Test func curvesAndScoresNameWhatTheyLeaveOut() throws {
    var scoring = SignificanceOptions()
    scoring.criterion = "taylor"
    scoring.data = try data()
    let scores = try significance(model(), scoring)
    #expect(scores["layers"]?.list?.count == 3 && notes(scores).contains("'b1', 'b2'"))
    var curves = SensitivityOptions()
    curves.criterion = "fisher"
    curves.amounts = [0.5]
    curves.data = try data()
    let report = try sensitivity(model(), curves)
    #expect(report["layers"]?.list?.count == 3 && notes(report).contains("'b1', 'b2'"))
    let divided = try prune(model(), options("taylor") { $0.allocation = "sensitivity" }).model
    #expect(try Networks.zeros(divided, ["b1", "b2"]) == 0)
  }

  /// Weights that grow back are those that the loss pulls at: none of the other output.
  @Test func regrowthLeavesTheOtherOutputAlone() throws {
    var training = FitOptions()
    training.epochs = 1
    let (pruned, _) = try prune(
      model(),
      options("magnitude") {
        $0.schedule = "dynamic"
        $0.steps = 2
        $0.recover = training
      })
    #expect(try Networks.zeros(pruned, ["b1", "b2"]) > 0)
  }

  @Test(arguments: criteria) func noWeightThatTheLossReachesIsAnError(criterion: String) throws {
    let error = #expect(throws: PruneError.self) { try prune(model(), options(criterion) { $0.scope = ["b1", "b2"] }) }
    #expect(error?.status == .unsupported && error?.message.contains("the loss does not depend on it") == true)
  }
}
