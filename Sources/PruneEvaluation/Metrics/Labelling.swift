import PruneData
import PruneRuntime
import PruneTensor

extension Dataset {
  /// The samples with what a model answers as their targets: the class of its highest output. The accuracy of another
  /// model on them is its agreement with this one, for which nobody had to label anything.
  /// - Throws: `.mismatch` when the first output is not a number for each class, `.numeric` when one is NaN,
  ///   `.cancelled`, and what running the model throws.
  package func labelled(by session: Session, cancel: CancelFlag? = nil) throws(PruneError) -> Dataset {
    let answers = try predict(session, self, cancel: cancel)
    guard answers.dtype.isFloatingPoint, answers.shape.rank > 1, answers.shape[1] > 1,
      answers.count == count * answers.shape[1]
    else {
      throw PruneError(
        .mismatch,
        "the model's first output is \(answers.dtype.name) \(answers.shape), answers are classes: [N, 2 or more]",
        hint: "what other outputs say is compared as values: prune.data.tensors(x, m:predict(x))")
    }
    let classes = answers.shape[1]
    let labels = try answers.cast(to: .float32).withSpan(of: Float.self) { outputs throws(PruneError) in
      var labels: [Int64] = []
      for row in 0..<count {
        guard let best = MetricAccumulator.highest(outputs, row * classes, classes) else {
          throw PruneError(.numeric, "the model answers sample \(row) of '\(name)' with NaN")
        }
        labels.append(Int64(best))
      }
      return labels
    }
    return Dataset(columns: columns, y: try Tensor(labels), classCount: classes, name: name, layout: layout)
  }
}
