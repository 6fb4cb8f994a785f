import PruneGraph

/// Operators of `ai.onnx.ml` around a network. What they hold for each feature is in attributes, which shrink with the
/// axis.
enum ClassicAxes {
  static let rules: [String: AxisRule] = [
    "ai.onnx.ml.Scaler": { (solver, node) in columns(&solver, node, ["offset", "scale"]) },
    "ai.onnx.ml.Imputer": { (solver, node) in columns(&solver, node, ["imputed_value_floats", "imputed_value_int64s"])
    },
    "ai.onnx.ml.Binarizer": { (solver, node) in columns(&solver, node, []) },
    "ai.onnx.ml.LabelEncoder": { (solver, node) in columns(&solver, node, []) },
    "ai.onnx.ml.ZipMap": { (solver, node) in columns(&solver, node, ["classlabels_int64s", "classlabels_strings"]) },
    "ai.onnx.ml.Normalizer": { (solver, node) in
      guard let x = solver.input(node, 0), let last = x.last else { return "the rank of its input is not known" }
      solver.pin(last, node, "it normalizes over these units: without some the others would change")
      solver.define(node, 0, x)
      return nil
    },
    "ai.onnx.ml.ArrayFeatureExtractor": { (solver, node) in
      guard let x = solver.input(node, 0), let last = x.last, let output = node.output(0),
        let rank = solver.dims(output)?.count,
        rank == max(x.count, 2)
      else { return "the rank of its input is not known" }
      let reason = "it picks these by number"
      solver.pin(last, node, reason)
      for space in solver.input(node, 1) ?? [] { solver.pin(space, node, reason) }
      let lead = x.count > 1 ? Array(x.dropLast()) : [solver.forest.leaf(1)]
      solver.define(node, 0, lead + [solver.fresh(node, rank - 1, pin: reason)])
      return nil
    },
  ]

  /// Each element by itself, with what the attributes of these names hold for each unit of the last axis.
  private static func columns(_ solver: inout AxisSolver, _ node: Node, _ names: [String]) -> String? {
    guard let x = solver.input(node, 0), let last = x.last else { return "the rank of its input is not known" }
    for name in names {
      guard let count = node.attribute(name)?.count, count > 1 else { continue }
      guard count == solver.forest.size(last) else { return "its attribute \(name) does not fit its input" }
      solver.edit(.elements(name, last))
    }
    solver.define(node, 0, x)
    return nil
  }
}
