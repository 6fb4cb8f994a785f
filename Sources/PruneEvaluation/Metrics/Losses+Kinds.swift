import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

extension Losses {
  /// What a loss of given numbers can be told.
  package struct Settings: Sendable {
    /// Predictions are logits rather than probabilities (cross-entropy, bce, kl).
    package var fromLogits = false
    /// Cross-entropy: the share that is spread evenly over all classes, 0..<1.
    package var labelSmoothing = 0.0
    /// Cross-entropy: one a class, none for equal weights; the mean is weighted as well.
    package var classWeights: [Double] = []
    /// Huber: where the square ends.
    package var delta = 1.0
    package init() {}
  }

  /// A loss by name: the mean over rows for cross_entropy and kl, else over all numbers. Probabilities are not below
  /// 1e-15.
  /// - Throws: `.invalidArgument` for an unknown name or settings out of range, `.mismatch` when the two do not go
  ///   together.
  package static func compute(
    _ name: String, true truth: Tensor, predicted: Tensor, _ settings: Settings = Settings()
  ) throws(PruneError) -> Double {
    let kind = try LossKind("loss", named: name)
    guard settings.labelSmoothing >= 0, settings.labelSmoothing < 1 else {
      throw PruneError(.invalidArgument, "label_smoothing is \(settings.labelSmoothing), wanted 0..<1")
    }
    guard settings.delta > 0, settings.delta.isFinite else {
      throw PruneError(.invalidArgument, "delta is \(settings.delta), wanted a number above 0")
    }
    guard settings.classWeights.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
      throw PruneError(.invalidArgument, "class_weights are \(settings.classWeights), wanted 0 or more")
    }
    let width = predicted.shape.dims.last ?? 1
    guard predicted.count > 0 else { throw PruneError(.mismatch, "predictions are \(predicted.shape)") }
    var q = try predicted.doubles()
    let rows = q.count / width
    let isByRow = kind == .crossEntropy || kind == .divergence
    if isByRow, settings.fromLogits { q = softmax(q, width) }
    let t = try targetRows(truth, predicted, rows: rows, width: width)
    switch kind {
    case .crossEntropy: return try crossEntropy(t, q, width, settings)
    case .meanSquaredError: return mean(t, q) { ($0 - $1) * ($0 - $1) }
    case .meanAbsoluteError: return mean(t, q) { abs($0 - $1) }
    case .huber:
      return mean(t, q) { truth, predicted in
        let distance = abs(truth - predicted), near = min(distance, settings.delta)
        return near * (distance - near / 2)
      }
    case .binaryCrossEntropy:
      return mean(t, q) { truth, predicted in
        if settings.fromLogits { return max(predicted, 0) - predicted * truth + log1p(exp(-abs(predicted))) }
        return -truth * logarithm(predicted) - (1 - truth) * logarithm(1 - predicted)
      }
    case .divergence: return zip(t, q).reduce(0) { $0 + $1.0 * (logarithm($1.0) - logarithm($1.1)) } / Double(rows)
    }
  }

  private static func logarithm(_ value: Double) -> Double { log(value < 1e-15 ? 1e-15 : value) }

  private static func mean(_ t: [Double], _ q: [Double], _ of: (Double, Double) -> Double) -> Double {
    zip(t, q).reduce(0) { $0 + of($1.0, $1.1) } / Double(q.count)
  }

  private static func softmax(_ values: [Double], _ width: Int) -> [Double] {
    var result = values
    for row in stride(from: 0, to: values.count, by: width) {
      let peak = values[row..<row + width].max() ?? 0
      var sum = 0.0
      for index in row..<row + width {
        result[index] = exp(values[index] - peak)
        sum += result[index]
      }
      for index in row..<row + width { result[index] /= sum }
    }
    return result
  }

  /// Targets as numbers of the predictions' shape; class numbers become one-hot rows.
  private static func targetRows(
    _ truth: Tensor, _ predicted: Tensor, rows: Int, width: Int
  ) throws(PruneError) -> [Double] {
    if truth.shape == predicted.shape { return try truth.doubles() }
    guard truth.dtype.isInteger, truth.count == rows else {
      throw PruneError(
        .mismatch, "y_true is \(truth.shape), y_pred is \(predicted.shape)",
        hint: "both need the same shape, or y_true class numbers")
    }
    var result = [Double](repeating: 0, count: predicted.count)
    for (row, label) in try truth.integers().enumerated() {
      guard label >= 0, label < width else {
        throw PruneError(.mismatch, "class \(label) of row \(row) is not one of the \(width) predicted")
      }
      result[row * width + label] = 1
    }
    return result
  }

  private static func crossEntropy(
    _ t: [Double], _ q: [Double], _ width: Int, _ settings: Settings
  ) throws(PruneError) -> Double {
    let weights = settings.classWeights.isEmpty ? [Double](repeating: 1, count: width) : settings.classWeights
    guard weights.count == width else {
      throw PruneError(.mismatch, "there are \(weights.count) class_weights for \(width) classes")
    }
    let smoothing = settings.labelSmoothing
    var (sum, mass) = (0.0, 0.0)
    for index in q.indices {
      let weight = weights[index % width]
      mass += t[index] * weight
      let target = t[index] * (1 - smoothing) + smoothing / Double(width)
      if target != 0, weight != 0 { sum -= target * weight * logarithm(q[index]) }
    }
    return sum / (settings.classWeights.isEmpty ? Double(q.count / width) : max(mass, 1e-15))
  }
}
