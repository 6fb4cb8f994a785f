import PruneTensor

extension Report {
  /// Comma-separated values (RFC 4180): the single values as one row under their paths, then each list under a line
  /// with its name, blocks apart by an empty line. A list by itself is one plain table.
  package func csv() -> String {
    sections.enumerated().map { index, section in
      let rows = [section.table.header.map(Self.quoted)] + section.table.rows.map { $0.map { $0.map(Self.cell) ?? "" } }
      let name = title.isEmpty && sections.count == 1 || section.name.isEmpty ? "" : Self.quoted(section.name) + "\r\n"
      return (index > 0 ? "\r\n" : "") + name + rows.map { $0.joined(separator: ",") + "\r\n" }.joined()
    }.joined()
  }

  private static func cell(_ value: ReportValue) -> String {
    switch value {
    case .number(let number): number.isFinite ? ReportValue.shortest(number) : ""
    case .integer(let integer): String(integer)
    case .flag(let flag): flag ? "true" : "false"
    case .text(let text): quoted(text)
    default: ""
    }
  }

  private static func quoted(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}
