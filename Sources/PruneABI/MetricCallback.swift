import CPrune
import PruneEvaluation
import PruneTensor

/// A metric of the caller's own; nil without a callback.
func customMetric(
  _ callback: prune_metric_callback?, _ user: UnsafeMutableRawPointer?, _ lowerIsBetter: UInt32, _ context: ContextBox?
) -> CustomMetric? {
  guard let callback else { return nil }
  return CustomMetric(isLowerBetter: lowerIsBetter != 0) { model throws(PruneError) in
    let handle = Handles.make(ModelBox(model, context))
    defer { Handles.free(handle, ModelBox.self) }
    var value = Double.nan
    guard callback(handle, &value, user) == 0 else {
      throw PruneError(.cancelled, "the callback that measures models asked to stop")
    }
    return value
  }
}
