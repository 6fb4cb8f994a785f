import PruneTensor

extension Report {
  /// The report for people: the title, aligned keys and values, and a table for each list of reports.
  package func text(color: Bool = false, width: Int = 80) -> String {
    lines(color: color, width: max(width, 40)).joined(separator: "\n")
  }

  private func lines(color: Bool, width: Int) -> [String] {
    var result = opening(color: color, width: width)
    let rows = entries.filter { $0.key != "headline" }
    let keys = rows.filter { $0.value.isScalar }.map { Draw.width($0.key) }.max() ?? 0
    for (key, value) in rows {
      switch value {
      case .text(let text) where text.contains("\n"), .drawing(let text) where text.contains("\n"):
        result.append("  \(key)")
        result.append(contentsOf: text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 })
      case .report(let inner):
        if let folded = inner.folded(width - 4 - Draw.width(key)) {
          result.append("  \(key)  \(folded)")
          continue
        }
        result.append("  \(key)")
        var nested = inner
        nested.title = ""
        result.append(contentsOf: nested.lines(color: color, width: max(width - 2, 40)).map { "  " + $0 })
      case .list(let list):
        result.append("  \(key)")
        result.append(contentsOf: Self.table(of: list, width: width - 4).map { "    " + $0 })
      default:
        result.append("  " + Draw.fitted(key, keys) + "  " + value.displayText(for: key))
      }
    }
    return result
  }

  /// The title and what must be known first, on as many lines as that takes.
  private func opening(color: Bool, width: Int) -> [String] {
    guard let headline else { return title.isEmpty ? [] : [color ? "\u{1B}[1m\(title)\u{1B}[0m" : title] }
    let lines = Draw.wrapped(title.isEmpty ? headline : "\(title): \(headline)", width, indent: "  ")
    return color ? lines.map { "\u{1B}[1m\($0)\u{1B}[0m" } : lines
  }

  /// One line for many tensors: `90 tensors: conv1.weight, …`. Nil where that is not what the report holds.
  private func folded(_ width: Int) -> String? {
    guard entries.count > 6, entries.allSatisfy({ if case .tensor = $0.value { true } else { false } }) else {
      return nil
    }
    return Draw.fitted(
      "\(entries.count) tensors: " + entries.prefix(8).map(\.key).joined(separator: ", ") + ", …", width
    )
    .trimmed
  }

  /// A list's lines: a table when it holds reports, else one item a line.
  private static func table(of list: [ReportValue], width: Int) -> [String] {
    guard let table = ReportTable(list, withDrawings: true) else { return list.map { $0.displayText(for: "") } }
    let cells = table.rows.map { row in zip(table.header, row).map { key, value in value?.displayText(for: key) ?? "" }
    }
    return Draw.table(
      header: table.header, rows: cells, rightAligned: Set(table.header.indices.filter(table.isNumeric)), width: width,
      paths: Set(table.header.indices.filter { ReportTable.paths.contains(table.header[$0]) }),
      rigid: Set(table.header.indices.filter(table.isDrawing)), dispensable: table.dispensable
    ).split(separator: "\n").map(String.init)
  }
}

extension String {
  /// Without spaces at its end.
  fileprivate var trimmed: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}

extension ReportValue {
  /// One cell or line, as opposed to a report or list.
  var isScalar: Bool {
    switch self {
    case .report, .list: false
    case .text(let text), .drawing(let text): !text.contains("\n")
    default: true
    }
  }

  /// A value as a person reads it: the key tells bytes and ratios from plain numbers.
  package func displayText(for key: String) -> String {
    switch self {
    case .number(let value):
      if value.isNaN { return "–" }
      if ["sparsity", "density", "share"].contains(where: key.hasSuffix) {
        return formatted(value * 100, digits: 2) + " %"
      }
      if ["accuracy", "top5"].contains(where: key.hasSuffix) { return formatted(value, digits: 4) }
      return formatted(value, digits: 4, style: "g")
    case .integer(let value):
      return key.hasSuffix("bytes") ? Draw.bytes(value) : Draw.grouped(value)
    case .text(let text), .drawing(let text): return text
    case .flag(let flag): return flag ? "yes" : "no"
    case .open: return "open"
    case .tensor(let tensor): return "[\(tensor.dtype.name) \(tensor.shape)]"
    case .report, .list: return ""
    }
  }
}
