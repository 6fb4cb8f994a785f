import PruneTensor

/// The operators that autodiff emits (domain "ai.libprune").
package enum TrainingRules {
  static let table: [String: Rule] = {
    var table: [String: Rule] = [:]
    for name in [
      "ReluGrad", "SigmoidGrad", "TanhGrad", "LeakyReluGrad", "EluGrad", "SeluGrad", "ClipGrad", "GeluGrad",
      "SoftplusGrad", "HardSigmoidGrad", "HardSwishGrad", "MishGrad", "SoftsignGrad", "ErfGrad", "SoftmaxGrad",
      "LogSoftmaxGrad",
    ] { table[name] = ElementwiseRules.same }
    table["ConvGradInput"] = Rule { (x) throws(PruneError) in [try attribute(x, "input_shape")] }
    table["ConvGradWeight"] = Rule { (x) throws(PruneError) in
      let weight = try attribute(x, "weight_shape")
      return [weight, TensorType(weight.dtype, weight.dims.map { Array($0.prefix(1)) })]
    }
    table["MaxPoolGrad"] = Rule { (x) throws(PruneError) in [TensorType(x.dtype(0), x.dims(1))] }
    table["AveragePoolGrad"] = Rule { (x) throws(PruneError) in [try attribute(x, "input_shape")] }
    table["SumToShape"] = Rule { (x) throws(PruneError) in [try attribute(x, "shape")] }
    table["SliceGrad"] = Rule { (x) throws(PruneError) in [try attribute(x, "input_shape")] }
    for name in ["GatherGrad", "GatherElementsGrad", "GatherNDGrad"] {
      table[name] = Rule { (x) throws(PruneError) in [try attribute(x, "input_shape")] }
    }
    table["BatchNormTrain"] = Rule { (x) throws(PruneError) in
      let statistic = TensorType(x.dtype(0), x.dims(1))
      return [TensorType(x.dtype(0), x.dims(0))] + [TensorType](repeating: statistic, count: 4)
    }
    for name in ["BatchNormGrad", "LayerNormGrad"] {
      table[name] = Rule { (x) throws(PruneError) in
        let parameter = TensorType(x.dtype(0), x.dims(2))
        return [TensorType(x.dtype(0), x.dims(1)), parameter, parameter]
      }
    }
    for name in ["SoftmaxCrossEntropy", "CrossEntropy", "MeanSquaredError"] {
      table[name] = Rule { (x) throws(PruneError) in
        [TensorType(x.dtype(0), [Dim]()), TensorType(x.dtype(0), x.dims(0))]
      }
    }
    table["SGDUpdate"] = Rule { (x) throws(PruneError) in [weight(x, 0), weight(x, 2)] }
    table["AdamUpdate"] = Rule { (x) throws(PruneError) in [weight(x, 0), weight(x, 2), weight(x, 3)] }
    table["RMSpropUpdate"] = Rule { (x) throws(PruneError) in [weight(x, 0), weight(x, 2), weight(x, 3)] }
    for name in ["DropoutTrain", "PenaltyGrad", "ProjectUpdate"] { table[name] = ElementwiseRules.same }
    table["GradientGate"] = Rule { (x) throws(PruneError) in
      [TensorType(x.dtype(0), [Dim]()), TensorType(x.dtype(0), [.fixed(max(x.node.inputs.count - 1, 0))])]
    }
    return table
  }()

  private static func weight(_ x: Operands, _ index: Int) -> TensorType { TensorType(x.dtype(index), x.dims(index)) }

  private static func attribute(_ x: Operands, _ name: String) throws(PruneError) -> TensorType {
    guard let dims = x.node.ints(name), dims.allSatisfy({ $0 >= 0 }) else {
      throw x.fail("attribute \(name) is missing or not a shape")
    }
    return TensorType(x.dtype(0), dims.map(Dim.fixed))
  }
}
