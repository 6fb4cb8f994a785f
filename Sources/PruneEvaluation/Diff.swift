import PruneGraph
import PruneTensor

/// What another model has that one has not, and where their numbers differ.
///
/// "same" says whether nothing differs. "before" and "after" are the totals, "layers" those that came, went or changed
/// their costs, "weights" those of both whose numbers or extents differ: zeros of both, the largest difference, and
/// "relative", the norm of the difference over that of the first.
/// - Throws: as `ModelStats.of`.
package func diff(_ first: Model, _ second: Model) throws(PruneError) -> Report {
  let before = try ModelStats.of(first), after = try ModelStats.of(second)
  let layers = layerRows(before, after)
  let weights = try weightRows(first.graph, second.graph)
  let isSameGraph =
    first.graph.nodes.map(\.outputs) == second.graph.nodes.map(\.outputs)
    && first.graph.nodes.map(\.opType) == second.graph.nodes.map(\.opType)
    && Set(first.graph.initializers.map(\.name)) == Set(second.graph.initializers.map(\.name))
  let isSame = layers.isEmpty && weights.isEmpty && isSameGraph
  var report = Report(title: "difference")
  report.headline = isSame ? "the networks are the same" : nil
  report["same"] = .flag(isSame)
  report["before"] = .report(totals(before, first))
  report["after"] = .report(totals(after, second))
  if !layers.isEmpty { report["layers"] = .list(layers.map { .report($0) }) }
  if !weights.isEmpty { report["weights"] = .list(weights.map { .report($0) }) }
  return report
}

private func totals(_ stats: ModelStats, _ model: Model) -> Report {
  var report = Report(title: "")
  report["nodes"] = .integer(model.graph.nodes.count)
  for key in ["params", "nonzero", "sparsity", "macs", "bytes"] { report[key] = stats.report[key] }
  return report
}

private func layerRows(_ before: ModelStats, _ after: ModelStats) -> [Report] {
  func named(_ stats: ModelStats) -> [String: LayerStats] {
    Dictionary(stats.layers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }
  let old = named(before), new = named(after)
  var rows: [Report] = []
  func add(_ change: String, _ one: LayerStats?, _ other: LayerStats?) {
    guard let named = one ?? other else { return }
    var row = Report(
      title: "", entries: [("name", .text(named.name)), ("op", .text(named.op)), ("change", .text(change))])
    row["params"] = one.map { .integer($0.params) }
    row["params_after"] = other.map { .integer($0.params) }
    row["macs"] = one.map { .count($0.macs) }
    row["macs_after"] = other.map { .count($0.macs) }
    rows.append(row)
  }
  for layer in before.layers where !layer.isPlumbing {
    guard let other = new[layer.name] else {
      add("gone", layer, nil)
      continue
    }
    if layer.op != other.op || layer.params != other.params || layer.macs != other.macs { add("changed", layer, other) }
  }
  for layer in after.layers where !layer.isPlumbing && old[layer.name] == nil { add("new", nil, layer) }
  return rows
}

private func weightRows(_ before: Graph, _ after: Graph) throws(PruneError) -> [Report] {
  var rows: [Report] = []
  for value in before.initializers {
    guard let other = after.initializer(value.name), value.tensor.dtype != .string, other.dtype != .string else {
      continue
    }
    var row = Report(
      title: "", entries: [("name", .text(value.name)), ("shape", .text(value.tensor.shape.description))])
    if value.tensor.shape != other.shape || value.tensor.dtype != other.dtype {
      row["shape_after"] = .text(
        other.shape.description + (value.tensor.dtype == other.dtype ? "" : " \(other.dtype.name)"))
      rows.append(row)
      continue
    }
    let change = try Change(value.tensor, other)
    guard change.largest != 0 else { continue }
    row["zeros"] = .integer(change.zerosBefore)
    row["zeros_after"] = .integer(change.zerosAfter)
    row["largest"] = .number(change.largest)
    row["relative"] = .number(
      change.squaresBefore > 0 ? (change.squares / change.squaresBefore).squareRoot() : .infinity)
    rows.append(row)
  }
  return rows
}

/// How two tensors of one shape differ.
private struct Change {
  var largest = 0.0, squares = 0.0, squaresBefore = 0.0
  var zerosBefore = 0, zerosAfter = 0

  init(_ first: Tensor, _ second: Tensor) throws(PruneError) {
    let first = try first.cast(to: .float32), second = try second.cast(to: .float32)
    var sums = self
    try first.withSpan(of: Float.self) { one throws(PruneError) in
      try second.withSpan(of: Float.self) { two throws(PruneError) in
        for index in 0..<min(one.count, two.count) { sums.add(Double(one[index]), Double(two[index])) }
      }
    }
    self = sums
  }

  private mutating func add(_ one: Double, _ two: Double) {
    if one == 0 { zerosBefore += 1 }
    if two == 0 { zerosAfter += 1 }
    // The same infinity or NaN in both is no difference.
    guard one != two, !(one.isNaN && two.isNaN) else {
      squaresBefore += one * one
      return
    }
    let difference = one - two
    largest = difference.isNaN ? .infinity : max(largest, difference.magnitude)
    squares += difference * difference
    squaresBefore += one * one
  }
}
