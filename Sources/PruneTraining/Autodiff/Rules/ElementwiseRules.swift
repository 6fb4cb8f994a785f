import PruneGraph
import PruneTensor

/// Elementwise operators of two or more tensors that broadcast against each other.
enum ElementwiseRules {
  static let table: [String: GradientRule] = [
    "Add": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let dy = try writer.gradient
      try writer.addBroadcast(dy, toInput: 0)
      try writer.addBroadcast(dy, toInput: 1)
    },
    "Sub": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let dy = try writer.gradient
      try writer.addBroadcast(dy, toInput: 0)
      try writer.addBroadcast(writer.emit("Neg", [dy]), toInput: 1)
    },
    "Mul": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let dy = try writer.gradient
      let (a, b) = (try writer.input(0), try writer.input(1))
      try writer.addBroadcast(writer.multiply(dy, b), toInput: 0)
      try writer.addBroadcast(writer.multiply(dy, a), toInput: 1)
    },
    "Div": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let (b, y) = (try writer.input(1), try writer.output())
      let quotient = writer.emit("Div", [try writer.gradient, b])
      try writer.addBroadcast(quotient, toInput: 0)
      try writer.addBroadcast(writer.emit("Neg", [writer.multiply(quotient, y)]), toInput: 1)
    },
    "Pow": GradientRule(power),
    "PRelu": GradientRule(parametricRelu),
    "Where": GradientRule([1, 2]) { (writer: GradientWriter) throws(PruneError) in
      let (condition, dy, zero) = (try writer.input(0), try writer.gradient, try writer.number(0))
      try writer.addBroadcast(writer.emit("Where", [condition, dy, zero]), toInput: 1)
      try writer.addBroadcast(writer.emit("Where", [condition, zero, dy]), toInput: 2)
    },
    "Sum": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let dy = try writer.gradient
      for index in writer.node.inputs.indices { try writer.addBroadcast(dy, toInput: index) }
    },
    "Mean": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let dy = try writer.scale(writer.gradient, 1 / Float(max(writer.node.inputs.count, 1)))
      for index in writer.node.inputs.indices { try writer.addBroadcast(dy, toInput: index) }
    },
    "Max": extreme,
    "Min": extreme,
  ]

  @Sendable private static func power(_ writer: GradientWriter) throws(PruneError) {
    let (dy, a, b) = (try writer.gradient, try writer.input(0), try writer.input(1))
    if writer.needs(0) {
      let exponent = writer.constant(1).flatMap { $0.count == 1 ? try? $0.array(of: Float.self) : nil }?.first
      if let exponent, !writer.needs(1) {
        // x^2 is by far the most common: no power is taken for it.
        let slope =
          exponent == 2 ? a : exponent == 1 ? nil : writer.emit("Pow", [a, try writer.number(exponent - 1)])
        let factor = try writer.scale(dy, exponent)
        try writer.addBroadcast(slope.map { writer.multiply(factor, $0) } ?? factor, toInput: 0)
      } else {
        let less = writer.emit("Sub", [b, try writer.number(1)])
        let slope = writer.multiply(b, writer.emit("Pow", [a, less]))
        try writer.addBroadcast(writer.multiply(dy, slope), toInput: 0)
      }
    }
    if writer.needs(1) {
      let slope = writer.multiply(try writer.output(), writer.emit("Log", [a]))
      try writer.addBroadcast(writer.multiply(dy, slope), toInput: 1)
    }
  }

  @Sendable private static func parametricRelu(_ writer: GradientWriter) throws(PruneError) {
    let (dy, x, slope, zero) = (try writer.gradient, try writer.input(0), try writer.input(1), try writer.number(0))
    let isNegative = writer.emit("Less", [x, zero])
    try writer.addBroadcast(writer.emit("Where", [isNegative, writer.multiply(dy, slope), dy]), toInput: 0)
    try writer.addBroadcast(writer.emit("Where", [isNegative, writer.multiply(dy, x), zero]), toInput: 1)
  }

  /// The gradient goes to every operand that equals the result: where operands tie, to each of them.
  private static let extreme = GradientRule { (writer: GradientWriter) throws(PruneError) in
    let (dy, y, zero) = (try writer.gradient, try writer.output(), try writer.number(0))
    for index in writer.node.inputs.indices where writer.needs(index) {
      let isChosen = writer.emit("Equal", [try writer.input(index), y])
      try writer.addBroadcast(writer.emit("Where", [isChosen, dy, zero]), toInput: index)
    }
  }
}
