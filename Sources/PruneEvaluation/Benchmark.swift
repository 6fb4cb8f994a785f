import PruneGraph
import PruneRuntime
import PruneTensor

/// How latency is measured.
package struct BenchmarkOptions {
  package var batchSize = 1
  /// 0 leaves the number of threads as it is.
  package var threads = 0
  /// Timed runs.
  package var runs = 50
  /// Runs before them that are not timed.
  package var warmup = 5
  /// Also times what the program does, step by step.
  package var steps = false
  package var seed: UInt64 = 1
  /// Extents that the inputs leave open; others are assumed, and the report's "shapes" says what.
  package var shapes = ShapeBinding()
  /// The same, bound before.
  package var extents: BoundExtents?
  package var cancel: CancelFlag?

  package init() {}
}

/// The time a run takes on random inputs: median_ms, min_ms, p90_ms, mean_ms, samples_per_second (by the median), runs,
/// threads, batch_size. Compilation is not part of it; the number of threads is as before afterwards. With `steps`,
/// "steps" lists what the compiled program does, the slowest first: name (the node's, of several that were fused the
/// first's), ms (the shortest of some runs) and share; of layers with constant weights also weights ("sparse" where
/// zeros are left out, else "dense"), zeros (their share), and where that was measured dense_ms and sparse_ms, by which
/// the faster was chosen.
/// - Throws: `.invalidArgument` for numbers below 1, `.cancelled`, and what running the model throws.
package func benchmark(_ model: Model, _ options: BenchmarkOptions = .init()) throws(PruneError) -> Report {
  guard options.batchSize > 0, options.runs > 0, options.warmup >= 0, options.threads >= 0 else {
    throw PruneError(
      .invalidArgument,
      "benchmark wants batch_size and runs of 1 or more, got batch_size \(options.batchSize), runs \(options.runs), warmup \(options.warmup), threads \(options.threads)"
    )
  }
  do throws(PruneError) { try Storage.checkAvailable(byteCount: Shape([options.runs, 8]).count) } catch {
    throw error.located(at: "the times of \(options.runs) runs")
  }
  let threads = Parallel.threads
  if options.threads > 0 { Parallel.threads = options.threads }
  defer { Parallel.threads = threads }
  var run = try LatencyRun(model, options)
  for _ in 0..<options.runs { try run.time() }
  let latency = run.latency, batch = run.batch ?? options.batchSize
  var report = Report(
    title: "benchmark",
    entries: [
      ("median_ms", .number(latency.median)), ("min_ms", .number(latency.least)), ("p90_ms", .number(latency.p90)),
      ("mean_ms", .number(latency.mean)),
      ("samples_per_second", .number(Double(batch) / max(latency.median, 1e-9) * 1000)),
      ("runs", .integer(options.runs)), ("threads", .integer(Parallel.threads)), ("batch_size", .integer(batch)),
    ])
  if let assumption = run.extents?.assumption { report["shapes"] = .text("\(assumption) (assumed)") }
  if options.steps { report["steps"] = .list(try steps(run.session, run.inputs)) }
  if latency.isDisturbed { report["notes"] = .list([.text(Latency.disturbance)]) }
  return report
}

private func steps(_ session: Session, _ inputs: [String: Tensor]) throws(PruneError) -> [ReportValue] {
  let times = try session.program(for: inputs.mapValues(\.shape)).profile(inputs)
  let total = max(times.reduce(0) { $0 + $1.seconds }, .leastNormalMagnitude)
  return times.sorted { $0.seconds > $1.seconds }.map { step in
    var entries: [(String, ReportValue)] = [
      ("name", .text(step.label)), ("kernel", .text(step.kernel)), ("ms", .number(step.seconds * 1000)),
      ("share", .number(step.seconds / total)),
    ]
    if let weights = step.weights {
      entries += [("weights", .text(weights.isSparse ? "sparse" : "dense")), ("zeros", .number(weights.zeros))]
      if let measured = weights.measured {
        entries += [("dense_ms", .number(measured.dense * 1000)), ("sparse_ms", .number(measured.sparse * 1000))]
      }
    }
    return .report(Report(title: "", entries: entries))
  }
}

func randomInputs(
  _ model: Model, _ extents: BoundExtents, _ options: BenchmarkOptions
) throws(PruneError) -> [String: Tensor] {
  guard let shapes = extents.shapes(of: model, batch: options.batchSize) else {
    throw BoundExtents.refusal("benchmark: the shape of an input", extents.open)
  }
  var inputs: [String: Tensor] = [:]
  var random = RandomSource(seed: options.seed)
  for input in model.graph.trueInputs {
    if let shape = shapes[input.name] { inputs[input.name] = try randomInput(input, shape, &random) }
  }
  return inputs
}

/// Standard normal floats; integers of 0 and 1, which are valid indices and tokens anywhere.
private func randomInput(_ input: ValueInfo, _ shape: Shape, _ random: inout RandomSource) throws(PruneError) -> Tensor
{
  let dtype = input.type?.dtype ?? .float32
  // Not by way of an array, which ends the process when there is no memory for it.
  do throws(PruneError) {
    var tensor = try Tensor(zeros: dtype.isFloatingPoint ? .float32 : .int64, shape)
    if dtype.isFloatingPoint {
      try tensor.withMutableSpan(of: Float.self) { values throws(PruneError) in
        for index in values.indices { values[index] = Float(random.normal()) }
      }
    } else {
      try tensor.withMutableSpan(of: Int64.self) { values throws(PruneError) in
        for index in values.indices { values[index] = Int64(random.next() & 1) }
      }
    }
    return try tensor.cast(to: dtype)
  } catch { throw error.located(at: "input '\(input.name)' \(shape) of the benchmark") }
}
