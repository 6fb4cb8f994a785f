import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Gradients of activations, elementwise: dX = dY * f'(x). Operator `<Op>Grad` has the attributes of `<Op>`.
enum ActivationGradients {
  typealias Derivative = @Sendable (Double) -> Double

  /// Derivatives from the activation's output y: inputs (dY, Y).
  static let fromOutput: [String: @Sendable (Node) -> Derivative] = [
    "ReluGrad": { _ in { y in y > 0 ? 1 : 0 } },
    "SigmoidGrad": { _ in { y in y * (1 - y) } },
    "TanhGrad": { _ in { y in 1 - y * y } },
  ]

  /// Derivatives from the activation's input x: inputs (dY, X).
  static let fromInput: [String: @Sendable (Node) -> Derivative] = [
    "LeakyReluGrad": { node in
      let alpha = Double(node.float("alpha", default: 0.01))
      return { x in x >= 0 ? 1 : alpha }
    },
    "EluGrad": { node in
      let alpha = Double(node.float("alpha", default: 1))
      return { x in x >= 0 ? 1 : alpha * exp(x) }
    },
    "SeluGrad": { node in
      let alpha = Double(node.float("alpha", default: 1.673_263_2))
      let gamma = Double(node.float("gamma", default: 1.050_701))
      return { x in x > 0 ? gamma : gamma * alpha * exp(x) }
    },
    "SoftplusGrad": { _ in { x in 1 / (1 + exp(-x)) } },
    "SoftsignGrad": { _ in { x in 1 / ((1 + abs(x)) * (1 + abs(x))) } },
    "MishGrad": { _ in
      { x in
        let t = tanh(max(x, 0) + log1p(exp(-abs(x))))
        return t + x * (1 - t * t) / (1 + exp(-x))
      }
    },
    "HardSigmoidGrad": { node in
      let alpha = Double(node.float("alpha", default: 0.2))
      let beta = Double(node.float("beta", default: 0.5))
      return { x in
        let y = alpha * x + beta
        return y > 0 && y < 1 ? alpha : 0
      }
    },
    "HardSwishGrad": { _ in { x in x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6 } },
    "ErfGrad": { _ in { x in 2 / Double.pi.squareRoot() * exp(-x * x) } },
    "GeluGrad": { node in
      if node.string("approximate", default: "none") == "tanh" {
        let scale = (2 / Double.pi).squareRoot()
        return { x in
          let t = tanh(scale * (x + 0.044715 * x * x * x))
          return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)
        }
      }
      let density = 1 / (2 * Double.pi).squareRoot()
      return { x in 0.5 * (1 + erf(x / 2.0.squareRoot())) + x * density * exp(-x * x / 2) }
    },
    // Limits come as attributes `min` and `max`, absent when there is none. At a limit the gradient passes.
    "ClipGrad": { node in
      let low = Double(node.float("min", default: -.infinity))
      let high = Double(node.float("max", default: .infinity))
      return { x in x >= low && x <= high ? 1 : 0 }
    },
  ]

  static func run(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    guard let make = fromOutput[call.node.opType] ?? fromInput[call.node.opType] else { return [] }
    let derivative = make(call.node)
    let shape = try call.tensor(0).shape
    var result = try call.floats(0)
    let at = try call.floats(1, shaped: shape)
    for index in result.indices { result[index] = Float(Double(result[index]) * derivative(Double(at[index]))) }
    return [try Tensor(result, shape)]
  }

  /// SoftmaxGrad(dY, Y): Y * (dY - sum(dY * Y)). LogSoftmaxGrad(dY, Y): dY - exp(Y) * sum(dY). Sums along `axis`.
  static func softmax(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let isLog = call.node.opType == "LogSoftmaxGrad"
    let shape = try call.tensor(0).shape
    var result = try call.floats(0)
    let y = try call.floats(1, shaped: shape)
    let (outer, extent, inner) = try call.split(shape, at: call.node.int("axis", default: -1))
    for row in 0..<outer {
      for column in 0..<inner {
        let first = row * extent * inner + column
        var sum = 0.0
        for step in 0..<extent {
          let index = first + step * inner
          sum += Double(result[index]) * (isLog ? 1 : Double(y[index]))
        }
        for step in 0..<extent {
          let index = first + step * inner
          let value = Double(y[index])
          result[index] = Float(
            isLog ? Double(result[index]) - exp(value) * sum : value * (Double(result[index]) - sum))
        }
      }
    }
    return [try Tensor(result, shape)]
  }
}
