import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// What training minimises, and the value of the graph it is taken of.
package struct TrainingLoss: Sendable {
  /// The settings of a loss besides its name.
  package struct Settings: Sendable {
    /// Cross-entropy: the part of each target that is spread evenly over all classes, 0..<1 (Szegedy et al. 2016).
    package var labelSmoothing = 0.0
    /// Cross-entropy: one a class, none for equal weights. The mean over a batch is weighted, as PyTorch weights it.
    package var classWeights: [Double] = []
    /// Huber: where the square ends and the straight line begins.
    package var delta = 1.0
    /// The output is probabilities rather than logits (cross-entropy, bce, kl); those of a final Softmax or Sigmoid
    /// need not be declared.
    package var fromProbabilities = false
    /// A graph of two inputs, prediction and targets, and one output, the loss.
    package var graph: Model?
    package init() {}
  }

  /// Nil for a loss that the user wrote as a graph.
  package var kind: LossKind?
  package var settings: Settings
  /// The value that the loss reads: logits, also where the model computes probabilities from them.
  package var value: String
  /// The model's own output, in its order of classes.
  package var output: ValueInfo

  /// What the targets say of a sample.
  private(set) var form: TargetForm
  /// The axis of a softmax that ends the model.
  private let softmaxAxis: Int?

  /// The axis of classes of an output that has one for each position.
  func classAxis(_ output: Shape, targets: Shape?) -> Int? {
    guard isClassifier, let targets, case .dense = form else { return nil }
    return ClassAxis.of(output.dims, targets: targets.dims, softmax: softmaxAxis)
  }

  /// Whether rows of the output are scores of classes.
  var isClassifier: Bool { kind == .crossEntropy || kind == .divergence }
  /// Whether one number a sample tells two classes apart: labels are 0 and 1 then.
  var isBinary: Bool { kind == .binaryCrossEntropy && Self.isOneNumber(output) }
  private static func isOneNumber(_ output: ValueInfo) -> Bool {
    output.type?.dims?.dropFirst().allSatisfy { $0.value == 1 } == true
  }
  /// Whether the value is probabilities and not logits.
  var readsProbabilities: Bool { settings.fromProbabilities && value == output.name }

  /// Chooses the loss for a model and its targets.
  ///
  /// - Parameters:
  ///   - name: of a kind, or nil: cross-entropy for int64 labels, binary cross-entropy where the output is one number a
  ///     sample, or a chance for each of targets that are 0 or 1, else mean squared error.
  ///   - form: what the targets say of a sample.
  ///   - outputName: the name of an output, or nil: the first that is float32.
  /// - Throws: `.invalidArgument` for an unknown name or a setting out of range, `.unsupported` for a model without a
  ///   float32 output, `.notFound` for an output that is none.
  package init(
    _ name: String?, model: Model, targets: DType, form: TargetForm = .plain, output outputName: String? = nil,
    _ settings: Settings = Settings()
  ) throws(PruneError) {
    if let name {
      let named = try LossKind("loss", named: name)
      guard settings.graph == nil else {
        throw PruneError(.invalidArgument, "both a loss '\(name)' and a loss graph are given", hint: "give one of them")
      }
      kind = named
    } else {
      kind = settings.graph != nil ? nil : targets.isFloatingPoint ? .meanSquaredError : .crossEntropy
    }
    let isChosen = name == nil
    let outputs = model.graph.outputs
    if let outputName { _ = try model.output(named: outputName) }
    guard
      let output = outputs.first(where: { $0.type?.dtype ?? .float32 == .float32 && $0.name == outputName ?? $0.name })
    else {
      throw PruneError(
        .unsupported, "the model has no float32 output to train",
        hint: model.hasOtherFloatWeights ? "quantize{scheme = \"float32\"} makes its numbers float32" : "")
    }
    if isChosen, kind == .crossEntropy, form == .plain, Self.isOneNumber(output) { kind = .binaryCrossEntropy }
    if isChosen, kind != nil,
      LossKind.areChances(form, isSigmoid: Self.logits(of: output.name, ["Sigmoid"], in: model) != output.name, output)
    {
      kind = .binaryCrossEntropy
    }
    self.form = form
    softmaxAxis = ClassAxis.softmax(of: output.name, in: model.graph, rank: output.type?.dims?.count ?? 2)
    self.output = output
    self.settings = settings
    value = output.name
    switch kind {
    case .crossEntropy, .divergence: value = Self.logits(of: output.name, ["Softmax", "LogSoftmax"], in: model)
    case .binaryCrossEntropy: value = Self.logits(of: output.name, ["Sigmoid"], in: model)
    case .meanSquaredError, .meanAbsoluteError, .huber, nil: break
    }
    try check()
  }

  private func check() throws(PruneError) {
    func require(_ isValid: Bool, _ message: String, hint: String = "") throws(PruneError) {
      guard isValid else { throw PruneError(.invalidArgument, message, hint: hint) }
    }
    try require(
      settings.labelSmoothing >= 0 && settings.labelSmoothing < 1,
      "label_smoothing is \(settings.labelSmoothing), wanted 0..<1")
    try require(
      settings.classWeights.allSatisfy { $0 >= 0 && $0.isFinite },
      "class_weights are \(settings.classWeights), wanted 0 or more")
    try require(settings.classWeights.isEmpty || settings.classWeights.contains { $0 > 0 }, "all class_weights are 0")
    try require(settings.delta > 0 && settings.delta.isFinite, "delta is \(settings.delta), wanted a number above 0")
    let isPlain = settings.labelSmoothing == 0 && settings.classWeights.isEmpty
    try require(
      kind == .crossEntropy || isPlain,
      "label_smoothing and class_weights are for cross_entropy, the loss is \(kind?.rawValue ?? "a graph")")
  }

  /// What an activation that ends the model reads, else the output itself. The loss of logits is the same number as the
  /// loss of their probabilities, and its gradient does not vanish where a probability does.
  private static func logits(of output: String, _ activations: Set<String>, in model: Model) -> String {
    func producer(_ name: String) -> Node? { model.graph.nodes.last { $0.outputs.contains(name) } }
    var last = producer(output)
    // Names for the classes, which change no number.
    if let node = last, node.operatorName == "ai.onnx.ml.ZipMap" { last = node.input(0).flatMap(producer) }
    guard let node = last, activations.contains(node.operatorName), let input = node.input(0) else { return output }
    if node.opType == "Sigmoid" { return input }
    let axis = node.int("axis", default: (model.opset() ?? Model.defaultOpset) >= 13 ? -1 : 1)
    let rank = model.graph.outputs.first { $0.name == output }?.type?.dims?.count ?? 2
    // Of pixels, the classes are the second axis.
    return axis == -1 || axis == rank - 1 || (axis == 1 && rank > 2) ? input : output
  }
}
