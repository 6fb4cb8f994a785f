import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// What matters: a score for every element of every prunable weight, the lowest of which go first.
package protocol Importance {
  /// The criterion's name in options and reports.
  var name: String { get }
  /// Whether scoring runs the model on data.
  var needsData: Bool { get }
  /// Whether it wants to see what every weight is multiplied by.
  var needsInputs: Bool { get }
  /// How it wants an amount of weights to be divided where nobody says; nil for one ranking.
  var impliedDivision: Allocation.Division? { get }
  /// Whether that data needs targets, for a loss.
  var needsTargets: Bool { get }
  func scores(_ context: ScoringContext) throws(PruneError) -> Scores
}

/// What a criterion may look at.
package struct ScoringContext {
  /// The weights, and the model they are in.
  package var weights: PrunableWeights
  package var data: Dataset?
  package var batchSize: Int
  package var seed: UInt64
  /// What gradients are of the loss of; nil is the first output.
  package var output: String?
  package var cancel: CancelFlag?
  /// The ranks that score together: each runs its share of the batches, and all get the same scores. Nil is one alone.
  package var communicator: Communicator?

  package init(
    weights: PrunableWeights, data: Dataset? = nil, batchSize: Int = 64, seed: UInt64 = 0, output: String? = nil,
    cancel: CancelFlag? = nil, communicator: Communicator? = nil
  ) {
    self.communicator = communicator
    self.weights = weights
    self.data = data
    self.output = output
    self.batchSize = batchSize
    self.seed = seed
    self.cancel = cancel
  }
}

/// Scores of all weights: one tensor each, or none where they follow from the weights.
package enum Scores: Sendable {
  /// |w| to a power: the order of the absolute values, ranked without a copy.
  case magnitude(exponent: Int)
  case tensors([Tensor])
}

/// The criteria there are. To add one, write its `Importance`, list it here and in Options/pruning.lua.
package enum Criterion {
  package static var all: [any Importance] {
    let plain: [any Importance] = [
      MagnitudeImportance(exponent: 1), MagnitudeImportance(exponent: 2), MovementImportance(), WandaImportance(),
      ActivityImportance(), MutualImportance(), LampImportance(), RandomImportance(), GateImportance(),
    ]
    return plain + GradientImportance.Kind.allCases.map { GradientImportance($0) }
      + CurvatureImportance.Kind.allCases.map { CurvatureImportance($0) }
      + FilterImportance.Kind.allCases.map { FilterImportance($0) }
  }

  package static var names: [String] { all.map(\.name) }

  /// - Throws: `.invalidArgument` with the nearest name.
  package static func named(_ name: String) throws(PruneError) -> any Importance {
    let all = all
    guard let match = all.first(where: { $0.name == name }) else {
      throw PruneError(
        .invalidArgument, "criterion is '\(name)'", hint: Suggestion.hint(for: name, among: all.map(\.name)))
    }
    return match
  }
}

extension Importance {
  package var needsTargets: Bool { false }
  package var needsInputs: Bool { false }
  package var impliedDivision: Allocation.Division? { nil }

  /// - Throws: `.invalidArgument` for missing data, or data without what the criterion looks at.
  package func check(_ data: Dataset?) throws(PruneError) {
    guard needsData else { return }
    guard let data else {
      throw PruneError(
        .invalidArgument, "criterion '\(name)' scores weights on data, and there is none",
        hint: "give data = …, or use criterion = \"magnitude\"")
    }
    guard data.count > 0 else {
      throw PruneError(
        .invalidArgument, "criterion '\(name)' scores weights on data, and data set '\(data.name)' has no samples")
    }
    guard !needsTargets || data.y != nil else {
      throw PruneError(
        .invalidArgument,
        "criterion '\(name)' takes the gradient of a loss, and data set '\(data.name)' has no targets",
        hint: "give data with labels, or a criterion that needs none: \"magnitude\", \"wanda\"")
    }
  }

  /// Scores, checked: every one a finite number.
  /// - Throws: `.numeric` naming the weight that is, or whose score is, not finite; `.invalidArgument` when data is
  ///   missing.
  package func ranking(_ context: ScoringContext) throws(PruneError) -> (scores: Scores, ranking: WeightRanking) {
    try check(context.data)
    let tensors = context.weights.weights.map(\.tensor)
    // Before the work of scoring, which NaN would spoil.
    try context.weights.checkFinite(WeightRanking(tensors), criterion: name)
    let scores = try scores(context)
    guard case .tensors(let list) = scores else { return (scores, try WeightRanking(tensors)) }
    let ranking = try WeightRanking(tensors, scores: list)
    try context.weights.checkFinite(ranking, criterion: name)
    return (scores, ranking)
  }
}

extension PrunableWeights {
  fileprivate func checkFinite(_ ranking: WeightRanking, criterion: String) throws(PruneError) {
    guard let entry = ranking.firstNotFinite, entry.index < weights.count else { return }
    let weight = weights[entry.index]
    throw PruneError(
      .numeric,
      entry.inScores
        ? "criterion '\(criterion)' gives weight '\(weight.name)' scores that are NaN or infinite"
        : "weight '\(weight.name)' holds NaN or infinity",
      at: "\(weight.operation) '\(weight.layer)'",
      hint: entry.inScores
        ? "the loss or its gradient is not finite on this data"
        : "ignore = \"\(weight.layer)\" leaves the layer as it is")
  }
}
