import PruneGraph
import PruneTensor

/// Lets what stands between DequantizeLinear and QuantizeLinear work on the codes themselves.
///
/// The result is that of the nodes one by one, intermediate roundings and saturations included, but for the order of
/// float operations: a number halfway between two quantized values may round to either.
struct QuantizedFusion {
  private var flow: Dataflow
  private let operands: QuantizedOperands

  static func run(_ flow: inout Dataflow) throws(PruneError) {
    guard OneDNN.multipliesBytes, flow.ops.contains(where: { $0.key.hasSuffix("QuantizeLinear") })
    else { return }
    var pass = QuantizedFusion(flow: flow, operands: QuantizedOperands(flow))
    for index in flow.ops.indices { if let fused = try pass.fused(index) { pass.flow.ops[index] = fused } }
    pass.flow.removeDeadOps()
    // What no QuantizeLinear claimed gives floats.
    for (index, op) in pass.flow.ops.enumerated() where op.node.has(.hasIntegerForm) {
      if let fused = try pass.layer(op, nil, [], op.output(0), []) { pass.flow.ops[index] = fused }
    }
    pass.flow.removeDeadOps()
    flow = pass.flow
  }

  private mutating func fused(_ index: Int) throws(PruneError) -> Dataflow.Op? {
    let op = flow.ops[index]
    guard op.key == "QuantizeLinear", let result = op.output(0), let target = operands.scheme(op, result),
      let value = op.input(0),
      let before = operands.producer(value)
    else { return nil }
    if before.key == "DequantizeLinear" { return requantized(before, op, target) }
    guard operands.isReadOnce(value) else { return nil }
    if let activation = Activation(before, operands.flow), let input = before.input(0),
      let core = operands.producer(input)
    {
      if core.key == "DequantizeLinear" { return table(core, before, op, target) }
      guard operands.isReadOnce(input) else { return nil }
      return try fused(core, target, [.activation(activation)], result, [before, op])
    }
    return try fused(before, target, [], result, [op])
  }

  /// `core` followed by `stages` and the rounding to `target`, which `tail` does in the graph.
  private mutating func fused(
    _ core: Dataflow.Op, _ target: Quantized.Codes, _ stages: [Quantized.Stage], _ result: Int, _ tail: [Dataflow.Op]
  ) throws(PruneError) -> Dataflow.Op? {
    switch core.key {
    case "Conv", "Gemm", "MatMul": return try layer(core, target, stages, result, tail)
    case "Add": return try sum(core, target, stages, result, tail)
    case "Concat": return joined(core, target, stages, result, tail)
    case "BatchNormalization", "AveragePool", "GlobalAveragePool":
      guard let source = operands.operand(core.input(0)) else { return nil }
      return quantizedOp(
        core, [source.value] + core.inputs.dropFirst(), [source.codes], stages, target, result,
        [source.node, core] + tail)
    case "MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose":
      guard stages.isEmpty, core.output(1) == nil, let source = operands.operand(core.input(0)), source.codes == target
      else { return nil }
      var moved = core
      moved.inputs[0] = source.value
      moved.outputs = [result]
      return moved
    default: return nil
    }
  }

  /// An operation of our own on codes.
  private func quantizedOp(
    _ core: Dataflow.Op, _ inputs: [Int?], _ codes: [Quantized.Codes], _ stages: [Quantized.Stage],
    _ target: Quantized.Codes?, _ result: Int, _ parts: [Dataflow.Op], scales: [Float] = []
  ) -> Dataflow.Op {
    let node = Node(
      "Quantized" + core.node.opType, domain: "ai.libprune",
      name: core.node.name.isEmpty ? flow.values[result].name : core.node.name,
      inputs: [], outputs: [], attributes: core.node.attributes)
    var op = Dataflow.Op(node: node, opset: core.opset, inputs: inputs, outputs: [result])
    op.quantized = Quantized(operands: codes, weightScales: scales, stages: stages, result: target, parts: parts)
    return op
  }

  // MARK: - Layers

  private mutating func layer(
    _ core: Dataflow.Op, _ target: Quantized.Codes?, _ stages: [Quantized.Stage], _ result: Int?, _ tail: [Dataflow.Op]
  ) throws(PruneError) -> Dataflow.Op? {
    guard let result, let source = operands.operand(core.input(0)),
      let shape = core.input(1).flatMap({ flow.values[$0].shape }),
      shape.rank >= 2, shape.count > 0
    else { return nil }
    let axis: Int
    switch core.key {
    case "Conv": axis = 0
    case "Gemm":
      guard core.node.int("transA", default: 0) == 0, core.node.float("alpha", default: 1) == 1,
        core.input(2) == nil || core.node.float("beta", default: 1) == 1
      else { return nil }
      axis = core.node.int("transB", default: 0) == 0 ? 1 : 0
    default:
      guard shape.rank == 2 else { return nil }
      axis = 1
    }
    guard let (weight, node) = operands.weight(core.input(1), axis: axis) else { return nil }
    var parts = [source.node, node]
    var bias: Int?
    if let id = core.input(2) {
      guard let operandBias = operands.bias(id, channels: shape[axis]) else { return nil }
      bias = flow.addConstant(operandBias.tensor, name: flow.values[id].name)
      if let node = operandBias.node { parts.append(node) }
    }
    let codes = flow.addConstant(weight.codes, name: flow.values[core.input(1) ?? 0].name)
    return quantizedOp(
      core, [source.value, codes, bias], [source.codes], stages, target, result, parts + [core] + tail,
      scales: weight.scales)
  }

  // MARK: - Sums

  private mutating func sum(
    _ core: Dataflow.Op, _ target: Quantized.Codes, _ stages: [Quantized.Stage], _ result: Int, _ tail: [Dataflow.Op]
  ) throws(PruneError) -> Dataflow.Op? {
    guard core.inputs.count == 2, let left = core.input(0), let right = core.input(1), left != right,
      let shape = flow.values[result].shape, flow.values[left].shape == shape, flow.values[right].shape == shape
    else { return nil }
    // The later of two layers takes the sum over: the other one's result is there by then.
    let later = (operands.producers[left] ?? -1) > (operands.producers[right] ?? -1)
    for (value, other) in later ? [(left, right), (right, left)] : [(right, left), (left, right)] {
      guard let addend = operands.operand(other), operands.isReadOnce(value) else { continue }
      let sum = [Quantized.Stage.add(addend.codes)] + stages
      if let conv = operands.producer(value), conv.key == "Conv",
        var op = try layer(conv, target, sum, result, [addend.node, core] + tail), op.quantized?.attributes != nil
      {
        op.inputs.append(addend.value)
        return op
      }
      if let operand = operands.operand(value), operand.value != addend.value, operands.isReadOnce(operand.value),
        var op = operands.producers[operand.value].map({ flow.ops[$0] }), op.key == "ai.libprune.QuantizedConv",
        let layer = op.quantized, layer.result == operand.codes, op.inputs.count == 3
      {
        op.inputs.append(addend.value)
        op.outputs = [result]
        op.quantized?.stages = layer.stages + [.round(operand.codes)] + sum
        op.quantized?.result = target
        op.quantized?.parts = layer.parts + [operand.node, addend.node, core] + tail
        if op.quantized?.attributes != nil { return op }
      }
    }
    guard let a = operands.operand(left), let b = operands.operand(right) else { return nil }
    return quantizedOp(
      core, [a.value, b.value], [a.codes, b.codes], stages, target, result, [a.node, b.node, core] + tail)
  }

  // MARK: - The rest

  private func joined(
    _ core: Dataflow.Op, _ target: Quantized.Codes, _ stages: [Quantized.Stage], _ result: Int, _ tail: [Dataflow.Op]
  ) -> Dataflow.Op? {
    var sources: [QuantizedOperands.Operand] = []
    for input in core.inputs {
      guard let source = operands.operand(input) else { return nil }
      sources.append(source)
    }
    guard !sources.isEmpty else { return nil }
    return quantizedOp(
      core, sources.map(\.value), sources.map(\.codes), stages, target, result, sources.map(\.node) + [core] + tail)
  }

  /// Codes to codes of another scale.
  private func requantized(_ node: Dataflow.Op, _ op: Dataflow.Op, _ target: Quantized.Codes) -> Dataflow.Op? {
    guard let result = op.output(0), let source = operands.operand(op.input(0)) else { return nil }
    var core = op
    core.node.opType = "Rescale"
    return quantizedOp(core, [source.value], [source.codes], [], target, result, [node, op])
  }

  /// A function of one code is a table of 256.
  private func table(
    _ node: Dataflow.Op, _ function: Dataflow.Op, _ op: Dataflow.Op, _ target: Quantized.Codes
  ) -> Dataflow.Op? {
    guard let result = op.output(0), let source = operands.operand(function.input(0)) else { return nil }
    return quantizedOp(function, [source.value], [source.codes], [], target, result, [node, function, op])
  }
}
