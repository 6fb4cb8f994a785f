import PruneGraph
import PruneTensor

/// Writes a feed-forward network layer by layer and keeps track of the running value and its extents.
struct NetworkBuilder {
  private(set) var graph: Graph
  private(set) var value: String
  /// Extents of one sample of the running value.
  private(set) var extents: [Int]
  private var random: RandomSource
  private let activation: Activation

  init(name: String, _ options: ZooOptions, input: [Int]) throws(PruneError) {
    graph = Graph(name: name)
    value = "input"
    extents = input
    random = RandomSource(seed: options.seed)
    activation = try Activation(options.activation)
    graph.inputs = [ValueInfo(name: value, type: Self.type(extents))]
  }

  private static func type(_ extents: [Int]) -> TensorType {
    TensorType(.float32, [.named("N")] + extents.map(Dim.fixed))
  }

  // MARK: - Layers

  /// Joins all axes of a sample into one.
  mutating func flatten() throws(PruneError) {
    guard extents.count != 1 else { return }
    extents = [try Shape(extents).count]
    append(Node("Flatten", name: "flatten", inputs: [value], outputs: ["flatten.out"]))
  }

  /// A fully connected layer: Gemm with the weight as [outputs, inputs].
  mutating func dense(_ name: String, _ outputs: Int, isLast: Bool = false) throws(PruneError) {
    let inputs = extents.last ?? 0
    try parameters(name, [outputs, inputs], fanIn: inputs, fanOut: outputs, isLast: isLast)
    extents = [outputs]
    append(
      Node(
        "Gemm", name: name, inputs: [value, name + ".weight", name + ".bias"],
        outputs: [isLast ? "logits" : name + ".out"], attributes: [Attribute("transB", .int(1))]))
  }

  /// A square convolution of stride 1.
  mutating func conv(_ name: String, _ channels: Int, kernel: Int, pad: Int) throws(PruneError) {
    let inputs = extents[0]
    let area = kernel * kernel
    try parameters(
      name, [channels, inputs, kernel, kernel], fanIn: inputs * area, fanOut: channels * area, isLast: false)
    extents = [channels] + extents.dropFirst().map { $0 + 2 * pad - kernel + 1 }
    append(
      Node(
        "Conv", name: name, inputs: [value, name + ".weight", name + ".bias"], outputs: [name + ".out"],
        attributes: [
          Attribute("dilations", .integers([1, 1])), Attribute("group", .int(1)),
          Attribute("kernel_shape", .integers([kernel, kernel])),
          Attribute("pads", .integers([pad, pad, pad, pad])), Attribute("strides", .integers([1, 1])),
        ]))
  }

  /// Maximum over windows of `size` that touch without overlap.
  mutating func maxPool(_ name: String, _ size: Int) {
    extents = [extents[0]] + extents.dropFirst().map { $0 / size }
    append(
      Node(
        "MaxPool", name: name, inputs: [value], outputs: [name + ".out"],
        attributes: [
          Attribute("kernel_shape", .integers([size, size])), Attribute("strides", .integers([size, size])),
        ]))
  }

  /// The activation that the options name.
  mutating func activate(_ name: String) {
    append(Node(activation.opType, name: name, inputs: [value], outputs: [name + ".out"]))
  }

  /// The finished network.
  func model() -> Model {
    var done = graph
    done.outputs = [ValueInfo(name: value, type: Self.type(extents))]
    return Model(graph: done)
  }

  // MARK: - Parts

  private mutating func append(_ node: Node) {
    graph.nodes.append(node)
    value = node.outputs[0]
  }

  private mutating func parameters(
    _ name: String, _ dims: [Int], fanIn: Int, fanOut: Int, isLast: Bool
  ) throws(PruneError) {
    let shape = try Shape(dims)
    guard shape.count <= 1 << 30 else {
      throw PruneError(.invalidArgument, "\(name).weight would be \(shape), more than 2^30 elements")
    }
    let isRectified = activation.isRectifier && !isLast
    let deviation = (2 / Double(isRectified ? fanIn : fanIn + fanOut)).squareRoot()
    let limit = deviation * 3.0.squareRoot()
    var weight = try Tensor(zeros: .float32, shape)
    var draws = random
    try weight.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in 0..<span.count {
        span[index] = Float(isRectified ? draws.normal() * deviation : (2 * draws.uniform() - 1) * limit)
      }
    }
    random = draws
    graph.setInitializer(name + ".weight", weight)
    graph.setInitializer(name + ".bias", try Tensor(zeros: .float32, Shape([dims[0]])))
  }
}

/// The activations a zoo network can have between its layers.
enum Activation: String, CaseIterable {
  case relu, leakyRelu = "leaky_relu", tanh, sigmoid, hardSwish = "hard_swish"

  init(_ name: String) throws(PruneError) {
    guard let found = Self(rawValue: name) else {
      throw PruneError(
        .invalidArgument, "there is no activation '\(name)'",
        hint: "use one of " + Self.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self = found
  }

  var opType: String {
    switch self {
    case .relu: "Relu"
    case .leakyRelu: "LeakyRelu"
    case .tanh: "Tanh"
    case .sigmoid: "Sigmoid"
    case .hardSwish: "HardSwish"
    }
  }

  /// Whether half of its inputs give about nothing, so that weights before it are drawn wider.
  var isRectifier: Bool { self == .relu || self == .leakyRelu || self == .hardSwish }
}
