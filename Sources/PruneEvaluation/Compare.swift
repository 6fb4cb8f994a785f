import PruneData
import PruneGraph
import PruneTensor

/// Models side by side: a list "models" of {label, accuracy, loss, params, nonzero, sparsity, macs, bytes, onnx_bytes,
/// packed_bytes, median_ms}, without what the data's targets do not give.
/// - Parameter files: bytes of a model as ONNX file and as packed file; nil for a model that cannot be written so.
/// - Throws: what evaluating one throws, with its label.
package func compare(
  _ models: [(label: String, model: Model)], data: Dataset, batchSize: Int = 0, cancel: CancelFlag? = nil,
  files: (Model) throws(PruneError) -> (onnx: Int, packed: Int)? = { _ in nil }
) throws(PruneError) -> Report {
  guard !models.isEmpty else { throw PruneError(.invalidArgument, "there is no model to compare") }
  var evaluation = EvaluateOptions()
  evaluation.batchSize = batchSize
  evaluation.cancel = cancel
  var timing = BenchmarkOptions()
  timing.runs = 20
  timing.cancel = cancel
  var rows: [ReportValue] = []
  for (label, model) in models {
    do throws(PruneError) {
      let metrics = try evaluate(model, data, evaluation)
      let samples = Feed.sampleShapes(data, model)
      timing.extents = try BoundExtents(model, samples: samples, assumes: true)
      let stats = try ModelStats.of(model, at: try BoundExtents(model, samples: samples, assumes: false))
      var row = Report(title: "", entries: [("label", .text(label))])
      row["accuracy"] = metrics["accuracy"]
      row["loss"] = metrics["loss"]
      row["params"] = .integer(stats.params)
      row["nonzero"] = .integer(stats.nonzero)
      row["sparsity"] = .number(stats.sparsity)
      row["macs"] = .count(stats.macs)
      row["bytes"] = .integer(stats.bytes)
      if let sizes = try files(model) {
        row["onnx_bytes"] = .integer(sizes.onnx)
        row["packed_bytes"] = .integer(sizes.packed)
      }
      row["median_ms"] = try benchmark(model, timing)["median_ms"]
      rows.append(.report(row))
    } catch {
      var located = error
      located.place = error.place.isEmpty ? label : "\(label): \(error.place)"
      throw located
    }
  }
  return Report(title: "comparison on \(data.name)", entries: [("models", .list(rows))])
}
