import PruneEvaluation
import PruneGraph
import PruneTensor

/// Low rank: replaces matrix products and convolutions by two smaller ones each, of standard operators, where that saves
/// parameters and multiplications.
///
/// The report has method ("svd", or "whitened" with data), layers (name, op, weight, shape, rank, of, energy, params and
/// params_before), skipped (name, weight, reason), energy_kept (of all factored layers, the mean), before and after, and
/// with a target the share of it that is kept. Where nothing is given, each layer keeps 0.99 of its energy; with a guard
/// alone, as much is saved as it allows.
/// - Throws: what `FactorizeOptions.check` throws; `.invalidArgument` for a target that cannot be met; `.numeric` for
///   weights or activations that are not finite.
package func factorize(_ model: Model, _ options: FactorizeOptions) throws(PruneError) -> (
  model: Model, report: Report
) {
  try options.check()
  return try Factorization(model, options).outcome()
}
