import PruneGraph
import PruneTensor

/// Writes the backward half of a graph, one node of the forward half at a time.
///
/// A rule reads what the node is (`input`, `output`, `shape`, `constant`), asks which gradients are there
/// (`gradient`) and wanted (`needs`), appends nodes (`emit`) and hands each result over (`add`).
final class GradientWriter {
  /// The forward node being differentiated.
  private(set) var node = Node("", inputs: [], outputs: [])
  /// Nodes and constants written so far.
  private(set) var nodes: [Node] = []
  private(set) var constants: [(name: String, tensor: Tensor)] = []
  let model: Model

  private let forwardTypes: [String: TensorType]
  private let active: Set<String>
  private var usedNames: Set<String>
  private var contributions: [String: [String]] = [:]
  private var constantNames: [String: String] = [:]

  init(model: Model, types: GraphTypes, active: Set<String>, seeds: [String: String]) {
    self.model = model
    forwardTypes = types.types
    self.active = active
    usedNames = model.graph.allNames
    for (value, gradient) in seeds { contributions[value] = [gradient] }
  }

  /// Runs `rule` for `node`; does nothing when no gradient reaches the node.
  func differentiate(_ node: Node, _ rule: GradientRule) throws(PruneError) {
    guard node.outputs.contains(where: { contributions[$0] != nil }) else { return }
    self.node = node
    do { try rule.write(self) } catch { throw error.located(at: node.label) }
  }

  /// The sum of everything that flows into a value's gradient, nil when nothing does.
  func total(_ value: String) -> String? {
    guard let parts = contributions[value], var sum = parts.first else { return nil }
    for part in parts.dropFirst() { sum = emit("Add", [sum, part], name: "\(value).grad") }
    contributions[value] = [sum]
    return sum
  }

  // MARK: - The current node

  /// The opset of the standard domain.
  var opset: Int64 { model.opset() ?? Model.defaultOpset }

  /// Whether input `index` leads to a parameter that is trained.
  func needs(_ index: Int) -> Bool { node.input(index).map(active.contains) ?? false }

  /// - Throws: `.invalidModel` when the input is absent.
  func input(_ index: Int) throws(PruneError) -> String {
    guard let name = node.input(index) else {
      throw PruneError(.invalidModel, "input \(index) is absent", at: node.label)
    }
    return name
  }

  func output(_ index: Int = 0) throws(PruneError) -> String {
    guard let name = node.output(index) else {
      throw PruneError(.invalidModel, "output \(index) is absent", at: node.label)
    }
    return name
  }

  /// The gradient of output `index`, nil when nothing depends on it.
  func gradient(ofOutput index: Int) -> String? { node.output(index).flatMap { total($0) } }

  /// The gradient of the first output. `differentiate` calls a rule of one output only when it is there.
  var gradient: String {
    get throws(PruneError) {
      guard let result = gradient(ofOutput: 0) else { throw PruneError(.internal, "no gradient reaches \(node.label)") }
      return result
    }
  }

  /// - Throws: `.unsupported` when an extent depends on the data.
  func shape(_ value: String) throws(PruneError) -> Shape {
    guard let shape = forwardTypes[value]?.shape else {
      throw PruneError(.unsupported, "the shape of '\(value)' depends on the data", at: node.label)
    }
    return shape
  }

  func inputShape(_ index: Int) throws(PruneError) -> Shape { try shape(input(index)) }
  func outputShape(_ index: Int = 0) throws(PruneError) -> Shape { try shape(output(index)) }

  /// The value of an input that is a constant.
  func constant(_ index: Int) -> Tensor? { node.input(index).flatMap { model.graph.initializer($0) } }

  /// The integers of a constant input, nil when it is absent.
  /// - Throws: `.unsupported` when it is computed from the data.
  func integers(_ index: Int) throws(PruneError) -> [Int]? {
    guard let name = node.input(index) else { return nil }
    guard let tensor = constant(index) else {
      throw PruneError(.unsupported, "its input '\(name)' depends on the data", at: node.label)
    }
    do { return try tensor.integers() } catch { throw error.located(at: node.label) }
  }

  /// A list of integers that is an attribute in some opsets and input `index` in others; nil when it is neither.
  func setting(_ attribute: String, orInput index: Int) throws(PruneError) -> [Int]? {
    if let values = node.ints(attribute) { return values }
    return try integers(index)
  }

  /// An axis attribute, counted from the start.
  func axis(_ name: String = "axis", default value: Int, rank: Int) throws(PruneError) -> Int {
    try resolved(node.int(name, default: value), rank: rank)
  }

  func resolved(_ axis: Int, rank: Int) throws(PruneError) -> Int {
    guard axis >= -rank, axis < rank else {
      throw PruneError(.mismatch, "axis \(axis) is outside \(-rank)..<\(rank)", at: node.label)
    }
    return axis < 0 ? axis + rank : axis
  }

  // MARK: - Writing

  /// Adds to the gradient of input `index`.
  func add(_ gradient: String, toInput index: Int) {
    guard let name = node.input(index) else { return }
    contributions[name, default: []].append(gradient)
  }

  /// Appends a node of the standard domain and returns its output.
  func emit(_ opType: String, _ inputs: [String], _ attributes: [Attribute] = [], name: String? = nil) -> String {
    append(opType, domain: "", inputs, attributes, outputs: 1, name: name)[0]
  }

  /// Appends a training operator and returns its outputs.
  func emitTraining(
    _ opType: String, _ inputs: [String], _ attributes: [Attribute] = [], outputs: Int = 1
  ) -> [String] {
    append(opType, domain: GradientRules.trainingDomain, inputs, attributes, outputs: outputs, name: nil)
  }

  /// Appends a node of the standard domain with several outputs.
  func emit(_ opType: String, _ inputs: [String], _ attributes: [Attribute], outputs: Int) -> [String] {
    append(opType, domain: "", inputs, attributes, outputs: outputs, name: nil)
  }

  private func append(
    _ opType: String, domain: String, _ inputs: [String], _ attributes: [Attribute], outputs: Int, name: String?
  ) -> [String] {
    let base = name ?? "\(node.outputs.first ?? "").\(opType)"
    let names = (0..<outputs).map { _ in Graph.uniqueName(base, &usedNames) }
    let label = "grad/\(node.layerName)"
    nodes.append(Node(opType, domain: domain, name: label, inputs: inputs, outputs: names, attributes: attributes))
    return names
  }

  /// A constant vector of integers.
  func integers(_ values: [Int]) throws(PruneError) -> String {
    try constant("grad.\(values)", Tensor(values.map(Int64.init)))
  }

  /// A constant number.
  func number(_ value: Float) throws(PruneError) -> String {
    try constant("grad.\(value)", Tensor(scalar: value))
  }

  /// A constant tensor of its own.
  func tensor(_ tensor: Tensor) -> String {
    let name = Graph.uniqueName("\(node.outputs.first ?? "").constant", &usedNames)
    constants.append((name, tensor))
    return name
  }

  private func constant(_ key: String, _ tensor: Tensor) throws(PruneError) -> String {
    if let name = constantNames[key] { return name }
    let name = Graph.uniqueName(key, &usedNames)
    constants.append((name, tensor))
    constantNames[key] = name
    return name
  }

  // MARK: - Common steps

  func reshape(_ value: String, to shape: Shape) throws(PruneError) -> String {
    // A 0 in Reshape's shape means "as in the input", so empty tensors need the flag that takes it literally.
    let literal = shape.dims.contains(0) ? [Attribute("allowzero", .int(1))] : []
    return try emit("Reshape", [value, integers(shape.dims)], literal)
  }

  /// Undoes broadcasting: `gradient` has the shape `from`, the result has the shape `to`.
  func sum(_ gradient: String, from: Shape, to: Shape) -> String {
    from == to ? gradient : emitTraining("SumToShape", [gradient], [Attribute("shape", .integers(to.dims))])[0]
  }

  /// Adds a gradient that has the first output's shape to an input that was broadcast to it.
  func addBroadcast(_ gradient: @autoclosure () throws(PruneError) -> String, toInput index: Int) throws(PruneError) {
    guard needs(index) else { return }
    add(sum(try gradient(), from: try outputShape(), to: try inputShape(index)), toInput: index)
  }

  /// The product; no node for the gradient 1 that a loss starts from.
  func multiply(_ a: String, _ b: String) -> String {
    if isOne(a) { return b }
    return isOne(b) ? a : emit("Mul", [a, b])
  }

  private func isOne(_ value: String) -> Bool {
    guard let tensor = model.graph.initializer(value), tensor.dtype == .float32, tensor.shape.rank == 0 else {
      return false
    }
    return (try? tensor.array(of: Float.self).first) == 1
  }

  func scale(_ value: String, _ factor: Float) throws(PruneError) -> String {
    factor == 1 ? value : multiply(value, try number(factor))
  }
}
