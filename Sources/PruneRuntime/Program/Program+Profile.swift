import CPruneSupport
import PruneTensor

/// How long one step of a program takes.
package struct StepTime: Sendable {
  /// The node's label, or what was put between nodes.
  package let label: String
  /// The family of kernels that it runs by: "winograd", "onednn", …
  package let kernel: String
  /// The shortest of the runs.
  package var seconds: Double
  /// How a layer with constant weights multiplies with them.
  package var weights: WeightUse?
}

/// How a step multiplies with constant weights.
package struct WeightUse: Sendable {
  /// Whether zeros are left out.
  package var isSparse: Bool
  /// The share of the weights that is zero.
  package var zeros: Double
  /// What both ways were measured to take when the choice was made; nil where it was clear without.
  package var measured: (dense: Double, sparse: Double)?
}

extension Program {
  /// Runs several times and returns the shortest time of every step, in order.
  package func profile(_ inputs: [String: Tensor], runs: Int = 10) throws(PruneError) -> [StepTime] {
    var times = plan.steps.map { StepTime(label: $0.label, kernel: $0.kernel, seconds: .infinity, weights: $0.weights) }
    for _ in 0..<max(runs, 1) {
      // A step runs once for each part of a batch.
      var sums = [Double](repeating: 0, count: times.count)
      _ = try run(inputs, cancel: nil) { (index, nanoseconds) in sums[index] += Double(nanoseconds) * 1e-9 }
      for index in times.indices { times[index].seconds = min(times[index].seconds, sums[index]) }
    }
    return times
  }

  /// Labels of the steps that run on one thread, at any size of the pool.
  package var lonelyLabels: [String] { plan.steps.filter(\.isSingleThreaded).map(\.label) }

  /// The kernel of each step, in order, and why the kernels asked before declined.
  package var kernelChoices: [(label: String, kernel: String, refusals: [String])] {
    plan.steps.map { ($0.label, $0.kernel, $0.refusals) }
  }

  /// How steps with constant weights multiply with them, in order.
  package var weightUses: [WeightUse] { plan.steps.compactMap(\.weights) }

  /// Runs that had to be done again to find out whether a NaN became a number.
  package var alarms: Int { caution.withLock { $0.alarms } }

  /// The constants that it reads, packed ones as they are packed.
  package var constants: [Tensor] {
    plan.buffers.compactMap { if case .constant(let tensor) = $0.place { tensor } else { nil } }
  }
}
