import PruneGraph
import PruneTensor

/// The table people know from Keras: a line a layer with its output shape, parameters, MACs and sparsity, then totals.
///
/// Lines fit `width` columns as long as those are 60 or more; long names are shortened.
/// - Parameter shapes: extents that the inputs leave open, shown in place of their names; MACs that depend on others
///   are "open".
/// - Throws: `.mismatch` when shapes in the model contradict each other.
package func summary(
  _ model: Model, shapes: ShapeBinding = .init(), color: Bool = false, width: Int = 80
) throws(PruneError) -> String {
  let bound = try shapes.bound(model)
  return Summary(bound, try ModelStats.of(bound), width: max(width, 60)).text(color: color)
}

private struct Summary {
  private let model: Model
  private let stats: ModelStats
  private let width: Int
  private let isSparse: Bool

  init(_ model: Model, _ stats: ModelStats, width: Int) {
    self.model = model
    self.stats = stats
    self.width = width
    isSparse = stats.nonzero < stats.params
  }

  func text(color: Bool) -> String {
    let header = ["Layer", "Type", "Output shape", "Params", "MACs"] + (isSparse ? ["Sparsity"] : [])
    let layers = stats.layers.filter { !$0.isPlumbing }
    var rows = model.graph.trueInputs.map(row) + layers.map(row)
    fit(&rows, header)
    let table = Draw.table(header: header, rows: rows, rightAligned: [3, 4, 5], width: width)
    let rule = table.split(separator: "\n").first { $0.hasPrefix("─") }.map(String.init) ?? ""
    return (title(color: color) + [table, rule] + totals(hidden: stats.layers.count - layers.count)).joined(
      separator: "\n")
  }

  private func title(color: Bool) -> [String] {
    let name = model.graph.name.isEmpty ? "model" : model.graph.name
    let line = "Model \"\(Draw.shortened(name, width - 8))\""
    var details: [String] = []
    if !model.producerName.isEmpty {
      details.append("by \(model.producerName)" + (model.producerVersion.isEmpty ? "" : " \(model.producerVersion)"))
    }
    if let opset = model.opset() { details.append("opset \(opset)") }
    return [color ? "\u{1B}[1m\(line)\u{1B}[0m" : line, Draw.shortened(details.joined(separator: ", "), width)]
  }

  // MARK: - Rows

  private func row(_ input: ValueInfo) -> [String] {
    [input.name, "Input", Self.shape(input.type ?? TensorType(nil, nil)), "", ""] + (isSparse ? [""] : [])
  }

  private func row(_ layer: LayerStats) -> [String] {
    let macs = layer.macs.map { $0 > 0 ? Draw.grouped($0) : "" } ?? "open"
    return [layer.name, layer.op, Self.shape(layer.outputType), Draw.grouped(layer.params), macs]
      + (isSparse ? [layer.params > 0 ? Self.percent(layer.sparsity) : ""] : [])
  }

  /// Shortens names, then types, so that shapes and numbers keep their room.
  private func fit(_ rows: inout [[String]], _ header: [String]) {
    var columns = header.indices.map { column in
      max(Draw.width(header[column]), rows.map { Draw.width($0[column]) }.max() ?? 0)
    }
    let room = width - columns[2...].reduce(2 * (columns.count - 1), +)
    columns[1] = min(columns[1], max(room - min(columns[0], 20), 8))
    columns[0] = min(columns[0], max(room - columns[1], 10))
    for index in rows.indices {
      rows[index][0] = Self.name(rows[index][0], type: rows[index][1], columns[0])
      rows[index][1] = Draw.fitted(rows[index][1], columns[1])
    }
  }

  /// A node's name, cut to a number of columns. Exporters repeat modules and end in the operator, as in
  /// `/layer1/layer1.0/conv1/Conv`; what is redundant goes first: `layer1.0/conv1`.
  private static func name(_ name: String, type: String, _ columns: Int) -> String {
    guard Draw.width(name) > columns else { return name }
    var parts = name.split(separator: "/")
    if parts.count > 1, parts.last.map(String.init) == type { parts.removeLast() }
    let kept = parts.indices.filter { index in
      index + 1 == parts.count || !parts[index + 1].hasPrefix(parts[index] + ".")
    }
    return Draw.shortened(kept.map { String(parts[$0]) }.joined(separator: "/"), columns)
  }

  // MARK: - Totals

  private func totals(hidden: Int) -> [String] {
    var lines = [
      "Parameters    \(Draw.grouped(stats.params))", "Stored        \(Draw.bytes(stats.bytes))",
      "MACs/sample   "
        + (stats.macs.map { Draw.grouped($0) } ?? "open: they depend on \(stats.open.joined(separator: ", "))"),
    ]
    if isSparse {
      lines[0] += ", \(Draw.grouped(stats.nonzero)) not zero (sparsity \(Self.percent(stats.sparsity)))"
      if let effective = stats.effectiveMacs { lines[2] += ", effective \(Draw.grouped(effective))" }
    }
    if let shapes = stats.assumedShapes { lines[2] += ", \(shapes)" }
    if hidden > 0 { lines.append("\(hidden) nodes that only move or describe data are not shown") }
    return lines.map { Draw.shortened($0, width) }
  }

  /// Extents as Keras writes them. Symbols that exporters made up from names of values tell nothing.
  private static func shape(_ type: TensorType) -> String {
    guard let dims = type.dims else { return "?" }
    let extents = dims.map { dim -> String in
      if case .named(let name) = dim, name.count > 12 || name.contains("/") { return "?" }
      return dim.description
    }
    return "(" + extents.joined(separator: ", ") + ")"
  }

  private static func percent(_ value: Double) -> String { formatted(value * 100, digits: 1) + " %" }
}
