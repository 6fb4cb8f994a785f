import PruneEvaluation
import PruneGraph
import PruneTensor

/// A picture of a network, layer under layer, in which what loses its units together has one colour.
///
/// A node has the colour of the group that its first output's units belong to. Groups that must stay are grey, with a
/// dashed border and the reason; nodes of no group are white.
package struct GraphDrawing {
  private struct Box {
    let name: String
    let op: String
    /// Units and why they stay: the tooltip.
    let tip: String
    /// Degrees on the circle of colours; nil for grey and white ones.
    let hue: Int?
    let isPinned: Bool
    var rank = 0
    var column = 0.0
    var before: [Int] = []
  }

  private var boxes: [Box] = []
  private let title: String

  /// - Throws: `.mismatch` when shapes in the model contradict each other.
  package init(_ model: Model, rules: [String: CustomRule] = [:]) throws(PruneError) {
    let dependencies = try Dependencies(of: model, rules: rules)
    let graph = dependencies.model.graph
    title = graph.name
    var groups: [SpaceForest.ID: Int] = [:]
    for (index, group) in dependencies.groups.enumerated() { groups[group.space] = index }
    var makers: [String: Int] = [:]
    for input in graph.trueInputs {
      makers[input.name] = boxes.count
      boxes.append(Box(name: input.name, op: "input", tip: input.type?.description ?? "", hue: nil, isPinned: false))
    }
    for node in graph.nodes where !Self.isConstant(node, graph, makers) {
      let before = Set(node.inputs.compactMap { makers[$0] }).sorted()
      let output = node.output(0) ?? ""
      let spaces = (dependencies.axes[output] ?? []).flatMap { dependencies.forest.leaves($0) }
      let place = spaces.compactMap { groups[$0] }.min()
      let group = place.map { dependencies.groups[$0] }
      var tip = "\(node.opType) \(node.layerName)"
      if let group {
        tip += ": \(group.size) units of '\(group.name)'"
        if let pin = group.pins.first { tip += ", which stay: \(pin.place): \(pin.reason)" }
      }
      var box = Box(
        name: node.layerName, op: node.opType, tip: tip,
        // Steps of the golden angle keep neighbours apart however many there are.
        hue: group?.isPinned == false ? place.map { $0 * 137 % 360 } : nil, isPinned: group?.isPinned == true)
      box.before = before
      box.rank = (before.map { boxes[$0].rank }.max() ?? -1) + 1
      for name in node.outputs where !name.isEmpty { makers[name] = boxes.count }
      boxes.append(box)
    }
    arrange()
  }

  /// Nodes that compute nothing from the inputs.
  private static func isConstant(_ node: Node, _ graph: Graph, _ makers: [String: Int]) -> Bool {
    !node.inputs.contains { makers[$0] != nil }
  }

  /// Puts the boxes of a rank side by side, each near what it is computed from.
  private mutating func arrange() {
    let ranks = Dictionary(grouping: boxes.indices, by: { boxes[$0].rank })
    for rank in ranks.keys.sorted() {
      let members = (ranks[rank] ?? []).map { index -> (wish: Double, index: Int) in
        let columns = boxes[index].before.map { boxes[$0].column }
        return (columns.isEmpty ? 0 : columns.reduce(0, +) / Double(columns.count), index)
      }.sorted { ($0.wish, $0.index) < ($1.wish, $1.index) }
      for (place, member) in members.enumerated() {
        boxes[member.index].column = Double(place) - Double(members.count - 1) / 2
      }
    }
  }

  // MARK: - Formats

  /// The language of Graphviz.
  package var dot: String {
    func quoted(_ text: String) -> String { "\"" + text.flatMap { "\"\\".contains($0) ? ["\\", $0] : [$0] } + "\"" }
    var lines = [
      "digraph \(quoted(title)) {", "  rankdir=TB;",
      "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11, fillcolor=white];",
    ]
    for (index, box) in boxes.enumerated() {
      let color =
        box.hue.map { "\"\(formatted(Double($0) / 360, digits: 3)) 0.25 0.95\"" }
        ?? (box.isPinned ? "\"#e0e0e0\"" : "white")
      let style = box.isPinned ? ", style=\"rounded,filled,dashed\"" : ""
      lines.append(
        "  n\(index) [label=\(quoted(box.op + "\n" + box.name)), tooltip=\(quoted(box.tip)), fillcolor=\(color)\(style)];"
      )
      for from in box.before { lines.append("  n\(from) -> n\(index);") }
    }
    return (lines + ["}", ""]).joined(separator: "\n")
  }

  package var svg: String {
    let width = 168.0, height = 34.0, stepX = 188.0, stepY = 56.0
    let widest = boxes.map { abs($0.column) }.max() ?? 0
    let whole = (2 * widest + 1) * stepX + 40, middle = whole / 2
    let tall = Double((boxes.map(\.rank).max() ?? 0) + 1) * stepY + 20
    func x(_ box: Box) -> Double { middle + box.column * stepX }
    func y(_ box: Box) -> Double { 16 + Double(box.rank) * stepY }
    func number(_ value: Double) -> String { Markup.number(value) }
    var body = ""
    for box in boxes {
      for from in box.before.map({ boxes[$0] }) {
        let x1 = x(from), y1 = y(from) + height, x2 = x(box), y2 = y(box)
        // What skips ranks goes around them: a curve reaches three quarters of the way to its handles.
        let aside = box.rank - from.rank > 1 ? (width / 2 + 12) / 0.75 : 0
        body +=
          "<path class=\"edge\" d=\"M\(number(x1)) \(number(y1)) C\(number(x1 + aside)) \(number(y1 + 22)) "
          + "\(number(x2 + aside)) \(number(y2 - 22)) \(number(x2)) \(number(y2))\"/>\n"
      }
    }
    for box in boxes {
      let fill = box.hue.map { "hsl(\($0),60%,84%)" } ?? (box.isPinned ? "#e0e0e0" : "#fff")
      let dashes = box.isPinned ? " stroke-dasharray=\"4 3\"" : ""
      body +=
        "<g><title>\(Markup.escaped(box.tip))</title>"
        + "<rect x=\"\(number(x(box) - width / 2))\" y=\"\(number(y(box)))\" width=\"\(number(width))\" height=\"\(number(height))\" rx=\"7\" fill=\"\(fill)\" stroke=\"#57606a\"\(dashes)/>"
        + "<text x=\"\(number(x(box)))\" y=\"\(number(y(box) + 14))\" class=\"op\">\(Markup.escaped(box.op))</text>"
        + "<text x=\"\(number(x(box)))\" y=\"\(number(y(box) + 27))\" class=\"name\">\(Markup.escaped(Draw.ending(box.name, 26)))</text></g>\n"
    }
    let style = """
      svg{background:var(--page)}\(Markup.colors).edge{fill:none;stroke:var(--soft);stroke-width:1.2}
      text{font:11px system-ui,sans-serif;text-anchor:middle;fill:#1b1f24}.op{font-weight:600}.name{font-size:10px}
      """
    return
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(number(whole)) \(number(tall))\" "
      + "width=\"\(number(whole))\" height=\"\(number(tall))\"><style>\(style)</style>\n\(body)</svg>\n"
  }

  /// Writes it, atomically, as the end of the name says: .svg or .dot.
  /// - Throws: `.invalidArgument` for another end, and as `AtomicFile`.
  package func save(_ path: String) throws(PruneError) {
    let text: String
    if path.hasSuffix(".svg") {
      text = svg
    } else if path.hasSuffix(".dot") || path.hasSuffix(".gv") {
      text = dot
    } else {
      throw PruneError(
        .invalidArgument, "'\(path)' does not say how to draw a network", hint: "end the name in .svg or .dot")
    }
    let file = try AtomicFile(path: path)
    try file.write(Array(text.utf8))
    try file.commit()
  }
}
