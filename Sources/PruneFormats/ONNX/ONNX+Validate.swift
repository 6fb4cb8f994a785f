import PruneGraph
import PruneTensor

extension ONNX {
  /// Checks what the standard asks of every model, at any operators: each value is written once, before it is
  /// read; every operator set that is used is imported; functions do not call themselves.
  ///
  /// Looks at no weight. Shapes against byte counts need no check here: a `Tensor` cannot be made of too few bytes.
  /// - Throws: `.invalidModel` naming the node or value, what was found and what to do.
  package static func validate(_ model: Model) throws(PruneError) {
    try validateOpsets(model)
    guard !model.graph.outputs.isEmpty else {
      throw PruneError(
        .invalidModel, "the graph has no outputs, so there is nothing to compute", at: "graph '\(model.graph.name)'")
    }
    try validate(model.graph, opsets: model.opsets)
    var seen: Set<FunctionName> = []
    for function in model.functions {
      guard seen.insert(FunctionName(function)).inserted else {
        throw PruneError(.invalidModel, "function '\(function.domain).\(function.name)' is defined twice")
      }
      try validate(function, model: model)
    }
    try validateCalls(model.functions)
  }

  /// Checks one graph and those inside it.
  package static func validate(_ graph: Graph, opsets: [OpsetImport]) throws(PruneError) {
    var validator = GraphValidator(opsets: opsets)
    try validator.check(graph)
  }

  private static func validateOpsets(_ model: Model) throws(PruneError) {
    guard !model.opsets.isEmpty else {
      throw PruneError(
        .invalidModel, "the model does not say which operator set it was written for (opset_import is missing)",
        hint: "the file was cut short, or its exporter is broken")
    }
    var versions: [String: Int64] = [:]
    for opset in model.opsets {
      let domain = opset.domain == "ai.onnx" ? "" : opset.domain
      let label = domain.isEmpty ? "ai.onnx" : domain
      guard opset.version > 0, opset.version < 1 << 31 else {
        throw PruneError(.invalidModel, "opset version \(opset.version) of '\(label)' does not exist")
      }
      guard versions[domain] == nil || versions[domain] == opset.version else {
        throw PruneError(
          .invalidModel, "'\(label)' is imported with versions \(versions[domain] ?? 0) and \(opset.version)")
      }
      versions[domain] = opset.version
    }
  }

  private static func validate(_ function: FunctionDefinition, model: Model) throws(PruneError) {
    do throws(PruneError) {
      var validator = GraphValidator(opsets: function.opsets + model.opsets)
      try validator.check(
        nodes: function.nodes, inputs: function.inputs, outputs: function.outputs, of: "function '\(function.name)'")
    } catch { throw error.located(at: "function '\(function.name)'") }
  }

  private struct FunctionName: Hashable {
    let domain: String
    let name: String
    let overload: String
    init(_ function: FunctionDefinition) {
      (domain, name, overload) = (function.domain, function.name, function.overload)
    }
    init(calledBy node: Node) { (domain, name, overload) = (node.domain, node.opType, node.overload) }
  }

  /// Functions may call functions, but never in a circle: callees are taken away until none, or only circles are left.
  private static func validateCalls(_ functions: [FunctionDefinition]) throws(PruneError) {
    let functionNames = Set(functions.map(FunctionName.init))
    var waiting: [FunctionName: Int] = [:]
    var callers: [FunctionName: [FunctionName]] = [:]
    for function in functions {
      let callees = Set(calls(function.nodes)).intersection(functionNames)
      waiting[FunctionName(function)] = callees.count
      for callee in callees { callers[callee, default: []].append(FunctionName(function)) }
    }
    var ready = functions.map(FunctionName.init).filter { waiting[$0] == 0 }
    while let done = ready.popLast() {
      waiting[done] = nil
      for caller in callers[done] ?? [] {
        waiting[caller, default: 0] -= 1
        if waiting[caller] == 0 { ready.append(caller) }
      }
    }
    if let circular = functions.first(where: { waiting[FunctionName($0)] != nil }) {
      throw PruneError(
        .invalidModel, "function '\(circular.domain).\(circular.name)' calls itself, directly or through others",
        hint: "the standard allows no recursion")
    }
  }

  private static func calls(_ nodes: [Node]) -> [FunctionName] {
    nodes.flatMap { node in [FunctionName(calledBy: node)] + node.subgraphs.flatMap { calls($0.nodes) } }
  }
}
