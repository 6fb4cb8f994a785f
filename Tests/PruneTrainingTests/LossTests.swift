import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// A loss, what it is told, and the targets it is given.
struct LossCase: Sendable, CustomTestStringConvertible {
  var name: String
  var isLabels = false
  /// What ends the network: "", "Softmax" or "Sigmoid".
  var ending = ""
  var smoothing = 0.0
  var weights: [Double] = []
  var delta = 1.0
  var fromProbabilities = false

  var testDescription: String {
    "\(name)\(isLabels ? " of labels" : "") \(ending)\(fromProbabilities ? " as probabilities" : "") smoothing \(smoothing) weights \(weights)"
  }

  var settings: TrainingLoss.Settings {
    var settings = TrainingLoss.Settings()
    settings.labelSmoothing = smoothing
    settings.classWeights = weights
    settings.delta = delta
    settings.fromProbabilities = fromProbabilities
    return settings
  }

  static let rows = 6
  static let classes = 3

  /// Three inputs, a tanh layer, three outputs.
  func model() throws -> Model {
    var options = ZooOptions()
    options.input = [4]
    options.hidden = [5]
    options.classes = Self.classes
    options.activation = "tanh"
    options.seed = 4
    var model = try Zoo.make("mlp", options)
    guard !ending.isEmpty else { return model }
    let output = model.graph.outputs[0]
    model.graph.nodes.append(Node(ending, name: "ending", inputs: [output.name], outputs: ["probabilities"]))
    // Hidden from the loss, which would look through it.
    model.graph.nodes.append(Node("Mul", inputs: ["probabilities", "one"], outputs: ["y"]))
    model.graph.setInitializer("one", try Tensor(scalar: Float(1)))
    model.graph.outputs = [ValueInfo(name: fromProbabilities ? "y" : "probabilities", type: output.type)]
    return model
  }

  func batch() throws -> (x: Tensor, y: Tensor) {
    var random = RandomSource(seed: 9)
    let x = try Tensor((0..<Self.rows * 4).map { _ in Float(random.normal()) }, Shape([Self.rows, 4]))
    if isLabels { return (x, try Tensor((0..<Self.rows).map { Int64($0 % Self.classes) })) }
    var values = (0..<Self.rows * Self.classes).map { _ in 0.1 + 0.8 * random.uniform() }
    if name == "cross_entropy" || name == "kl" {
      for row in 0..<Self.rows {
        let range = row * Self.classes..<(row + 1) * Self.classes
        let sum = values[range].reduce(0, +)
        for index in range { values[index] /= sum }
      }
    }
    return (x, try Tensor(values.map { Float($0) }, Shape([Self.rows, Self.classes])))
  }
}

@Suite struct LossTests {
  static let cases: [LossCase] = [
    LossCase(name: "cross_entropy", isLabels: true), LossCase(name: "cross_entropy"),
    LossCase(name: "cross_entropy", isLabels: true, smoothing: 0.2), LossCase(name: "cross_entropy", ending: "Softmax"),
    LossCase(name: "cross_entropy", isLabels: true, ending: "Softmax", smoothing: 0.1, fromProbabilities: true),
    LossCase(name: "cross_entropy", isLabels: true, weights: [1, 0.2, 3]),
    LossCase(name: "cross_entropy", smoothing: 0.3, weights: [0.5, 2, 0]),
    LossCase(name: "cross_entropy", isLabels: true, ending: "Softmax", weights: [1, 2, 3], fromProbabilities: true),
    LossCase(name: "mse"), LossCase(name: "mae"), LossCase(name: "huber"), LossCase(name: "huber", delta: 0.3),
    LossCase(name: "bce"), LossCase(name: "bce", isLabels: true), LossCase(name: "bce", ending: "Sigmoid"),
    LossCase(name: "bce", ending: "Sigmoid", fromProbabilities: true), LossCase(name: "kl"),
    LossCase(name: "kl", ending: "Softmax"),
    LossCase(name: "kl", ending: "Softmax", fromProbabilities: true),
  ]

  /// The value against the formula in double precision, the gradients against differences of it.
  @Test(arguments: cases) func valuesAndGradients(example: LossCase) throws {
    let (model, (x, y)) = (try example.model(), try example.batch())
    var settings = Losses.Settings()
    settings.fromLogits = example.ending.isEmpty
    settings.labelSmoothing = example.smoothing
    settings.classWeights = example.weights
    settings.delta = example.delta
    let labels = example.isLabels && example.name == "bce" ? try oneHot(y) : y
    let names = TrainableParameters.names(in: model)
    var variables: [String: Variable] = [:]
    for name in names { variables[name] = Variable(name: name, tensor: try #require(model.graph.initializer(name))) }
    let shapes = [model.graph.trueInputs[0].name: x.shape]
    let program = try Program(model, ProgramOptions(inputShapes: shapes, variables: variables))
    func formula() throws -> Double {
      let output = try #require(try program.run([model.graph.trueInputs[0].name: x])[model.graph.outputs[0].name])
      return try Losses.compute(example.name, true: labels, predicted: output, settings)
    }
    let analytic = try LossGradients(model, loss: example.name, settings: example.settings, targets: y.dtype).run(x, y)
    #expect(abs(analytic.loss - (try formula())) < 2e-5 * max(1, abs(analytic.loss)))
    for name in names {
      let gradient = try #require(analytic.gradients[name]).array(of: Float.self)
      let variable = try #require(variables[name])
      let original = variable.tensor
      for index in Swift.stride(from: 0, to: gradient.count, by: 3) {
        func moved(_ by: Float) throws -> Double {
          variable.tensor = original
          try variable.tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += by }
          return try formula()
        }
        let numeric = (try moved(4e-3) - moved(-4e-3)) / 8e-3
        #expect(
          abs(Double(gradient[index]) - numeric) < 2e-3 * max(1, abs(numeric)),
          "\(name)[\(index)]: \(gradient[index]), \(numeric)")
      }
      variable.tensor = original
    }
  }

  private func oneHot(_ labels: Tensor) throws -> Tensor {
    let numbers = try labels.array(of: Int64.self)
    let rows = numbers.flatMap { label in (0..<LossCase.classes).map { Float($0 == Int(label) ? 1 : 0) } }
    return try Tensor(rows, Shape([numbers.count, LossCase.classes]))
  }

  /// mean((prediction - targets)²), as a user would write it.
  private func squares(opset: Int64 = Model.defaultOpset) -> Model {
    var graph = Graph(name: "squares")
    graph.nodes = [
      Node("Sub", inputs: ["p", "t"], outputs: ["d"]), Node("Mul", inputs: ["d", "d"], outputs: ["s"]),
      Node("ReduceMean", inputs: ["s"], outputs: ["loss"], attributes: [Attribute("keepdims", .int(0))]),
    ]
    let type = TensorType(.float32, [.named("N"), .named("C")])
    graph.inputs = [ValueInfo(name: "p", type: type), ValueInfo(name: "t", type: type)]
    graph.outputs = [ValueInfo(name: "loss", type: TensorType(.float32, .scalar))]
    return Model(graph: graph, opset: opset)
  }

  @Test func aGraphIsALossLikeAnyOther() throws {
    let example = LossCase(name: "mse")
    let (model, (x, y)) = (try example.model(), try example.batch())
    let own = try LossGradients(model, loss: "mse", targets: .float32).run(x, y)
    var settings = TrainingLoss.Settings()
    settings.graph = squares()
    let given = try LossGradients(model, settings: settings, targets: .float32).run(x, y)
    #expect(abs(own.loss - given.loss) < 1e-6)
    for (name, gradient) in own.gradients {
      let other = try #require(given.gradients[name]).array(of: Float.self)
      #expect(zip(try gradient.array(of: Float.self), other).allSatisfy { abs($0 - $1) < 1e-6 })
    }
  }

  @Test func graphsThatAreNoLossAreRefused() throws {
    let example = LossCase(name: "mse")
    let (model, (x, y)) = (try example.model(), try example.batch())
    func message(_ graph: Model, _ targets: Tensor) -> String {
      var settings = TrainingLoss.Settings()
      settings.graph = graph
      do {
        _ = try LossGradients(model, settings: settings, targets: targets.dtype).run(x, targets)
      } catch { return "\(error)" }
      return ""
    }
    #expect(message(squares(opset: 11), y).contains("opset 11"))
    var wide = squares()
    wide.graph.outputs[0].name = "s"
    #expect(message(wide, y).contains("not one float32 number"))
    var single = squares()
    single.graph.inputs.removeLast()
    #expect(message(single, y).contains("1 inputs"))
    #expect(message(squares(), try Tensor([Int64](repeating: 0, count: LossCase.rows))).contains("'t' is float32"))
  }

  @Test func settingsOutOfPlaceAreNamed() throws {
    let model = try LossCase(name: "mse").model()
    func message(_ loss: String, _ change: (inout TrainingLoss.Settings) -> Void) -> String {
      var settings = TrainingLoss.Settings()
      change(&settings)
      do { _ = try TrainingLoss(loss, model: model, targets: .float32, settings) } catch { return "\(error)" }
      return ""
    }
    #expect(message("mse") { $0.labelSmoothing = 0.1 }.contains("for cross_entropy"))
    #expect(message("cross_entropy") { $0.labelSmoothing = 1 }.contains("label_smoothing is 1"))
    #expect(message("cross_entropy") { $0.classWeights = [0, -1, 2] }.contains("class_weights"))
    #expect(message("huber") { $0.delta = 0 }.contains("delta is 0"))
    #expect(message("mse") { $0.graph = squares() }.contains("both a loss"))
    #expect(message("hubber") { _ in }.contains("huber"))
    let (x, y) = try LossCase(name: "cross_entropy").batch()
    var settings = TrainingLoss.Settings()
    settings.classWeights = [1, 2]
    #expect {
      try LossGradients(model, loss: "cross_entropy", settings: settings, targets: .float32).run(x, y)
    } throws: {
      "\($0)".contains("2 class_weights") && "\($0)".contains("3 classes")
    }
  }

  /// The figures people know, and edges.
  @Test func lossesOfNumbers() throws {
    func tensor(_ values: [Float], _ dims: [Int]? = nil) throws -> Tensor {
      try Tensor(values, Shape(dims ?? [values.count]))
    }
    let entropy = try Losses.compute(
      "cross_entropy", true: tensor([0, 0, 1, 0, 0]), predicted: tensor([0.1, 0.2, 0.6, 0.05, 0.05]))
    #expect(abs(entropy - 0.5108) < 1e-4)
    let clipped = try Losses.compute("cross_entropy", true: tensor([1, 0]), predicted: tensor([0, 1]))
    #expect(abs(clipped - 34.5388) < 1e-3)
    #expect(try Losses.compute("mse", true: tensor([3, -0.5, 2, 7]), predicted: tensor([2.5, 0, 2, 8])) == 0.375)
    #expect(try Losses.compute("mae", true: tensor([3, -0.5, 2, 7]), predicted: tensor([2.5, 0, 2, 8])) == 0.5)
    var settings = Losses.Settings()
    settings.fromLogits = true
    // log(1 + e^-2), and no overflow far out.
    #expect(abs(try Losses.compute("bce", true: tensor([1]), predicted: tensor([2]), settings) - 0.126928) < 1e-6)
    #expect(try Losses.compute("bce", true: tensor([0]), predicted: tensor([1000]), settings) == 1000)
    #expect(throws: PruneError.self) { try Losses.compute("mse", true: tensor([1, 2]), predicted: tensor([1])) }
    #expect(throws: PruneError.self) { try Losses.compute("msee", true: tensor([1]), predicted: tensor([1])) }
  }
}
