import PruneTensor

extension Report {
  /// The report for people: the title, aligned keys and values, and a table for each list of reports.
  package func text(color: Bool = false, width: Int = 80) -> String {
    lines(color: color, width: max(width, 40)).joined(separator: "\n")
  }

  private func lines(color: Bool, width: Int) -> [String] {
    var result: [String] = []
    if !title.isEmpty { result.append(color ? "\u{1B}[1m\(title)\u{1B}[0m" : title) }
    let keys = entries.filter { $0.value.isScalar }.map { Draw.width($0.key) }.max() ?? 0
    for (key, value) in entries {
      switch value {
      case .text(let text) where text.contains("\n"):
        result.append("  \(key)")
        result.append(contentsOf: text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 })
      case .report(let inner):
        result.append("  \(key)")
        var nested = inner
        nested.title = ""
        result.append(contentsOf: nested.lines(color: color, width: max(width - 2, 40)).map { "  " + $0 })
      case .list(let list):
        result.append("  \(key)")
        result.append(contentsOf: Self.table(of: list, width: width - 4).map { "    " + $0 })
      default:
        result.append("  " + Draw.fitted(key, keys) + "  " + value.shown(for: key))
      }
    }
    return result
  }

  /// A list's lines: a table when it holds reports, else one item a line.
  private static func table(of list: [ReportValue], width: Int) -> [String] {
    let rows = list.compactMap { value -> Report? in
      if case .report(let report) = value { report } else { nil }
    }
    guard rows.count == list.count, !rows.isEmpty else { return list.map { $0.shown(for: "") } }
    var header: [String] = []
    for row in rows {
      for entry in row.entries where entry.value.isScalar && !header.contains(entry.key) { header.append(entry.key) }
    }
    let cells = rows.map { row in
      header.map { key in row.entries.first { $0.key == key }.map { $0.value.shown(for: key) } ?? "" }
    }
    let numeric = header.indices.filter { column in
      rows.allSatisfy { row in row.entries.first { $0.key == header[column] }.map { $0.value.number != nil || $0.value.isOpen } ?? true }
    }
    return Draw.table(header: header, rows: cells, rightAligned: Set(numeric), width: width)
      .split(separator: "\n").map(String.init)
  }
}

extension ReportValue {
  fileprivate var isOpen: Bool { if case .open = self { true } else { false } }

  fileprivate var isScalar: Bool {
    switch self {
    case .report, .list: false
    case .text(let text): !text.contains("\n")
    default: true
    }
  }

  /// A value as a person reads it: the key tells bytes and ratios from plain numbers.
  fileprivate func shown(for key: String) -> String {
    switch self {
    case .number(let value):
      if value.isNaN { return "–" }
      if ["sparsity", "density", "share"].contains(where: key.hasSuffix) { return formatted(value * 100, digits: 2) + " %" }
      if ["accuracy", "top5"].contains(where: key.hasSuffix) { return formatted(value, digits: 4) }
      return formatted(value, digits: 4, style: "g")
    case .integer(let value):
      return key.hasSuffix("bytes") ? Draw.bytes(value) : Draw.grouped(value)
    case .text(let text): return text
    case .flag(let flag): return flag ? "yes" : "no"
    case .open: return "open"
    case .tensor(let tensor): return "[\(tensor.dtype.name) \(tensor.shape)]"
    case .report, .list: return ""
    }
  }
}
