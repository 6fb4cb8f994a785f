import PruneTensor

/// Types and shapes of every value of a model, found by walking its nodes in order.
package struct ShapeInference {
  /// Infers the types of all values, those inside subgraphs included.
  ///
  /// - Parameter inputs: types that replace those of graph inputs, such as a batch size. A symbol that they fix is
  ///   fixed in the other inputs too.
  /// - Throws: `.mismatch` naming the node, when shapes contradict each other; `.notFound` for an input that is not
  ///   there.
  package static func run(
    _ model: Model, inputs: [String: TensorType] = [:]
  ) throws(PruneError) -> GraphTypes {
    var walk = ShapeInference(model: model, trustsDeclarations: inputs.isEmpty)
    let bindings = try walk.bindInputs(inputs)
    try walk.infer(model.graph, bindings, depth: 0)
    return walk.graphTypes
  }

  private let model: Model
  /// Declared types of inner values fill gaps only while nothing was overridden: they may be of another batch size.
  private let trustsDeclarations: Bool
  private var graphTypes = GraphTypes()
  private var constants: [String: Tensor] = [:]

  private init(model: Model, trustsDeclarations: Bool) {
    self.model = model
    self.trustsDeclarations = trustsDeclarations
  }

  // MARK: - Inputs

  private mutating func bindInputs(_ overrides: [String: TensorType]) throws(PruneError) -> [String:
    TensorType]
  {
    let declared = model.graph.inputs
    for name in overrides.keys.sorted() where !declared.contains(where: { $0.name == name }) {
      let names = declared.map(\.name).joined(separator: ", ")
      throw PruneError(
        .notFound, "the model has no input '\(name)'", hint: "its inputs are: \(names)")
    }
    var symbols: [String: Dim] = [:]
    var types: [String: TensorType] = [:]
    for info in declared {
      guard let override = overrides[info.name] else { continue }
      types[info.name] = try Self.merged(override, info, &symbols)
    }
    for info in declared where types[info.name] == nil {
      guard var type = info.type else { continue }
      type.dims = type.dims?.map { dim in
        if case .named(let name) = dim { return symbols[name] ?? dim }
        return dim
      }
      types[info.name] = type
    }
    return types
  }

  /// An override checked against the declaration; symbols of the declaration that it fixes are noted.
  private static func merged(
    _ override: TensorType, _ info: ValueInfo, _ symbols: inout [String: Dim]
  ) throws(PruneError) -> TensorType {
    let declared = info.type ?? TensorType(nil, nil)
    func mismatch() -> PruneError {
      PruneError(.mismatch, "input '\(info.name)' is declared \(declared), got \(override)")
    }
    var result = override
    if let declaredType = declared.dtype {
      if let overrideType = override.dtype, overrideType != declaredType { throw mismatch() }
      result.dtype = declaredType
    }
    guard let overrideDims = override.dims else {
      result.dims = declared.dims
      return result
    }
    guard let declaredDims = declared.dims else { return result }
    guard overrideDims.count == declaredDims.count else { throw mismatch() }
    for (dim, declaredDim) in zip(overrideDims, declaredDims) {
      switch declaredDim {
      case .fixed:
        if dim.value != nil, dim != declaredDim { throw mismatch() }
      case .named(let name):
        if let bound = symbols[name], dim.value != nil, bound.value != nil, bound != dim {
          throw PruneError(
            .mismatch,
            "input '\(info.name)' is declared \(declared) and '\(name)' is \(bound) elsewhere, got \(override)"
          )
        }
        if dim.value != nil { symbols[name] = dim }
      case .unknown: break
      }
    }
    return result
  }

  // MARK: - Walking

  private static let maximumDepth = 32

  private mutating func infer(
    _ graph: Graph, _ inputs: [String: TensorType], depth: Int
  ) throws(PruneError) {
    guard depth < Self.maximumDepth else {
      throw PruneError(
        .invalidModel, "graph '\(graph.name)' is nested more than \(Self.maximumDepth) deep")
    }
    for info in graph.inputs {
      // A name of an outer graph may be used again inside.
      graphTypes.types[info.name] = inputs[info.name] ?? info.type
      graphTypes.values[info.name] = nil
      constants[info.name] = nil
    }
    for initializer in graph.initializers { define(initializer.name, initializer.tensor) }
    var declared: [String: TensorType] = [:]
    if trustsDeclarations {
      for info in graph.valueInfo + graph.outputs { declared[info.name] = info.type }
    }
    for node in graph.nodes { try infer(node, declared, depth: depth) }
  }

  private mutating func define(_ name: String, _ tensor: Tensor) {
    constants[name] = tensor
    graphTypes.types[name] = TensorType(tensor.dtype, tensor.shape)
    graphTypes.values[name] = SymbolicValue(tensor)
  }

  private mutating func infer(_ node: Node, _ declared: [String: TensorType], depth: Int)
    throws(PruneError)
  {
    if node.isStandard, node.opType == "Constant", let tensor = try GeneratorRules.constant(node) {
      if let output = node.output(0) { define(output, tensor) }
      return
    }
    if try inferContributed(node, declared, depth: depth) { return }
    let opset = model.opset(node.domain) ?? 1
    let operands = try Operands(
      node, types: node.inputs.map { graphTypes.types[$0] },
      constants: node.inputs.map { constants[$0] },
      values: node.inputs.map { graphTypes.values[$0] }, opset: opset)
    var types: [TensorType?]
    if node.isStandard, !node.subgraphs.isEmpty {
      types = try inferControlFlow(node, operands, depth: depth)
    } else {
      types = try InferenceRules.infer(operands) ?? []
    }
    for (index, output) in node.outputs.enumerated() where !output.isEmpty {
      let inferred = index < types.count ? types[index] : nil
      graphTypes.types[output] = Self.filled(inferred, from: declared[output])
      graphTypes.values[output] = nil
      constants[output] = nil
    }
    if let output = node.output(0), let value = SymbolicEvaluation.evaluate(operands) {
      graphTypes.values[output] = value
      // Values find shapes that the rule, seeing types alone, could not.
      if graphTypes.types[output]?.dims == nil {
        graphTypes.types[output] = TensorType(
          graphTypes.types[output]?.dtype ?? .int64, value.dims.map(Dim.fixed))
      }
    }
  }

  /// Types of an operator that stands for standard ones.
  private mutating func inferContributed(
    _ node: Node, _ declared: [String: TensorType], depth: Int
  ) throws(PruneError) -> Bool {
    var number = 0
    let parts = ContributedOperators.expansion(of: node) { name in
      number += 1
      return "\(name)//\(number)"
    }
    guard let parts else { return false }
    for part in parts {
      do { try infer(part, declared, depth: depth) } catch { throw error.located(at: node.label) }
    }
    let kept = Set(node.outputs)
    for name in parts.flatMap(\.outputs) where !kept.contains(name) {
      graphTypes.types[name] = nil
      graphTypes.values[name] = nil
      constants[name] = nil
    }
    return true
  }

  /// What was inferred, its gaps filled from what the file declares.
  private static func filled(_ inferred: TensorType?, from declared: TensorType?) -> TensorType? {
    guard var type = inferred else { return declared }
    guard let declared else { return type }
    if type.dtype == nil { type.dtype = declared.dtype }
    guard let dims = type.dims else {
      type.dims = declared.dims
      return type
    }
    guard let hints = declared.dims, hints.count == dims.count else { return type }
    type.dims = zip(dims, hints).map { $0 == .unknown ? $1 : $0 }
    return type
  }

  // MARK: - Subgraphs

  private mutating func inferControlFlow(
    _ node: Node, _ operands: Operands, depth: Int
  ) throws(PruneError) -> [TensorType?] {
    switch node.opType {
    case "If": return try inferIf(node, depth: depth)
    case "Loop": return try inferLoop(node, operands, depth: depth)
    case "Scan": return try inferScan(node, operands, depth: depth)
    default: return []
    }
  }

  private mutating func inferIf(_ node: Node, depth: Int) throws(PruneError) -> [TensorType?] {
    var branches: [[TensorType?]] = []
    for name in ["then_branch", "else_branch"] {
      guard let graph = node.graph(name) else {
        throw PruneError(.invalidModel, "attribute \(name) is missing", at: node.label)
      }
      try infer(graph, [:], depth: depth + 1)
      branches.append(graph.outputs.map { graphTypes.types[$0.name] })
    }
    return node.outputs.indices.map { index in
      let sides = branches.map { index < $0.count ? $0[index] : nil }
      return Self.joined(sides[0], sides[1])
    }
  }

  /// The type of a value that is one or the other.
  private static func joined(_ a: TensorType?, _ b: TensorType?) -> TensorType? {
    guard let a, let b else { return nil }
    let dtype = a.dtype == b.dtype ? a.dtype : nil
    guard let left = a.dims, let right = b.dims, left.count == right.count else {
      return TensorType(dtype, nil)
    }
    return TensorType(dtype, zip(left, right).map { $0 == $1 ? $0 : .unknown })
  }

  private mutating func inferLoop(
    _ node: Node, _ operands: Operands, depth: Int
  ) throws(PruneError) -> [TensorType?] {
    guard let body = node.graph("body"), body.inputs.count >= 2 else {
      throw PruneError(
        .invalidModel, "the body must take an iteration number and a condition", at: node.label)
    }
    let carried = body.inputs.count - 2
    guard body.outputs.count >= carried + 1, operands.inputCount >= carried + 2 || carried == 0
    else {
      throw PruneError(
        .invalidModel,
        "the body carries \(carried) values but the node has \(max(operands.inputCount - 2, 0))",
        at: node.label)
    }
    // Carried values of a loop may change their extents: only extents that the body does not change are known.
    let unknown = (0..<carried).map { TensorType(operands.dtype($0 + 2), nil) }
    // The tries of loops within loops would multiply.
    var tries = depth < 3 ? 2 : 0
    var stateTypes = tries > 0 ? (0..<carried).map { operands.type($0 + 2) ?? unknown[$0] } : unknown
    while true {
      var types: [String: TensorType] = [
        body.inputs[0].name: TensorType(.int64, [Dim]()), body.inputs[1].name: TensorType(.bool, [Dim]()),
      ]
      for (info, type) in zip(body.inputs.dropFirst(2), stateTypes) { types[info.name] = type }
      do throws(PruneError) { try infer(body, types, depth: depth + 1) } catch {
        guard stateTypes != unknown else { throw error }
        stateTypes = unknown
        continue
      }
      let kept = zip(stateTypes, body.outputs.dropFirst()).map { Self.common($0, graphTypes.types[$1.name]) }
      if kept == stateTypes { break }
      tries -= 1
      stateTypes = tries > 0 ? kept : unknown
    }
    return body.outputs.dropFirst().enumerated().map { index, info in
      let type = graphTypes.types[info.name]
      guard index >= carried else {
        return stateTypes[index].dims == nil ? type ?? stateTypes[index] : stateTypes[index]
      }
      return TensorType(type?.dtype, type?.dims.map { [.unknown] + $0 })
    }
  }

  /// The first type, without the extents that the second does not have as well.
  private static func common(_ type: TensorType, _ other: TensorType?) -> TensorType {
    guard let dims = type.dims, let others = other?.dims, dims.count == others.count else {
      return TensorType(type.dtype, nil)
    }
    return TensorType(type.dtype, zip(dims, others).map { $0 == $1 ? $0 : .unknown })
  }

  private mutating func inferScan(
    _ node: Node, _ operands: Operands, depth: Int
  ) throws(PruneError) -> [TensorType?] {
    guard let body = node.graph("body"), let scanned = node.int("num_scan_inputs"), scanned >= 0,
      scanned <= body.inputs.count
    else {
      throw PruneError(
        .invalidModel, "the body and num_scan_inputs do not fit each other", at: node.label)
    }
    let states = body.inputs.count - scanned
    // Opset 8 has a sequence_lens input first and a batch axis in front of everything.
    let first = operands.opset < 9 ? 1 : 0
    let axes = node.ints("scan_input_axes") ?? []
    var types: [String: TensorType] = [:]
    var length = Dim.unknown
    for (index, info) in body.inputs.enumerated() {
      let type = operands.type(first + index)
      guard var dims = type?.dims else {
        types[info.name] = TensorType(type?.dtype, nil)
        continue
      }
      if first == 1, !dims.isEmpty { dims.removeFirst() }
      if index >= states {
        let number = index - states < axes.count && first == 0 ? axes[index - states] : 0
        let axis = try operands.axis(number, rank: dims.count)
        length = dims.remove(at: axis)
      }
      types[info.name] = TensorType(type?.dtype, dims)
    }
    try infer(body, types, depth: depth + 1)
    let outAxes = node.ints("scan_output_axes") ?? []
    let batch = first == 1 ? operands.dims(1)?.first ?? .unknown : nil
    var result: [TensorType?] = []
    for (index, info) in body.outputs.enumerated() {
      let type = graphTypes.types[info.name]
      guard var dims = type?.dims else {
        result.append(TensorType(type?.dtype, nil))
        continue
      }
      if index >= states {
        let number = index - states < outAxes.count && first == 0 ? outAxes[index - states] : 0
        dims.insert(length, at: try operands.axis(number, rank: dims.count + 1))
      }
      result.append(TensorType(type?.dtype, (batch.map { [$0] } ?? []) + dims))
    }
    return result
  }
}
