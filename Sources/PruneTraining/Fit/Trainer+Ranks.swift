import PruneGraph
import PruneRuntime
import PruneTensor

/// Data parallelism: each rank has its part of a batch, and the gradients are summed before the updates.
extension Trainer {
  /// What ranks sum: the loss, the gradients in the order of `trained`, new statistics, all times the rank's share, and
  /// last how many ranks failed.
  static func names(_ graph: TrainingGraph) -> [String] {
    [graph.parts.loss] + graph.trained.compactMap { graph.parts.gradients[$0] } + graph.parts.newStatistics.map(\.value)
  }

  /// All ranks have buckets of one size, also the one whose batch could not be made.
  private func makeBucket() throws(PruneError) -> Tensor {
    if let bucket { return bucket }
    var count = 2
    for name in plan.trainable + plan.statistics.sorted() { count += variables[name]?.tensor.count ?? 0 }
    return try Tensor(zeros: .float32, try Shape([count]))
  }

  func fill(_ graph: TrainingGraph, _ results: [String: Tensor], _ share: Double) throws(PruneError) {
    var sums = try makeBucket()
    bucket = nil
    defer { bucket = sums }
    let factor = Float(share)
    var end = 0
    for name in Self.names(graph) {
      guard let tensor = results[name] else { throw PruneError(.internal, "the run gave no '\(name)'") }
      try tensor.withSpan(of: Float.self) { source throws(PruneError) in
        try sums.withMutableSpan(of: Float.self) { target throws(PruneError) in
          guard end + source.count < target.count else {
            throw PruneError(.internal, "'\(name)' does not fit into the bucket")
          }
          // What counts nothing must not count as NaN either.
          if share == 0 {
            for index in 0..<source.count { target[end + index] = 0 }
          } else {
            for index in 0..<source.count { target[end + index] = source[index] * factor }
          }
        }
      }
      end += tensor.count
    }
  }

  /// Sums the bucket over the ranks.
  /// - Returns: how many of them failed.
  func sumBucket(_ communicator: Communicator, hasFailed: Bool) throws(PruneError) -> Int {
    var sums = try makeBucket()
    bucket = nil
    defer { bucket = sums }
    let last = sums.count - 1
    try sums.withMutableSpan(of: Float.self) { span throws(PruneError) in span[last] = hasFailed ? 1 : 0 }
    try communicator.sum(&sums)
    return try sums.withSpan(of: Float.self) { span throws(PruneError) in span[last] > 0 ? 1 : 0 }
  }

  /// Gives the update its inputs, and the loss and statistics by the names that the program's own have.
  func emptied(
    _ graph: TrainingGraph, _ results: [String: Tensor], into inputs: inout [String: Tensor]
  ) throws(PruneError) -> [String: Tensor] {
    guard let bucket else { return [:] }
    var sums: [String: Tensor] = [:], end = 0
    for (index, name) in Self.names(graph).enumerated() {
      guard let tensor = results[name] else { continue }
      let sum = try bucket.rows(end, end + tensor.count).reshaped(tensor.shape)
      end += tensor.count
      if index < graph.reduced.count { inputs[graph.reduced[index]] = sum }
      if index == 0 || index >= graph.reduced.count { sums[name] = sum }
    }
    return sums
  }

  /// Gives all ranks the weights, statistics and optimizer state of the first: processors may round differently.
  func synchronize() throws(PruneError) {
    guard let communicator else { return }
    for name in variables.keys.sorted() {
      if let variable = variables[name] { try communicator.broadcast(&variable.tensor) }
    }
  }
}
