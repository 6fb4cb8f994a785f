import PruneTensor

extension Report {
  /// Markdown, for pull requests and wikis: the title, single values as a table, then a heading and table for each
  /// list.
  package func markdown() -> String {
    var lines = title.isEmpty ? [] : ["# \(Self.escaped(title))", ""]
    if let headline { lines += ["**\(Self.escaped(headline))**", ""] }
    for section in sections {
      if section.name.isEmpty {
        let pairs = zip(section.table.header, section.table.rows.first ?? []).filter { $0.0 != "headline" }
        guard !pairs.isEmpty else { continue }
        lines += ["| | |", "|---|---|"]
        lines +=
          pairs.map { key, value in "| \(Self.escaped(key)) | \(Self.escaped(value?.displayText(for: key) ?? "")) |" }
          + [""]
      } else if section.table.header.count == 1 {
        lines +=
          heading(section) + section.table.rows.map { "- " + Self.escaped($0.first??.displayText(for: "") ?? "") } + [
            ""
          ]
      } else {
        lines += heading(section) + Self.table(section.table) + [""]
      }
    }
    return lines.joined(separator: "\n")
  }

  private func heading(_ section: ReportSection) -> [String] {
    title.isEmpty && sections.count == 1 ? [] : ["## \(Self.escaped(section.name))", ""]
  }

  private static func table(_ table: ReportTable) -> [String] {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    let rule = table.header.indices.map { table.isNumeric($0) ? "---:" : "---" }
    return [line(table.header.map(escaped)), line(rule)]
      + table.rows.map { row in
        line(zip(table.header, row).map { key, value in escaped(value?.displayText(for: key) ?? "") })
      }
  }

  /// Bars would end a cell, and stars and underscores begin emphasis.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      if "|*_`<>\\[]".contains(character) { result.append("\\") }
      result.append(character.isNewline ? " " : character)
    }
    return result
  }
}
