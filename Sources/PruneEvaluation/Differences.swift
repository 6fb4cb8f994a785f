import PruneData
import PruneGraph
import PruneRuntime
import PruneTensor

/// How to compare two models value by value.
package struct DifferencesOptions {
  /// Samples that both run on, at most.
  package var samples = 32
  package var cancel: CancelFlag?

  package init() {}
}

/// How far the values of one model are from those of the same names in another.
package struct ValueDifference: Sendable {
  package let name: String
  /// What computes it in the first model.
  package let layer: String
  package let operation: String
  private var signal = 0.0
  private var other = 0.0
  private var noise = 0.0
  private var product = 0.0
  /// The largest distance of two elements.
  package private(set) var largest = 0.0
  /// Elements that are a number in one model alone.
  package private(set) var lost = 0

  init(name: String, node: Node?) {
    self.name = name
    layer = node.map { $0.name.isEmpty ? name : $0.name } ?? name
    operation = node?.opType ?? "input"
  }

  /// Signal to noise in decibels, nil without any noise.
  package var decibels: Double? {
    guard noise > 0 else { return nil }
    return signal > 0 ? 10 * logarithm(signal / noise) / logarithm(10) : -.infinity
  }
  package var cosine: Double {
    signal > 0 && other > 0 ? product / (signal * other).squareRoot() : signal == other ? 1 : 0
  }
  /// ‖a - b‖ / ‖a‖.
  package var distance: Double { signal > 0 ? (noise / signal).squareRoot() : noise > 0 ? .infinity : 0 }

  mutating func add(_ a: Tensor, _ b: Tensor) throws(PruneError) {
    let (left, right) = (try a.cast(to: .float32).array(of: Float.self), try b.cast(to: .float32).array(of: Float.self))
    for (x, y) in zip(left, right) {
      guard x.isFinite, y.isFinite else {
        if x != y && !(x.isNaN && y.isNaN) { lost += 1 }
        continue
      }
      let (x, y) = (Double(x), Double(y))
      signal += x * x
      other += y * y
      product += x * y
      noise += (x - y) * (x - y)
      largest = max(largest, (x - y).magnitude)
    }
  }
}

/// Compares what two models compute from the same samples, value by value: those of one name and shape, floats all.
/// - Throws: `.invalidArgument` when they have no value in common, and what running them throws.
package func valueDifferences(
  _ model: Model, _ other: Model, _ data: Dataset, _ options: DifferencesOptions
) throws(PruneError) -> [ValueDifference] {
  guard options.samples > 0 else {
    throw PruneError(.invalidArgument, "samples is \(options.samples), it must be 1 or more")
  }
  func computed(_ graph: Graph) -> [String: Node] {
    Dictionary(
      graph.nodes.filter { $0.opType != "Constant" }.flatMap { node in node.outputs.map { ($0, node) } },
      uniquingKeysWith: { first, _ in first })
  }
  let (nodes, others) = (computed(model.graph), computed(other.graph))
  let common = nodes.keys.filter { !$0.isEmpty && others[$0] != nil }.sorted()
  guard !common.isEmpty else {
    throw PruneError(
      .invalidArgument, "the models compute no value of the same name",
      hint: "compare a model with one that was made from it")
  }
  let inputBinding = try InputBinding(data, model), otherBinding = try InputBinding(data, other)
  var size = 4
  switch (inputBinding.fixedBatch, otherBinding.fixedBatch) {
  case (let fixed?, let otherFixed?) where fixed != otherFixed:
    throw PruneError(.mismatch, "one model runs \(fixed) samples at a time, the other \(otherFixed)")
  case (let fixed?, _), (_, let fixed?): size = fixed
  default: break
  }
  let sessions = (
    Session(model, outputs: [], watched: common.map { ($0, isOrdered: true) }),
    Session(other, outputs: [], watched: common.map { ($0, isOrdered: true) })
  )
  var result = Dictionary(
    common.map { ($0, ValueDifference(name: $0, node: nodes[$0])) }, uniquingKeysWith: { first, _ in first })
  var seen: Set<String> = []
  let count = min(options.samples, data.count)
  for first in stride(from: 0, to: count, by: size) {
    try options.cancel?.check()
    let rows = try data.rows(first, min(first + size, count))
    var kept: [String: Tensor] = [:]
    _ = try sessions.0.run(try inputBinding.inputs(of: rows, filling: inputBinding.fixedBatch), cancel: options.cancel)
    {
      name, tensor throws(PruneError) in
      // A watched value lives as long as its step.
      if tensor.dtype.isFloatingPoint { kept[name] = try tensor.copied() }
    }
    _ = try sessions.1.run(try otherBinding.inputs(of: rows, filling: otherBinding.fixedBatch), cancel: options.cancel)
    {
      name, tensor throws(PruneError) in
      guard let value = kept.removeValue(forKey: name), tensor.dtype.isFloatingPoint, tensor.shape == value.shape else {
        return
      }
      seen.insert(name)
      try result[name]?.add(value, tensor)
    }
  }
  return common.filter(seen.contains).compactMap { result[$0] }
}

/// A table of `valueDifferences`, the worst first.
package func differences(_ model: Model, _ other: Model, _ data: Dataset, _ options: DifferencesOptions)
  throws(PruneError) -> Report
{
  let entries = try valueDifferences(model, other, data, options)
  let order = Dictionary(
    entries.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
  func rank(_ value: ValueDifference) -> (Int, Double, Int) { (-value.lost, -value.distance, order[value.name] ?? 0) }
  let sorted = entries.sorted { rank($0) < rank($1) }
  let scale = sorted.lazy.map(\.distance).filter(\.isFinite).max() ?? 0
  func row(_ value: ValueDifference) -> ReportValue {
    var row = Report(
      title: "", entries: [("name", .text(value.name)), ("layer", .text(value.layer)), ("op", .text(value.operation))])
    if let decibels = value.decibels { row["sqnr_db"] = .number(decibels) }
    row["cosine"] = .number(value.cosine)
    row["largest"] = .number(value.largest)
    if value.lost > 0 { row["not_finite"] = .integer(value.lost) }
    row["distance"] = .number(value.distance)
    row["bar"] = .text(Draw.bar(fraction: scale > 0 ? min(value.distance / scale, 1) : 0, width: 12))
    return .report(row)
  }
  let outputs = Set(model.graph.outputs.map(\.name))
  var report = Report(title: "differences on \(data.name)")
  report["samples"] = .integer(min(options.samples, data.count))
  report["compared"] = .integer(entries.count)
  report["outputs"] = .list(sorted.filter { outputs.contains($0.name) }.map(row))
  report["values"] = .list(sorted.map(row))
  return report
}
