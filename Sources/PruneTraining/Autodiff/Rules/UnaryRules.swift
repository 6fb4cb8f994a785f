import PruneGraph
import PruneTensor

/// Elementwise functions of one tensor.
enum UnaryRules {
  static let table: [String: GradientRule] = [
    "Identity": GradientRule { (writer: GradientWriter) throws(PruneError) in
      writer.add(try writer.gradient, toInput: 0)
    },
    "Dropout": GradientRule([0]) { (writer: GradientWriter) throws(PruneError) in
      // As in inference: without a training mode in the graph, dropout passes its input unchanged.
      if let mode = writer.node.input(2), try writer.constant(2)?.array(of: UInt8.self).first != 0 {
        throw PruneError(.unsupported, "its training mode '\(mode)' is not the constant false", at: writer.node.label)
      }
      writer.add(try writer.gradient, toInput: 0)
    },
    "Cast": GradientRule { (writer: GradientWriter) throws(PruneError) in
      guard writer.node.int("to") == Int(DType.float32.rawValue) else {
        throw PruneError(.unsupported, "a gradient passes casts to float32 only", at: writer.node.label)
      }
      writer.add(try writer.gradient, toInput: 0)
    },
    "Neg": GradientRule { (writer: GradientWriter) throws(PruneError) in
      writer.add(writer.emit("Neg", [try writer.gradient]), toInput: 0)
    },
    "Abs": fromInput { (writer: GradientWriter, x: String) throws(PruneError) in writer.emit("Sign", [x]) },
    "Exp": fromOutput { (_: GradientWriter, y: String) throws(PruneError) in y },
    "Log": GradientRule { (writer: GradientWriter) throws(PruneError) in
      writer.add(writer.emit("Div", [try writer.gradient, try writer.input(0)]), toInput: 0)
    },
    "Sqrt": GradientRule { (writer: GradientWriter) throws(PruneError) in
      let half = try writer.scale(writer.gradient, 0.5)
      writer.add(writer.emit("Div", [half, try writer.output()]), toInput: 0)
    },
    "Reciprocal": fromOutput { (writer: GradientWriter, y: String) throws(PruneError) in
      writer.emit("Neg", [writer.multiply(y, y)])
    },
    "Sin": fromInput { (writer: GradientWriter, x: String) throws(PruneError) in writer.emit("Cos", [x]) },
    "Cos": fromInput { (writer: GradientWriter, x: String) throws(PruneError) in
      writer.emit("Neg", [writer.emit("Sin", [x])])
    },
  ]

  private typealias Slope = @Sendable (GradientWriter, String) throws(PruneError) -> String

  /// dX = dY * slope(X).
  private static func fromInput(_ slope: @escaping Slope) -> GradientRule {
    GradientRule { (writer: GradientWriter) throws(PruneError) in
      writer.add(writer.multiply(try writer.gradient, try slope(writer, try writer.input(0))), toInput: 0)
    }
  }

  /// dX = dY * slope(Y).
  private static func fromOutput(_ slope: @escaping Slope) -> GradientRule {
    GradientRule { (writer: GradientWriter) throws(PruneError) in
      writer.add(writer.multiply(try writer.gradient, try slope(writer, try writer.output())), toInput: 0)
    }
  }
}
