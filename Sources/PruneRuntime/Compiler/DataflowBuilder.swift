import PruneGraph
import PruneTensor

/// Model to dataflow: names become numbers, shapes concrete, and values that depend only on constants become constants.
struct DataflowBuilder {
  /// Folding stops where it would make more than this out of little.
  private static let foldedByteLimit = 64 << 20

  private var flow = Dataflow()
  private var ids: [String: Int] = [:]
  private let model: Model
  private let options: ProgramOptions
  /// Values that nothing but layers read, as their weights or biases.
  private let weightNames: Set<String>

  static func build(_ model: Model, _ options: ProgramOptions) throws(PruneError) -> Dataflow {
    var builder = DataflowBuilder(model: model, options: options)
    try builder.run()
    return builder.flow
  }

  private init(model: Model, options: ProgramOptions) {
    self.model = model
    self.options = options
    var (weights, others) = (
      Set<String>(), Set((options.outputs ?? model.graph.outputs.map(\.name)) + options.watched.map(\.name))
    )
    for node in model.graph.nodes {
      let isLayer = node.has(.hasIntegerForm)
      for (place, name) in node.allReads.enumerated() {
        if isLayer, place > 0 { weights.insert(name) } else { others.insert(name) }
      }
    }
    weightNames = weights.subtracting(others)
  }

  private mutating func run() throws(PruneError) {
    for weight in model.graph.initializers {
      define(flow.addConstant(weight.tensor, name: weight.name), weight.name)
    }
    for (name, variable) in options.variables.sorted(by: { $0.key < $1.key }) {
      let value = Dataflow.Value(
        name: name, dtype: variable.tensor.dtype, shape: variable.tensor.shape, origin: .variable(variable))
      define(flow.addValue(value), name)
    }
    for input in model.graph.trueInputs where options.variables[input.name] == nil {
      let (dtype, shape) = try inputType(input)
      let id = flow.addValue(.init(name: input.name, dtype: dtype, shape: shape, origin: .input))
      define(id, input.name)
      flow.inputs.append(id)
    }
    for name in options.inputShapes.keys.sorted() where !flow.inputs.contains(where: { flow.values[$0].name == name }) {
      throw PruneError(.notFound, "the model has no input '\(name)'; its inputs are \(inputList)")
    }
    for node in model.graph.nodes { try add(node) }
    func id(_ name: String) throws(PruneError) -> Int {
      guard let id = ids[name] else { throw PruneError(.notFound, "the model has no value '\(name)' to return") }
      return id
    }
    for name in options.outputs ?? model.graph.outputs.map(\.name) { flow.outputs.append((name, try id(name))) }
    for (name, isOrdered) in options.watched { flow.watched.append((name, try id(name), isOrdered)) }
  }

  private var inputList: String {
    flow.inputs.isEmpty ? "none" : flow.inputs.map { "'\(flow.values[$0].name)'" }.joined(separator: ", ")
  }

  private mutating func define(_ id: Int, _ name: String) { ids[name] = id }

  private func inputType(_ input: ValueInfo) throws(PruneError) -> (DType, Shape?) {
    guard let type = input.type, let dtype = type.dtype else {
      throw PruneError(
        .unsupported, "input '\(input.name)' is not a tensor", hint: "sequences, maps and optionals cannot be fed")
    }
    if options.openInputs.contains(input.name) { return (dtype, nil) }
    guard let boundShape = options.inputShapes[input.name] else {
      guard let shape = type.shape else {
        throw PruneError(
          .invalidArgument, "input '\(input.name)' is declared \(type): its shape is open",
          hint: "give the shape to compile for")
      }
      return (dtype, shape)
    }
    if let dims = type.dims {
      let fits =
        dims.count == boundShape.rank && zip(dims, boundShape.dims).allSatisfy { $0.value == nil || $0.value == $1 }
      guard fits else {
        throw PruneError(.mismatch, "input '\(input.name)' wants \(type), got shape \(boundShape)")
      }
    }
    return (dtype, boundShape)
  }

  // MARK: - Nodes

  private mutating func add(_ node: Node) throws(PruneError) {
    let opset = model.opset(node.domain) ?? (node.isStandard ? Model.defaultOpset : 1)
    var inputs: [Int?] = []
    for name in node.inputs {
      guard !name.isEmpty else {
        inputs.append(nil)
        continue
      }
      guard let id = ids[name] else {
        throw PruneError(.invalidModel, "reads '\(name)', which nothing before it writes", at: node.label)
      }
      inputs.append(id)
    }
    let isDropout = node.isStandard && node.opType == "Dropout" && !trains(node, inputs, opset)
    if node.isStandard, node.opType == "Identity" || isDropout, let source = inputs.first ?? nil,
      node.outputs.dropFirst().allSatisfy(\.isEmpty)
    {
      if let name = node.output(0) { define(source, name) }
      return
    }
    if try control(node, inputs, opset) { return }
    if let folded = try fold(node, inputs, opset) {
      for (name, tensor) in zip(node.outputs, folded) where !name.isEmpty {
        define(flow.addConstant(tensor, name: name), name)
      }
      return
    }
    append(node, inputs, try outputTypes(node, inputs, opset), opset)
  }

  private mutating func append(
    _ node: Node, _ inputs: [Int?], _ types: [TensorType]?, _ opset: Int64, control: ControlNode? = nil
  ) {
    var outputs: [Int?] = []
    for (index, name) in node.outputs.enumerated() {
      guard !name.isEmpty else {
        outputs.append(nil)
        continue
      }
      let type = types.flatMap { index < $0.count ? $0[index] : nil }
      let id = flow.addValue(.init(name: name, dtype: type?.dtype, shape: type?.shape, origin: .computed))
      define(id, name)
      outputs.append(id)
    }
    flow.ops.append(Dataflow.Op(node: node, opset: opset, inputs: inputs, outputs: outputs, control: control))
  }

  /// Whether a Dropout node drops: since opset 12 its third input says so; before, running a model never does.
  private func trains(_ node: Node, _ inputs: [Int?], _ opset: Int64) -> Bool {
    guard opset >= 12, inputs.count > 2, let mode = inputs[2] else { return false }
    guard let constant = flow.values[mode].constant, let flags = try? constant.array(of: UInt8.self) else {
      return true
    }
    return flags.first != 0
  }

  private func outputTypes(_ node: Node, _ inputs: [Int?], _ opset: Int64) throws(PruneError) -> [TensorType]? {
    let types = inputs.map { $0.map { flow.values[$0].type } }
    let constants = inputs.map { $0.flatMap { flow.values[$0].constant } }
    guard let rule = InferenceRules.rule(for: node, opset: opset) else { return nil }
    return try rule(node, types, constants, opset)
  }

  // MARK: - Control flow

  /// Adds an If, Loop or Scan; says false for other nodes.
  private mutating func control(_ node: Node, _ inputs: [Int?], _ opset: Int64) throws(PruneError) -> Bool {
    guard node.operation?.kind == .control else { return false }
    if node.opType == "If", let condition = inputs.first ?? nil, let constant = flow.values[condition].constant {
      let attribute = try ControlFlow.branchName(constant, node)
      guard let branch = node.graph(attribute) else {
        throw PruneError(.invalidModel, "attribute \(attribute) is missing", at: node.label)
      }
      try inline(branch, of: node)
      return true
    }
    var (reads, captured): ([Int?], [String]) = (inputs, [])
    var constants: [(String, Tensor)] = []
    var seen: Set<String> = []
    for name in node.captures where !name.isEmpty && seen.insert(name).inserted {
      guard let id = ids[name] else {
        throw PruneError(.invalidModel, "reads '\(name)', which nothing before it writes", at: node.label)
      }
      if let constant = flow.values[id].constant {
        constants.append((name, constant))
      } else {
        reads.append(id)
        captured.append(name)
      }
    }
    do {
      let control = try ControlNode(
        node, opset: opset, of: model, captured: captured, constants: constants, options: options)
      let types = try control.outputTypes(reads.map { $0.map { flow.values[$0].type } })
      append(node, reads, types, opset, control: control)
    } catch { throw error.located(at: node.label) }
    return true
  }

  /// The branch that is always taken, as if its nodes stood where the If does.
  private mutating func inline(_ branch: Graph, of node: Node) throws(PruneError) {
    let outer = ids
    for weight in branch.initializers { define(flow.addConstant(weight.tensor, name: weight.name), weight.name) }
    for inner in branch.nodes { try add(inner) }
    var results: [Int] = []
    for output in branch.outputs {
      guard let id = ids[output.name] else {
        throw PruneError(.invalidModel, "graph '\(branch.name)' has no value '\(output.name)'", at: node.label)
      }
      results.append(id)
    }
    guard results.count >= node.outputs.count else {
      throw PruneError(
        .invalidModel, "graph '\(branch.name)' gives \(results.count) values, wanted \(node.outputs.count)",
        at: node.label)
    }
    ids = outer
    for (name, id) in zip(node.outputs, results) where !name.isEmpty { define(id, name) }
  }

  // MARK: - Constants

  /// The node's results when they follow from constants, or from shapes, alone.
  private func fold(_ node: Node, _ inputs: [Int?], _ opset: Int64) throws(PruneError) -> [Tensor]? {
    if node.isStandard, node.opType == "Shape" || node.opType == "Size", let source = inputs.first ?? nil,
      let shape = flow.values[source].shape
    {
      return [try foldShape(node, shape)]
    }
    guard node.operation?.kind != .random, !isDequantizedWeight(node), options.variables.isEmpty || !writes(node) else {
      return nil
    }
    var arguments: [Tensor?] = []
    for input in inputs {
      guard let input else {
        arguments.append(nil)
        continue
      }
      guard let constant = flow.values[input].constant else { return nil }
      arguments.append(constant)
    }
    guard let kernel = ReferenceKernels.kernel(for: node, opset: opset) else { return nil }
    if let types = try outputTypes(node, inputs, opset) {
      let before = arguments.reduce(0) { $0 + ($1?.byteCount ?? 0) }
      let after = types.reduce(0) { sum, type in
        sum + (type.shape.flatMap { type.dtype?.byteCount($0.count) } ?? 0)
      }
      guard after <= max(Self.foldedByteLimit, 8 * before) else { return nil }
    }
    do { return try kernel(node, arguments, opset) } catch { throw error.located(at: node.label) }
  }

  /// Whether a node only makes weights of layers out of codes. Those that no layer takes as codes are folded later.
  private func isDequantizedWeight(_ node: Node) -> Bool {
    guard node.isStandard, node.opType == "DequantizeLinear", let name = node.output(0) else { return false }
    return weightNames.contains(name)
  }

  private func writes(_ node: Node) -> Bool { !node.isStandard && node.opType.hasSuffix("Update") }

  private func foldShape(_ node: Node, _ shape: Shape) throws(PruneError) -> Tensor {
    if node.opType == "Size" { return try Tensor(scalar: Int64(shape.count)) }
    func bound(_ name: String, _ fallback: Int) -> Int {
      let value = node.int(name) ?? fallback
      return max(0, min(value < 0 ? value &+ shape.rank : value, shape.rank))
    }
    let start = bound("start", 0)
    let end = max(bound("end", shape.rank), start)
    return try Tensor(shape.dims[start..<end].map(Int64.init))
  }
}
