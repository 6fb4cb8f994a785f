import PruneGraph
import PruneTensor

/// Puts one operation where exporters write attention as softmax(scale * Q K' + mask) V: the transpositions around the
/// products become strides, and the scores never leave the cache.
enum AttentionRecognition {
  static let key = "ai.libprune.FusedAttention"

  static func run(_ flow: inout Dataflow) {
    let index = FlowIndex(flow)
    for position in flow.ops.indices where flow.ops[position].key == "Softmax" {
      guard let (place, op) = match(flow.ops[position], flow, index) else { continue }
      flow.ops[place] = op
    }
    flow.removeDeadOps()
  }

  /// Scores before the softmax: the product they come from, and what happened since.
  private struct Scores {
    var product: Dataflow.Op
    var scale = 1.0
    var mask: Int?
  }

  private static func match(_ softmax: Dataflow.Op, _ flow: Dataflow, _ index: FlowIndex) -> (Int, Dataflow.Op)? {
    guard let input = softmax.input(0), flow.isFloat(input), let probabilities = softmax.output(0) else { return nil }
    let dims = flow.dims(input)
    let axis = softmax.node.int("axis", default: softmax.opset < 13 ? 1 : -1)
    guard (2...4).contains(dims.count), !dims.contains(0), axis == -1 || axis == dims.count - 1,
      let scores = scores(input, flow, index), let position = index.onlyConsumer(of: probabilities)
    else { return nil }
    let second = flow.ops[position]
    guard second.key == "MatMul", second.input(0) == probabilities, second.input(1) != probabilities,
      let left = scores.product.input(0), let right = scores.product.input(1), let values = second.input(1),
      let result = second.output(0)
    else { return nil }
    let outer = Array(dims.dropLast(2))
    let (rank, queries, keys) = (dims.count, dims[dims.count - 2], dims[dims.count - 1])
    let (leftDims, rightDims, valueDims) = (flow.dims(left), flow.dims(right), flow.dims(values))
    guard let depth = leftDims.last, let width = valueDims.last, leftDims == outer + [queries, depth],
      rightDims == outer + [depth, keys], valueDims == outer + [keys, width], depth > 0, width > 0,
      [left, right, values].allSatisfy({ flow.isFloat($0) })
    else { return nil }
    let swapped = Array(0..<(rank - 2)) + [rank - 1, rank - 2]
    guard let q = StridedView.resolve(left, flow, index, where: hasDenseRows),
      let k = StridedView.resolve(right, flow, index, where: { $0.transposed(swapped).map(hasDenseRows) ?? false })?
        .transposed(swapped),
      let v = StridedView.resolve(values, flow, index, where: { $0.scale == 1 && hasDenseRows($0) })
    else { return nil }
    // A transposition that follows is written straight away.
    var (place, output) = (position, result)
    var strides = Layout.rowMajorStrides(flow.dims(result))
    if let next = index.onlyConsumer(of: result), flow.ops[next].key == "Transpose",
      let target = flow.ops[next].output(0),
      let order = flow.ops[next].node.ints("perm"), order.sorted() == Array(0..<rank), order.last == rank - 1
    {
      let dense = Layout.rowMajorStrides(order.map { flow.dims(result)[$0] })
      for (at, axis) in order.enumerated() { strides[axis] = dense[at] }
      (place, output) = (next, target)
    }
    var attributes = [
      Attribute("sizes", .integers(padded(outer, 1) + [queries, keys, depth, width])),
      Attribute("q", .integers([q.offset] + rows(q))), Attribute("k", .integers([k.offset] + rows(k))),
      Attribute("v", .integers([v.offset] + rows(v))),
      Attribute("y", .integers(padded(Array(strides.dropLast(2)), 0) + [max(strides[rank - 2], width)])),
      Attribute("scale", .float(Float(scores.scale * q.scale * k.scale))),
    ]
    if let mask = scores.mask {
      let steps = StridedWalk.broadcast(flow.dims(mask), to: dims)
      attributes.append(Attribute("mask", .integers(padded(Array(steps.dropLast(2)), 0) + steps.suffix(2))))
    }
    let op = flow.replacement(
      "FusedAttention", domain: "ai.libprune", for: second, opset: 1, inputs: [q.value, k.value, v.value, scores.mask],
      output: output, attributes: attributes)
    return (place, op)
  }

  /// Back from the softmax to the product of queries and keys, through a mask and scalings.
  private static func scores(_ input: Int, _ flow: Dataflow, _ index: FlowIndex) -> Scores? {
    var value = input
    var (scale, mask): (Double, Int?) = (1, nil)
    while index.onlyConsumer(of: value) != nil, let position = index.producer(of: value) {
      let op = flow.ops[position]
      if op.key == "MatMul" { return Scores(product: op, scale: scale, mask: mask) }
      if let scaled = flow.scaledOperand(op), flow.dims(scaled.value) == flow.dims(value) {
        scale *= scaled.factor
        value = scaled.value
      } else if op.key == "Add", mask == nil, scale == 1, op.inputs.count == 2, let a = op.inputs[0],
        let b = op.inputs[1],
        let (inner, other) = [(a, b), (b, a)].first(where: { leadsToProduct($0.0, flow, index) }), flow.isFloat(other),
        flow.dims(inner) == flow.dims(value)
      {
        (value, mask) = (inner, other)
      } else {
        return nil
      }
    }
    return nil
  }

  private static func leadsToProduct(_ value: Int, _ flow: Dataflow, _ index: FlowIndex) -> Bool {
    var value = value
    for _ in 0..<3 {
      guard let position = index.producer(of: value) else { return false }
      if flow.ops[position].key == "MatMul" { return true }
      guard let scaled = flow.scaledOperand(flow.ops[position]) else { return false }
      value = scaled.value
    }
    return false
  }

  /// Whether rows lie dense, as a matrix product wants its operands.
  private static func hasDenseRows(_ view: StridedView) -> Bool {
    let rank = view.dims.count
    return (view.dims[rank - 1] == 1 || view.strides[rank - 1] == 1)
      && (view.dims[rank - 2] == 1 || view.strides[rank - 2] >= view.dims[rank - 1])
  }

  /// Strides of batch, head and row.
  private static func rows(_ view: StridedView) -> [Int] {
    let rank = view.dims.count
    return padded(Array(view.strides.dropLast(2)), 0) + [max(view.strides[rank - 2], view.dims[rank - 1])]
  }

  private static func padded(_ list: [Int], _ filling: Int) -> [Int] {
    [Int](repeating: filling, count: max(0, 2 - list.count)) + list
  }
}
