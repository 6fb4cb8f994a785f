import PruneTensor

/// A list of reports as rows and columns.
package struct ReportTable {
  package let header: [String]
  /// One value for each column; nil where a row does not have that key.
  package let rows: [[ReportValue?]]

  /// Columns of names that exporters make long; their end tells more than their beginning.
  package static let paths: Set<String> = ["name", "layer", "weight", "label"]

  /// What a table can do without where it is too wide, first to last; what is not listed goes after these, from the
  /// right. The first column stays.
  private static let order = [
    "accuracy_cut", "recovery", "bar", "spread", "scales", "max_scale", "zero_point", "packed_bytes", "onnx_bytes",
    "min_ms", "p90_ms", "effective_macs", "nonzero", "amount", "threshold", "weight", "curve", "loss",
  ]

  /// Nil when the list holds anything but reports, or nothing.
  package init?(_ list: [ReportValue], withDrawings: Bool = false) {
    let reports = list.compactMap { value -> Report? in
      if case .report(let report) = value { report } else { nil }
    }
    guard reports.count == list.count, !reports.isEmpty else { return nil }
    var header: [String] = []
    var keys: Set<String> = []
    for report in reports {
      for entry in report.entries where !keys.contains(entry.key) && entry.value.isScalar {
        if case .drawing = entry.value, !withDrawings { continue }
        keys.insert(entry.key)
        header.append(entry.key)
      }
    }
    self.header = header
    rows = reports.map { report in
      let values = Dictionary(report.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
      return header.map { values[$0] }
    }
  }

  /// Whether a column holds numbers alone.
  package func isNumeric(_ column: Int) -> Bool {
    rows.allSatisfy { row in
      switch row[column] {
      case nil, .open: true
      case .some(let value): value.number != nil
      }
    }
  }

  /// Whether a column holds drawings.
  package func isDrawing(_ column: Int) -> Bool {
    rows.contains { row in if case .drawing? = row[column] { true } else { false } }
  }

  /// Positions of columns in the order in which they may be left out.
  package var dispensable: [Int] {
    let listed = Self.order.compactMap { header.firstIndex(of: $0) }
    return (listed + header.indices.reversed().filter { !listed.contains($0) }).filter { $0 > 0 }
  }
}

/// Parts of a report that stand by themselves in files: its single values by their paths, and each list.
package struct ReportSection {
  /// Keys that lead to it, joined by dots; empty for the single values.
  package let name: String
  package let table: ReportTable
}

extension Report {
  /// The single values as a table of one row, then a table for each list, in order. Drawings, tensors and texts of
  /// several lines are left out.
  package var sections: [ReportSection] {
    var values = Report(title: "")
    var lists: [ReportSection] = []
    collect(prefix: "", &values, &lists)
    guard !values.entries.isEmpty, let first = ReportTable([.report(values)]) else { return lists }
    return [ReportSection(name: "", table: first)] + lists
  }

  private func collect(prefix: String, _ values: inout Report, _ lists: inout [ReportSection]) {
    for (key, value) in entries {
      let path = prefix + key
      switch value {
      case .report(let inner): inner.collect(prefix: path + ".", &values, &lists)
      case .list(let list):
        let rows = list.map { item in
          if case .report = item { item } else { ReportValue.report(Report(title: "", entries: [(key, item)])) }
        }
        if let table = ReportTable(rows), !table.header.isEmpty {
          lists.append(ReportSection(name: path, table: table))
        }
      case .drawing, .tensor: break
      case .text(let text) where text.contains("\n"): break
      default: values[path] = value
      }
    }
  }
}
