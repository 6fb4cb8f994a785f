import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Losses with their gradients: each gives the mean over the batch and the gradient of that mean.
enum LossKernels {
  /// Wanted probabilities [N, C] row by row: one-hot from int64 labels [N], or float32 rows as they are; then
  /// smoothed: (1 - s) * target + s / C.
  /// Rows whose label is `ignore_index` are zeros, and do not count.
  private static func targets(
    _ call: TrainingCall, rows: Int, classes: Int
  ) throws(PruneError) -> (truth: [Float], counted: Double) {
    let tensor = try call.tensor(1)
    let smoothing = call.node.float("label_smoothing", default: 0)
    var truth: [Float], ignored: Set<Int> = []
    if tensor.dtype == .float32 {
      guard tensor.count == rows * classes else {
        throw call.error("targets are \(tensor.shape), wanted [\(rows),\(classes)]")
      }
      truth = try call.floats(1)
    } else {
      let labels = try ShapeGradients.integers(call, 1)
      guard labels.count == rows else { throw call.error("there are \(labels.count) labels for \(rows) rows") }
      truth = [Float](repeating: 0, count: rows * classes)
      let ignoredLabel = call.node.int("ignore_index", default: Int.min)
      for (row, label) in labels.enumerated() {
        if label == ignoredLabel {
          ignored.insert(row)
          continue
        }
        guard label >= 0, label < classes else {
          throw call.error("label \(label) of row \(row) is not one of the \(classes) classes")
        }
        truth[row * classes + label] = 1
      }
    }
    if smoothing != 0 {
      for index in truth.indices where !ignored.contains(index / classes) {
        truth[index] = truth[index] * (1 - smoothing) + smoothing / Float(classes)
      }
    }
    return (truth, Double(max(rows - ignored.count, 1)))
  }

  private static func matrix(_ call: TrainingCall) throws(PruneError) -> (rows: Int, classes: Int) {
    let shape = try call.tensor(0).shape
    guard shape.rank == 2, shape.count > 0 else { throw call.error("input is \(shape), wanted [N, classes]") }
    return (shape[0], shape[1])
  }

  /// SoftmaxCrossEntropy(logits[N,C], target){label_smoothing} -> loss, dLogits.
  static func softmaxCrossEntropy(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let (rows, classes) = try matrix(call)
    let logits = try call.floats(0)
    let (truth, counted) = try targets(call, rows: rows, classes: classes)
    var gradient = logits
    var loss = 0.0
    for row in 0..<rows {
      let range = row * classes..<(row + 1) * classes
      let peak = range.reduce(-Double.infinity) { max($0, Double(logits[$1])) }
      let normalizer = peak + log(range.reduce(0.0) { $0 + exp(Double(logits[$1]) - peak) })
      let mass = range.reduce(0.0) { $0 + Double(truth[$1]) }
      for index in range {
        let logProbability = Double(logits[index]) - normalizer
        if truth[index] != 0 { loss -= Double(truth[index]) * logProbability }
        gradient[index] = Float((exp(logProbability) * mass - Double(truth[index])) / counted)
      }
    }
    return [try Tensor(scalar: Float(loss / counted)), try Tensor(gradient, try call.tensor(0).shape)]
  }

  /// CrossEntropy(probabilities[N,C], target) -> loss, dProbabilities; probabilities are clipped at 1e-15.
  static func crossEntropy(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let (rows, classes) = try matrix(call)
    let probabilities = try call.floats(0)
    let (truth, counted) = try targets(call, rows: rows, classes: classes)
    var gradient = probabilities
    var loss = 0.0
    for index in probabilities.indices {
      let p = Double(probabilities[index])
      // Not max(): a NaN must reach the loss, not turn into the clip.
      let clipped = p < 1e-15 ? 1e-15 : p
      if truth[index] != 0 { loss -= Double(truth[index]) * log(clipped) }
      gradient[index] = p < 1e-15 ? 0 : Float(-Double(truth[index]) / clipped / counted)
    }
    return [try Tensor(scalar: Float(loss / counted)), try Tensor(gradient, try call.tensor(0).shape)]
  }

  /// MeanSquaredError(prediction, target) -> loss, dPrediction: the mean over all elements.
  static func meanSquaredError(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    let (prediction, truth) = (try call.floats(0), try call.floats(1))
    guard prediction.count == truth.count, !truth.isEmpty else {
      throw call.error("targets are \(try call.tensor(1).shape), predictions \(shape)")
    }
    var gradient = prediction
    var loss = 0.0
    for index in prediction.indices {
      let difference = Double(prediction[index]) - Double(truth[index])
      loss += difference * difference
      gradient[index] = Float(2 * difference / Double(truth.count))
    }
    return [try Tensor(scalar: Float(loss / Double(truth.count))), try Tensor(gradient, shape)]
  }
}
