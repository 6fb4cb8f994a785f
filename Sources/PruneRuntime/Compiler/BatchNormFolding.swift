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
    guard let weight = constant(conv, 1), let scale = constant(norm, 1), let shift = constant(norm, 2),
      let mean = constant(norm, 3), let variance = constant(norm, 4), weight.shape.rank > 0
    else { return nil }
    let channels = weight.shape[0]
    guard channels > 0, [scale, shift, mean, variance].allSatisfy({ $0.count == channels }) else { return nil }
    if conv.input(2) != nil, constant(conv, 2)?.count != channels { return nil }
    let epsilon = Double(norm.node.float("epsilon", default: 1e-5))
    let (s, b) = (try scale.array(of: Float.self), try shift.array(of: Float.self))
    let (m, v) = (try mean.array(of: Float.self), try variance.array(of: Float.self))
    let factors = (0..<channels).map { Double(s[$0]) / (Double(v[$0]) + epsilon).squareRoot() }
    let before = try constant(conv, 2).map { tensor throws(PruneError) in try tensor.array(of: Float.self) }
    let bias = (0..<channels).map { channel -> Float in
      let centred = Double(before?[channel] ?? 0) - Double(m[channel])
      return Float(centred * factors[channel] + Double(b[channel]))
    }
    var folded = try weight.copied()
    weight.forgetPages()
    let each = weight.count / channels
    try folded.withMutableSpan(of: Float.self) { span in
      for channel in 0..<channels {
        let factor = factors[channel]
        for index in (channel * each)..<((channel + 1) * each) { span[index] = Float(Double(span[index]) * factor) }
      }
    }
    return (folded, try Tensor(bias))
  }
}
