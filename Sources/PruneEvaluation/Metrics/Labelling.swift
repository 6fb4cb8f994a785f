import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

extension Dataset {
  /// The samples with what a model answers as their targets: the class of its highest output. The accuracy of another model on
  /// them is its agreement with this one, for which nobody had to label anything.
  /// - Throws: `.mismatch` when the first output is not a number for each class, `.numeric` when one is NaN, `.cancelled`, and
  ///   what running the model throws.
  package func labelled(by session: Session, cancel: CancelFlag? = nil) throws(PruneError) -> Dataset {
    let feed = try Feed(self, session.model), size = try feed.batchSize(0, of: self)
    let name = session.model.graph.outputs.first?.name ?? ""
    var labels: [Int64] = [], classes = 0
    for first in stride(from: 0, to: count, by: size) {
      try cancel?.check()
      let last = min(first + size, count)
      let result = try session.run(feed.inputs(of: rows(first, last), filling: size), cancel: cancel)[name]
      guard let result, result.dtype.isFloatingPoint, result.shape.rank > 1, result.shape[1] > 1, result.count == size * result.shape[1]
      else {
        throw PruneError(
          .mismatch, "output '\(name)' is \(result.map { "\($0.dtype.name) \($0.shape)" } ?? "missing"), answers are classes: [N, 2 or more]",
          hint: "what other outputs say is compared as values: prune.data.tensors(x, m:predict(x))")
      }
      let width = result.shape[1]
      try result.cast(to: .float32).withSpan(of: Float.self) { outputs throws(PruneError) in
        for row in 0..<last - first {
          guard let best = MetricAccumulator.highest(outputs, row * width, width) else {
            throw PruneError(.numeric, "the model answers sample \(first + row) of '\(self.name)' with NaN")
          }
          labels.append(Int64(best))
        }
      }
      classes = width
    }
    return Dataset(columns: columns, y: try Tensor(labels), classCount: classes, name: self.name)
  }
}
