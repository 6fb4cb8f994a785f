import PruneEvaluation
import PruneGraph
import PruneTensor

/// Prunes a model into a new one that shares every tensor that did not change.
///
/// Step by step along the schedule: score, cut, recover, measure; a step that the guard refuses is taken back and ends
/// the run. When the caller cancels after a step was kept, the last kept model is returned and the report says stopped.
/// - Throws: an error of the options, before any work; `.numeric` for weights that are not finite;
///   `.cancelled` when nothing was kept yet.
package func prune(_ model: Model, _ options: PruneOptions) throws(PruneError) -> (model: Model, report: Report) {
  let outcome = try pruned(model, options)
  return (outcome.model, outcome.report)
}

/// `prune`, with what its journal needs to be used again.
package func pruned(_ model: Model, _ options: PruneOptions) throws(PruneError) -> PruneOutcome {
  let recipe = try options.recipe.map { text throws(PruneError) in try PruneRecipe(text) }
  let options = try (recipe?.applied(to: options) ?? options).withOutput(of: model)
  let plan = try PrunePlan(options).settled(for: model, options), context = try PruneContext(model, plan, options)
  return plan.granularity.isStructural
    ? try PruneRun<SurgicalCutter>(context).outcome(recipe?.steps)
    : try PruneRun<MaskingCutter>(context).outcome(recipe?.steps)
}

/// A pruned model, what is known of it, and the way it was reached.
package struct PruneOutcome: Sendable {
  package let model: Model
  package let report: Report
  /// The model after each kept step, by its position in the report's journal. The oldest are left out when they take
  /// more than 1 GiB in all.
  package let snapshots: [Int: Model]
  /// The steps that were kept, for `PruneOptions.recipe`; nil when the criterion is not one of libprune's own.
  package let recipe: String?
}
