import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct DistillationTests {
  private func teacher() throws -> Model {
    var model = try Fixture.network(hidden: [64], seed: 12)
    var options = FitOptions()
    options.epochs = 8
    options.lr = 3e-3
    _ = try fit(&model, Fixture.digits(400), options)
    return model
  }

  private func logits(_ model: Model, _ x: Tensor) throws -> Tensor {
    try #require(try Session(model).run([model.graph.trueInputs[0].name: x])[model.graph.outputs[0].name])
  }

  /// (1 - alpha) CE + alpha T² KL, from the networks' outputs in double precision.
  private func formula(_ student: Tensor, _ teacher: Tensor, _ labels: Tensor, _ settings: Distillation) throws
    -> Double
  {
    var fromLogits = Losses.Settings()
    fromLogits.fromLogits = true
    let task = try Losses.compute("cross_entropy", true: labels, predicted: student, fromLogits)
    func soft(_ tensor: Tensor) throws -> [[Double]] {
      let values = try tensor.doubles(), width = tensor.shape[1]
      return stride(from: 0, to: values.count, by: width).map { row in
        let powers = values[row..<row + width].map { exp($0 / settings.temperature) }
        return powers.map { $0 / powers.reduce(0, +) }
      }
    }
    let (p, q) = (try soft(teacher), try soft(student))
    let divergence =
      zip(p, q).reduce(0) { $0 + zip($1.0, $1.1).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) } } / Double(p.count)
    return (1 - settings.alpha) * task + settings.alpha * settings.temperature * settings.temperature * divergence
  }

  /// One step of plain descent: its loss is the formula's, and it moves weights by the formula's gradient.
  @Test(arguments: [(4.0, 0.5), (2.0, 1.0), (1.0, 0.3)]) func theLossIsHintons(temperature: Double, alpha: Double)
    throws
  {
    let teacher = try teacher()
    let before = try Fixture.network(hidden: [12], activation: "tanh", seed: 3)
    let data = try Fixture.digits(64)
    let labels = try #require(data.y)
    var settings = Distillation(teacher: teacher)
    (settings.temperature, settings.alpha) = (temperature, alpha)
    var options = FitOptions()
    (options.optimizer, options.lr, options.batchSize, options.shuffle) = ("sgd", 1, 64, false)
    options.distillation = settings
    var model = before
    let history = try fit(&model, data, options)
    let said = try logits(teacher, data.x)
    let expected = try formula(logits(before, data.x), said, labels, settings)
    #expect(abs(try #require(history["epochs.0.loss"]?.number) - expected) < 1e-4 * max(1, expected))
    let (old, new) = (
      try #require(Fixture.weights(before)["fc2.weight"]), try #require(Fixture.weights(model)["fc2.weight"])
    )
    for index in [0, 17, 55, 101] {
      func moved(_ by: Float) throws -> Double {
        var copy = before
        var weight = try #require(before.graph.initializer("fc2.weight")).copied()
        try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += by }
        copy.graph.setInitializer("fc2.weight", weight)
        return try formula(logits(copy, data.x), said, labels, settings)
      }
      let numeric = (try moved(0.01) - moved(-0.01)) / 0.02
      #expect(abs(Double(old[index] - new[index]) - numeric) < 2e-3 * max(1, abs(numeric)))
    }
  }

  @Test func aStudentBecomesLikeItsTeacher() throws {
    let teacher = try teacher()
    let data = try Dataset.digits().take(1200)
    var options = FitOptions()
    options.epochs = 6
    options.lr = 5e-3
    options.distillation = Distillation(teacher: teacher)
    options.distillation?.alpha = 1
    var student = try Fixture.network(hidden: [24], seed: 30)
    let history = try fit(&student, data, options)
    #expect(try #require(history["epochs.5.loss"]?.number) < 0.2 * #require(history["epochs.0.loss"]?.number))
    let (theirs, mine) = (
      try logits(teacher, data.x).array(of: Float.self), try logits(student, data.x).array(of: Float.self)
    )
    func best(_ values: [Float], _ row: Int) -> Int {
      (0..<10).max { values[row * 10 + $0] < values[row * 10 + $1] } ?? 0
    }
    let agreeing = (0..<1200).count { best(theirs, $0) == best(mine, $0) }
    #expect(agreeing > 1100)
  }

  @Test func samplesWithoutTargetsAreLearntFromTheTeacher() throws {
    let teacher = try teacher()
    let data = try Dataset.digits().take(1200)
    let bare = try Dataset.tensors(data.x, nil)
    var options = FitOptions()
    (options.epochs, options.lr, options.loss) = (6, 5e-3, "cross_entropy")
    options.validationSplit = 0.1
    var student = try Fixture.network(hidden: [24], seed: 30)
    #expect(throws: PruneError.self) { try fit(&student, bare, options) }
    options.distillation = Distillation(teacher: teacher)
    let history = try fit(&student, bare, options)
    // Accuracy is the agreement with the teacher.
    #expect(try #require(history["epochs.5.validation_accuracy"]?.number) > 0.85)
  }

  /// Boxes in pixels and scores, as detectors put out: both are learnt, though their scales are a thousandfold apart.
  @Test func valuesCountByTheirOwnVariance() throws {
    func detector(_ seed: UInt64) throws -> Model {
      var random = RandomSource(seed: seed)
      var model = Model(graph: Graph(name: "detector"))
      let weight = (0..<32).map { index in Float(random.normal()) * (seed == 1 && index < 16 ? 300 : 1) }
      model.graph.setInitializer("w", try Tensor(weight, try Shape([4, 8])))
      model.graph.inputs = [ValueInfo(name: "x", type: TensorType(.float32, [.named("N"), .fixed(8), .fixed(5)]))]
      model.graph.outputs = [ValueInfo(name: "y", type: TensorType(.float32, [.named("N"), .fixed(4), .fixed(5)]))]
      model.graph.nodes = [Node("MatMul", name: "head", inputs: ["w", "x"], outputs: ["y"])]
      return model
    }
    let teacher = try detector(1)
    var student = try detector(2), random = RandomSource(seed: 3)
    let x = try Tensor((0..<(64 * 40)).map { _ in Float(random.normal()) }, try Shape([64, 8, 5]))
    let data = try Dataset.tensors(x, nil)
    var options = FitOptions()
    (options.epochs, options.lr, options.batchSize, options.optimizer) = (60, 1, 16, "adam")
    options.distillation = Distillation(teacher: teacher)
    _ = try fit(&student, data, options)
    let (theirs, mine) = (
      try teacher.graph.initializer("w")!.array(of: Float.self),
      try student.graph.initializer("w")!.array(of: Float.self)
    )
    let scores = zip(theirs, mine).dropFirst(16)
    let error = scores.reduce(0) { $0 + abs($1.0 - $1.1) } / 16, size = scores.reduce(0) { $0 + abs($1.0) } / 16
    #expect(error < 0.3 * size)
  }

  @Test func featuresAreMatchedThroughAnAdaptor() throws {
    let teacher = try teacher()
    let hidden = try #require(teacher.graph.nodes.first { $0.name == "fc2" }?.inputs[0])
    var student = try Fixture.network(hidden: [24], seed: 30)
    let names = student.graph.initializers.map(\.name)
    var options = FitOptions()
    options.epochs = 5
    options.lr = 5e-3
    options.distillation = Distillation(teacher: teacher)
    options.distillation?.features = [(student: hidden, teacher: hidden)]
    options.distillation?.featureWeight = 10
    var states: [FitState] = []
    options.onCheckpoint = { (state: FitState) throws(PruneError) in states.append(state) }
    let history = try fit(&student, Fixture.digits(300), options)
    let losses = (0..<5).compactMap { history["epochs.\($0).loss"]?.number }
    #expect(losses[4] < 0.5 * losses[0])
    #expect(student.graph.initializers.map(\.name) == names)
    // The adaptor is part of what a checkpoint goes on with.
    var resumed = try Fixture.network(hidden: [24], seed: 31)
    options.onCheckpoint = nil
    options.resume = .checkpoint(try FitState(tensors: try states[2].tensors()))
    _ = try fit(&resumed, Fixture.digits(300), options)
    #expect(try Fixture.weights(resumed) == Fixture.weights(student))
  }

  @Test func aPatternStandsForItsFeatures() throws {
    let teacher = try teacher()
    func weights(_ features: [String]) throws -> [String: [Float]] {
      var student = try Fixture.network(hidden: [64], seed: 30)
      var options = FitOptions()
      options.distillation = Distillation(teacher: teacher)
      options.distillation?.features = features.map { (student: $0, teacher: $0) }
      _ = try fit(&student, Fixture.digits(100), options)
      return try Fixture.weights(student)
    }
    let all = teacher.graph.nodes.flatMap(\.outputs)
    #expect(all.count > 2)
    #expect(try weights(["*"]) == weights(all))
    #expect(try weights(["*"]) != weights([]))
    #expect { try weights(["nothing*"]) } throws: { "\($0)".contains("the student has no value 'nothing*'") }
  }

  @Test func regressionLearnsTheTeachersNumbers() throws {
    var zoo = ZooOptions()
    (zoo.input, zoo.classes, zoo.activation) = ([4], 2, "tanh")
    zoo.seed = 5
    let teacher = try Zoo.make("mlp", zoo)
    zoo.seed = 6
    var student = try Zoo.make("mlp", zoo)
    var random = RandomSource(seed: 1)
    let x = try Tensor((0..<256 * 4).map { _ in Float(random.normal()) }, Shape([256, 4]))
    let data = try Dataset.tensors(x, Tensor(zeros: .float32, Shape([256, 2])))
    var options = FitOptions()
    (options.epochs, options.lr) = (20, 5e-3)
    options.distillation = Distillation(teacher: teacher)
    options.distillation?.alpha = 1
    let history = try fit(&student, data, options)
    #expect(try #require(history["epochs.19.loss"]?.number) < 0.2 * #require(history["epochs.0.loss"]?.number))
  }

  @Test func teachersThatDoNotFitAreNamed() throws {
    let student = try Fixture.network(hidden: [24])
    func message(_ teacher: Model, _ change: (inout Distillation) -> Void = { _ in }) -> String {
      var options = FitOptions()
      var settings = Distillation(teacher: teacher)
      change(&settings)
      options.distillation = settings
      var model = student
      do { _ = try fit(&model, Fixture.digits(), options) } catch { return "\(error)" }
      return ""
    }
    var zoo = ZooOptions()
    (zoo.input, zoo.classes) = ([1, 8, 8], 7)
    #expect(message(try Zoo.make("mlp", zoo)).contains("[32,7]"))
    (zoo.input, zoo.classes) = ([1, 9, 9], 10)
    #expect(message(try Zoo.make("mlp", zoo)).contains("input 'input' of the model is"))
    let teacher = try Fixture.network(hidden: [64])
    #expect(message(teacher) { $0.temperature = 0 }.contains("temperature is 0"))
    #expect(message(teacher) { $0.alpha = 2 }.contains("alpha is 2"))
    #expect(message(teacher) { $0.features = [("nothing", "logits")] }.contains("the student has no value 'nothing'"))
    #expect(message(teacher) { $0.features = [("logits", "nothing")] }.contains("the teacher has no value 'nothing'"))
    let input = student.graph.trueInputs[0].name
    #expect(message(teacher) { $0.features = [("logits", input)] }.contains("only their channels may differ"))
  }
}
