import PruneGraph
import PruneTensor

/// Puts LayerNormalization and RMSNormalization where exporters write them as means, squares and roots.
enum NormalizationRecognition {
  static func run(_ flow: inout Dataflow) throws(PruneError) {
    let index = FlowIndex(flow)
    for position in flow.ops.indices where flow.ops[position].key == "Sqrt" {
      guard let pattern = match(flow.ops[position], flow, index) else { continue }
      try replace(pattern, &flow, index)
    }
    flow.removeDeadOps()
  }

  private struct Match {
    var x: Int
    var isCentred: Bool
    var epsilon: Float
    /// The operation whose result is normalized, before scale and bias.
    var last: Int
  }

  /// Whether an operation is the mean of its input along the last axis, which it keeps.
  private static func isMean(_ op: Dataflow.Op, _ flow: Dataflow) -> Bool {
    guard op.key == "ReduceMean", let x = op.input(0), flow.isFloat(x), op.node.int("keepdims", default: 1) == 1 else {
      return false
    }
    let rank = flow.dims(x).count
    var axes = op.node.ints("axes") ?? []
    if let axesTensor = op.input(1).flatMap({ flow.values[$0].constant }) { axes = (try? axesTensor.integers()) ?? [] }
    return axes == [-1] || axes == [rank - 1]
  }

  private static func match(_ root: Dataflow.Op, _ flow: Dataflow, _ index: FlowIndex) -> Match? {
    guard let sum = index.producer(of: root.input(0), "Add", flow),
      let variance = flow.operand(sum, with: { $0 >= 0 && $0 < 1 }),
      let epsilon = flow.scalar(sum.inputs[0] == variance ? sum.inputs[1] : sum.inputs[0]),
      let mean = index.producer(of: variance, "ReduceMean", flow), isMean(mean, flow),
      let base = squared(mean.input(0), flow, index)
    else { return nil }
    let centre = index.producer(of: base, "Sub", flow)
    let centred = centre.flatMap { sub -> Int? in
      guard let average = index.producer(of: sub.input(1), "ReduceMean", flow), isMean(average, flow),
        average.input(0) == sub.input(0)
      else { return nil }
      return sub.input(0)
    }
    let x = centred ?? base
    func isNumerator(_ value: Int?) -> Bool {
      if value == base { return true }
      guard let centre, centred != nil, let other = index.producer(of: value, "Sub", flow) else { return false }
      return other.inputs == centre.inputs
    }
    guard let next = index.onlyConsumer(of: root.output(0)) else { return nil }
    var last = next
    let op = flow.ops[next]
    if op.key == "Div", op.input(1) == root.output(0), isNumerator(op.input(0)) {
      last = next
    } else if op.key == "Reciprocal"
      || (op.key == "Div" && flow.scalar(op.input(0)) == 1 && op.input(1) == root.output(0)),
      let product = index.onlyConsumer(of: op.output(0)), flow.ops[product].key == "Mul",
      flow.ops[product].inputs.contains(where: { $0 != op.output(0) && isNumerator($0) })
    {
      last = product
    } else {
      return nil
    }
    guard let result = flow.ops[last].output(0), flow.values[result].shape == flow.values[x].shape else { return nil }
    return Match(x: x, isCentred: centred != nil, epsilon: Float(epsilon), last: last)
  }

  /// What a value is the square of.
  private static func squared(_ value: Int?, _ flow: Dataflow, _ index: FlowIndex) -> Int? {
    if let power = index.producer(of: value, "Pow", flow), flow.scalar(power.input(1)) == 2 { return power.input(0) }
    if let product = index.producer(of: value, "Mul", flow), product.inputs.count == 2,
      product.inputs[0] == product.inputs[1]
    {
      return product.inputs[0]
    }
    return nil
  }

  private static func replace(_ match: Match, _ flow: inout Dataflow, _ index: FlowIndex) throws(PruneError) {
    guard let columns = flow.dims(match.x).last, columns > 0 else { return }
    /// The operation that follows and combines the result with one number a column.
    func follower(_ position: Int, _ key: String) -> (position: Int, value: Int)? {
      guard let next = index.onlyConsumer(of: flow.ops[position].output(0)), flow.ops[next].key == key,
        let other = flow.ops[next].inputs.first(where: { $0 != flow.ops[position].output(0) }) ?? nil,
        flow.isFloat(other), flow.dims(other) == [columns]
      else { return nil }
      return (next, other)
    }
    var last = match.last
    var inputs: [Int?] = [match.x]
    if let scale = follower(last, "Mul") {
      inputs.append(scale.value)
      last = scale.position
    } else {
      inputs.append(flow.addConstant(try Tensor([Float](repeating: 1, count: columns)), name: "scale"))
    }
    if match.isCentred, let bias = follower(last, "Add") {
      inputs.append(bias.value)
      last = bias.position
    }
    let op = flow.ops[last]
    flow.ops[last] = flow.replacement(
      match.isCentred ? "LayerNormalization" : "RMSNormalization", for: op, opset: 23, inputs: inputs,
      output: op.output(0),
      attributes: [Attribute("axis", .int(-1)), Attribute("epsilon", .float(match.epsilon))])
  }
}
