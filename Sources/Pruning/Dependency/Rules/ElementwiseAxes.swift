import PruneGraph

/// Operators that treat every element alike: operands and result have the same axes, up to broadcasting.
enum ElementwiseAxes {
  static let rules: [String: AxisRule] = {
    let unary = [
      "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos",
      "Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
      "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
      "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Trilu", "com.microsoft.Gelu",
      "com.microsoft.FastGelu", "com.microsoft.QuickGelu",
    ]
    let many = [
      "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less",
      "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Sum", "Where", "Xor", "com.microsoft.BiasGelu",
    ]
    var rules: [String: AxisRule] = [:]
    for name in unary { rules[name] = same }
    for name in many { rules[name] = joined }
    rules["Trilu"] = { (solver, node) in
      guard let x = solver.input(node, 0), x.count >= 2 else { return "the rank of its input is not known" }
      for space in x.suffix(2) { solver.pin(space, node, "which elements it keeps depends on their positions") }
      return same(&solver, node)
    }
    return rules
  }()

  private static let same: AxisRule = { (solver, node) in
    guard let x = solver.input(node, 0) else { return "the rank of its input is not known" }
    for index in node.outputs.indices { solver.define(node, index, x) }
    // FastGelu takes a bias along the last axis.
    if node.domain == "com.microsoft", let bias = solver.input(node, 1) { _ = solver.broadcast([x, bias], node) }
    return nil
  }

  private static let joined: AxisRule = { (solver, node) in
    var operands: [[SpaceForest.ID]] = []
    for index in node.inputs.indices {
      guard let spaces = solver.input(node, index) else { return "the rank of an input is not known" }
      operands.append(spaces)
    }
    solver.define(node, 0, solver.broadcast(operands, node))
    return nil
  }
}
