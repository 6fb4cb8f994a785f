import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// What to score, and on what.
package struct SignificanceOptions {
  package var criterion = "magnitude"
  package var data: Dataset?
  /// 0 is 64.
  package var batchSize = 0
  package var seed: UInt64 = 0
  package var scope: [String] = []
  package var ignore: [String] = []
  package var cancel: CancelFlag?

  package init() {}
}

/// How much each weight matters by a criterion.
///
/// The report has "layers" (name, weights, mean, sum, min, max, share of the total, and a bar of the share) and
/// "scores": a tensor of each weight's shape, by the weight's name.
/// - Throws: as `prune` does for unknown criteria, missing data and weights that are not finite.
package func significance(_ model: Model, _ options: SignificanceOptions) throws(PruneError) -> Report {
  let importance = try Criterion.named(options.criterion)
  let weights = try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore)
  let context = ScoringContext(
    weights: weights, data: options.data, batchSize: options.batchSize > 0 ? options.batchSize : 64,
    seed: options.seed, cancel: options.cancel)
  let tensors = try importance.ranking(context).scores.tensors(of: weights.weights.map(\.tensor))
  let summaries = try tensors.map { tensor throws(PruneError) in try ScoreSummary(tensor) }
  let total = summaries.reduce(0) { $0 + $1.sum }
  let largest = summaries.map(\.sum).max() ?? 0

  var report = Report(title: "significance")
  report["criterion"] = .text(importance.name)
  report["weights"] = .integer(weights.count)
  report["layers"] = .list(
    zip(weights.weights, summaries).map { weight, summary in
      var row = Report(title: "")
      row["name"] = .text(weight.layer)
      row["weights"] = .integer(weight.tensor.count)
      row["mean"] = .number(summary.sum / Double(max(weight.tensor.count, 1)))
      row["sum"] = .number(summary.sum)
      row["min"] = .number(summary.low)
      row["max"] = .number(summary.high)
      row["share"] = .number(total > 0 ? summary.sum / total : 0)
      row["bar"] = .text(Draw.bar(fraction: largest > 0 ? summary.sum / largest : 0, width: 10))
      return .report(row)
    })
  var scores = Report(title: "scores")
  for (weight, tensor) in zip(weights.weights, tensors) { scores[weight.name] = .tensor(tensor) }
  report["scores"] = .report(scores)
  return report
}

/// Sum and extremes of one weight's scores.
private struct ScoreSummary {
  var sum = 0.0
  var low = 0.0
  var high = 0.0

  init(_ scores: Tensor) throws(PruneError) {
    guard let range = try scores.finiteRange() else { return }
    low = Double(range.low)
    high = Double(range.high)
    sum = try scores.withSpan(of: Float.self) { span throws(PruneError) in
      var sum = 0.0
      for index in span.indices { sum += Double(span[index]) }
      return sum
    }
  }
}

extension Scores {
  /// The scores as tensors, also where they follow from the weights.
  func tensors(of weights: [Tensor]) throws(PruneError) -> [Tensor] {
    guard case .magnitude(let exponent) = self else {
      if case .tensors(let list) = self { return list }
      return []
    }
    var result: [Tensor] = []
    for weight in weights {
      var scores = weight
      try scores.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for index in span.indices { span[index] = exponent == 2 ? span[index] * span[index] : abs(span[index]) }
      }
      result.append(scores)
    }
    return result
  }
}
