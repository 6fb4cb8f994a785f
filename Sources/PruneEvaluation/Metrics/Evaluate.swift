import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// How well a model does on a data set: the metrics by name, "samples", and "warnings" if there are any.
///
/// Cross-entropy is taken of the probabilities when the model ends in a softmax, clipped at 1e-15, else of the logits.
/// Every metric is a mean over all samples; the batch size does not change it.
/// - Throws: `.mismatch` when the data does not fit the model, `.invalidArgument` for an unknown metric or one that the
///   targets do not allow, `.cancelled`, and what running the model throws.
package func evaluate(_ model: Model, _ data: Dataset, _ options: EvaluateOptions = .init()) throws(PruneError)
  -> Report
{
  try evaluate(
    session: Session(model, outputs: try model.output(named: options.output).map { [$0.name] }), data, options)
}

/// The same with a session that is kept, for a model whose weights are variables.
package func evaluate(
  session: Session, _ data: Dataset, _ options: EvaluateOptions = .init()
) throws(PruneError) -> Report {
  let model = session.model
  guard let output = try model.output(named: options.output) else {
    throw PruneError(.invalidModel, "the model has no output")
  }
  guard let targets = data.y else {
    throw PruneError(.invalidArgument, "data set '\(data.name)' has no targets to evaluate against")
  }
  let areClasses = targets.dtype == .int64
  let kind = OutputKind(of: output.name, in: model.graph), form = data.targetForm
  let loss = try LossKind(options.loss, form, areClasses: areClasses, kind, output)
  // Labels that exclude nothing: each is right or wrong by itself.
  let areFlags = loss == .binaryCrossEntropy && form != .plain
  let names = options.metrics.isEmpty ? (areClasses || areFlags ? ["loss", "accuracy"] : ["loss"]) : options.metrics
  var metrics: [(name: String, metric: Metric)] = []
  for name in names { metrics.append((name, try Metric(name))) }
  let needsCrossEntropy = metrics.contains {
    $0.metric == .crossEntropy || $0.metric == .perplexity || ($0.metric == .loss && loss == .crossEntropy)
  }
  var sums = MetricAccumulator(
    kind, needsCrossEntropy: needsCrossEntropy,
    needsCurve: metrics.contains { $0.metric == .areaUnderCurve || $0.metric == .curve },
    needsMatrix: metrics.contains { $0.metric == .confusion })
  var lossSum =
    metrics.contains { $0.metric == .loss } && loss.metric == nil
    ? LossSum(loss, kind) : nil
  let communicator = options.communicator
  if let communicator { try communicator.agree("evaluate", options.shared(model, data)) }
  let inputBinding = try InputBinding(data, model), size = try inputBinding.batchSize(options.batchSize, of: data)
  try communicator.each { () throws(PruneError) in
    for (index, first) in stride(from: 0, to: data.count, by: size).enumerated() where communicator.owns(index) {
      try options.cancel?.check()
      let last = min(first + size, data.count)
      let inputs = try inputBinding.inputs(of: data.rows(first, last), filling: size)
      let results = try session.run(inputs, cancel: options.cancel)
      guard let result = results[output.name] else { throw PruneError(.internal, "the run gave no '\(output.name)'") }
      let truth = try targets.rows(first, last)
      let softmax = ClassAxis.softmax(of: output.name, in: model.graph, rank: result.shape.rank)
      try add(result, output.name, targets: truth, first, areFlags: areFlags, softmax: softmax, to: &sums)
      try lossSum?.add(result, truth)
    }
  }
  if let communicator {
    try sums.sum(over: communicator)
    try lossSum?.sum(over: communicator)
  }
  var report = Report(title: "evaluation on \(data.name)")
  for (name, metric) in metrics {
    if metric.isTable, try sums.add(metric, to: &report) { continue }
    guard let value = metric == .loss && lossSum != nil ? lossSum?.mean : sums.value(metric, loss: loss) else {
      throw missing(name, metric, sums, data, targets)
    }
    report[name] = .number(value)
  }
  report["samples"] = .integer(data.count)
  var warnings: [String] = []
  if names.contains("loss"), let warning = data.warning(ofLoss: options.loss, isChance: loss == .binaryCrossEntropy) {
    warnings.append(warning)
  }
  if let accuracy = sums.value(.accuracy, loss: loss),
    let warning = try inputBinding.warning(accuracy, classes: sums.confusion.count, data)
  {
    warnings.append(warning)
  } else if let warning = try inputBinding.warningOfPixels(data, model.graph) {
    warnings.append(warning)
  }
  if !warnings.isEmpty { report["warnings"] = .list(warnings.map { .text($0) }) }
  return report
}

/// What to say of a metric that this data has none of.
private func missing(
  _ name: String, _ metric: Metric, _ sums: MetricAccumulator, _ data: Dataset, _ targets: Tensor
) -> PruneError {
  let seen = sums.confusion.indices.filter { sums.confusion[$0].actual > 0 }
  if metric == .areaUnderCurve || metric == .curve, seen.count == 1 {
    return PruneError(
      .invalidArgument,
      "metric '\(name)' compares samples of two classes or more, all \(data.count) of data set '\(data.name)' are of class \(seen[0])",
      hint: "give samples of other classes as well")
  }
  return PruneError(
    .invalidArgument,
    "metric '\(name)' wants targets that are classes, data set '\(data.name)' has \(targets.dtype.name) \(targets.shape)",
    hint: data.targetForm == .flags ? "0 and 1 are labels with loss = \"bce\"" : "")
}

extension Model {
  /// The output of that name, or the first.
  /// - Throws: `.notFound` with the nearest name.
  package func output(named name: String?) throws(PruneError) -> ValueInfo? {
    guard let name else { return graph.outputs.first }
    guard let output = graph.outputs.first(where: { $0.name == name }) else {
      throw PruneError(
        .notFound, "the model has no output '\(name)'",
        hint: Suggestion.hint(for: name, among: graph.outputs.map(\.name)))
    }
    return output
  }
}

/// Adds a batch's results; rows behind the targets' are padding.
private func add(
  _ result: Tensor, _ name: String, targets: Tensor, _ first: Int, areFlags: Bool, softmax: Int?,
  to sums: inout MetricAccumulator
) throws(PruneError) {
  let rows = targets.shape[0]
  func mismatch() -> PruneError {
    PruneError(
      .mismatch,
      "output '\(name)' is \(result.dtype.name) \(result.shape), targets are \(targets.dtype.name) \(targets.shape): they cannot be compared",
      hint:
        "class numbers go with an output [N, classes], those of positions with [N, classes, …] or [N, …, classes], values with an output of their own shape"
    )
  }
  guard result.shape.rank > 0, result.shape[0] >= rows, rows > 0, result.dtype.bitWidth >= 8 else { throw mismatch() }
  let outputs = try result.cast(to: .float32)
  let width = result.count / result.shape[0]
  if areFlags {
    guard targets.count == rows * width else { throw mismatch() }
    let flags = try targets.cast(to: .float32)
    try outputs.withSpan(of: Float.self) { span throws(PruneError) in
      try flags.withSpan(of: Float.self) { flags throws(PruneError) in
        try sums.add(span, labels: targets.shape.rank == 2 ? width : 1, flags: flags)
      }
    }
  } else if targets.dtype == .int64, targets.count != rows {
    guard let axis = ClassAxis.of(result.shape.dims, targets: targets.shape.dims, softmax: softmax) else {
      throw mismatch()
    }
    try ClassAxis.rows(outputs, axis: axis).withSpan(of: Float.self) { span throws(PruneError) in
      try targets.withSpan(of: Int64.self) { classes throws(PruneError) in
        try sums.add(
          span, width: result.shape.dims[axis], classes: classes, firstSample: first, perSample: targets.count / rows)
      }
    }
  } else if targets.dtype == .int64 {
    // [N, C] or [N]; extents of 1 behind say nothing.
    guard width > 0, result.shape.rank == 1 || result.shape[1] == width else { throw mismatch() }
    try outputs.withSpan(of: Float.self) { span throws(PruneError) in
      try targets.withSpan(of: Int64.self) { classes throws(PruneError) in
        try sums.add(span, width: width, classes: classes, firstSample: first)
      }
    }
  } else {
    guard targets.count == rows * width else { throw mismatch() }
    try outputs.withSpan(of: Float.self) { span throws(PruneError) in
      try targets.withSpan(of: Float.self) { values throws(PruneError) in sums.add(span, width: width, values: values) }
    }
  }
}

extension EvaluateOptions {
  /// What all ranks must have alike before they evaluate together.
  fileprivate func shared(_ model: Model, _ data: Dataset) -> [SharedFact] {
    var weights = Fingerprint(), settings = Fingerprint()
    weights.add(model)
    for text in metrics + [loss ?? "", output ?? ""] { settings.add(text) }
    return [
      .count("the number of samples", data.count), .count("batch_size", batchSize), .hash("the model", weights),
      .hash("an option", settings),
    ]
  }
}
