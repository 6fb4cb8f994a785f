import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// What is pruned and how, for the loop and its cutter alike.
final class PruneContext {
  /// The model as it was given.
  let original: Model
  let plan: PrunePlan
  let options: PruneOptions
  /// What the open extents of the inputs are, throughout the run.
  let extents: BoundExtents
  let batchSize: Int
  /// What criteria read: an evenly spread part of large data where the caller named no criterion.
  private let samples: Dataset?

  /// More samples change the order of units little; those of tokens take longer.
  private static let sampleLimit = 1024
  private static let sequenceLimit = 128

  init(_ model: Model, _ plan: PrunePlan, _ options: PruneOptions) throws(PruneError) {
    (original, self.plan, self.options) = (model, plan, options)
    batchSize = options.batchSize > 0 ? options.batchSize : 64
    extents = try options.extents(of: model)
    samples =
      try plan.impliesCriterion && plan.importance.needsData
      ? options.data?.spread(over: options.data?.isOfTokens == true ? Self.sequenceLimit : Self.sampleLimit)
      : options.data
  }

  /// Which units go together, where extents that the caller gave are as good as written in the file.
  func dependencies(of model: Model) throws(PruneError) -> Dependencies {
    try Dependencies(
      of: model, rules: options.rules, width: options.followsWidth, shapes: options.shapes,
      samples: options.sampleShapes(of: model))
  }

  /// What the criterion may look at.
  func scoring(_ weights: PrunableWeights) -> ScoringContext {
    ScoringContext(
      weights: weights, data: samples, batchSize: batchSize, seed: options.seed, output: options.output,
      cancel: options.cancel, communicator: options.communicator)
  }

  /// Sizes of a model, and metrics where there is data to validate on.
  func state(of model: Model, _ title: String, _ cancel: CancelFlag?) throws(PruneError) -> Report {
    var settings = EvaluateOptions()
    (settings.batchSize, settings.output, settings.cancel) = (batchSize, options.output, cancel)
    settings.communicator = options.communicator
    return try modelState(model, title, at: extents, validate: options.validate, settings)
  }
}

extension Dataset {
  /// Whether samples are sequences of integers.
  var isOfTokens: Bool { x.dtype.isInteger && sampleShape.count <= 1 }

  /// At most `count` samples, evenly spread over all.
  func spread(over limit: Int) throws(PruneError) -> Dataset {
    count <= limit ? self : try subset((0..<limit).map { $0 * count / limit })
  }
}
