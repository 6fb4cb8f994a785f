import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// What reports say of a model before and after: its sizes, and its metrics where there is data to validate on.
func modelState(
  _ model: Model, _ title: String, at extents: BoundExtents, validate: Dataset? = nil,
  _ settings: EvaluateOptions = .init()
) throws(PruneError) -> Report {
  var report = try ModelStats.of(model, at: extents).report
  report.title = title
  report["layers"] = nil
  guard let validate else { return report }
  for (key, value) in try evaluate(model, validate, settings).entries where report[key] == nil { report[key] = value }
  return report
}
