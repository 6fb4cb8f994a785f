import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Activation functions, from their definitions in the ONNX operator list.
enum Activations {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [:]
    for (name, make) in functions {
      table[name] = Kernel(.numbers) { (call) throws(PruneError) in
        [try ElementwiseUnary.map(call, make(call.node))]
      }
    }
    table["Clip"] = Kernel(.numbers, clip)
    return table
  }()

  private typealias Function = (Double) -> Double

  private static func number(_ node: Node, _ name: String, _ value: Float) -> Double {
    Double(node.float(name, default: value))
  }

  private static let functions: [String: @Sendable (Node) -> Function] = [
    "Relu": { _ in { $0 < 0 ? 0 : $0 } },
    "LeakyRelu": { node in
      let alpha = number(node, "alpha", 0.01)
      return { $0 < 0 ? alpha * $0 : $0 }
    },
    "ThresholdedRelu": { node in
      let alpha = number(node, "alpha", 1)
      return { $0 > alpha ? $0 : 0 }
    },
    "Elu": { node in
      let alpha = number(node, "alpha", 1)
      return { $0 < 0 ? alpha * expm1($0) : $0 }
    },
    "Selu": { node in
      let alpha = number(node, "alpha", 1.67326319217681884765625)
      let gamma = number(node, "gamma", 1.05070102214813232421875)
      return { $0 <= 0 ? gamma * alpha * expm1($0) : gamma * $0 }
    },
    "Celu": { node in
      let alpha = number(node, "alpha", 1)
      return { cut($0, 0, .infinity) + cut(alpha * expm1($0 / alpha), -.infinity, 0) }
    },
    "Sigmoid": { _ in sigmoid },
    "HardSigmoid": { node in
      let (alpha, beta) = (number(node, "alpha", 0.2), number(node, "beta", 0.5))
      return { cut(alpha * $0 + beta, 0, 1) }
    },
    "HardSwish": { _ in { $0 * max(0, min(1, $0 / 6 + 0.5)) } },
    "Softplus": { _ in softplus },
    "Softsign": { _ in { $0 / (1 + abs($0)) } },
    "Mish": { _ in { $0 * tanh(softplus($0)) } },
    "Swish": { node in
      let alpha = number(node, "alpha", 1)
      return { $0 * sigmoid(alpha * $0) }
    },
    "Gelu": { node in
      if node.string("approximate", default: "none") == "tanh" {
        return {
          0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
        }
      }
      return { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
    },
    "Shrink": { node in
      let (bias, bound) = (number(node, "bias", 0), number(node, "lambd", 0.5))
      return { $0 < -bound ? $0 + bias : $0 > bound ? $0 - bias : 0 }
    },
  ]

  /// Swift's max and min may drop NaN.
  private static func cut(_ x: Double, _ low: Double, _ high: Double) -> Double { x < low ? low : x > high ? high : x }
  @Sendable static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  @Sendable private static func softplus(_ x: Double) -> Double { x > 30 ? x : log1p(exp(x)) }

  /// Bounds are attributes before opset 11, optional inputs from then on.
  private static let clip: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let x = try call.tensor(0)
    switch x.dtype {
    case .float32: return [try clipped(call, x, Float.self)]
    case .float64: return [try clipped(call, x, Double.self)]
    case .int64: return [try clipped(call, x, Int64.self)]
    case .uint64: return [try clipped(call, x, UInt64.self)]
    default: throw call.unsupported("Clip of \(x.dtype.name)")
    }
  }

  private static func clipped<T: Number>(_ call: KernelCall, _ x: Tensor, _: T.Type)
    throws(PruneError) -> Tensor
  {
    func bound(_ index: Int, _ name: String, _ value: T) throws(PruneError) -> T {
      if call.opset < 11 {
        if case .float(let number)? = call.node.attribute(name) {
          return T(approximating: Double(number))
        }
        return value
      }
      guard let tensor = call.optional(index) else { return value }
      guard tensor.count == 1, tensor.dtype == x.dtype else {
        throw call.fail(
          "input \(index) is \(tensor.dtype.name) \(tensor.shape), wanted a scalar of the data's type"
        )
      }
      return try tensor.array(of: T.self)[0]
    }
    let (low, high) = (try bound(1, "min", T.lowest), try bound(2, "max", T.highest))
    return try ElementwiseUnary.apply(x) { (value: T) in
      value.isNotANumber ? value : min(max(value, low), high)
    }
  }
}
