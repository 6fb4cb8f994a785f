import PruneGraph
import PruneTensor

/// The weights of a model by the names that files may have for them.
struct WeightNames {
  /// A model's weight under another name.
  struct Alias {
    let initializer: String
    /// Whether the file holds the matrix as [outputs, inputs], the model as [inputs, outputs].
    let isTransposed: Bool
  }

  /// Initializers that were trained, in the order of the graph: what layers take as parameters, and every other float
  /// tensor of more than one element.
  let trained: [String]
  /// PyTorch's names of matrices that its exporter stored without a name, by the path of their layer:
  /// `encoder.0.fc.weight` for the matrix of node `/encoder/0/fc/MatMul`.
  private(set) var aliases: [String: Alias] = [:]

  init(_ graph: Graph) {
    let sources = WeightSources(graph)
    var parameters = Set<String>()
    for node in graph.nodes {
      for operand in node.parameterOperands {
        guard let value = node.input(operand), let source = sources.source(of: value) else { continue }
        parameters.insert(source.name)
        if operand == 1, let alias = Self.alias(of: node, source) { aliases[alias.name] = alias.alias }
      }
    }
    trained = graph.initializers.filter { entry in
      parameters.contains(entry.name) || (entry.tensor.dtype.isFloatingPoint && entry.tensor.count > 1)
    }.map(\.name)
  }

  private static func alias(of node: Node, _ source: WeightSource) -> (name: String, alias: Alias)? {
    guard node.opType == "MatMul" || node.opType == "Gemm", node.name.hasPrefix("/"), source.tensor.shape.rank == 2
    else { return nil }
    let parts = node.name.split(separator: "/")
    guard parts.count > 1,
      source.path.allSatisfy({ $0.opType == "Transpose" || $0.opType == "Identity" || $0.opType == "DequantizeLinear" })
    else { return nil }
    var turns = source.path.count { $0.opType == "Transpose" }
    if node.opType == "Gemm", case .int(1)? = node.attribute("transB") { turns += 1 }
    return (path(of: parts.dropLast()) + ".weight", Alias(initializer: source.name, isTransposed: turns % 2 == 0))
  }

  /// The path of a module: in a scope such as `/blocks/blocks.1`, a part repeats the one before it that it lies in.
  private static func path(of scopes: ArraySlice<Substring>) -> String {
    var names: [String] = []
    var before = ""
    for scope in scopes {
      names.append(
        !before.isEmpty && scope.hasPrefix(before + ".") ? String(scope.dropFirst(before.count + 1)) : String(scope))
      before = String(scope)
    }
    return names.joined(separator: ".")
  }
}

/// Renames tensors of a file: names, or patterns of which each side has a `*`.
struct WeightMap {
  private let rules: [(from: String, to: String)]

  /// - Throws: `.invalidArgument` for a pattern with several stars, or a star on one side only.
  init(_ from: [String], _ to: [String]) throws(PruneError) {
    guard from.count == to.count else {
      throw PruneError(.invalidArgument, "map has \(from.count) names and \(to.count) new ones")
    }
    for (from, to) in zip(from, to) {
      let stars = from.count { $0 == "*" }
      guard stars <= 1, to.isEmpty || to.count(where: { $0 == "*" }) <= stars else {
        throw PruneError(
          .invalidArgument, "map has '\(from)' = '\(to)'",
          hint: "a pattern has one *, and its new name at most one: {[\"module.*\"] = \"*\"}")
      }
    }
    // The most specific first: the order of a Lua table is not defined.
    rules = zip(from, to).sorted { one, other in
      let (first, second) = (one.0.contains("*") ? 1 : 0, other.0.contains("*") ? 1 : 0)
      return (first, other.0.count, one.0) < (second, one.0.count, other.0)
    }
  }

  /// The model's name for a file's; nil for what is to be left out.
  func name(of name: String) -> String? {
    for (from, to) in rules {
      guard let star = from.firstIndex(of: "*") else {
        if from == name { return to.isEmpty ? nil : to }
        continue
      }
      let (head, tail) = (from[..<star], from[from.index(after: star)...])
      guard name.utf8.count >= head.utf8.count + tail.utf8.count, name.hasPrefix(head), name.hasSuffix(tail) else {
        continue
      }
      if to.isEmpty { return nil }
      let middle = name.dropFirst(head.count).dropLast(tail.count)
      return to.split(separator: "*", omittingEmptySubsequences: false).joined(separator: String(middle))
    }
    return name
  }
}
