import PruneTensor

/// Losses of given numbers, for those who have predictions and no model.
package enum Losses {
  /// Mean over rows of -Σ true · log(predicted), predictions not below 1e-15.
  /// - Parameters:
  ///   - truth: probabilities [C] or [N, C] as `predicted`, or class numbers [N].
  /// - Throws: `.mismatch` when the two do not go together.
  package static func crossEntropy(true truth: Tensor, predicted: Tensor) throws(PruneError) -> Double {
    let width = predicted.shape.dims.last ?? 1
    guard predicted.count > 0, predicted.shape.rank >= 1 else {
      throw PruneError(.mismatch, "predictions are \(predicted.shape), wanted [C] or [N,C]")
    }
    let q = try predicted.doubles()
    let rows = q.count / width
    if truth.dtype.isInteger, truth.shape != predicted.shape, truth.count == rows {
      var sum = 0.0
      for (row, label) in try truth.integers().enumerated() {
        guard label >= 0, label < width else {
          throw PruneError(.mismatch, "class \(label) of row \(row) is not one of the \(width) predicted")
        }
        sum -= MetricAccumulator.clippedLogarithm(q[row * width + label])
      }
      return sum / Double(rows)
    }
    try check(truth, predicted)
    return try crossEntropy(true: try truth.doubles(), predicted: q) / Double(rows)
  }

  /// The same for one row.
  package static func crossEntropy(true truth: [Double], predicted: [Double]) throws(PruneError) -> Double {
    try check(truth, predicted)
    return zip(truth, predicted).reduce(0) { sum, pair in
      pair.0 == 0 ? sum : sum - pair.0 * MetricAccumulator.clippedLogarithm(pair.1)
    }
  }

  /// Mean of (true - predicted)².
  package static func mse(true truth: Tensor, predicted: Tensor) throws(PruneError) -> Double {
    try check(truth, predicted)
    return try mse(true: try truth.doubles(), predicted: try predicted.doubles())
  }

  package static func mse(true truth: [Double], predicted: [Double]) throws(PruneError) -> Double {
    try check(truth, predicted)
    return zip(truth, predicted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(truth.count)
  }

  private static func check(_ truth: Tensor, _ predicted: Tensor) throws(PruneError) {
    guard truth.shape == predicted.shape else {
      throw PruneError(
        .mismatch, "y_true is \(truth.shape), y_pred is \(predicted.shape)", hint: "both need the same shape")
    }
  }

  private static func check(_ truth: [Double], _ predicted: [Double]) throws(PruneError) {
    guard truth.count == predicted.count, !truth.isEmpty else {
      throw PruneError(.mismatch, "y_true has \(truth.count) numbers, y_pred has \(predicted.count)")
    }
  }
}
