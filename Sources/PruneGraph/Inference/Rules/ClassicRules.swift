import PruneTensor

/// Operators of `ai.onnx.ml` that look numbers up.
enum ClassicRules {
  static let table: [String: Rule] = [
    // Columns by number, of the last axis; a vector is one row.
    "ai.onnx.ml.ArrayFeatureExtractor": Rule { (x) throws(PruneError) in
      guard let data = try x.dims(0, atLeast: 1), let indices = x.dims(1) else { return [TensorType(x.dtype(0), nil)] }
      let count = indices.reduce(Dim.fixed(1)) { $0 * $1 }
      return [TensorType(x.dtype(0), (data.count == 1 ? [.fixed(1)] : Array(data.dropLast())) + [count])]
    },
    "ai.onnx.ml.LabelEncoder": Rule { (x) throws(PruneError) in [TensorType(labels(x.node), x.dims(0))] },
  ]

  /// The dtype of what a LabelEncoder gives; nil when the node does not say.
  private static func labels(_ node: Node) -> DType? {
    if let values = node.tensor("values_tensor") { return values.dtype }
    if node.attribute("values_int64s") != nil { return .int64 }
    if node.attribute("values_floats") != nil { return .float32 }
    if node.attribute("values_strings") != nil { return .string }
    return nil
  }
}
