import PruneTensor

extension Report {
  /// One page that needs nothing else, no script either: what must be known first, the main numbers, charts, every
  /// table, and how to do it again.
  /// - Parameter recipe: of a prune: the text that takes its steps again.
  package func page(madeBy: String, recipe: String? = nil) -> String {
    var body = "<h1>\(Markup.escaped(title.isEmpty ? "report" : title))</h1>\n"
    if let headline { body += "<p class=\"headline\">\(Markup.escaped(headline))</p>\n" }
    body += cards + beforeAndAfter
    body += "<div class=\"charts\">\n" + charts.map(\.figure).joined() + "</div>\n"
    for section in sections where !section.name.isEmpty { body += Self.details(section) }
    if let values = sections.first, values.name.isEmpty { body += Self.values(values) }
    body += "<h2>How to do it again</h2>\n<p>Made by \(Markup.escaped(madeBy)).</p>\n"
    if let recipe {
      body +=
        "<p>Save this as a file and give its text to <code>prune{recipe = …}</code> on the same network with the same data:</p>\n"
      body += "<pre>\(Markup.escaped(recipe))</pre>\n"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(Markup.escaped(title.isEmpty ? "report" : title))</title>
      <style>
      \(Markup.colors)\(Markup.drawing)\(Self.layout)</style>
      </head>
      <body>
      \(body)</body>
      </html>

      """
  }

  /// The first chart as a file of its own.
  /// - Throws: `.unsupported` when there is nothing to draw.
  package func drawing() throws(PruneError) -> String {
    guard let chart = charts.first else {
      throw PruneError(
        .unsupported, "report '\(title)' has nothing to draw",
        hint:
          "significance, sensitivity, prune with a guard, search, compare and fit have charts; .html, .md, .csv and .json take any report"
      )
    }
    return chart.file
  }

  // MARK: - Parts

  /// The numbers that people ask for first.
  private var cards: String {
    let keys = [
      "accuracy", "loss", "sparsity", "kept", "macs_kept", "params_kept", "latency_kept", "median_ms", "params", "macs",
      "bytes",
      "baseline", "tried", "certificate", "units", "removed",
    ]
    let facts = keys.compactMap { key in self[key].map { (key, $0.displayText(for: key)) } }.filter { !$0.1.isEmpty }
      .prefix(
        8)
    guard !facts.isEmpty else { return "" }
    let items = facts.map { "<div><dt>\(Markup.escaped($0.0))</dt><dd>\(Markup.escaped($0.1))</dd></div>\n" }.joined()
    return "<dl class=\"cards\">\n\(items)</dl>\n"
  }

  private var beforeAndAfter: String {
    guard case .report(let before)? = self["before"], case .report(let after)? = self["after"] else { return "" }
    let rows = before.entries.filter { $0.value.isScalar }.map { key, value in
      let later = after[key]
      let change = value.number.flatMap { old in
        later?.number.map { new in old != 0 ? formatted(new / old, digits: 3, style: "g") + " ×" : "" }
      }
      return [key, value.displayText(for: key), later?.displayText(for: key) ?? "", change ?? ""]
    }
    return "<h2>Before and after</h2>\n" + Self.table(["", "before", "after", ""], rows, numeric: [1, 2, 3])
  }

  private static func details(_ section: ReportSection) -> String {
    let table = section.table
    let cells = table.rows.map { row in zip(table.header, row).map { key, value in value?.displayText(for: key) ?? "" }
    }
    let open = cells.count <= 12 ? " open=\"open\"" : ""
    let content =
      table.header.count == 1
      ? "<ul>\n" + cells.map { "<li>\(Markup.escaped($0.first ?? ""))</li>\n" }.joined() + "</ul>\n"
      : Self.table(table.header, cells, numeric: Set(table.header.indices.filter(table.isNumeric)))
    return "<details\(open)><summary>\(Markup.escaped(section.name)) (\(cells.count))</summary>\n\(content)</details>\n"
  }

  private static func values(_ section: ReportSection) -> String {
    let rows = zip(section.table.header, section.table.rows.first ?? []).filter { $0.0 != "headline" }
      .map { key, value in [key, value?.displayText(for: key) ?? ""] }
    return "<details><summary>all values (\(rows.count))</summary>\n\(table(["", ""], rows, numeric: []))</details>\n"
  }

  private static func table(_ header: [String], _ rows: [[String]], numeric: Set<Int>) -> String {
    func line(_ cells: [String], _ tag: String) -> String {
      "<tr>"
        + cells.enumerated().map { column, cell in
          "<\(tag)\(numeric.contains(column) ? " class=\"number\"" : "")>\(Markup.escaped(cell))</\(tag)>"
        }.joined() + "</tr>\n"
    }
    return "<div class=\"wide\"><table>\n<thead>\(line(header, "th"))</thead>\n<tbody>\n"
      + rows.map { line($0, "td") }.joined() + "</tbody></table></div>\n"
  }

  private static let layout = """
    body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1320px;margin:0 auto;padding:1rem}
    h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.15rem;margin:1.4em 0 .4em}
    .headline{border-left:4px solid var(--two);background:var(--faint);padding:.6em .9em;font-weight:600}
    .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.7rem;margin:1rem 0}
    .cards div{background:var(--faint);border-radius:8px;padding:.5rem .8rem}dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.15rem}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem}
    figure{margin:0;min-width:0}figure svg{width:100%;max-width:640px;height:auto;display:block}
    figcaption,summary{font-weight:600;margin:.6em 0 .3em}summary{cursor:pointer}.note{color:var(--soft);font-size:.85rem;margin:.2em 0}
    .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem}th,td{text-align:left;padding:.2em .8em .2em 0;border-bottom:1px solid var(--rule)}
    td:not(.number){overflow-wrap:anywhere;min-width:6rem}.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    pre{background:var(--faint);padding:.8em;overflow-x:auto;border-radius:8px}

    """
}
