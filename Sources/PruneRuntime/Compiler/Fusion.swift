import PruneGraph
import PruneTensor

/// Fuses into convolutions, Gemm and MatMul what follows them: a bias, a residual addition, an activation. A
/// BatchNormalization takes a Relu.
///
/// Fusion needs that no other operation reads the values between. The fused operation runs in the position of the last
/// operation that it absorbs, so all its inputs are computed by then.
enum Fusion {
  static func run(_ flow: inout Dataflow) {
    let counts = flow.useCounts
    var consumer: [Int: Int] = [:]
    for (index, op) in flow.ops.enumerated() { for value in op.reads { consumer[value] = index } }
    var ops = flow.ops.map(Optional.some)
    for index in ops.indices {
      guard var op = ops[index], bases.contains(op.key), isFloat(op, flow),
        op.outputs.dropFirst().allSatisfy({ $0 == nil })
      else { continue }
      var position = index
      while let result = op.output(0), counts[result] == 1, let next = consumer[result], let follower = ops[next],
        next > position, absorb(follower, into: &op, result, &flow)
      {
        ops[position] = nil
        position = next
      }
      ops[position] = op
    }
    flow.ops = ops.compactMap { $0 }
  }

  private static let bases = Operator.names(with: .product) + ["BatchNormalization"]

  private static func isFloat(_ op: Dataflow.Op, _ flow: Dataflow) -> Bool {
    (op.reads + op.outputs.compactMap { $0 }).allSatisfy {
      flow.values[$0].dtype == .float32 && flow.values[$0].shape != nil
    }
  }

  /// Makes `follower`, the only reader of `result`, part of `op`.
  private static func absorb(
    _ follower: Dataflow.Op, into op: inout Dataflow.Op, _ result: Int, _ flow: inout Dataflow
  ) -> Bool {
    guard let target = follower.output(0), op.epilogue.count < 3, flow.values[target].shape == flow.values[result].shape
    else { return false }
    if let activation = Activation(follower, flow) {
      guard follower.input(0) == result, op.key.hasPrefix("Conv") || activation.limits != nil,
        !flow.keepsNaN || activation.limits == nil
      else { return false }
      if op.key == "BatchNormalization", activation != .relu || !op.epilogue.isEmpty { return false }
      op.epilogue.append(.activation(activation))
    } else if follower.key == "Add", op.key != "BatchNormalization", follower.inputs.count == 2,
      let other = follower.inputs[0] == result ? follower.inputs[1] : follower.inputs[0], other != result
    {
      guard addOperand(other, to: &op, result, &flow) else { return false }
    } else {
      return false
    }
    op.outputs = [target]
    return true
  }

  private static func addOperand(
    _ other: Int, to op: inout Dataflow.Op, _ result: Int, _ flow: inout Dataflow
  ) -> Bool {
    guard flow.values[other].dtype == .float32, let shape = flow.values[other].shape,
      let full = flow.values[result].shape
    else { return false }
    if op.epilogue.isEmpty, op.key == "Conv", op.input(2) == nil, full.rank >= 3, shape.count == full[1],
      shape.rank == full.rank - 1 || shape.rank == full.rank, shape[shape.rank - full.rank + 1] == full[1],
      let tensor = flow.values[other].constant, let flat = try? Shape([shape.count]),
      let bias = try? tensor.reshaped(flat)
    {
      let id = flow.addConstant(bias, name: flow.values[other].name)
      op.inputs = [op.inputs[0], op.inputs[1], id]
      return true
    }
    if op.epilogue.isEmpty, op.key == "Gemm", op.input(2) == nil, shape.rank == 1, full.rank == 2, shape[0] == full[1],
      op.node.float("beta", default: 1) == 1
    {
      op.inputs = [op.inputs[0], op.inputs[1], other]
      return true
    }
    let isRow = op.key == "MatMul" && shape.rank == 1 && full.rank >= 1 && shape[0] == full[full.rank - 1]
    guard shape == full || isRow, !op.epilogue.contains(where: { if case .add = $0 { true } else { false } }) else {
      return false
    }
    op.epilogue.append(.add(other))
    return true
  }
}
