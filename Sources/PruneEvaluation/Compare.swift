import PruneData
import PruneGraph
import PruneTensor

/// Models side by side: a list "models" of {label, accuracy, loss, params, nonzero, sparsity, macs, bytes, onnx_bytes,
/// packed_bytes, median_ms, min_ms, p90_ms}, without what the data's targets do not give, and "threads", "batch_size"
/// and "runs" of the times.
///
/// Each round of runs takes every model once, so that other load of the machine slows all models alike.
/// - Parameters:
///   - data: what accuracy and loss are measured on; nil leaves them out.
///   - files: bytes of a model as ONNX file and as packed file; nil for a model that cannot be written so.
/// - Throws: what evaluating one throws, with its label.
package func compare(
  _ models: [(label: String, model: Model)], data: Dataset?, batchSize: Int = 0, cancel: CancelFlag? = nil,
  files: (Model) throws(PruneError) -> (onnx: Int, packed: Int)? = { _ in nil }
) throws(PruneError) -> Report {
  guard !models.isEmpty else { throw PruneError(.invalidArgument, "there is no model to compare") }
  var timing = BenchmarkOptions()
  (timing.runs, timing.warmup, timing.cancel) = (20, 3, cancel)
  var rows: [Report] = []
  var runs: [LatencyRun] = []
  for (label, model) in models {
    try located(at: label) { () throws(PruneError) in
      let samples = data.map { InputBinding.sampleShapes($0, model) } ?? [:]
      var row = Report(title: "", entries: [("label", .text(label))])
      if let data {
        var evaluation = EvaluateOptions()
        (evaluation.batchSize, evaluation.cancel) = (batchSize, cancel)
        let metrics = try evaluate(model, data, evaluation)
        row["accuracy"] = metrics["accuracy"]
        row["loss"] = metrics["loss"]
      }
      let stats = try ModelStats.of(model, at: try BoundExtents(model, samples: samples, assumes: false))
      row["params"] = .integer(stats.params)
      row["nonzero"] = .integer(stats.nonzero)
      row["sparsity"] = .number(stats.sparsity)
      row["macs"] = .count(stats.macs)
      row["bytes"] = .integer(stats.bytes)
      if let sizes = try files(model) {
        row["onnx_bytes"] = .integer(sizes.onnx)
        row["packed_bytes"] = .integer(sizes.packed)
      }
      rows.append(row)
      timing.extents = try BoundExtents(model, samples: samples, assumes: true)
      runs.append(try LatencyRun(model, timing))
    }
  }
  for _ in 0..<timing.runs {
    for index in runs.indices {
      try located(at: models[index].label) { () throws(PruneError) in try runs[index].time() }
    }
  }
  for (index, run) in runs.enumerated() {
    let latency = run.latency
    rows[index]["median_ms"] = .number(latency.median)
    rows[index]["min_ms"] = .number(latency.least)
    rows[index]["p90_ms"] = .number(latency.p90)
  }
  var report = Report(title: data.map { "comparison on \($0.name)" } ?? "comparison")
  report["threads"] = .integer(Parallel.threads)
  report["batch_size"] = .integer(runs.first?.batch ?? 1)
  report["runs"] = .integer(timing.runs)
  report["models"] = .list(rows.map { .report($0) })
  if runs.contains(where: \.latency.isDisturbed) { report["notes"] = .list([.text(Latency.disturbance)]) }
  return report
}

/// Puts a model's label before the place of an error.
private func located(at label: String, _ body: () throws(PruneError) -> Void) throws(PruneError) {
  do throws(PruneError) { try body() } catch {
    var located = error
    located.place = error.place.isEmpty ? label : "\(label): \(error.place)"
    throw located
  }
}
