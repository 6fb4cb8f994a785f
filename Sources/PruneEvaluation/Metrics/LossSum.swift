import PruneRuntime
import PruneTensor

/// A loss that no metric computes on its own, over the batches of a data set.
struct LossSum {
  private let kind: LossKind
  private var settings = Losses.Settings()
  private var sum = 0.0
  private var samples = 0

  init(_ kind: LossKind, _ output: OutputKind) {
    self.kind = kind
    // The softmax of log-probabilities is the probabilities.
    settings.fromLogits = output == .logits || output == .logProbabilities
  }

  /// Adds a batch; rows of `result` behind the targets' are padding.
  mutating func add(_ result: Tensor, _ targets: Tensor) throws(PruneError) {
    let rows = targets.shape[0]
    let outputs = try result.rows(0, rows).cast(to: .float32)
    // One output for two classes: the class is the number itself.
    let isBinary = targets.dtype == .int64 && outputs.count == targets.count
    let truth = isBinary || targets.dtype != .int64 ? try targets.cast(to: .float32).reshaped(outputs.shape) : targets
    sum += try Losses.compute(kind.rawValue, true: truth, predicted: outputs, settings) * Double(rows)
    samples += rows
  }

  /// Makes it that of all ranks.
  mutating func sum(over communicator: Communicator) throws(PruneError) {
    let all = try communicator.sum([sum, Double(samples)])
    (sum, samples) = (all[0], Int(all[1]))
  }

  var mean: Double? { samples > 0 ? sum / Double(samples) : nil }
}
