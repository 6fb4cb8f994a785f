import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// A teacher network to learn from, in addition to the labels.
package struct Distillation: Sendable {
  package var teacher: Model
  /// Softens the probabilities of both (Hinton et al. 2015).
  package var temperature = 4.0
  /// Weight of what the teacher says; the labels have the rest.
  package var alpha = 0.5
  /// Values of the student that are to be like values of the teacher, by name. A pattern for both stands for all values
  /// of that name that both compute.
  package var features: [(student: String, teacher: String)] = []
  package var featureWeight = 1.0
  /// Squared differences of values that are no classes are divided by the variance of the teacher's, a channel (axis 1)
  /// at a time: a detector's boxes in pixels and its scores count alike.
  var scalesByVariance = false

  package init(teacher: Model) { self.teacher = teacher }

  func check() throws(PruneError) {
    guard temperature > 0, temperature.isFinite else {
      throw PruneError(.invalidArgument, "temperature is \(temperature), wanted a number above 0")
    }
    guard alpha >= 0, alpha <= 1 else { throw PruneError(.invalidArgument, "alpha is \(alpha), wanted 0...1") }
    guard featureWeight >= 0, featureWeight.isFinite else {
      throw PruneError(.invalidArgument, "feature_weight is \(featureWeight), wanted 0 or more")
    }
  }
}

/// A distillation settled for one student.
struct DistillationPlan {
  let settings: Distillation
  /// What the data's columns are fed to; the teacher may read fewer than the student.
  let inputBinding: InputBinding
  /// The values asked of the teacher: what the student's loss reads first, then the features.
  let output: String
  var values: [String] { [output] + settings.features.map(\.teacher) }
  /// What makes a student's feature look like the teacher's, where their channels differ: trained, but no part of the
  /// model.
  private(set) var adaptors: [Adaptor] = []

  struct Adaptor {
    var name: String
    var tensor: Tensor
    /// Which feature it is for.
    var feature: Int
  }

  /// - Parameters:
  ///   - data, batch: what samples are like, and how many make a batch.
  ///   - restored: adaptors of an earlier fit.
  /// - Throws: `.notFound` for a feature that is none, `.mismatch` where teacher and student do not fit.
  init(
    _ settings: Distillation, student: Model, _ studentBinding: InputBinding, loss: TrainingLoss, _ data: Dataset,
    batch: Int,
    seed: UInt64,
    restored: [String: Tensor]
  ) throws(PruneError) {
    try settings.check()
    var settings = settings
    settings.features = Self.listed(settings.features, student, settings.teacher)
    self.settings = settings
    do { inputBinding = try InputBinding(data, settings.teacher, ignoringOthers: true) } catch {
      throw PruneError(error.status, error.message, at: "teacher", hint: error.hint)
    }
    // The student's output where the teacher has one of that name, else its first.
    let named = settings.teacher.graph.outputs.first { $0.name == loss.output.name }?.name
    output = try TrainingLoss(
      loss.isClassifier ? "cross_entropy" : "mse", model: settings.teacher, targets: .float32, output: named
    ).value
    let studentModel = student
    let student = try Specialization(student, inputs: studentBinding.shapes(of: data, count: batch), variables: [])
      .types
    let teacher = try Specialization(
      settings.teacher, inputs: inputBinding.shapes(of: data, count: batch), variables: []
    ).types
    let (studentShape, teacherShape) = (student.shape(loss.value), teacher.shape(output))
    for (shape, owner, model, value) in [
      (teacherShape, "teacher", settings.teacher, output), (studentShape, "student", studentModel, loss.value),
    ] where shape == nil {
      guard let node = model.graph.controlFlow(behind: value) else { continue }
      throw PruneError(
        .unsupported,
        "the \(owner)'s '\(value)' depends on \(node.opType) '\(node.name)', whose shape the data decides",
        at: "teacher", hint: Graph.controlFlowHint)
    }
    guard let studentShape, let teacherShape, studentShape.count == teacherShape.count else {
      throw PruneError(
        .mismatch,
        "the student gives \(studentShape?.description ?? "an open shape") at '\(loss.value)', the teacher \(teacherShape?.description ?? "an open shape") at '\(output)'",
        at: "teacher")
    }
    var random = RandomSource(seed: seed).fork(0xADA)
    for (index, feature) in settings.features.enumerated() {
      let from = try Self.shape(of: feature.student, student, "student")
      let to = try Self.shape(of: feature.teacher, teacher, "teacher")
      guard from != to else { continue }
      guard let shape = try Self.adaptor(from, to) else {
        throw PruneError(
          .mismatch,
          "feature '\(feature.student)' is \(from), the teacher's '\(feature.teacher)' is \(to): only their channels may differ",
          at: "teacher")
      }
      let name = "adaptor/\(index)"
      if let old = restored[name], old.shape == shape {
        adaptors.append(Adaptor(name: name, tensor: old, feature: index))
        continue
      }
      // A product [channels of the student, …of the teacher] or a convolution the other way round.
      let inputs = shape.rank == 2 ? shape[0] : shape[1]
      let deviation = 1 / Double(max(inputs, 1)).squareRoot()
      let values = (0..<shape.count).map { _ in Float(deviation * random.normal()) }
      adaptors.append(Adaptor(name: name, tensor: try Tensor(values, shape), feature: index))
    }
  }

  /// The features with patterns replaced by what they stand for, in the order of the student's graph. What matches
  /// nothing stays, to be told of.
  private static func listed(
    _ features: [(student: String, teacher: String)], _ student: Model, _ teacher: Model
  ) -> [(student: String, teacher: String)] {
    let values = student.graph.nodes.flatMap(\.outputs), names = Set(values),
      teacherNames = Set(teacher.graph.nodes.flatMap(\.outputs))
    return features.flatMap { feature in
      guard feature.student == feature.teacher, !names.contains(feature.student) else { return [feature] }
      let pattern = NamePattern(feature.student)
      let matches = values.filter { !$0.isEmpty && teacherNames.contains($0) && pattern.matches($0) }
      return matches.isEmpty ? [feature] : matches.map { (student: $0, teacher: $0) }
    }
  }

  private static func shape(of value: String, _ types: GraphTypes, _ owner: String) throws(PruneError) -> Shape {
    guard let shape = types.shape(value) else {
      throw PruneError(
        .notFound, "the \(owner) has no value '\(value)' of a known shape", at: "teacher",
        hint: Suggestion.hint(for: value, among: types.types.keys.sorted()))
    }
    return shape
  }

  /// The weight that maps one to the other: 1x1 over axis 1 of images and sequences of channels, a product over the
  /// last axis of rows; nil when more than channels differ.
  private static func adaptor(_ from: Shape, _ to: Shape) throws(PruneError) -> Shape? {
    guard from.rank == to.rank, from.rank > 1 else { return nil }
    let differing = (0..<from.rank).filter { from[$0] != to[$0] }
    guard differing.count == 1, let axis = differing.first, axis > 0 else { return nil }
    if axis == from.rank - 1 { return try Shape([from[axis], to[axis]]) }
    guard axis == 1 else { return nil }
    return try Shape([to[1], from[1]] + [Int](repeating: 1, count: from.rank - 2))
  }
}

extension LossWriter {
  /// Both values divided by the deviation of the second along all axes but the first channel axis. A channel that
  /// hardly varies counts as one of a hundredth of the mean variance.
  private mutating func whitened(_ value: String, _ reference: String) throws(PruneError) -> (String, String) {
    let rank = try shape(reference).rank
    guard rank > 1 else { return (value, reference) }
    let axes = (0..<rank).filter { $0 != 1 }
    let centred = try emit("Sub", [reference, mean(reference, over: axes)])
    let variance = try mean(emit("Mul", [centred, centred]), over: axes)
    let least = try emit("Add", [emit("Mul", [mean(variance, over: Array(0..<rank)), number(0.01)]), number(1e-12)])
    let deviation = try emit("Sqrt", [emit("Max", [variance, least])])
    return (try emit("Div", [value, deviation]), try emit("Div", [reference, deviation]))
  }

  /// Adds what the teacher says to the loss: (1 - alpha) task + alpha T² KL(teacher ‖ student) + weight Σ
  /// mse(features). For what is no classifier the difference to the teacher's output is squared instead.
  ///
  /// - Parameters:
  ///   - axis: that of classes, where each position has one.
  ///   - types: of the teacher's values.
  /// - Returns: the whole loss, and the inputs that the teacher's values are fed to.
  mutating func teach(
    _ distillation: DistillationPlan, _ task: String, _ prediction: String, isClassifier: Bool,
    axis: Int?, _ types: [String: TensorType]
  ) throws(PruneError) -> (loss: String, inputs: [(name: String, value: String)]) {
    var inputs: [(name: String, value: String)] = []
    func feed(_ value: String) throws(PruneError) -> String {
      let name = self.name("teacher.\(value)")
      special.types.types[name] = types[value]
      inputs.append((name, value))
      return name
    }
    let settings = distillation.settings
    let shape = try shape(prediction)
    let answer = try feed(distillation.output)
    let teacherOutput = try reshape(
      axis.map { axis throws(PruneError) in try rows(of: answer, classes: axis) } ?? answer, to: shape)
    let domain = GradientRules.trainingDomain
    var total = task
    if settings.alpha > 0 {
      var difference: String
      if isClassifier {
        let cooler = try number(1 / settings.temperature)
        let soft = try emit("Mul", [teacherOutput, cooler])
        let softTargets = try emit("Softmax", [soft])
        let cross = try emit(
          "SoftmaxCrossEntropy", [emit("Mul", [prediction, cooler]), softTargets], domain: domain, outputs: 2)
        // The entropy of what the teacher says has no gradient; without it the loss would not go to zero.
        let entropy = try emit("SoftmaxCrossEntropy", [soft, softTargets], domain: domain, outputs: 2)
        difference = try emit("Sub", [cross, entropy])
        difference = try emit("Mul", [difference, number(settings.temperature * settings.temperature)])
      } else {
        let (studentValue, teacherValue) =
          settings.scalesByVariance ? try whitened(prediction, teacherOutput) : (prediction, teacherOutput)
        difference = try emit("MeanSquaredError", [studentValue, teacherValue], domain: domain, outputs: 2)
      }
      difference = try emit("Mul", [difference, number(settings.alpha)])
      total =
        settings.alpha == 1
        ? difference : try emit("Add", [emit("Mul", [task, number(1 - settings.alpha)]), difference])
    }
    for (index, feature) in settings.features.enumerated() {
      let teacherValue = try feed(feature.teacher)
      var studentValue = feature.student
      if let adaptor = distillation.adaptors.first(where: { $0.feature == index }) {
        studentValue = try emit(adaptor.tensor.shape.rank == 2 ? "MatMul" : "Conv", [studentValue, adaptor.name])
      }
      let difference = try emit("MeanSquaredError", [studentValue, teacherValue], domain: domain, outputs: 2)
      total = try emit("Add", [total, emit("Mul", [difference, number(settings.featureWeight)])])
    }
    return (total, inputs)
  }
}
