import PruneData
import PruneFormats
import PruneGraph
import PruneTensor
import PruneTraining
import Testing

/// Training models of several inputs and outputs.
@Suite struct SeveralInputsTests {
  /// Two outputs of table and tokens: "score" [N,1] (first) and "classes" [N,3].
  static func model(seed: UInt64 = 3, tokens: String = "tokens") throws -> Model {
    var random = RandomSource(seed: seed)
    var graph = Graph(name: "two")
    func weight(_ name: String, _ dims: [Int]) throws {
      let shape = try Shape(dims)
      graph.setInitializer(name, try Tensor((0..<shape.count).map { _ in Float(0.4 * random.normal()) }, shape))
    }
    try weight("table.weight", [4, 8])
    try weight("embedding", [6, 8])
    try weight("score.weight", [8, 1])
    try weight("classes.weight", [8, 3])
    graph.inputs = [
      ValueInfo(name: "table", type: TensorType(.float32, [.named("N"), .fixed(4)])),
      ValueInfo(name: tokens, type: TensorType(.int32, [.named("N"), .fixed(5)])),
    ]
    graph.nodes = [
      Node("MatMul", name: "dense", inputs: ["table", "table.weight"], outputs: ["d"]),
      Node("Gather", name: "lookup", inputs: ["embedding", tokens], outputs: ["e"]),
      Node(
        "ReduceMean", name: "mean", inputs: ["e"], outputs: ["m"],
        attributes: [Attribute("axes", .ints([1])), Attribute("keepdims", .int(0))]),
      Node("Add", name: "join", inputs: ["d", "m"], outputs: ["s"]),
      Node("Tanh", name: "tanh", inputs: ["s"], outputs: ["h"]),
      Node("MatMul", name: "score", inputs: ["h", "score.weight"], outputs: ["score.out"]),
      Node("MatMul", name: "classes", inputs: ["h", "classes.weight"], outputs: ["classes.out"]),
    ]
    graph.outputs = [
      ValueInfo(name: "score.out", type: TensorType(.float32, [.named("N"), .fixed(1)])),
      ValueInfo(name: "classes.out", type: TensorType(.float32, [.named("N"), .fixed(3)])),
    ]
    return Model(graph: graph, opset: 13)
  }

  /// The class is how often token 0 comes, the value a number of the table: both inputs matter.
  static func data(_ count: Int = 240, classes: Bool) throws -> Dataset {
    var random = RandomSource(seed: 8)
    let table = (0..<4 * count).map { _ in Float(random.normal()) }
    var tokens: [Int32] = [], labels: [Int64] = [], values: [Float] = []
    for row in 0..<count {
      let zeros = Int(random.next() % 3)
      tokens += (0..<5).map { $0 < zeros ? 0 : Int32(1 + random.next() % 5) }
      labels.append(Int64(zeros))
      values.append(0.3 * table[4 * row] + 0.2 * Float(zeros))
    }
    let inputs = ["table": try Tensor(table, Shape([count, 4])), "tokens": try Tensor(tokens, Shape([count, 5]))]
    return try Dataset.tensors(inputs: inputs, classes ? Tensor(labels) : Tensor(values, Shape([count, 1])))
  }

  private func options(_ epochs: Int = 20) -> FitOptions {
    var options = FitOptions()
    options.epochs = epochs
    options.lr = 0.02
    options.validationSplit = 0.2
    return options
  }

  @Test func bothInputsAreLearntFrom() throws {
    var model = try Self.model()
    let history = try fit(&model, Self.data(classes: false), options())
    let first = try #require(history["epochs.0.validation_loss"]?.number)
    #expect(try #require(history["epochs.19.validation_loss"]?.number) < 0.1 * first)
    let (before, after) = (try Fixture.weights(Self.model()), try Fixture.weights(model))
    #expect(before["embedding"] != after["embedding"] && before["table.weight"] != after["table.weight"])
    #expect(before["classes.weight"] == after["classes.weight"])
  }

  @Test func theLossIsTakenOfTheOutputThatIsNamed() throws {
    var model = try Self.model(), chosen = options(30)
    chosen.output = "classes.out"
    let history = try fit(&model, Self.data(classes: true), chosen)
    #expect(history["epochs.29.validation_accuracy"]?.number ?? 0 > 0.9)
    #expect(try Fixture.weights(Self.model())["score.weight"] == Fixture.weights(model)["score.weight"])
    chosen.output = "class.out"
    #expect { try fit(&model, Self.data(classes: true), chosen) } throws: {
      ($0 as? PruneError)?.message.contains("no output 'class.out'") == true
        && ($0 as? PruneError)?.hint.contains("classes.out") == true
    }
  }

  @Test func aTeacherReadsItsOwnInputsOfTheData() throws {
    var teacher = try Self.model(seed: 5)
    var chosen = options(20)
    _ = try fit(&teacher, Self.data(classes: false), chosen)
    var student = try Self.model()
    var distillation = Distillation(teacher: teacher)
    distillation.alpha = 1
    chosen.distillation = distillation
    let history = try fit(&student, Self.data(classes: false), chosen)
    #expect(history["epochs.19.loss"]?.number ?? 1 < 0.05)
    chosen.distillation = Distillation(teacher: try Self.model(tokens: "ids"))
    #expect { try fit(&student, Self.data(classes: false), chosen) } throws: {
      ($0 as? PruneError)?.place == "teacher" && ($0 as? PruneError)?.message.contains("it lacks 'ids'") == true
    }
  }

  @Test func augmentationWantsOneInput() throws {
    var model = try Self.model(), chosen = options(1)
    chosen.augmentation = Augmentation()
    chosen.augmentation?.flip = true
    #expect { try fit(&model, Self.data(classes: false), chosen) } throws: {
      ($0 as? PruneError)?.message.contains("'table', 'tokens'") == true
    }
  }

  @Test(.enabled(if: Shared.isPresent, "needs ../shared beside the repository")) func imagesAndTables() throws {
    var model = try ModelFormats.load(path: Shared.folder + "/models/topologies/two_inputs_two_outputs.onnx")
    var random = RandomSource(seed: 4)
    func numbers(_ dims: [Int]) throws -> Tensor {
      let shape = try Shape(dims)
      return try Tensor((0..<shape.count).map { _ in Float(random.normal()) }, shape)
    }
    let table = try numbers([48, 7])
    let labels = try table.array(of: Float.self).enumerated().filter { $0.offset % 7 == 0 }.map {
      Int64($0.element > 0 ? 1 : 0)
    }
    let data = try Dataset.tensors(inputs: ["image": numbers([48, 3, 16, 16]), "table": table], Tensor(labels))
    let history = try fit(&model, data, options(15))
    #expect(try #require(history["epochs.14.loss"]?.number) < 0.5 * (try #require(history["epochs.0.loss"]?.number)))
  }
}
