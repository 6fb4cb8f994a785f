import PruneTensor

/// The operators of `ai.onnx.ml` that exporters of classic machine learning put around a network: what scales, cleans
/// and names its inputs and outputs, as standard operators. Those that look numbers up (`ArrayFeatureExtractor`,
/// `LabelEncoder`) have kernels of their own.
extension ContributedOperators {
  /// The domain of these operators.
  package static let classic = "ai.onnx.ml"

  /// Adds the nodes; says false for other operators and forms.
  mutating func expandClassic() -> Bool {
    switch node.opType {
    case "Scaler": return scale()
    case "Normalizer": return normalizeRows()
    case "Binarizer":
      let threshold = number(node.float("threshold", default: 0))
      add("CastLike", [add("Greater", [floats(), threshold]), input(0)], [], result)
    case "Imputer": return impute()
    // Maps from names to columns, which no tensor can hold: the numbers before them are run and measured.
    case "ZipMap": add("Identity", [input(0)], [], result)
    default: return false
    }
    return true
  }

  /// (x - offset) * scale, one number for all features or one each.
  private mutating func scale() -> Bool {
    let (offset, scale) = (node.floats("offset") ?? [], node.floats("scale") ?? [])
    var x = floats()
    if !offset.isEmpty {
      guard let offsets = constant(offset) else { return false }
      x = add("Sub", [x, offsets])
    }
    guard let scales = constant(scale.isEmpty ? [1] : scale) else { return false }
    add("Mul", [x, scales], [], result)
    return true
  }

  /// Each row over its largest number, the sum of its magnitudes or its length; rows of zeros stay.
  private mutating func normalizeRows() -> Bool {
    let reductions = ["MAX": "ReduceMax", "L1": "ReduceL1", "L2": "ReduceL2"]
    guard let reduction = reductions[node.string("norm", default: "MAX")] else { return false }
    let x = floats()
    // The axes are an attribute up to opset 17 and an input from then on; each reads its own.
    let axes = add("Constant", [], [Attribute("value_ints", .ints([-1]))])
    let norm = add(reduction, [x, axes], [Attribute("axes", .ints([-1])), Attribute("keepdims", .int(1))])
    let isZero = add("Equal", [norm, number(0)])
    add("Div", [x, add("Where", [isZero, number(1), norm])], [], result)
    return true
  }

  /// One number, NaN perhaps, replaced by one for all features or one each.
  private mutating func impute() -> Bool {
    let replaced: String, imputed: String?
    if let numbers = node.ints("imputed_value_int64s"), !numbers.isEmpty {
      guard let tensor = try? Tensor(numbers.map(Int64.init)),
        let scalar = try? Tensor(scalar: Int64(node.int("replaced_value_int64", default: 0)))
      else { return false }
      imputed = stored(tensor)
      replaced = add("Equal", [input(0), stored(scalar)])
    } else {
      let value = node.float("replaced_value_float", default: 0)
      imputed = constant(node.floats("imputed_value_floats") ?? [])
      replaced = value.isNaN ? add("IsNaN", [input(0)]) : add("Equal", [input(0), number(value)])
    }
    guard let imputed else { return false }
    add("Where", [replaced, imputed, input(0)], [], result)
    return true
  }

  // MARK: - Parts

  /// The input as float32: these operators compute in it for every input type.
  private mutating func floats() -> String {
    add("Cast", [input(0)], [Attribute("to", .int(Int64(DType.float32.rawValue)))])
  }

  private mutating func number(_ value: Float) -> String {
    add("Constant", [], [Attribute("value_float", .float(value))])
  }

  /// Nil for no number at all.
  private mutating func constant(_ values: [Float]) -> String? {
    guard !values.isEmpty else { return nil }
    return values.count == 1 ? number(values[0]) : add("Constant", [], [Attribute("value_floats", .floats(values))])
  }

  private mutating func stored(_ tensor: Tensor) -> String {
    add("Constant", [], [Attribute("value", .tensor(TensorValue(name: "", tensor: tensor)))])
  }
}
