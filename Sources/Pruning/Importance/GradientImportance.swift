import PruneData
import PruneTensor
import PruneTraining

/// Criteria that ask how the loss reacts, on given data, batch by batch: nothing is kept but one number a weight.
///
/// gradient: E|g|, how fast the loss changes with the weight. taylor: the first-order change of the loss when the weight
/// goes, as the root of E[(g·w)²] (Molchanov et al., 2019; the root keeps the order and the unit of the loss). Both
/// averages are over batches, so the batch size is part of the definition.
struct GradientImportance: Importance {
  enum Kind: String, Sendable { case gradient, taylor }

  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var name: String { kind.rawValue }
  var needsData: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    guard let data = context.data, let targets = data.y, data.count > 0 else {
      throw PruneError(
        .invalidArgument, "criterion '\(name)' takes the gradient of a loss, and the data has "
          + (context.data?.count == 0 ? "no samples" : "no targets"),
        hint: "give data with labels")
    }
    let weights = context.weights.weights
    let source = try LossGradients(context.weights.model, targets: targets.dtype, parameters: weights.map(\.name))
    var accumulators: [ScoreAccumulator] = []
    for weight in weights {
      accumulators.append(try ScoreAccumulator(kind == .taylor ? .product : .absolute, weight: weight.tensor))
    }
    for first in stride(from: 0, to: data.count, by: context.batchSize) {
      try context.cancel?.check()
      let last = min(first + context.batchSize, data.count)
      let batch = try data.rows(first, last)
      guard let y = batch.y else { continue }
      let gradients = try source.run(batch.x, y, cancel: context.cancel).gradients
      for (index, weight) in weights.enumerated() {
        guard let gradient = gradients[weight.name] else { throw missing(weight, source) }
        try accumulators[index].add(gradient, share: Float(last - first) / Float(data.count))
      }
    }
    return .tensors(try accumulators.map { accumulator throws(PruneError) in try accumulator.scores() })
  }

  /// Why a weight has no gradient.
  private func missing(_ weight: PrunableWeight, _ source: LossGradients) -> PruneError {
    let block = source.blocked.first { $0.parameters.contains(weight.name) }
    return PruneError(
      .unsupported,
      "criterion '\(name)' cannot score weight '\(weight.name)': "
        + (block.map { "\($0.node) \($0.reason)" } ?? "the loss does not depend on it"),
      at: "\(weight.operation) '\(weight.layer)'", hint: "leave it out with ignore = …, or use criterion = \"magnitude\"")
  }
}
