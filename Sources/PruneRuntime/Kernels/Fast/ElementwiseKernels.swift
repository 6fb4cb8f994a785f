import CPruneSupport
import PruneGraph
import PruneTensor

/// Functions of one number, in any layout of the input.
enum ElementwiseKernels: KernelFamily {
  static let name = "elementwise"
  static let kernels: [String: FastKernel] = {
    var table: [String: FastKernel] = [:]
    let cut: FastKernel = activation
    for name in ["Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Elu", "HardSwish", "Gelu", "Swish"] {
      table[name] = cut
    }
    for (name, kind) in [
      ("Exp", PS_UNARY_EXP), ("Sqrt", PS_UNARY_SQRT), ("Abs", PS_UNARY_ABS), ("Neg", PS_UNARY_NEGATE),
      ("Reciprocal", PS_UNARY_RECIPROCAL), ("Erf", PS_UNARY_ERF), ("Softsign", PS_UNARY_SOFTSIGN),
      ("Floor", PS_UNARY_FLOOR),
      ("Ceil", PS_UNARY_CEIL), ("Round", PS_UNARY_ROUND), ("Sign", PS_UNARY_SIGN), ("Softplus", PS_UNARY_SOFTPLUS),
      ("Log", PS_UNARY_LOG), ("Sin", PS_UNARY_SIN), ("Cos", PS_UNARY_COS), ("Mish", PS_UNARY_MISH),
    ] {
      table[name] = function(name, kind)
    }
    for (name, kind, alpha, beta) in parameterized { table[name] = function(name, kind, alpha, beta) }
    let exponent: FastKernel = power
    table["Pow"] = exponent
    for (name, kind) in [("ReluGrad", PS_GRAD_RELU), ("SigmoidGrad", PS_GRAD_SIGMOID), ("TanhGrad", PS_GRAD_TANH)] {
      table["ai.libprune.\(name)"] = gradient(kind)
    }
    return table
  }()

  private typealias Parameter = (name: String, value: Float)

  private static let parameterized: [(String, ps_unary_kind, Parameter, Parameter)] = [
    ("HardSigmoid", PS_UNARY_HARD_SIGMOID, ("alpha", 0.2), ("beta", 0.5)),
    ("Selu", PS_UNARY_SELU, ("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    ("ThresholdedRelu", PS_UNARY_THRESHOLD, ("alpha", 1), ("", 0)),
  ]

  private static func function(
    _ name: String, _ kind: ps_unary_kind, _ alpha: Parameter = ("", 0), _ beta: Parameter = ("", 0)
  ) -> FastKernel {
    let keepsZero = Operator[name: name]?.traits.contains(.keepsZero) ?? false
    return { (op: Dataflow.Op, emitter: any Emitter) throws(PruneError) -> Bool in
      try emit(
        op, emitter, kind, op.node.float(alpha.name, default: alpha.value),
        op.node.float(beta.name, default: beta.value),
        keepsZero: keepsZero)
    }
  }

  /// Powers with a constant exponent; common exponents need no call of the C library.
  private static func power(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let tensor = emitter.constant(op.input(1)), tensor.count == 1,
      emitter.dims(x) == emitter.dims(y), let exponent = try? tensor.doubles().first,
      exponent == Double(Float(exponent))
    else { return false }
    switch exponent {
    case 1: return try emit(op, emitter, PS_UNARY_AFFINE, 1, 0, keepsZero: true)
    case 2: return try emit(op, emitter, PS_UNARY_SQUARE, 0, 0, keepsZero: true)
    case 3: return try emit(op, emitter, PS_UNARY_CUBE, 0, 0, keepsZero: true)
    case 0.5: return try emit(op, emitter, PS_UNARY_SQRT, 0, 0, keepsZero: true)
    default: return try emit(op, emitter, PS_UNARY_POWER, Float(exponent), 0, keepsZero: exponent > 0)
    }
  }

  private static func gradient(_ kind: ps_grad_kind) -> FastKernel {
    { (op: Dataflow.Op, emitter: any Emitter) throws(PruneError) -> Bool in try gradient(op, emitter, kind) }
  }

  private static func activation(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let activation = Activation(op, emitter) else { return false }
    let (kind, alpha, beta) = activation.unary
    return try emit(op, emitter, kind, alpha, beta, keepsZero: activation.keepsZero)
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_unary_kind, _ alpha: Float, _ beta: Float, keepsZero: Bool
  ) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), emitter.isFloat(x), emitter.isFloat(y) else { return false }
    let source = try emitter.elementwiseSource(x, keepsZero: keepsZero)
    let target = try emitter.defineElementwise(y, like: source, of: x, in: op)
    let count = source.layout.map { $0.byteCount / 4 } ?? emitter.count(x)
    let from = source.buffer
    emitter.emit(op.node.label, reads: [from], writes: [target]) { frame in
      frame.step(
        ps_unary_args(
          x: frame.pointer(from), y: frame.pointer(target), count: Int64(count), kind: Int32(kind.rawValue),
          alpha: alpha,
          beta: beta), ps_unary)
    }
    return true
  }

  private static func gradient(_ op: Dataflow.Op, _ emitter: any Emitter, _ kind: ps_grad_kind) throws(PruneError)
    -> Bool
  {
    guard let pair = try GradientPair(op, emitter) else { return false }
    emitter.emit(op.node.label, reads: [pair.gradient, pair.value], writes: [pair.target]) { frame in
      frame.step(
        ps_grad_args(
          dy: frame.pointer(pair.gradient), y: frame.pointer(pair.value), dx: frame.pointer(pair.target),
          count: Int64(pair.count),
          kind: Int32(kind.rawValue)), ps_grad)
    }
    return true
  }
}

/// What the gradient of a function of one number is made of: the gradient that comes in, and an input or a result of the
/// function, in the same layout.
struct GradientPair {
  let gradient: Int
  let value: Int
  let target: Int
  let count: Int

  init?(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) {
    guard let dy = op.input(0), let value = op.input(1), let dx = op.output(0), emitter.isFloat(dy),
      emitter.isFloat(value), emitter.dims(dy) == emitter.dims(value)
    else { return nil }
    let home = try emitter.home(value)
    gradient = try emitter.buffer(dy, in: home.layout)
    self.value = home.buffer
    target = try emitter.defineElementwise(dx, like: .init(layout: home.layout, buffer: gradient), of: dy, in: op)
    count = home.layout.map { $0.byteCount / 4 } ?? emitter.count(value)
  }
}

extension Emitter {
  /// The value in a layout that a loop over all its memory may walk: padding must stay zero.
  func elementwiseSource(_ id: Int, keepsZero: Bool) throws(PruneError) -> Material {
    let home = try home(id)
    if let layout = home.layout, layout.isPadded, !keepsZero { return Material(layout: nil, buffer: try plain(id)) }
    return home
  }

  /// The result of an elementwise operation: in the place of its operand where that is free.
  func defineElementwise(_ id: Int, like source: Material, of operand: Int, in op: Dataflow.Op) throws(PruneError)
    -> Int
  {
    canOverwrite(operand, in: op)
      ? define(id, layout: source.layout, over: source.buffer) : try define(id, layout: source.layout)
  }
}

extension Activation {
  /// The same as a kind of `ps_unary` and its parameters.
  var unary: (kind: ps_unary_kind, alpha: Float, beta: Float) {
    switch self {
    case .relu: (PS_UNARY_CLIP, 0, .infinity)
    case .clip(let low, let high): (PS_UNARY_CLIP, low, high)
    case .leakyRelu(let alpha): (PS_UNARY_LEAKY_RELU, alpha, 0)
    case .sigmoid: (PS_UNARY_SIGMOID, 0, 0)
    case .tanh: (PS_UNARY_TANH, 0, 0)
    case .elu(let alpha): (PS_UNARY_ELU, alpha, 0)
    case .hardSwish: (PS_UNARY_HARD_SWISH, 0, 0)
    case .gelu: (PS_UNARY_GELU, 0, 0)
    case .geluTanh: (PS_UNARY_GELU_TANH, 0, 0)
    case .swish(let alpha): (PS_UNARY_SWISH, alpha, 0)
    }
  }
}
