import PruneGraph
import PruneTensor

/// Puts one operator where exporters write an activation as many: Gelu (by erf and by tanh), Swish, HardSwish, Mish.
enum ActivationRecognition {
  static func run(_ flow: inout Dataflow) {
    let index = FlowIndex(flow)
    for position in flow.ops.indices {
      let op = flow.ops[position]
      guard flow.isFloat(op.input(0)) else { continue }
      switch op.key {
      case "Erf": gelu(position, argument: errorArgument(op, flow, index), "none", &flow, index)
      case "Tanh":
        gelu(position, argument: tanhArgument(op, flow, index), "tanh", &flow, index)
        if let plus = index.producer(of: op.input(0), "Softplus", flow) {
          product(op, with: plus.input(0), "Mish", [], &flow, index)
        }
      case "Sigmoid": swish(op, &flow, index)
      case "HardSigmoid":
        let (alpha, beta) = (op.node.float("alpha", default: 0.2), op.node.float("beta", default: 0.5))
        if abs(alpha * 6 - 1) < 1e-5, beta == 0.5 { product(op, with: op.input(0), "HardSwish", [], &flow, index) }
      case "Clip": hardSwish(op, &flow, index)
      default: break
      }
    }
    flow.removeDeadOps()
  }

  private static func near(_ value: Double) -> (Double) -> Bool { { abs($0 - value) <= 1e-4 * abs(value) } }

  /// Replaces the product of an operation's result with `x` by one operator on `x`.
  private static func product(
    _ op: Dataflow.Op, with x: Int?, _ name: String, _ attributes: [Attribute], _ flow: inout Dataflow,
    _ index: FlowIndex
  ) {
    guard let x, let position = index.onlyConsumer(of: op.output(0)) else { return }
    let last = flow.ops[position]
    guard last.key == "Mul", last.inputs.contains(x), last.inputs.count == 2 else { return }
    flow.ops[position] = flow.replacement(
      name, for: last, opset: 24, inputs: [x], output: last.output(0), attributes: attributes)
  }

  /// x * sigmoid(alpha * x)
  private static func swish(_ op: Dataflow.Op, _ flow: inout Dataflow, _ index: FlowIndex) {
    product(op, with: op.input(0), "Swish", [], &flow, index)
    guard let inner = index.producer(of: op.input(0), "Mul", flow) else { return }
    for (x, factor) in [(inner.input(0), inner.input(1)), (inner.input(1), inner.input(0))] {
      guard let alpha = flow.scalar(factor) else { continue }
      product(op, with: x, "Swish", [Attribute("alpha", .float(Float(alpha)))], &flow, index)
    }
  }

  /// x * clip(x + 3, 0, 6) / 6, divided before or after.
  private static func hardSwish(_ op: Dataflow.Op, _ flow: inout Dataflow, _ index: FlowIndex) {
    guard case .clip(0, 6)? = Activation(op, flow), let sum = index.producer(of: op.input(0), "Add", flow),
      let x = flow.operand(sum, with: { $0 == 3 })
    else { return }
    var value = op.output(0)
    var (isDivided, isMultiplied) = (false, false)
    while let position = index.onlyConsumer(of: value) {
      let next = flow.ops[position]
      if !isDivided, next.key == "Div", next.input(0) == value, flow.scalar(next.input(1)) == 6 {
        isDivided = true
      } else if !isDivided, next.key == "Mul", let other = flow.operand(next, with: near(1.0 / 6)), other == value {
        isDivided = true
      } else if !isMultiplied, next.key == "Mul", next.inputs.contains(x) {
        isMultiplied = true
      } else {
        return
      }
      value = next.output(0)
      if isDivided, isMultiplied {
        flow.ops[position] = flow.replacement("HardSwish", for: next, opset: 14, inputs: [x], output: value)
        return
      }
    }
  }

  // MARK: - Gelu

  /// x of erf(x / sqrt(2)).
  private static func errorArgument(_ op: Dataflow.Op, _ flow: Dataflow, _ index: FlowIndex) -> Int? {
    let root = 2.0.squareRoot()
    if let quotient = index.producer(of: op.input(0), "Div", flow), let divisor = flow.scalar(quotient.input(1)),
      near(root)(divisor)
    {
      return quotient.input(0)
    }
    return index.producer(of: op.input(0), "Mul", flow).flatMap { flow.operand($0, with: near(1 / root)) }
  }

  /// x of tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)).
  private static func tanhArgument(_ op: Dataflow.Op, _ flow: Dataflow, _ index: FlowIndex) -> Int? {
    guard let outer = index.producer(of: op.input(0), "Mul", flow),
      let inner = flow.operand(outer, with: near((2 / Double.pi).squareRoot())),
      let sum = index.producer(of: inner, "Add", flow), sum.inputs.count == 2
    else { return nil }
    for (x, term) in [(sum.inputs[0], sum.inputs[1]), (sum.inputs[1], sum.inputs[0])] {
      guard let scaled = index.producer(of: term, "Mul", flow) else { continue }
      if let cube = flow.operand(scaled, with: near(0.044715)), isCube(cube, of: x, flow, index) { return x }
      // (0.044715 * x) * x * x, in some order.
      if let x, factors(term, flow, index, depth: 4).map({ isGeluCubic($0, x, flow) }) ?? false { return x }
    }
    return nil
  }

  private static func isCube(_ value: Int, of x: Int?, _ flow: Dataflow, _ index: FlowIndex) -> Bool {
    if let power = index.producer(of: value, "Pow", flow) {
      return power.input(0) == x && flow.scalar(power.input(1)) == 3
    }
    return factors(value, flow, index, depth: 3).map { $0.count == 3 && $0.allSatisfy { $0 == x } } ?? false
  }

  private static func isGeluCubic(_ list: [Int], _ x: Int, _ flow: Dataflow) -> Bool {
    let rest = list.filter { $0 != x }
    return list.count == 4 && rest.count == 1 && (flow.scalar(rest[0]).map(near(0.044715)) ?? false)
  }

  /// What a tree of multiplications multiplies.
  private static func factors(_ value: Int?, _ flow: Dataflow, _ index: FlowIndex, depth: Int) -> [Int]? {
    guard let value else { return nil }
    guard depth > 0, let product = index.producer(of: value, "Mul", flow), product.inputs.count == 2 else {
      return [value]
    }
    guard let a = factors(product.inputs[0], flow, index, depth: depth - 1),
      let b = factors(product.inputs[1], flow, index, depth: depth - 1)
    else { return nil }
    return a + b
  }

  /// The product of `x`, 0.5 and 1 + the result at `position`, in any order of the factors.
  private static func gelu(
    _ position: Int, argument x: Int?, _ kind: String, _ flow: inout Dataflow, _ index: FlowIndex
  ) {
    guard let x, let next = index.onlyConsumer(of: flow.ops[position].output(0)), flow.ops[next].key == "Add",
      flow.operand(flow.ops[next], with: { $0 == 1 }) == flow.ops[position].output(0)
    else { return }
    var value = flow.ops[next].output(0)
    var (hasX, hasHalf) = (false, false)
    while let position = index.onlyConsumer(of: value) {
      let op = flow.ops[position]
      guard op.inputs.count == 2, let other = op.inputs[0] == value ? op.inputs[1] : op.inputs[0], other != value else {
        return
      }
      if op.key == "Div", op.inputs[0] == value, !hasHalf, flow.scalar(other) == 2 {
        hasHalf = true
      } else if op.key != "Mul" {
        return
      } else if !hasHalf, flow.scalar(other) == 0.5 {
        hasHalf = true
      } else if !hasX, other == x {
        hasX = true
      } else if !hasX, !hasHalf, let half = index.producer(of: other, "Mul", flow),
        flow.operand(half, with: { $0 == 0.5 }) == x
      {
        (hasX, hasHalf) = (true, true)
      } else {
        return
      }
      value = op.output(0)
      if hasX, hasHalf {
        flow.ops[position] = flow.replacement(
          "Gelu", for: op, opset: 20, inputs: [x], output: value,
          attributes: [Attribute("approximate", .string(Array(kind.utf8)))])
        return
      }
    }
  }
}
