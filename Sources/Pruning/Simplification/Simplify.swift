import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// What people run onnxsim for: constants folded, shapes that are known written in, branches that are never taken
/// dropped, nodes removed that change nothing,
/// equal constants stored once, and what nobody reads dropped. Weights stay apart that are equal by chance, and
/// quantized ones quantized.
///
/// The report has before and after (nodes), folded, identities, duplicates, and certificate: the largest relative
/// difference of the outputs from the given model's.
/// - Throws: `.refused` when the outputs changed, `.mismatch` when shapes in the model contradict each other.
package func simplify(_ model: Model, seed: UInt64 = 0, cancel: CancelFlag? = nil) throws(PruneError) -> (
  model: Model, report: Report
) {
  var current = model
  var folded = 0, identities = 0, duplicates = 0
  // What one round removes may leave more to do.
  for _ in 0..<8 {
    try cancel?.check()
    let types = try ShapeInference.run(current)
    var folding = ConstantFolding(current)
    folding.foldShapes(types)
    folding.foldConstants()
    folding.foldBranches()
    var rest = Tidying(folding.finished, types)
    rest.removeIdentities()
    rest.joinDuplicates()
    folded += folding.count
    identities += rest.identities
    duplicates += rest.duplicates
    let isDone = folding.count + rest.identities + rest.duplicates == 0
    current = rest.finished
    if isDone { break }
  }
  var report = Report(title: "simplify")
  report["before"] = .integer(model.graph.nodes.count)
  report["after"] = .integer(current.graph.nodes.count)
  report["folded"] = .integer(folded)
  report["identities"] = .integer(identities)
  report["duplicates"] = .integer(duplicates)
  try OutputCertificate.add(to: &report, of: current, against: model, seed: seed)
  return (current, report)
}

/// Nodes that return their input unchanged, and constants that are stored twice.
private struct Tidying {
  private var model: Model
  private let types: GraphTypes
  private let kept: Set<String>
  private(set) var identities = 0
  private(set) var duplicates = 0

  init(_ model: Model, _ types: GraphTypes) {
    self.model = model
    self.types = types
    kept = ConstantFolding.kept(in: model.graph)
  }

  var finished: Model {
    var result = model
    result.removeDeadNodes()
    return result
  }

  mutating func removeIdentities() {
    var sources: [String: String] = [:]
    var nodes: [Node] = []
    for original in model.graph.nodes {
      var node = original
      node.inputs = node.inputs.map { sources[$0] ?? $0 }
      if let input = node.input(0), let output = node.output(0), node.outputs.dropFirst().allSatisfy(\.isEmpty),
        !kept.contains(output), changesNothing(node, input, output)
      {
        sources[output] = input
        identities += 1
      } else {
        nodes.append(node)
      }
    }
    model.graph.nodes = nodes
  }

  private func changesNothing(_ node: Node, _ input: String, _ output: String) -> Bool {
    guard node.isStandard else { return false }
    switch node.opType {
    case "Identity": return true
    case "Dropout": return node.input(2) == nil
    case "Concat", "Sum", "Max", "Min", "Mean": return node.inputs.count == 1
    case "Cast":
      guard let dtype = types.types[input]?.dtype else { return false }
      return types.types[output]?.dtype == dtype
    case "Transpose":
      guard let order = node.ints("perm") else { return (types.types[input]?.dims?.count ?? 2) < 2 }
      return order == Array(order.indices)
    case "Expand", "Slice", "Pad", "Tile",
      _ where node.operation?.kind == .reshaping:
      // Equal shapes are not enough where elements may move.
      guard let before = types.types[input]?.dims, let after = types.types[output]?.dims, before == after,
        !before.contains(.unknown)
      else { return false }
      return !["Slice", "Pad", "Tile"].contains(node.opType)
        || node.opType == "Tile" && before.allSatisfy { $0.value != nil && $0.value != 0 }
    default: return false
    }
  }

  /// Integers, flags and single factors alone: equal weights of two layers are two weights, which training and pruning
  /// tell apart. Neither are what operators on codes read: ONNX Runtime rewrites weights and zero points of int8 as
  /// uint8, one reader at a time, and refuses a model where two share one.
  mutating func joinDuplicates() {
    let coded = model.graph.nodes.filter { node in
      node.has(.quantizes) || node.opType.hasPrefix("QLinear")
        || node.opType.hasSuffix("Integer")
    }
    let inputs = Set(model.graph.inputs.map { $0.name }),
      masked = Set(model.maskedParameters + coded.flatMap { $0.inputs })
    var first: [Key: [String]] = [:]
    var renamed: [String: String] = [:]
    for entry in model.graph.initializers
    where !inputs.contains(entry.name) && !kept.contains(entry.name) && !masked.contains(entry.name) {
      let tensor = entry.tensor
      guard tensor.dtype == .int64 || tensor.dtype == .int32 || tensor.dtype == .bool || tensor.count == 1,
        tensor.dtype != .string
      else { continue }
      let key = Key(dtype: tensor.dtype, shape: tensor.shape)
      if let same = first[key]?.first(where: { model.graph.initializer($0)?.bytes.isEqual(to: tensor.bytes) ?? false })
      {
        renamed[entry.name] = same
      } else {
        first[key, default: []].append(entry.name)
      }
    }
    guard !renamed.isEmpty else { return }
    for index in model.graph.nodes.indices {
      model.graph.nodes[index].inputs = model.graph.nodes[index].inputs.map { renamed[$0] ?? $0 }
    }
    duplicates += renamed.count
  }

  private struct Key: Hashable {
    let dtype: DType
    let shape: Shape
  }
}
