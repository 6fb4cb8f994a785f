import PruneGraph
import PruneTensor

/// Folds BatchNormalization into the convolution before it where all parameters are constants.
enum BatchNormFolding {
  static func run(_ flow: inout Dataflow) throws(PruneError) {
    let counts = flow.useCounts
    var producer: [Int: Int] = [:]
    for (index, op) in flow.ops.enumerated() where op.key == "Conv" {
      if let result = op.output(0) { producer[result] = index }
    }
    var removed: Set<Int> = []
    for index in flow.ops.indices where flow.ops[index].key == "BatchNormalization" {
      let norm = flow.ops[index]
      guard let input = norm.input(0), let source = producer[input], counts[input] == 1, let result = norm.output(0),
        norm.outputs.dropFirst().allSatisfy({ $0 == nil }), norm.node.int("training_mode", default: 0) == 0,
        let (weight, bias) = try folded(flow, conv: flow.ops[source], norm: norm)
      else { continue }
      let name = flow.values[result].name
      let weightID = flow.addConstant(weight, name: "\(name)/weight")
      flow.values[weightID].derivation = derivation(flow, conv: flow.ops[source], norm: norm)
      let biasID = flow.addConstant(bias, name: "\(name)/bias")
      flow.ops[source].inputs = [flow.ops[source].inputs[0], weightID, biasID]
      flow.ops[source].outputs = [result]
      removed.insert(index)
    }
    flow.ops = flow.ops.indices.filter { !removed.contains($0) }.map { flow.ops[$0] }
  }

  /// What the folded weights are made of.
  private static func derivation(_ flow: Dataflow, conv: Dataflow.Op, norm: Dataflow.Op) -> Derivation {
    Derivation(
      [conv.input(1), norm.input(1), norm.input(4)].compactMap { $0.flatMap { flow.values[$0].constant } },
      parameter: norm.node.float("epsilon", default: 1e-5))
  }

  private static func folded(
    _ flow: Dataflow, conv: Dataflow.Op, norm: Dataflow.Op
  ) throws(PruneError) -> (weight: Tensor, bias: Tensor)? {
    func constant(_ op: Dataflow.Op, _ index: Int) -> Tensor? {
      op.input(index).flatMap { flow.values[$0].constant }.flatMap { $0.dtype == .float32 ? $0 : nil }
    }
    let norms = (1...4).compactMap { constant(norm, $0) }
    guard let weight = constant(conv, 1), conv.input(2) == nil || constant(conv, 2) != nil else { return nil }
    return try BatchNormFold.folded(
      weight: weight, bias: constant(conv, 2), norm: norms, epsilon: Double(norm.node.float("epsilon", default: 1e-5)))
  }
}
