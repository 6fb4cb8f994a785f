import PruneTensor

/// Numbers and labels read from delimited text (RFC 4180 without line breaks in quotes).
///
/// The delimiter is the first comma, semicolon or tab of the file. The first line is a header when it has text in a column
/// that holds numbers below.
struct CSVTable {
  /// Column names, empty without a header.
  private(set) var header: [String] = []
  private(set) var rowCount = 0
  /// Columns besides the label's.
  private(set) var featureCount = 0
  /// Row by row, the label's column left out.
  private(set) var features: [Float] = []
  /// The label's column as numbers; empty when it holds text.
  private(set) var labels: [Double] = []
  /// The label's column as text, when its first row is not a number.
  private(set) var names: [String] = []

  /// - Parameter label: name or 0-based number of the label's column, nil for the last one.
  /// - Throws: `.badFormat` naming the line of the first cell that is not a number or row of another length, `.notFound`
  ///   for a label that is no column.
  init(_ bytes: Bytes, path: String, label: String? = nil) throws(PruneError) {
    try self.init(LineReader(bytes), path: path, label: label)
  }

  private init(_ reader: LineReader, path: String, label: String?) throws(PruneError) {
    var reader = reader
    guard let first = reader.next() else { throw PruneError(.badFormat, "is empty", at: path) }
    let titles = reader.texts(first)
    guard titles.count > 1 else {
      throw PruneError(.badFormat, "line 1 has \(titles.count) column, wanted numbers and a label in each row", at: path)
    }
    let body = reader
    let second = reader.next().map { line in reader.texts(line) }
    reader = body
    let isHeader = titles.enumerated().contains { column, title in
      guard Double(title) == nil else { return false }
      guard let second, column < second.count else { return second == nil }
      return Double(second[column]) != nil
    }
    if isHeader { header = titles }
    let columns = titles.count
    let labelColumn = try Self.column(label, header, columns, path)
    featureCount = columns - 1
    var line = isHeader ? reader.next() : first
    let labelText = line.map { line in reader.texts(line) }
    let isNamed = labelText.map { $0.count > labelColumn && Double($0[labelColumn]) == nil } ?? false
    while let current = line {
      try read(current, reader, labelColumn: labelColumn, isNamed: isNamed, path)
      line = reader.next()
    }
    guard rowCount > 0 else { throw PruneError(.badFormat, "has a header and no rows", at: path) }
  }

  private mutating func read(
    _ line: LineReader.Line, _ reader: LineReader, labelColumn: Int, isNamed: Bool, _ path: String
  ) throws(PruneError) {
    var column = 0
    var start = line.start
    while start <= line.end {
      let end = reader.cellEnd(from: start, line)
      if column == labelColumn, isNamed {
        names.append(reader.text(start, end))
      } else {
        guard let number = reader.number(start, end) else {
          throw PruneError(
            .badFormat, "line \(line.number), column \(column + 1): '\(reader.text(start, end).prefix(40))' is not a number", at: path)
        }
        if column == labelColumn { labels.append(number) } else { features.append(Float(number)) }
      }
      column += 1
      start = end + 1
    }
    guard column == featureCount + 1 else {
      throw PruneError(.badFormat, "line \(line.number) has \(column) columns, the first has \(featureCount + 1)", at: path)
    }
    rowCount += 1
  }

  private static func column(
    _ label: String?, _ header: [String], _ columns: Int, _ path: String
  ) throws(PruneError) -> Int {
    guard let label else { return columns - 1 }
    if let named = header.firstIndex(of: label) { return named }
    if let number = Int(label), number >= 0, number < columns { return number }
    throw PruneError(
      .notFound, "there is no column '\(label)'", at: path,
      hint: header.isEmpty ? "there are columns 0 to \(columns - 1)" : Suggestion.hint(for: label, among: header))
  }
}

extension Dataset {
  /// Rows of numbers, gzip'ed or not, with or without a header line. The label's column is found by name, by 0-based number, or
  /// is the last. Whole labels from 0 on are classes; text is, too, numbered in the order of its bytes; other numbers are
  /// values [N, 1]. x is float32 [N, columns - 1].
  package static func csv(_ path: String, label: String? = nil) throws(PruneError) -> Dataset {
    let table = try CSVTable(try content(of: path), path: path, label: label)
    let x = try Tensor(table.features, try Shape([table.rowCount, table.featureCount]))
    let name = lastComponent(path)
    if table.labels.isEmpty {
      let known = Set(table.names).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      let numbers = Dictionary(uniqueKeysWithValues: known.enumerated().map { ($1, Int64($0)) })
      return try classes(x, try Tensor(table.names.map { numbers[$0] ?? 0 }), name)
    }
    if table.labels.allSatisfy({ $0 >= 0 && $0 < 16_777_216 && $0 == $0.rounded() }) {
      return try classes(x, try Tensor(table.labels.map { Int64($0) }), name)
    }
    let values = try Tensor(table.labels.map { Float($0) }, try Shape([table.rowCount, 1]))
    return Dataset(x: x, y: values, classCount: nil, name: name)
  }
}
