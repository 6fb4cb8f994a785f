import PruneData
import PruneGraph
import PruneTensor

/// Whether a dataset fits a model, and what to say when it does not.
enum DataCheck {
  /// The one input that samples are fed to.
  /// - Throws: `.unsupported` for a model with none or several.
  static func input(of model: Model) throws(PruneError) -> ValueInfo {
    let inputs = model.graph.trueInputs
    guard inputs.count == 1 else {
      let names = inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw PruneError(
        .unsupported, "the model has \(inputs.count) inputs\(names.isEmpty ? "" : " (\(names))"); a dataset feeds exactly one")
    }
    return inputs[0]
  }

  /// - Returns: the batch size that the model fixes, nil when it leaves it open.
  /// - Throws: `.mismatch` naming both when samples are not what the model takes; `.invalidArgument` without samples or
  ///   targets.
  static func check(_ data: Dataset, _ model: Model, _ loss: TrainingLoss) throws(PruneError) -> Int? {
    let input = try input(of: model)
    guard data.count > 0 else { throw PruneError(.invalidArgument, "dataset '\(data.name)' has no samples") }
    guard let targets = data.y else {
      throw PruneError(.invalidArgument, "dataset '\(data.name)' has no targets to train on")
    }
    guard targets.shape.rank > 0, targets.shape[0] == data.count else {
      throw PruneError(
        .mismatch, "dataset '\(data.name)' has \(data.count) samples but targets \(targets.shape)")
    }
    let (wanted, sample) = (input.type, Array(data.x.shape.dims.dropFirst()))
    if let dtype = wanted?.dtype, dtype != data.x.dtype {
      throw PruneError(
        .mismatch, "input '\(input.name)' is \(dtype.name), samples of dataset '\(data.name)' are \(data.x.dtype.name)",
        hint: data.x.dtype.isInteger && dtype == .float32 ? "convert the samples to float32, scaled as the model expects" : "")
    }
    if let dims = wanted?.dims {
      let fits = dims.count == sample.count + 1 && zip(dims.dropFirst(), sample).allSatisfy { $0.value == nil || $0.value == $1 }
      guard fits else {
        throw PruneError(
          .mismatch,
          "input '\(input.name)' is \(wanted?.description ?? ""), samples of dataset '\(data.name)' are \(data.x.dtype.name) [\(sample.map(String.init).joined(separator: ","))]",
          hint: count(dims) == sample.reduce(1, *) ? "the elements are as many: reshape the samples" : "")
      }
    }
    try checkLabels(data, targets, loss)
    return wanted?.dims?.first?.value
  }

  /// Elements of one sample, nil when an extent is open.
  private static func count(_ dims: [Dim]) -> Int? { TensorType(.float32, Array(dims.dropFirst())).shape?.count }

  /// Labels must be classes that the output has: `classes` of them, or as many as it declares.
  static func checkLabels(
    _ data: Dataset, _ targets: Tensor, _ loss: TrainingLoss, classes known: Int? = nil
  ) throws(PruneError) {
    guard loss.isClassifier else { return }
    guard targets.dtype == .int64 || targets.dtype == .float32 else {
      throw PruneError(
        .mismatch, "targets of dataset '\(data.name)' are \(targets.dtype.name), wanted int64 labels or float32 rows")
    }
    guard targets.dtype == .int64 else { return }
    guard targets.count == data.count else {
      throw PruneError(.mismatch, "dataset '\(data.name)' has \(data.count) samples but labels \(targets.shape)")
    }
    let (low, high) = try targets.withSpan(of: Int64.self) { labels throws(PruneError) in
      var (low, high) = (Int64.max, Int64.min)
      for index in 0..<labels.count { (low, high) = (min(low, labels[index]), max(high, labels[index])) }
      return (low, high)
    }
    let classes = known ?? loss.output.type?.dims.flatMap { $0.count > 1 ? $0[1].value : nil }
    guard low >= 0, high < Int64(classes ?? Int.max) else {
      throw PruneError(
        .mismatch,
        "labels of dataset '\(data.name)' are \(low)...\(high), output '\(loss.output.name)' has \(classes.map(String.init) ?? "?") classes",
        hint: "train a model with \(max(high, 0).addingReportingOverflow(1).partialValue) classes")
    }
  }

  /// Classes that have no sample left to train on, one line each.
  static func emptyClasses(of data: Dataset, training: Dataset) throws(PruneError) -> [String] {
    guard data.classCount != nil, let all = try data.y?.array(of: Int64.self), let kept = try training.y?.array(of: Int64.self)
    else { return [] }
    let trained = Set(kept)
    var sizes: [Int64: Int] = [:]
    for label in all where !trained.contains(label) { sizes[label, default: 0] += 1 }
    return sizes.keys.sorted().map { label in
      "the validation split leaves class \(label) nothing to train on: it has \(sizes[label] ?? 0) sample(s) in all"
    }
  }
}
