import PruneGraph
import PruneTensor

/// What an operation falls back on that no kernel takes whole.
extension Lowering {
  /// A fused operation as two: what follows last comes off. Empty when nothing follows.
  func unfused(_ op: Dataflow.Op) -> [Dataflow.Op] {
    guard let result = op.output(0), let last = op.epilogue.last else { return [] }
    var base = op
    base.epilogue.removeLast()
    let between = temporary(like: result)
    base.outputs[0] = between
    switch last {
    case .add(let other):
      let sum = Node("Add", name: op.node.name, inputs: [], outputs: [])
      return [base, .init(node: sum, opset: 13, inputs: [between, other], outputs: [result])]
    case .activation(let activation):
      return [base, .init(node: activation.node(named: op.node.name), opset: 6, inputs: [between], outputs: [result])]
    }
  }

  /// What `op` was made of, with values of its own between: those of the graph may be made by others as well.
  func separate(_ parts: [Dataflow.Op], into op: Dataflow.Op) throws(PruneError) -> [Dataflow.Op] {
    var copies: [Int: Int] = [:]
    var result: [Dataflow.Op] = []
    for part in parts {
      var part = part
      if let output = part.output(0), let tensor = try ConstantDequantization.tensor(part, flow) {
        copies[output] = temporary(like: output, origin: .constant(tensor))
        continue
      }
      part.inputs = part.inputs.map { $0.map { copies[$0] ?? $0 } }
      part.outputs = part.outputs.map { output in
        guard let output, !op.outputs.contains(output) else { return output }
        let copy = temporary(like: output)
        copies[output] = copy
        return copy
      }
      result.append(part)
    }
    return result
  }
}
