import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// Whether a dataset fits a model, and what to say when it does not.
enum DataCheck {
  /// - Returns: which column goes to which input.
  /// - Throws: `.mismatch` naming both when samples are not what the model takes; `.invalidArgument` without samples or
  ///   targets.
  static func check(_ data: Dataset, _ model: Model, _ loss: TrainingLoss) throws(PruneError) -> InputBinding {
    let inputBinding = try InputBinding(data, model)
    guard let targets = data.y else {
      throw PruneError(.invalidArgument, "dataset '\(data.name)' has no targets to train on")
    }
    guard targets.shape.rank > 0, targets.shape[0] == data.count else {
      throw PruneError(
        .mismatch, "dataset '\(data.name)' has \(data.count) samples but targets \(targets.shape)")
    }
    // Evaluation converts what it is given; trained on numbers of another scale than those it will see, a network is no
    // use.
    for (input, column) in inputBinding.bindings {
      guard let dtype = input.type?.dtype, dtype.isFloatingPoint, data.columns[column].dtype.isInteger else { continue }
      throw PruneError(
        .mismatch,
        "input '\(input.name)' is \(dtype.name), samples of dataset '\(data.name)' are \(data.columns[column].dtype.name)",
        hint:
          "data:normalize{mean = 0, std = 255} makes bytes \(dtype.name) numbers of 0...1, std = 1 leaves them 0...255: give what the model was trained with"
      )
    }
    try checkLabels(data, targets, loss)
    return inputBinding
  }

  /// Labels must be classes that the output has: `classes` of them, or as many as it declares.
  static func checkLabels(
    _ data: Dataset, _ targets: Tensor, _ loss: TrainingLoss, classes classCount: Int? = nil
  ) throws(PruneError) {
    let isBinary = loss.isBinary && targets.dtype == .int64
    guard loss.isClassifier || isBinary else { return }
    guard targets.dtype == .int64 || targets.dtype == .float32 else {
      throw PruneError(
        .mismatch, "targets of dataset '\(data.name)' are \(targets.dtype.name), wanted int64 labels or float32 rows")
    }
    guard targets.dtype == .int64 else { return }
    let isDense = targets.count != data.count
    let (low, high) = try targets.withSpan(of: Int64.self) { labels throws(PruneError) in
      var (low, high) = (Int64.max, Int64.min)
      for index in 0..<labels.count where !isDense || labels[index] != Dataset.ignoredClass {
        (low, high) = (min(low, labels[index]), max(high, labels[index]))
      }
      return (low, high)
    }
    guard low <= high || !isDense else {
      throw PruneError(.invalidArgument, "all classes of dataset '\(data.name)' are ignored: there is nothing to learn")
    }
    let classes = isBinary ? 2 : classCount ?? declaredClasses(loss, targets)
    guard low >= 0, high < Int64(classes ?? Int.max) else {
      let place = try targets.withSpan(of: Int64.self) { labels throws(PruneError) in
        labels.indices.first { index in
          let isIgnored = isDense && labels[index] == Dataset.ignoredClass
          return !isIgnored && !(0..<Int64(classes ?? Int.max)).contains(labels[index])
        } ?? 0
      }
      let isFromOne = low == 1 && classes.map { Int64($0) == high } == true
      throw PruneError(
        .mismatch,
        "labels of dataset '\(data.name)' are \(low)...\(high), output '\(loss.output.name)' has \(classes.map(String.init) ?? "?") classes; sample \(place / max(targets.count / max(data.count, 1), 1)), counted from 0, is the first that has none of them",
        hint: isDense
          ? "data:ignore(\(high)) counts those positions nowhere"
          : isFromOne
            ? "labels count from 0: subtract 1 from each"
            : "train a model with \(max(high, 0).addingReportingOverflow(1).partialValue) classes")
    }
  }

  /// The classes that an output declares.
  private static func declaredClasses(_ loss: TrainingLoss, _ targets: Tensor) -> Int? {
    guard let dims = loss.output.type?.dims, dims.count > 1 else { return nil }
    guard targets.shape.rank > 1, targets.count != targets.shape[0] else { return dims[1].value }
    let fixed = dims.compactMap(\.value)
    guard fixed.count == dims.count || (fixed.count == dims.count - 1 && dims[0].value == nil) else { return nil }
    let output = try? Shape([targets.shape[0]] + dims.dropFirst().compactMap(\.value))
    return output.flatMap { output in loss.classAxis(output, targets: targets.shape).map { output[$0] } }
  }

  /// Classes that have no sample left to train on, or none to validate with, one line each.
  static func emptyClasses(of data: Dataset, training: Dataset, validation: Dataset?) throws(PruneError) -> [String] {
    guard data.classCount != nil, let all = try data.y?.array(of: Int64.self),
      let kept = try training.y?.array(of: Int64.self)
    else { return [] }
    var sizes: [Int64: Int] = [:]
    for label in all { sizes[label, default: 0] += 1 }
    let trained = Set(kept), validated = Set(try validation?.y?.array(of: Int64.self) ?? all)
    var result: [String] = []
    for (label, size) in sizes.sorted(by: { $0.key < $1.key }) {
      let lack =
        !trained.contains(label) ? "nothing to train on" : !validated.contains(label) ? "nothing to validate with" : nil
      if let lack {
        result.append("the validation split leaves class \(label) \(lack): it has \(size) sample(s) in all")
      }
    }
    return result
  }
}
