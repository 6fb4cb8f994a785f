import PruneGraph
import PruneTensor

/// Functions of one number, less common than those of `UnaryRules`.
enum TranscendentalRules {
  static let table: [String: GradientRule] = [
    "Tan": rule { (writer, _, y) throws(PruneError) in try plusOne(writer, writer.multiply(y, y)) },
    "Sinh": rule { (writer, x, _) throws(PruneError) in writer.emit("Cosh", [x]) },
    "Cosh": rule { (writer, x, _) throws(PruneError) in writer.emit("Sinh", [x]) },
    "Asin": rule { (writer, x, _) throws(PruneError) in try oneOverRoot(writer, oneMinusSquare(writer, x)) },
    "Acos": rule { (writer, x, _) throws(PruneError) in
      writer.emit("Neg", [try oneOverRoot(writer, oneMinusSquare(writer, x))])
    },
    "Atan": rule { (writer, x, _) throws(PruneError) in
      writer.emit("Reciprocal", [try plusOne(writer, writer.multiply(x, x))])
    },
    "Asinh": rule { (writer, x, _) throws(PruneError) in try oneOverRoot(writer, plusOne(writer, writer.multiply(x, x)))
    },
    "Acosh": rule { (writer, x, _) throws(PruneError) in
      try oneOverRoot(writer, writer.emit("Neg", [oneMinusSquare(writer, x)]))
    },
    "Atanh": rule { (writer, x, _) throws(PruneError) in writer.emit("Reciprocal", [try oneMinusSquare(writer, x)]) },
    // 1 above 0, exp(x / alpha) below.
    "Celu": rule { (writer, x, _) throws(PruneError) in
      let low = writer.emit("Min", [x, try writer.number(0)])
      return writer.emit("Exp", [try writer.scale(low, 1 / writer.node.float("alpha", default: 1))])
    },
    "Swish": rule { (writer, x, y) throws(PruneError) in
      let alpha = writer.node.float("alpha", default: 1)
      let gate = writer.emit("Sigmoid", [try writer.scale(x, alpha)])
      let slope = writer.multiply(try writer.scale(y, alpha), writer.emit("Sub", [try writer.number(1), gate]))
      return writer.emit("Add", [gate, slope])
    },
    "ThresholdedRelu": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let limit = try writer.number(writer.node.float("alpha", default: 1))
      try pass(writer, where: writer.emit("Greater", [writer.input(0), limit]))
    },
    "Shrink": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let limit = try writer.number(writer.node.float("lambd", default: 0.5))
      try pass(writer, where: writer.emit("Greater", [writer.emit("Abs", [writer.input(0)]), limit]))
    },
  ]

  private typealias Slope = @Sendable (GradientWriter, String, String) throws(PruneError) -> String

  /// dX = dY * slope(X, Y).
  private static func rule(_ slope: @escaping Slope) -> GradientRule {
    GradientRule { (writer: GradientWriter) throws(PruneError) in
      let factor = try slope(writer, try writer.input(0), try writer.output())
      writer.add(writer.multiply(try writer.gradient, factor), toInput: 0)
    }
  }

  private static func pass(_ writer: GradientWriter, where condition: String) throws(PruneError) {
    writer.add(writer.emit("Where", [condition, try writer.gradient, try writer.number(0)]), toInput: 0)
  }

  private static func plusOne(_ writer: GradientWriter, _ value: String) throws(PruneError) -> String {
    writer.emit("Add", [value, try writer.number(1)])
  }

  private static func oneMinusSquare(_ writer: GradientWriter, _ x: String) throws(PruneError) -> String {
    writer.emit("Sub", [try writer.number(1), writer.multiply(x, x)])
  }

  private static func oneOverRoot(_ writer: GradientWriter, _ value: String) throws(PruneError) -> String {
    writer.emit("Reciprocal", [writer.emit("Sqrt", [value])])
  }
}
