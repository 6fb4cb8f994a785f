import PruneGraph
import PruneTensor

/// Fuses into Gemm and MatMul with constant weights what follows them: a bias, an activation of any kind, a residual
/// addition, in the order they come.
enum MatrixFusion {
  static func run(_ flow: inout Dataflow) {
    let index = FlowIndex(flow)
    var ops = flow.ops.map(Optional.some)
    for start in ops.indices {
      guard var op = ops[start], isCandidate(op, flow) else { continue }
      var position = start
      while let result = op.output(0), let next = index.onlyConsumer(of: result), next > position,
        let follower = ops[next],
        absorb(follower, into: &op, result, flow)
      {
        ops[position] = nil
        position = next
      }
      ops[position] = op
    }
    flow.ops = ops.compactMap { $0 }
  }

  private static func isCandidate(_ op: Dataflow.Op, _ flow: Dataflow) -> Bool {
    guard op.key == "Gemm" || op.key == "MatMul", let weight = op.input(1), flow.values[weight].constant != nil,
      flow.dims(weight).count == 2, op.epilogue.isEmpty
    else { return false }
    return (op.reads + op.outputs.compactMap { $0 }).allSatisfy { flow.isFloat($0) }
  }

  /// Makes `follower`, the only reader of `result`, part of `op`.
  private static func absorb(_ follower: Dataflow.Op, into op: inout Dataflow.Op, _ result: Int, _ flow: Dataflow)
    -> Bool
  {
    guard let target = follower.output(0), flow.isFloat(target), flow.dims(target) == flow.dims(result),
      op.epilogue.count < 4
    else { return false }
    if let activation = Activation(follower, flow), follower.input(0) == result {
      if flow.keepsNaN, activation.limits != nil { return false }
      op.epilogue.append(.activation(activation))
    } else if follower.key == "Add", follower.inputs.count == 2,
      let other = follower.inputs[0] == result ? follower.inputs[1] : follower.inputs[0], other != result,
      flow.isFloat(other),
      takes(other, op, result, flow)
    {
      op.epilogue.append(.add(other))
    } else {
      return false
    }
    op.outputs = [target]
    return true
  }

  /// One bias, before all else, and one addition of the result's own shape.
  private static func takes(_ other: Int, _ op: Dataflow.Op, _ result: Int, _ flow: Dataflow) -> Bool {
    let (dims, full) = (flow.dims(other), flow.dims(result))
    if dims == full {
      return !op.epilogue.contains { if case .add(let value) = $0 { flow.dims(value) == full } else { false } }
    }
    return op.epilogue.isEmpty && op.input(2) == nil && dims.count == 1 && dims[0] == full.last
  }
}
