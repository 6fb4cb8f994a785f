import PruneGraph
import PruneRuntime
import PruneTensor
import PruneTraining
import Testing

/// A small graph whose gradients are compared with finite differences of its own forward pass.
struct GradientCase: Sendable, CustomTestStringConvertible {
  /// How the elements of a tensor are drawn.
  enum Values: Sendable {
    case normal
    /// Between 0.5 and 2.
    case positive
    /// All different by 0.07 at least and away from 0, so that no step crosses a kink.
    case spaced
  }

  var name: String
  var nodes: [Node]
  /// Tensors whose gradients are checked.
  var parameters: [(name: String, shape: [Int], values: Values)]
  var constants: [(name: String, tensor: Tensor)] = []
  var opset: Int64 = Model.defaultOpset

  var testDescription: String { name }

  /// One node that reads the parameters `a`, `b`, … and then the constants, and writes `y`.
  init(
    _ opType: String, _ shapes: [[Int]], _ values: Values = .normal, constants: [Tensor?] = [],
    attributes: [Attribute] = [], opset: Int64 = Model.defaultOpset, _ note: String = ""
  ) {
    name = "\(opType) \(shapes)\(note.isEmpty ? "" : " ")\(note)"
    parameters = shapes.enumerated().map { (Self.letters[$0], $1, values) }
    var inputs = parameters.map(\.name)
    for (index, tensor) in constants.enumerated() {
      inputs.append(tensor == nil ? "" : "c\(index)")
      if let tensor { self.constants.append(("c\(index)", tensor)) }
    }
    nodes = [Node(opType, name: "node", inputs: inputs, outputs: ["y"], attributes: attributes)]
    self.opset = opset
  }

  /// Any graph that writes `y`.
  init(_ name: String, _ nodes: [Node], _ parameters: [(String, [Int], Values)], constants: [(String, Tensor)] = []) {
    self.name = name
    self.nodes = nodes
    self.parameters = parameters.map { (name: $0.0, shape: $0.1, values: $0.2) }
    self.constants = constants.map { (name: $0.0, tensor: $0.1) }
  }

  static let letters = ["a", "b", "c", "d", "e"]

  static func draw(_ shape: Shape, _ values: Values, _ random: inout RandomSource) throws -> Tensor {
    let order = random.permutation(shape.count)
    return try Tensor(
      (0..<shape.count).map { index in
        switch values {
        case .normal: Float(random.normal())
        case .positive: Float(0.5 + 1.5 * random.uniform())
        case .spaced: (Float(order[index] - shape.count / 2) + 0.5) * 0.07
        }
      }, shape)
  }

  func model(seed: UInt64) throws -> Model {
    var random = RandomSource(seed: seed)
    var graph = Graph(name: name)
    graph.nodes = nodes
    for parameter in parameters {
      graph.setInitializer(parameter.name, try Self.draw(Shape(parameter.shape), parameter.values, &random))
    }
    for (name, tensor) in constants { graph.setInitializer(name, tensor) }
    graph.outputs = [ValueInfo(name: "y", type: nil)]
    return Model(graph: graph, opset: opset)
  }

  /// Compares every gradient with central differences of sum(weights * y) at some of its elements.
  func check(seed: UInt64, tolerance: Double = 6e-3) throws {
    let model = try model(seed: seed)
    let names = parameters.map(\.name)
    var special = try Specialization(model, inputs: [:], variables: Set(names))
    let shape = try #require(special.types.shape("y"))
    var random = RandomSource(seed: seed ^ 0xABCD)
    let weights = try Self.draw(shape, .normal, &random)
    special.model.graph.setInitializer("seed", weights)
    let derived = try Autodiff.differentiate(special.model, types: special.types, seeds: ["y": "seed"], wrt: names)
    #expect(derived.blocked.isEmpty)
    special.model.graph = derived.graph
    let backward = try Program(special.model, ProgramOptions(outputs: derived.gradients.values.sorted()))
    let results = try backward.run([:])

    var variables: [String: Variable] = [:]
    for name in names { variables[name] = Variable(name: name, tensor: try #require(model.graph.initializer(name))) }
    let forward = try Program(model, ProgramOptions(variables: variables))
    let factors = try weights.doubles()
    func loss() throws -> Double {
      let y = try #require(try forward.run([:])["y"])
      return zip(factors, try y.doubles()).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for name in names {
      let value = try #require(derived.gradients[name])
      let gradient = try #require(results[value])
      let variable = try #require(variables[name])
      let original = variable.tensor
      #expect(gradient.shape == original.shape)
      let analytic = try gradient.doubles()
      let step: Float = 1 / 64
      for index in random.permutation(original.count).prefix(10) {
        func moved(_ by: Float) throws -> Double {
          variable.tensor = original
          try variable.tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in span[index] += by }
          return try loss()
        }
        let numeric = (try moved(step) - moved(-step)) / Double(2 * step)
        let error = abs(analytic[index] - numeric) / max(1, abs(numeric))
        #expect(error < tolerance, "\(name)[\(index)]: \(analytic[index]), by differences \(numeric)")
      }
      variable.tensor = original
    }
  }
}

extension LossGradients {
  /// The gradients of a model of one input.
  func run(_ x: Tensor, _ y: Tensor) throws -> (loss: Double, gradients: [String: Tensor]) {
    try run([try #require(model.graph.trueInputs.first?.name): x], y)
  }
}
