import PruneGraph
import PruneTensor

/// Activations: one training operator each, from the output where that is enough, else from the input.
enum ActivationRules {
  static let table: [String: GradientRule] = {
    var table: [String: GradientRule] = [
      "Clip": GradientRule([0], clip), "Softmax": softmax("SoftmaxGrad"), "LogSoftmax": softmax("LogSoftmaxGrad"),
    ]
    for name in ["Relu", "Sigmoid", "Tanh"] {
      table[name] = GradientRule { (writer: GradientWriter) throws(PruneError) in
        let inputs = [try writer.gradient, try writer.output()]
        writer.add(writer.emitTraining(name + "Grad", inputs)[0], toInput: 0)
      }
    }
    let fromInput = [
      "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Mish", "HardSigmoid", "HardSwish", "Erf", "Gelu",
    ]
    for name in fromInput {
      table[name] = GradientRule { (writer: GradientWriter) throws(PruneError) in
        let inputs = [try writer.gradient, try writer.input(0)]
        writer.add(writer.emitTraining(name + "Grad", inputs, writer.node.attributes)[0], toInput: 0)
      }
    }
    return table
  }()

  /// Limits are attributes up to opset 10 and inputs after; the gradient operator has them as attributes.
  @Sendable private static func clip(_ writer: GradientWriter) throws(PruneError) {
    var attributes: [Attribute] = []
    for (index, name) in ["min", "max"].enumerated() {
      if let value = writer.node.attribute(name) {
        attributes.append(Attribute(name, value))
      } else if let input = writer.node.input(index + 1) {
        guard let limit = try writer.constant(index + 1)?.array(of: Float.self).first else {
          throw PruneError(.unsupported, "its limit '\(input)' depends on the data", at: writer.node.label)
        }
        attributes.append(Attribute(name, .float(limit)))
      }
    }
    let inputs = [try writer.gradient, try writer.input(0)]
    writer.add(writer.emitTraining("ClipGrad", inputs, attributes)[0], toInput: 0)
  }

  private static func softmax(_ opType: String) -> GradientRule {
    GradientRule { (writer: GradientWriter) throws(PruneError) in
      let shape = try writer.inputShape(0)
      let (dy, y) = (try writer.gradient, try writer.output())
      if writer.opset >= 13 {
        let axis = try writer.axis(default: -1, rank: shape.rank)
        writer.add(writer.emitTraining(opType, [dy, y], [Attribute("axis", .int(Int64(axis)))])[0], toInput: 0)
        return
      }
      // Before opset 13 everything from the axis on is one distribution.
      let axis = writer.node.int("axis", default: 1)
      let first = axis == shape.rank ? axis : try writer.resolved(axis, rank: shape.rank)
      let flat = try Shape([shape.dims[..<first].reduce(1, *), shape.dims[first...].reduce(1, *)])
      let inputs = [try writer.reshape(dy, to: flat), try writer.reshape(y, to: flat)]
      let dx = writer.emitTraining(opType, inputs, [Attribute("axis", .int(1))])[0]
      writer.add(try writer.reshape(dx, to: shape), toInput: 0)
    }
  }
}
