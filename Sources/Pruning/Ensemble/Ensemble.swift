import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor
import PruneTraining

/// How the answers of several models become one.
package struct EnsembleOptions {
  /// "average" (the default) of probabilities, "vote" of classes (ties by the mean probability), or "stack": a linear
  /// layer over all log-probabilities, trained on `data` while the members stay as they are.
  package var method = "average"
  /// What stack trains on, and what members and ensemble are measured on.
  package var data: Dataset?
  /// The epochs of the method "stack"; 0 is 5.
  package var epochs = 0
  package var seed: UInt64 = 0
  package var cancel: CancelFlag?

  package init() {}
}

/// Several classifiers of the same input as one model: a graph like any other, that can be saved, pruned and quantized.
///
/// The output "logits" is the logarithm of the ensemble's probabilities. The report has "members" and "ensemble", with
/// the metrics on the data when there are any.
/// - Throws: `.mismatch` when inputs, classes or operator sets of the models differ; `.invalidArgument` for an unknown
///   method, fewer than two models, or a stack without labels.
package func ensemble(
  _ models: [(label: String, model: Model)], _ options: EnsembleOptions
) throws(PruneError) -> (model: Model, report: Report) {
  guard let method = EnsembleGraph.Method(rawValue: options.method) else {
    throw PruneError(
      .invalidArgument, "there is no ensemble method '\(options.method)'",
      hint: Suggestion.hint(for: options.method, among: EnsembleGraph.Method.allCases.map(\.rawValue)))
  }
  if method == .stack, options.data?.y?.dtype != .int64 {
    throw PruneError(
      .invalidArgument, "a stack is trained on data with classes, and there is none", hint: "give data = …")
  }
  var result = try EnsembleGraph(models, method).model
  if method == .stack, let data = options.data {
    var settings = FitOptions()
    settings.epochs = options.epochs > 0 ? options.epochs : 5
    settings.lr = 0.002
    settings.seed = options.seed
    settings.cancel = options.cancel
    settings.frozen = Set(TrainableParameters.names(in: result)).subtracting(EnsembleGraph.stackParameters).sorted()
    _ = try fit(&result, data, settings)
    try options.cancel?.check()
  }
  var report = Report(title: "ensemble")
  report["method"] = .text(method.rawValue)
  report["models"] = .integer(models.count)
  guard let data = options.data else { return (result, report) }
  var settings = EvaluateOptions()
  settings.cancel = options.cancel
  func row(_ label: String, _ model: Model) throws(PruneError) -> Report {
    let metrics = try evaluate(model, data, settings)
    return Report(title: "", entries: [("label", .text(label))] + metrics.entries.filter { $0.key != "samples" })
  }
  var members: [ReportValue] = []
  for (label, model) in models { members.append(.report(try row(label, model))) }
  report["members"] = .list(members)
  report["ensemble"] = .report(try row(method.rawValue, result))
  return (result, report)
}

/// The graph of an ensemble: its members side by side behind one input.
struct EnsembleGraph {
  enum Method: String, CaseIterable { case average, vote, stack }

  static let stackParameters: Set<String> = ["stack.weight", "stack.bias"]

  private(set) var model: Model

  init(_ models: [(label: String, model: Model)], _ method: Method) throws(PruneError) {
    guard models.count > 1, let first = models.first?.model else {
      throw PruneError(.invalidArgument, "an ensemble takes two models or more, got \(models.count)")
    }
    let inputs = first.graph.trueInputs
    guard !inputs.isEmpty, let classes = Self.classes(first) else {
      throw PruneError(.mismatch, "an ensemble takes classifiers with an output [N, classes]", at: models[0].label)
    }
    var graph = Graph(name: "ensemble")
    graph.inputs = inputs
    var probabilities: [String] = []
    var masked: [String] = []
    for (index, entry) in models.enumerated() {
      do throws(PruneError) {
        try Self.check(entry.model, like: first, classes)
      } catch {
        throw PruneError(error.status, error.message, at: entry.label, hint: error.hint)
      }
      let prefix = "m\(index + 1)/"
      // A single input is shared under any name, several inputs by their names.
      var shared: [String: String] = [:]
      for input in entry.model.graph.trueInputs { shared[input.name] = inputs.count == 1 ? inputs[0].name : input.name }
      let member = entry.model.graph.prefixed(prefix, shared: shared)
      graph.nodes += member.nodes
      for value in member.initializers { graph.append(initializer: value) }
      // Before IR version 4 initializers are inputs as well.
      let inputNames = Set(inputs.map(\.name))
      graph.inputs += member.inputs.filter { !inputNames.contains($0.name) }
      masked += entry.model.maskedParameters.map { prefix + $0 }
      probabilities.append(Self.probability(member, prefix, &graph))
    }
    model = first
    model.metadata = []
    model.graph = try Self.joined(graph, probabilities, method, classes)
    model.maskedParameters = masked
  }

  /// The extent of the classes of a model's first output.
  private static func classes(_ model: Model) -> Int? {
    guard let output = model.graph.outputs.first else { return nil }
    let types = try? ShapeInference.run(model)
    guard let dims = types?.types[output.name]?.dims ?? output.type?.dims, dims.count == 2 else { return nil }
    return dims[1].value
  }

  private static func check(_ model: Model, like first: Model, _ classes: Int) throws(PruneError) {
    let inputs = model.graph.trueInputs, expected = first.graph.trueInputs
    func names(_ inputs: [ValueInfo]) -> String { inputs.map { "'\($0.name)'" }.joined(separator: ", ") }
    guard inputs.count == expected.count, inputs.count == 1 || Set(inputs.map(\.name)) == Set(expected.map(\.name))
    else {
      throw PruneError(
        .mismatch,
        "its inputs are \(names(inputs)), the first model's \(names(expected)): an ensemble shares all of them"
      )
    }
    for input in inputs {
      let other = inputs.count == 1 ? expected.first : expected.first { $0.name == input.name }
      guard let type = input.type, let shared = other?.type else { continue }
      let fits =
        type.dtype == shared.dtype && type.dims?.count == shared.dims?.count
        && zip(type.dims ?? [], shared.dims ?? []).allSatisfy { $0.value == $1.value }
      guard fits else {
        throw PruneError(.mismatch, "its input '\(input.name)' is \(type), the first model's \(shared)")
      }
    }
    guard Self.classes(model) == classes else {
      throw PruneError(
        .mismatch,
        "its output has \(Self.classes(model).map(String.init) ?? "unknown") classes, the first model's \(classes)")
    }
    guard model.opset() == first.opset() else {
      throw PruneError(
        .mismatch, "it is of opset \(model.opset() ?? 0), the first model of \(first.opset() ?? 0)",
        hint: "export the models with one opset")
    }
    guard model.functions.map(\.name) == first.functions.map(\.name) else {
      throw PruneError(.unsupported, "its functions are not those of the first model")
    }
  }

  /// Appends what makes probabilities of a member's output.
  private static func probability(_ member: Graph, _ prefix: String, _ graph: inout Graph) -> String {
    let output = member.outputs.first?.name ?? ""
    switch member.nodes.last(where: { $0.outputs.contains(output) })?.opType {
    case "Softmax": return output
    case "LogSoftmax": return emit("Exp", [output], prefix + "probabilities", &graph)
    default: return emit("Softmax", [output], prefix + "probabilities", &graph, [Attribute("axis", .int(1))])
    }
  }

  private static func joined(
    _ members: Graph, _ probabilities: [String], _ method: Method, _ classes: Int
  ) throws(PruneError) -> Graph {
    var graph = members
    let count = probabilities.count
    graph.setInitializer("ensemble.tiny", try Tensor(scalar: Float(1e-12)))
    switch method {
    case .average:
      let mean = emit("Mean", probabilities, "ensemble.mean", &graph)
      logarithm(mean, "logits", &graph)
    case .vote:
      let mean = emit("Mean", probabilities, "ensemble.mean", &graph)
      graph.setInitializer("ensemble.depth", try Tensor(scalar: Int64(classes)))
      graph.setInitializer("ensemble.marks", try Tensor([0, 1] as [Float]))
      var votes: [String] = []
      for (index, probability) in probabilities.enumerated() {
        let best = emit(
          "ArgMax", [probability], "ensemble.best\(index + 1)", &graph,
          [Attribute("axis", .int(1)), Attribute("keepdims", .int(0))])
        votes.append(emit("OneHot", [best, "ensemble.depth", "ensemble.marks"], "ensemble.vote\(index + 1)", &graph))
      }
      // Half of the mean decides among equals, and never against a vote.
      graph.setInitializer("ensemble.half", try Tensor(scalar: Float(0.5)))
      graph.setInitializer("ensemble.scale", try Tensor(scalar: 1 / (Float(count) + 0.5)))
      let half = emit("Mul", [mean, "ensemble.half"], "ensemble.tie", &graph)
      let sum = emit("Sum", votes + [half], "ensemble.sum", &graph)
      logarithm(emit("Mul", [sum, "ensemble.scale"], "ensemble.share", &graph), "logits", &graph)
    case .stack:
      var logarithms: [String] = []
      for (index, probability) in probabilities.enumerated() {
        let name = "ensemble.log\(index + 1)"
        logarithm(probability, name, &graph)
        logarithms.append(name)
      }
      let all = emit("Concat", logarithms, "ensemble.features", &graph, [Attribute("axis", .int(1))])
      // It begins as the geometric mean of the members.
      var weight = [Float](repeating: 0, count: count * classes * classes)
      for row in 0..<count * classes { weight[row * classes + row % classes] = 1 / Float(count) }
      graph.setInitializer("stack.weight", try Tensor(weight, Shape([count * classes, classes])))
      graph.setInitializer("stack.bias", try Tensor(zeros: .float32, Shape([classes])))
      _ = emit("Gemm", [all, "stack.weight", "stack.bias"], "logits", &graph)
    }
    graph.outputs = [ValueInfo(name: "logits", type: TensorType(.float32, [.named("N"), .fixed(classes)]))]
    return graph
  }

  private static func logarithm(_ value: String, _ name: String, _ graph: inout Graph) {
    _ = emit("Log", [emit("Add", [value, "ensemble.tiny"], name + ".shifted", &graph)], name, &graph)
  }

  @discardableResult
  private static func emit(
    _ opType: String, _ inputs: [String], _ name: String, _ graph: inout Graph, _ attributes: [Attribute] = []
  ) -> String {
    graph.nodes.append(Node(opType, name: name, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }
}
