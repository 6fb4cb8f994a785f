import PruneGraph
import PruneTensor

/// The functions that `activation` names.
struct KerasActivation {
  let layer: KerasLayer
  /// What nodes are named.
  let name: String

  /// The layer's `activation` behind a value; the value itself where there is none.
  static func apply(
    _ layer: KerasLayer, _ value: KerasValue, _ builder: inout KerasBuilder, key: String = "activation",
    name: String? = nil
  ) throws(PruneError) -> KerasValue {
    guard let json = layer.config[key], !json.isNull else { return value }
    let function = try function(json, of: layer)
    return try KerasActivation(layer: layer, name: name ?? "\(layer.path)/\(function)").emit(function, value, &builder)
  }

  /// The function's name out of a text, `{"class_name": "function", "config": "relu"}` or a layer.
  static func function(_ json: JSON?, of layer: KerasLayer) throws(PruneError) -> String {
    if let name = json?.string { return KerasNetwork.snakeCase(name) == "re_lu" ? "relu" : name }
    if let name = json?["config"]?.string { return name }
    let name = json?["class_name"]?.string ?? "null"
    switch name {
    case "ReLU" where json?["config"]?["max_value"]?.double == nil: return "relu"
    case "ReLU" where json?["config"]?["max_value"]?.double == 6: return "relu6"
    default: throw layer.unsupported("the activation '\(name)' is not read")
    }
  }

  /// Functions that one operator computes, with its attributes.
  private static let operators: [String: (op: String, attributes: [(String, AttributeValue)])] = [
    "relu": ("Relu", []), "sigmoid": ("Sigmoid", []), "tanh": ("Tanh", []), "softplus": ("Softplus", []),
    "softsign": ("Softsign", []),
    "exponential": ("Exp", []), "elu": ("Elu", []), "selu": ("Selu", []), "celu": ("Celu", []),
    "leaky_relu": ("LeakyRelu", [("alpha", .float(0.2))]), "hard_swish": ("HardSwish", []),
    "hard_silu": ("HardSwish", []),
    "soft_shrink": ("Shrink", [("lambd", .float(0.5)), ("bias", .float(0.5))]),
    "hard_shrink": ("Shrink", [("lambd", .float(0.5))]),
    "threshold": ("ThresholdedRelu", [("alpha", .float(0))]),
  ]

  static let names =
    operators.keys.sorted() + [
      "gelu", "hard_sigmoid", "hard_tanh", "linear", "log_sigmoid", "log_softmax", "mish", "relu6", "silu", "softmax",
      "sparse_plus", "squareplus",
      "swish", "tanh_shrink",
    ]

  func emit(_ function: String, _ value: KerasValue, _ builder: inout KerasBuilder) throws(PruneError) -> KerasValue {
    if let entry = Self.operators[function] { return builder.map(entry.op, value, name, [], entry.attributes) }
    let channel = AttributeValue.int(Int64(value.order.last ?? 0))
    switch function {
    case "linear": return value
    case "softmax": return builder.map("Softmax", value, name, [], [("axis", channel)])
    case "log_softmax": return builder.map("LogSoftmax", value, name, [], [("axis", channel)])
    case "relu6": return try clip(value, 0, 6, &builder)
    case "hard_tanh": return try clip(value, -1, 1, &builder)
    case "hard_sigmoid":
      let slope = builder.isBeforeKeras3 ? Float(0.2) : 1 / 6
      return builder.map("HardSigmoid", value, name, [], [("alpha", .float(slope)), ("beta", .float(0.5))])
    case "silu", "swish":
      return builder.map("Mul", value, name, [builder.single("Sigmoid", [value.name], "\(name)/sigmoid")])
    case "mish":
      let soft = builder.single("Softplus", [value.name], "\(name)/softplus")
      return builder.map("Mul", value, name, [builder.single("Tanh", [soft], "\(name)/tanh")])
    case "tanh_shrink": return builder.map("Sub", value, name, [builder.single("Tanh", [value.name], "\(name)/tanh")])
    case "log_sigmoid": return builder.map("Log", builder.map("Sigmoid", value, "\(name)/sigmoid"), name)
    case "gelu": return try gelu(value, &builder)
    case "squareplus":
      let square = builder.single("Mul", [value.name, value.name], "\(name)/square")
      let root = builder.single(
        "Sqrt", [builder.single("Add", [square, try builder.constant(4, "\(name)/b")], "\(name)/sum")], "\(name)/sqrt")
      return builder.map(
        "Div", builder.map("Add", value, "\(name)/twice", [root]), name, [try builder.constant(2, "\(name)/two")])
    case "sparse_plus":
      // 0 up to -1, (x + 1)^2 / 4 up to 1, then x: relu(x + 1)^2 / 4 less relu(x - 1)^2 / 4.
      let quarter = try builder.constant(0.25, "\(name)/quarter")
      let one = try builder.constant(1, "\(name)/one")
      let low = builder.single("Relu", [builder.single("Add", [value.name, one], "\(name)/above")], "\(name)/low")
      let high = builder.single("Relu", [builder.single("Sub", [value.name, one], "\(name)/below")], "\(name)/high")
      let lows = builder.single("Mul", [low, low], "\(name)/lows")
      let highs = builder.single("Mul", [high, high], "\(name)/highs")
      var result = value
      result.name = builder.single("Mul", [builder.single("Sub", [lows, highs], "\(name)/difference"), quarter], name)
      return result
    default:
      throw layer.unsupported(
        "the activation '\(function)' is not read", hint: Suggestion.hint(for: function, among: Self.names))
    }
  }

  private func clip(_ value: KerasValue, _ low: Double, _ high: Double, _ builder: inout KerasBuilder)
    throws(PruneError) -> KerasValue
  {
    builder.map(
      "Clip", value, name, [try builder.constant(low, "\(name)/min"), try builder.constant(high, "\(name)/max")])
  }

  /// x / 2 * (1 + erf(x / sqrt 2)).
  private func gelu(_ value: KerasValue, _ builder: inout KerasBuilder) throws(PruneError) -> KerasValue {
    let scaled = builder.single(
      "Div", [value.name, try builder.constant(2.0.squareRoot(), "\(name)/sqrt2")], "\(name)/scaled")
    let error = builder.single("Erf", [scaled], "\(name)/erf")
    let sum = builder.single("Add", [error, try builder.constant(1, "\(name)/one")], "\(name)/sum")
    let product = builder.map("Mul", value, "\(name)/product", [sum])
    return builder.map("Mul", product, name, [try builder.constant(0.5, "\(name)/half")])
  }

  /// ReLU with a limit, a slope below and a threshold.
  func rectified(
    _ value: KerasValue, _ builder: inout KerasBuilder, limit: Double?, slope: Double, threshold: Double
  ) throws(PruneError) -> KerasValue {
    guard threshold == 0 || limit == nil || slope != 0 || threshold > 0 else {
      throw layer.unsupported("its threshold is \(threshold)")
    }
    if threshold == 0, slope == 0 {
      guard let limit else { return builder.map("Relu", value, name) }
      return try clip(value, 0, limit, &builder)
    }
    if threshold == 0, limit == nil {
      return builder.map("LeakyRelu", value, name, [], [("alpha", .float(Float(slope)))])
    }
    // Above the threshold x, up to the limit; below it slope * (x - threshold).
    let edge = try builder.constant(threshold, "\(name)/threshold")
    let above = builder.single("GreaterOrEqual", [value.name, edge], "\(name)/above")
    let shifted = builder.single("Sub", [value.name, edge], "\(name)/shifted")
    let low = builder.single("Mul", [shifted, try builder.constant(slope, "\(name)/slope")], "\(name)/low")
    let high =
      limit == nil
      ? value.name
      : builder.single("Min", [value.name, try builder.constant(limit ?? 0, "\(name)/limit")], "\(name)/high")
    var result = value
    result.name = builder.single("Where", [above, high, low], name)
    return result
  }
}
