import PruneGraph
import PruneTensor

/// Writes a network layer by layer and keeps track of the running value and its extents.
struct NetworkBuilder {
  /// A value on the way and the extents of one sample of it. Keep one to come back to it: residuals, branches.
  struct Place {
    var value: String
    var extents: [Int]
  }

  private(set) var graph: Graph
  /// The value that the next layer reads.
  var place: Place
  let activation: Activation
  private var random: RandomSource

  init(name: String, _ options: ZooOptions, input: [Int]) throws(PruneError) {
    graph = Graph(name: name)
    place = Place(value: "input", extents: input)
    random = RandomSource(seed: options.seed)
    activation = try Activation("activation", named: options.activation)
    graph.inputs = [ValueInfo(name: place.value, type: Self.type(input))]
  }

  private static func type(_ extents: [Int]) -> TensorType {
    TensorType(.float32, [.named("N")] + extents.map(Dim.fixed))
  }

  var value: String { place.value }
  var extents: [Int] { place.extents }

  // MARK: - Layers

  /// Joins all axes of a sample into one.
  mutating func flatten() throws(PruneError) {
    guard extents.count != 1 else { return }
    emit("Flatten", "flatten", to: [try Shape(extents).count])
  }

  /// A fully connected layer: Gemm with the weight as [outputs, inputs].
  mutating func dense(_ name: String, _ outputs: Int, isLast: Bool = false) throws(PruneError) {
    let inputs = extents.last ?? 0
    let isRectified = activation.isRectifier && !isLast
    let weight = try parameter(
      name + ".weight", [outputs, inputs],
      isRectified ? .he(fanIn: inputs) : .glorot(fanIn: inputs, fanOut: outputs))
    let bias = try parameter(name + ".bias", [outputs], .constant(0))
    emit("Gemm", name, [weight, bias], [Attribute("transB", .int(1))], to: [outputs])
  }

  /// The activation that the options name.
  mutating func activate(_ name: String) { emit(activation.opType, name, to: extents) }

  /// The sum with another value of the same extents.
  mutating func add(_ name: String, _ other: Place) { emit("Add", name, [other.value], to: extents) }

  /// The finished network; its last value is called "logits".
  func model() -> Model {
    var done = graph
    if let last = done.nodes.indices.last { done.nodes[last].outputs = ["logits"] }
    done.outputs = [ValueInfo(name: "logits", type: Self.type(extents))]
    return Model(graph: done)
  }

  // MARK: - Parts

  /// A node that reads the running value and then `inputs`; its first output, `NAME.out`, is the new running value.
  mutating func emit(
    _ opType: String, _ name: String, _ inputs: [String] = [], _ attributes: [Attribute] = [], to extents: [Int]
  ) {
    place = Place(value: append(opType, name, [value] + inputs, attributes), extents: extents)
  }

  /// A node that does not change the running value. Returns its output, `NAME.out`.
  @discardableResult
  mutating func append(
    _ opType: String, _ name: String, _ inputs: [String], _ attributes: [Attribute] = [], outputs: [String] = []
  ) -> String {
    let all = outputs.isEmpty ? [name + ".out"] : outputs
    graph.nodes.append(Node(opType, name: name, inputs: inputs, outputs: all, attributes: attributes))
    return all.last ?? ""
  }

  /// Integers that a node reads, such as the shape of a Reshape.
  mutating func integers(_ name: String, _ values: [Int]) throws(PruneError) -> String {
    graph.setInitializer(name, try Tensor(values.map(Int64.init)))
    return name
  }

  mutating func integers(_ name: String, scalar: Int64) throws(PruneError) -> String {
    graph.setInitializer(name, try Tensor(scalar: scalar))
    return name
  }

  /// A number that a node reads and that is no weight.
  mutating func number(_ name: String, _ value: Float) throws(PruneError) -> String {
    graph.setInitializer(name, try Tensor(scalar: value))
    return name
  }

  /// A weight, its values drawn in the order in which weights are added.
  mutating func parameter(
    _ name: String, _ dims: [Int], _ initial: InitialValues
  ) throws(PruneError) -> String {
    let shape = try Shape(dims)
    guard shape.count <= 1 << 30 else {
      throw PruneError(.invalidArgument, "\(name) would be \(shape), more than 2^30 elements")
    }
    graph.setInitializer(name, try initial.tensor(shape, &random))
    return name
  }
}

/// The activations a zoo network can have between its layers.
enum Activation: String, Choice {
  case relu, leakyRelu = "leaky_relu", tanh, sigmoid, hardSwish = "hard_swish"

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
