import PruneGraph
import PruneTensor

/// The table people know from Keras: a line a layer with its output shape, parameters, MACs and sparsity, then totals.
///
/// Lines fit `width` columns; long names are shortened in the middle.
/// - Throws: `.mismatch` when shapes in the model contradict each other.
package func summary(_ model: Model, color: Bool = false, width: Int = 80) throws(PruneError) -> String {
  let stats = try ModelStats.of(model)
  return Summary(model, stats, width: max(width, 40)).text(color: color)
}

private struct Summary {
  private let model: Model
  private let stats: ModelStats
  private let width: Int

  init(_ model: Model, _ stats: ModelStats, width: Int) {
    self.model = model
    self.stats = stats
    self.width = width
  }

  func text(color: Bool) -> String {
    let isSparse = stats.nonzero < stats.params
    var header = ["Layer", "Type", "Output shape", "Params", "MACs"]
    if isSparse { header.append("Sparsity") }
    let shown = stats.layers.filter { !$0.isPlumbing }
    var rows = inputRows(columns: header.count) + shown.map { row($0, isSparse: isSparse) }
    let names = nameColumns(header, rows)
    for index in rows.indices { rows[index][0] = Draw.shortened(rows[index][0], names) }
    let table = Draw.table(header: header, rows: rows, rightAligned: [3, 4, 5], width: width)
    let rule = String(repeating: "─", count: table.split(separator: "\n").first { $0.hasPrefix("─") }?.count ?? width)
    return (title(color: color) + [table, rule] + totals(hidden: stats.layers.count - shown.count)).joined(separator: "\n")
  }

  private func title(color: Bool) -> [String] {
    let name = model.graph.name.isEmpty ? "model" : model.graph.name
    let line = "Model \"\(Draw.shortened(name, width - 8))\""
    var details: [String] = []
    if !model.producerName.isEmpty { details.append("by \(model.producerName)" + (model.producerVersion.isEmpty ? "" : " \(model.producerVersion)")) }
    if let opset = model.opset() { details.append("opset \(opset)") }
    return [
      color ? "\u{1B}[1m\(line)\u{1B}[0m" : line,
      Draw.shortened(details.joined(separator: ", "), width),
    ]
  }

  private func inputRows(columns: Int) -> [[String]] {
    model.graph.trueInputs.map { input in
      [input.name, "Input", Self.shape(input.type ?? TensorType(nil, nil)), "0"] + [String](repeating: "", count: columns - 4)
    }
  }

  private func row(_ layer: LayerStats, isSparse: Bool) -> [String] {
    var cells = [
      layer.name, layer.op, Self.shape(layer.outputType), Draw.grouped(layer.params),
      layer.macs > 0 ? Draw.grouped(layer.macs) : "",
    ]
    if isSparse { cells.append(layer.params > 0 ? Self.percent(layer.sparsity) : "") }
    return cells
  }

  /// Columns that are left for names once everything else has its place.
  private func nameColumns(_ header: [String], _ rows: [[String]]) -> Int {
    let others = header.indices.dropFirst().reduce(0) { sum, column in
      sum + 2 + max(Draw.width(header[column]), rows.map { Draw.width($0[column]) }.max() ?? 0)
    }
    return max(width - others, 12)
  }

  private func totals(hidden: Int) -> [String] {
    var lines = [
      "Parameters    \(Draw.grouped(stats.params))",
      "Stored        \(Draw.bytes(stats.bytes))",
      "MACs/sample   \(Draw.grouped(stats.macs))",
    ]
    if stats.nonzero < stats.params {
      lines[0] += ", \(Draw.grouped(stats.nonzero)) not zero (sparsity \(Self.percent(stats.sparsity)))"
      lines[2] += ", effective \(Draw.grouped(stats.effectiveMacs))"
    }
    if hidden > 0 { lines.append("\(hidden) nodes that only move or describe data are not shown") }
    return lines.map { Draw.shortened($0, width) }
  }

  private static func shape(_ type: TensorType) -> String {
    guard let dims = type.dims else { return "?" }
    return "(" + dims.map(\.description).joined(separator: ", ") + ")"
  }

  private static func percent(_ value: Double) -> String { formatted(value * 100, digits: 1) + " %" }
}
