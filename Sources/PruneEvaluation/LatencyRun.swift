import PruneGraph
import PruneRuntime
import PruneTensor

/// A model that is ready to be timed on random inputs: compiled, and run once.
package struct LatencyRun {
  package let inputs: [String: Tensor]
  /// The extents it is timed at.
  package let extents: BoundExtents?
  package let session: Session
  private let cancel: CancelFlag?
  /// Milliseconds of each timed run.
  package private(set) var times: [Double] = []

  /// - Throws: `.cancelled`, and what running the model throws.
  package init(_ model: Model, _ options: BenchmarkOptions) throws(PruneError) {
    let bindings: [BoundExtents]
    if let extents = options.extents {
      bindings = [extents]
    } else {
      bindings = try BoundExtents.attempts(model, shapes: options.shapes)
    }
    session = Session(model)
    cancel = options.cancel
    var inputs: [String: Tensor] = [:]
    var chosen: BoundExtents?
    for (index, binding) in bindings.enumerated() {
      inputs = try randomInputs(model, binding, options)
      do {
        _ = try session.run(inputs, cancel: options.cancel)
        chosen = binding
        break
      } catch {
        if error.status == .cancelled || index == bindings.count - 1 { throw error }
      }
    }
    self.inputs = inputs
    extents = chosen
    for _ in 1..<max(options.warmup, 1) { _ = try session.run(inputs, cancel: options.cancel) }
    times.reserveCapacity(min(options.runs, 1 << 20))
  }

  /// Samples of one run, where the first input tells.
  package var batch: Int? { session.model.graph.trueInputs.first.flatMap { inputs[$0.name]?.shape.dims.first } }

  /// Runs once more and keeps the time.
  package mutating func time() throws(PruneError) {
    let start = monotonicSeconds()
    _ = try session.run(inputs, cancel: cancel)
    times.append((monotonicSeconds() - start) * 1000)
  }

  package var latency: Latency { Latency(times) }
}

/// Times of runs, summed up.
package struct Latency {
  package let median, least, mean: Double
  /// The nearest rank: nine tenths of the runs took no longer.
  package let p90: Double

  package init(_ times: [Double]) {
    let sorted = times.sorted()
    guard let first = sorted.first else {
      (median, least, mean, p90) = (.nan, .nan, .nan, .nan)
      return
    }
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    least = first
    mean = sorted.reduce(0, +) / Double(sorted.count)
    p90 = sorted[min((sorted.count * 9 + 9) / 10, sorted.count) - 1]
  }

  /// Whether runs differed by more than a machine with nothing else to do would make them.
  package var isDisturbed: Bool { p90 > 2 * least }

  /// The note in the report.
  package static let disturbance =
    "the machine is busy: a tenth of the runs took more than twice the shortest; trust min_ms, or time again"
}
