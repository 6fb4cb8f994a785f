import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What to score, and on what.
package struct SignificanceOptions {
  package var criterion = "magnitude"
  package var data: Dataset?
  /// 0 is 64.
  package var batchSize = 0
  package var seed: UInt64 = 0
  /// As in `PruneOptions`.
  package var output: String?
  package var scope: [String] = []
  package var ignore: [String] = []
  /// As in `PruneOptions`.
  package var scores: ((String, Tensor) throws(PruneError) -> Tensor)?
  package var cancel: CancelFlag?
  /// The ranks that score together; nil is one alone.
  package var communicator: Communicator?

  package init() {}
}

/// How much each weight matters by a criterion.
///
/// The report has "layers" (name, weights, mean, sum, min, max, share of the total, a bar of the share and how the
/// scores are spread from the lowest to the highest), "bottom" and "top" (the outputs of layers with the lowest and the
/// highest mean scores), "units" (the mean score of each output, by the weight's name) and "scores": a tensor of each
/// weight's shape, by the weight's name.
/// - Throws: as `prune` does for unknown criteria, missing data and weights that are not finite.
package func significance(_ model: Model, _ options: SignificanceOptions) throws(PruneError) -> Report {
  let importance: any Importance
  if let scores = options.scores {
    importance = UserImportance(function: scores)
  } else {
    importance = try Criterion.named(options.criterion)
  }
  try importance.check(options.data)
  _ = try model.output(named: options.output)
  var context = ScoringContext(
    weights: try PrunableWeights(of: model, scope: options.scope, ignore: options.ignore), data: options.data,
    batchSize: options.batchSize > 0 ? options.batchSize : 64, seed: options.seed, output: options.output,
    cancel: options.cancel, communicator: options.communicator)
  let unreached = try context.unreached(by: importance)
  let weights = context.weights.without(unreached)
  context.weights = weights
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
      row["bar"] = .drawing(Draw.bar(fraction: largest > 0 ? summary.sum / largest : 0, width: 10))
      row["spread"] = .drawing(Draw.sparkline(summary.histogram.map(Double.init)))
      return .report(row)
    })
  let units = try UnitSummary(weights, tensors)
  report["bottom"] = .list(units.order.prefix(UnitSummary.listCount).map(units.row))
  report["top"] = .list(units.order.suffix(UnitSummary.listCount).reversed().map(units.row))
  report["units"] = .report(try units.report())
  var scores = Report(title: "scores")
  for (weight, tensor) in zip(weights.weights, tensors) { scores[weight.name] = .tensor(tensor) }
  report["scores"] = .report(scores)
  if let note = importance.note(unreached: unreached) { report["notes"] = .list([.text(note)]) }
  return report
}

/// Sum and extremes of one weight's scores.
private struct ScoreSummary {
  var sum = 0.0
  var low = 0.0
  var high = 0.0
  /// Scores in each of equal parts of low...high.
  var histogram = [Int64](repeating: 0, count: 12)

  init(_ scores: Tensor) throws(PruneError) {
    guard let range = try scores.finiteRange() else { return }
    (low, high) = (Double(range.low), Double(range.high))
    try scores.addHistogram(to: &histogram, low: range.low, high: range.high)
    sum = try scores.sum()
  }
}

/// Mean scores of the outputs of layers.
private struct UnitSummary {
  /// Rows of "top" and "bottom".
  static let listCount = 5

  let weights: [PrunableWeight]
  /// The importance of each output of each weight; empty for weights that are no matrices.
  var means: [[Float]] = []
  /// All outputs, from the lowest mean.
  var order: [(weight: Int, unit: Int)] = []

  init(_ weights: PrunableWeights, _ scores: [Tensor]) throws(PruneError) {
    self.weights = weights.weights
    for (index, matrix) in weights.matrices().enumerated() {
      guard let matrix, index < scores.count else {
        means.append([])
        continue
      }
      means.append(try matrix.rowMeans(scores[index]))
      for unit in 0..<matrix.rows { order.append((index, unit)) }
    }
    let means = means
    order.sort { (means[$0.weight][$0.unit], $0.weight, $0.unit) < (means[$1.weight][$1.unit], $1.weight, $1.unit) }
  }

  func row(_ place: (weight: Int, unit: Int)) -> ReportValue {
    var row = Report(title: "")
    row["name"] = .text(weights[place.weight].layer)
    row["unit"] = .integer(place.unit + 1)
    row["mean"] = .number(Double(means[place.weight][place.unit]))
    return .report(row)
  }

  func report() throws(PruneError) -> Report {
    var report = Report(title: "units")
    for (weight, means) in zip(weights, means) where !means.isEmpty { report[weight.name] = .tensor(try Tensor(means)) }
    return report
  }
}

extension Scores {
  /// The scores as tensors, also where they follow from the weights.
  func tensors(of weights: [Tensor]) throws(PruneError) -> [Tensor] {
    guard case .magnitude(let exponent) = self else {
      if case .tensors(let list) = self { return list }
      return []
    }
    return try weights.map { weight throws(PruneError) in try weight.magnitudes(squared: exponent == 2) }
  }
}
