import PruneGraph
import PruneTensor

/// An If, Loop or Scan as a program runs it: its graphs compiled for what flows into them.
final class ControlNode {
  private let node: Node
  private let opset: Int64
  /// The node's own inputs; what its graphs capture follows them.
  private let ownCount: Int
  private let bodies: [String: BodyGraph]

  /// - Parameters:
  ///   - captured: names of the outer values that follow the node's own inputs.
  ///   - constants: outer values that are known.
  init(
    _ node: Node, opset: Int64, of model: Model, captured: [String], constants: [(String, Tensor)],
    options: ProgramOptions
  ) throws(PruneError) {
    self.node = node
    self.opset = opset
    ownCount = node.inputs.count
    var bodies: [String: BodyGraph] = [:]
    for attribute in node.attributes {
      guard case .graph(let graph) = attribute.value else { continue }
      bodies[attribute.name] = try BodyGraph(
        graph, of: model, captured: captured, constants: constants, options: options)
    }
    self.bodies = bodies
  }

  /// All outputs, from the node's inputs and the values its graphs capture.
  func run(_ inputs: [Tensor?], cancel: CancelFlag?) throws(PruneError) -> [Tensor] {
    var captured: [Tensor] = []
    for tensor in inputs[ownCount...] {
      guard let tensor else { throw PruneError(.internal, "a captured value was not computed") }
      captured.append(tensor)
    }
    return try ControlFlow.evaluate(node, Array(inputs[..<ownCount]), opset: opset) {
      (name, feeds) throws(PruneError) in
      try body(name).run(feeds + captured, cancel: cancel)
    }
  }

  /// The types of the outputs as far as all branches agree; nil where only a run can tell.
  /// - Throws: `.unsupported` when a loop's body has a node that no kernel runs.
  func outputTypes(_ inputs: [TensorType?]) throws(PruneError) -> [TensorType]? {
    let operands = Array(inputs[..<ownCount])
    var captured: [TensorType] = []
    for type in inputs[ownCount...] {
      guard let type, type.shape != nil, type.dtype != nil else { return nil }
      captured.append(type)
    }
    switch node.opType {
    case "If":
      // A branch that cannot be compiled may be one that is never taken.
      guard let thenTypes = try? body("then_branch").outputTypes(captured),
        let other = try? body("else_branch").outputTypes(captured)
      else { return nil }
      return zip(thenTypes, other).map { Self.common($0, $1) }
    case "Loop": return try loopTypes(operands, captured)
    default: return nil
    }
  }

  /// What carried values are if the first iteration leaves their types as they were.
  private func loopTypes(_ operands: [TensorType?], _ captured: [TensorType]) throws(PruneError) -> [TensorType]? {
    var carried: [TensorType] = []
    for type in operands.dropFirst(2) {
      guard let type, type.shape != nil, type.dtype != nil else { return nil }
      carried.append(type)
    }
    let counters = [TensorType(.int64, .scalar), TensorType(.bool, .scalar)]
    let results: [TensorType]
    do {
      results = try body("body").outputTypes(counters + carried + captured)
    } catch {
      // A body that is never entered may be as it likes; one that nothing can run is worth saying at once.
      if error.status == .unsupported { throw error }
      return nil
    }
    guard results.count > carried.count, Array(results[1...].prefix(carried.count)) == carried else { return nil }
    return carried + results.dropFirst(1 + carried.count).map { TensorType($0.dtype, nil) }
  }

  private static func common(_ a: TensorType, _ b: TensorType) -> TensorType {
    TensorType(a.dtype == b.dtype ? a.dtype : nil, a.dims == b.dims ? a.dims : nil)
  }

  private func body(_ name: String) throws(PruneError) -> BodyGraph {
    guard let body = bodies[name] else { throw PruneError(.invalidModel, "attribute \(name) is missing") }
    return body
  }
}
