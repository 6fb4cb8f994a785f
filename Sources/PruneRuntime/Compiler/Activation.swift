import COneDNN
import PruneGraph
import PruneTensor

extension Activation {
  /// The activation a node is, when it is one and its limits are constants.
  init?(_ op: Dataflow.Op, _ values: some ValueTable) {
    guard op.node.isStandard, let input = op.input(0), values.value(input).dtype == .float32 else { return nil }
    switch op.node.opType {
    case "Relu": self = .relu
    case "LeakyRelu": self = .leakyRelu(op.node.float("alpha", default: 0.01))
    case "Sigmoid": self = .sigmoid
    case "Tanh": self = .tanh
    case "Elu": self = .elu(op.node.float("alpha", default: 1))
    case "HardSwish": self = .hardSwish
    case "Gelu": self = op.node.string("approximate", default: "none") == "tanh" ? .geluTanh : .gelu
    case "Swish": self = .swish(op.node.float("alpha", default: 1))
    case "Clip":
      func limit(_ index: Int, _ name: String, _ open: Float) -> Float? {
        if op.opset < 11 { return op.node.float(name, default: open) }
        guard let id = op.input(index) else { return open }
        guard let tensor = values.constant(id), tensor.count == 1 else { return nil }
        return try? tensor.array(of: Float.self).first
      }
      guard let low = limit(1, "min", -.infinity), let high = limit(2, "max", .infinity), low <= high else {
        return nil
      }
      self = .clip(low, high)
    default: return nil
    }
  }

  /// A node of its own that does the same, in the form of opset 6.
  func node(named name: String) -> Node {
    func node(_ opType: String, _ attributes: [Attribute] = []) -> Node {
      Node(opType, name: name, inputs: [], outputs: [], attributes: attributes)
    }
    return switch self {
    case .relu: node("Relu")
    case .leakyRelu(let alpha): node("LeakyRelu", [Attribute("alpha", .float(alpha))])
    case .clip(let low, let high): node("Clip", [Attribute("min", .float(low)), Attribute("max", .float(high))])
    case .sigmoid: node("Sigmoid")
    case .tanh: node("Tanh")
    case .elu(let alpha): node("Elu", [Attribute("alpha", .float(alpha))])
    case .hardSwish: node("HardSwish")
    case .gelu: node("Gelu")
    case .geluTanh: node("Gelu", [Attribute("approximate", .string(Array("tanh".utf8)))])
    case .swish(let alpha): node("Swish", [Attribute("alpha", .float(alpha))])
    }
  }

  /// The same as a post-operation of a oneDNN primitive.
  var postOperation: PostOperations.Item {
    switch self {
    case .relu: .eltwise(dnnl_eltwise_relu, alpha: 0, beta: 0)
    case .leakyRelu(let alpha): .eltwise(dnnl_eltwise_relu, alpha: alpha, beta: 0)
    case .clip(let low, let high): .eltwise(dnnl_eltwise_clip, alpha: low, beta: high)
    case .sigmoid: .eltwise(dnnl_eltwise_logistic, alpha: 0, beta: 0)
    case .tanh: .eltwise(dnnl_eltwise_tanh, alpha: 0, beta: 0)
    case .elu(let alpha): .eltwise(dnnl_eltwise_elu, alpha: alpha, beta: 0)
    case .hardSwish: .eltwise(dnnl_eltwise_hardswish, alpha: 0, beta: 0)
    case .gelu: .eltwise(dnnl_eltwise_gelu_erf, alpha: 0, beta: 0)
    case .geluTanh: .eltwise(dnnl_eltwise_gelu_tanh, alpha: 0, beta: 0)
    case .swish(let alpha): .eltwise(dnnl_eltwise_swish, alpha: alpha, beta: 0)
    }
  }

  /// The limits of an activation that only cuts off, -inf and inf where open.
  var limits: (low: Float, high: Float)? {
    switch self {
    case .relu: (0, .infinity)
    case .clip(let low, let high): (low, high)
    default: nil
    }
  }

  /// An activation that is a leaky rectifier between two limits.
  var leakyLimits: (slope: Float, low: Float, high: Float)? {
    switch self {
    case .relu: (1, 0, .infinity)
    case .leakyRelu(let slope): (slope, -.infinity, .infinity)
    case .clip(let low, let high): (1, low, high)
    default: nil
    }
  }

  /// Whether f(a x) is a f(x) for positive a.
  var isHomogeneous: Bool {
    switch self {
    case .relu, .leakyRelu: true
    default: false
    }
  }

  /// Whether it leaves zero at zero, so that it may run over the padding of a blocked layout.
  var keepsZero: Bool {
    switch self {
    case .sigmoid: false
    case .clip(let low, let high): low <= 0 && high >= 0
    default: true
    }
  }
}
