import PruneTensor

/// A table of numbers read from comma-separated text (RFC 4180 without line breaks in quotes).
struct CSVTable {
  /// Column names, when the first line is not all numbers.
  private(set) var header: [String] = []
  private(set) var columnCount = 0
  private(set) var rowCount = 0
  /// Row by row.
  private(set) var values: [Double] = []

  /// - Throws: `.badFormat` naming the line of the first cell that is not a number or row of another length.
  init(_ bytes: Bytes, path: String) throws(PruneError) {
    var line = 0
    var start = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, bytes[end] != 0x0A { end += 1 }
      line += 1
      var text = bytes.slice(start, end)?.text ?? ""
      start = end + 1
      if text.last == "\r" || text.last == "\r\n" { text.removeLast() }
      if line == 1, text.first == "\u{FEFF}" { text.removeFirst() }
      if text.isEmpty { continue }
      let cells = text.split(separator: ",", omittingEmptySubsequences: false).map(Self.cell)
      let numbers = cells.map { Double($0) }
      if columnCount == 0 {
        columnCount = cells.count
        if numbers.contains(nil) {
          header = cells
          continue
        }
      }
      guard cells.count == columnCount else {
        throw PruneError(.badFormat, "line \(line) has \(cells.count) columns, the first has \(columnCount)", at: path)
      }
      for (column, number) in numbers.enumerated() {
        guard let number else {
          throw PruneError(.badFormat, "line \(line), column \(column + 1): '\(cells[column].prefix(40))' is not a number", at: path)
        }
        values.append(number)
      }
      rowCount += 1
    }
    guard rowCount > 0, columnCount > 1 else {
      throw PruneError(.badFormat, "has \(rowCount) rows of \(columnCount) columns, wanted numbers and a label in each row", at: path)
    }
  }

  private static func cell(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
    return String(text)
  }
}

extension Dataset {
  /// Rows of numbers, gzip'ed or not, with or without a header line. The label's column is found by name, by 0-based number,
  /// or is the last. Whole labels from 0 on are classes, others are values [N, 1]. x is float32 [N, columns - 1].
  package static func csv(_ path: String, label: String?) throws(PruneError) -> Dataset {
    let table = try CSVTable(try content(of: path), path: path)
    let columns = table.columnCount
    var labelColumn = columns - 1
    if let label {
      guard let found = table.header.firstIndex(of: label) ?? Int(label).flatMap({ (0..<columns).contains($0) ? $0 : nil })
      else {
        throw PruneError(
          .notFound, "no column '\(label)'", at: path,
          hint: table.header.isEmpty ? "there are columns 0 to \(columns - 1)" : "there are: \(table.header.joined(separator: ", "))")
      }
      labelColumn = found
    }
    var features: [Float] = []
    var labels: [Double] = []
    features.reserveCapacity(table.rowCount * (columns - 1))
    for row in 0..<table.rowCount {
      for column in 0..<columns where column != labelColumn { features.append(Float(table.values[row * columns + column])) }
      labels.append(table.values[row * columns + labelColumn])
    }
    let x = try Tensor(features, try Shape([table.rowCount, columns - 1]))
    let name = lastComponent(path)
    if labels.allSatisfy({ $0 >= 0 && $0 < 16_777_216 && $0 == $0.rounded() }) {
      return try classes(x, try Tensor(labels.map { Int64($0) }), name)
    }
    return Dataset(x: x, y: try Tensor(labels.map { Float($0) }, try Shape([labels.count, 1])), classCount: nil, name: name)
  }
}
