import PruneTensor

/// Models that store or compute in float16, bfloat16 or float64, as float32 models.
extension DType {
  /// Whether it is a floating-point type that stands for float32 in another precision.
  fileprivate var isOtherFloat: Bool { self == .float16 || self == .bfloat16 || self == .float64 }
}

extension Model {
  /// Whether a layer's weight is stored as float16, bfloat16 or float64.
  package var hasOtherFloatWeights: Bool {
    let sources = WeightSources(graph)
    return graph.nodes.contains { node in
      node.weightOperands.contains { place in
        node.input(place).flatMap { sources.source(of: $0, through: { $0.isMovement || $0.opType == "Cast" }) }?
          .tensor.dtype.isOtherFloat ?? false
      }
    }
  }

  /// The model with all its floating-point numbers in float32: weights, constants and computed values.
  /// Tensors that are float32 already are shared.
  ///
  /// - Parameter keepsInterface: inputs and outputs keep their types, and casts stand between.
  /// - Throws: `.unsupported` for functions of the model's own, whose types depend on the caller.
  package func float32Form(keepsInterface: Bool) throws(PruneError) -> Model {
    guard functions.isEmpty else {
      throw PruneError(
        .unsupported,
        "the model has functions of its own whose opset differs from the model's: they cannot be made float32",
        hint: "export the model without functions")
    }
    var result = self
    var interface: [ValueInfo] = []
    for value in graph.trueInputs + graph.outputs where value.type?.dtype?.isOtherFloat ?? false {
      interface.append(value)
    }
    result.graph = try graph.float32Form()
    if keepsInterface, !interface.isEmpty { result.castInterface(of: self, interface) }
    return result
  }

  /// Gives inputs and outputs the types they had.
  private mutating func castInterface(of original: Model, _ values: [ValueInfo]) {
    var names = graph.allNames
    var renamed: [String: String] = [:]
    for value in values where renamed[value.name] == nil {
      renamed[value.name] = Graph.uniqueName(value.name + "_float32", &names)
    }
    graph.rename(renamed)
    let inputs = Set(original.graph.trueInputs.map(\.name))
    var head: [Node] = [], tail: [Node] = []
    for value in values {
      guard let inner = renamed[value.name], let dtype = value.type?.dtype else { continue }
      let isInput = inputs.contains(value.name)
      let (from, to, type) = isInput ? (value.name, inner, DType.float32) : (inner, value.name, dtype)
      let node = Node(
        "Cast", name: inner + "_cast", inputs: [from], outputs: [to],
        attributes: [Attribute("to", .int(Int64(type.rawValue)))])
      if isInput { head.append(node) } else { tail.append(node) }
    }
    graph.nodes = head + graph.nodes + tail
    let types = Dictionary(values.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    graph.inputs = graph.inputs.map { types[$0.name] ?? $0 }
    graph.outputs = graph.outputs.map { types[$0.name] ?? $0 }
  }

  /// What a transform made of this model's float32 form, with every number back in the type that it has here. A number
  /// that the transform did not change is exactly the one it was.
  package func restoringTypes(of changed: Model) throws(PruneError) -> Model {
    var result = changed
    result.graph.inputs = graph.inputs
    result.graph.outputs = graph.outputs
    result.graph.valueInfo = graph.valueInfo
    result.graph.nodes = zip(changed.graph.nodes, graph.nodes).map { new, old in
      var node = old
      node.inputs = new.inputs
      return node
    }
    // Copies of a weight that only some of its layers lose elements of have names of their own.
    var origins: [String: String] = [:]
    for (new, old) in zip(changed.graph.nodes, graph.nodes) {
      for (name, origin) in zip(new.inputs, old.inputs) where name != origin { origins[name] = origin }
    }
    for value in changed.graph.initializers {
      guard let old = graph.initializer(origins[value.name] ?? value.name), old.dtype != value.tensor.dtype else {
        continue
      }
      result.graph.setInitializer(value.name, try value.tensor.narrowed(where: old))
    }
    return result
  }
}

extension Tensor {
  /// The elements in the type of `old`; where an element is `old`'s in float32, it is that of `old` itself.
  fileprivate func narrowed(where old: Tensor) throws(PruneError) -> Tensor {
    guard old.shape == shape else { return try cast(to: old.dtype) }
    // What float32 holds of a half it holds exactly.
    guard old.dtype == .float64 else { return try cast(to: old.dtype) }
    let before = try old.doubles(), after = try array(of: Float.self)
    return try Tensor(zip(before, after).map { Float($0) == $1 ? $0 : Double($1) }, shape)
  }
}

extension Graph {
  /// The graph, and those inside its nodes, with float32 in place of other floats.
  fileprivate func float32Form() throws(PruneError) -> Graph {
    var result = self
    for value in initializers where value.tensor.dtype.isOtherFloat {
      result.setInitializer(value.name, try value.tensor.cast(to: .float32))
      value.tensor.forgetPages()
    }
    func retyped(_ values: [ValueInfo]) -> [ValueInfo] {
      values.map { value in
        guard value.type?.dtype?.isOtherFloat ?? false else { return value }
        var value = value
        value.type?.dtype = .float32
        return value
      }
    }
    (result.inputs, result.outputs, result.valueInfo) = (retyped(inputs), retyped(outputs), retyped(valueInfo))
    for index in nodes.indices { result.nodes[index] = try nodes[index].float32Form() }
    return result
  }

  /// Renames values where they are written and read, inside the graphs of nodes too.
  fileprivate mutating func rename(_ names: [String: String]) {
    for index in nodes.indices {
      nodes[index].inputs = nodes[index].inputs.map { names[$0] ?? $0 }
      nodes[index].outputs = nodes[index].outputs.map { names[$0] ?? $0 }
      for place in nodes[index].attributes.indices {
        guard case .graph(var inner) = nodes[index].attributes[place].value else { continue }
        inner.rename(names)
        for output in inner.outputs.indices {
          if let name = names[inner.outputs[output].name] { inner.outputs[output].name = name }
        }
        nodes[index].attributes[place].value = .graph(inner)
      }
    }
  }
}

extension Node {
  /// Attributes that say the type of an output.
  private static let typeAttributes: Set<String> = ["to", "dtype", "output_datatype", "output_dtype"]

  fileprivate func float32Form() throws(PruneError) -> Node {
    var result = self
    for place in attributes.indices {
      let name = attributes[place].name
      switch attributes[place].value {
      case .int(let number):
        guard isStandard, Self.typeAttributes.contains(name),
          DType(rawValue: Int32(clamping: number))?.isOtherFloat ?? false
        else { continue }
        result.attributes[place].value = .int(Int64(DType.float32.rawValue))
      case .tensor(var value) where value.tensor.dtype.isOtherFloat:
        value.tensor = try value.tensor.cast(to: .float32)
        result.attributes[place].value = .tensor(value)
      case .graph(let inner): result.attributes[place].value = .graph(try inner.float32Form())
      case .graphs(let inner):
        var graphs: [Graph] = []
        for graph in inner { graphs.append(try graph.float32Form()) }
        result.attributes[place].value = .graphs(graphs)
      default: continue
      }
    }
    return result
  }
}
