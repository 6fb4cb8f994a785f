import PruneTensor

/// The named strategies, each a preset of the choices of a plan.
package enum Strategy: String, Choice {
  case global, local, threshold, block
  case costAware = "cost_aware"
  case layerwise
  case shared, penalty, regularized
}

/// What becomes of a unit that goes.
package enum PruneMode: String, Choice {
  /// It is zero, and stays in place.
  case mask
  /// The model shrinks.
  case remove
}

/// Which uses of a weight that several layers use are pruned.
enum SharedUses: String, Choice {
  case one, all
}

/// Where pruning computes.
enum Device: String, Choice {
  case cpu
}
