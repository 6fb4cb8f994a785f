import PruneTensor

/// Numbers and labels read from delimited text (RFC 4180 without line breaks in quotes), line by line: the text itself
/// is never in memory as a whole.
///
/// The delimiter is the first comma, semicolon or tab of the file. The first line is a header when it has text in a
/// column that holds numbers below.
struct CSVTable {
  /// Column names, empty without a header.
  let header: [String]
  let columnCount: Int
  /// The position of the label's column.
  let labelColumn: Int
  let rowCount: Int
  /// float32 [rows, columns besides the label's].
  let features: Tensor
  /// The label's column as numbers, float64 [rows]; where it holds text, the places of the texts in `names`.
  let labels: Tensor
  /// The texts of the label's column, each once, in the order of their bytes; nil when its first row is a number.
  let names: [String]?

  /// - Parameter label: name or 0-based number of the label's column, nil for the last one.
  /// - Throws: `.badFormat` naming the line of the first cell that is not a number or row of another length,
  ///   `.notFound` for a label that is no column, `.refused` for a gzip stream that unpacks to more than 16 GB,
  ///   `.outOfMemory`.
  init(_ bytes: Bytes, path: String, label: String? = nil) throws(PruneError) {
    do throws(PruneError) {
      var reader = LineReader(try ByteStream(bytes, limit: Dataset.limit))
      guard try reader.next() else { throw PruneError(.badFormat, "is empty", at: path) }
      let first = reader, titles = first.texts
      guard titles.count > 1 else {
        throw PruneError(
          .badFormat, "line 1 has \(titles.count) column, wanted numbers and a label in each row", at: path)
      }
      var hasMore = try reader.next()
      let second = hasMore ? reader.texts : nil
      let isHeader = titles.enumerated().contains { column, title in
        guard Double(title) == nil else { return false }
        guard let second, column < second.count else { return second == nil }
        return Double(second[column]) != nil
      }
      header = isHeader ? titles : []
      columnCount = titles.count
      let labelColumn = try Self.column(label, header, titles.count, path)
      self.labelColumn = labelColumn
      let labelText = isHeader ? second : titles
      let isNamed = labelText.map { $0.count > labelColumn && Double($0[labelColumn]) == nil } ?? false
      var rows = try Rows(columns: titles.count, labelColumn: labelColumn, isNamed: isNamed)
      if !isHeader { try rows.add(first) }
      while hasMore {
        try rows.add(reader)
        hasMore = try reader.next()
      }
      guard rows.count > 0 else { throw PruneError(.badFormat, "has a header and no rows", at: path) }
      rowCount = rows.count
      let sorted = isNamed ? rows.known.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } : []
      names = isNamed ? sorted : nil
      let places = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { (rows.known[$1] ?? 0, Double($0)) })
      (features, labels) = try rows.finish(places)
    } catch { throw error.located(at: path) }
  }

  /// The labels as classes, int64 [rows]; nil when they are not all whole numbers from 0 on.
  func classLabels() throws(PruneError) -> Tensor? {
    let isWhole = try labels.withSpan(of: Double.self) { values throws(PruneError) in
      for index in values.indices {
        let value = values[index]
        guard value >= 0, value < 16_777_216, value == value.rounded() else { return false }
      }
      return true
    }
    return isWhole ? try labels.cast(to: .int64) : nil
  }

  static func column(
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

/// The rows read so far.
private struct Rows {
  private(set) var count = 0
  /// The texts of the label's column, numbered as they come.
  private(set) var known: [String: Int] = [:]
  private let features: GrowingBytes
  private let labels: GrowingBytes
  private var row: [Float] = []
  private let columns: Int
  private let labelColumn: Int
  private let isNamed: Bool

  init(columns: Int, labelColumn: Int, isNamed: Bool) throws(PruneError) {
    features = try GrowingBytes()
    labels = try GrowingBytes()
    (self.columns, self.labelColumn, self.isNamed) = (columns, labelColumn, isNamed)
  }

  mutating func add(_ line: LineReader) throws(PruneError) {
    var column = 0
    var start = 0
    var label = 0.0
    row.removeAll(keepingCapacity: true)
    while start <= line.line.count {
      let end = line.cellEnd(from: start)
      if column == labelColumn, isNamed {
        let text = line.text(start, end)
        let place = known[text] ?? known.count
        known[text] = place
        label = Double(place)
      } else {
        guard let number = line.number(start, end) else {
          throw PruneError(
            .badFormat,
            "line \(line.number), column \(column + 1): '\(line.text(start, end).prefix(40))' is not a number")
        }
        if column == labelColumn { label = number } else if column < columns { row.append(Float(number)) }
      }
      column += 1
      start = end + 1
    }
    guard column == columns else {
      throw PruneError(.badFormat, "line \(line.number) has \(column) columns, the first has \(columns)")
    }
    do throws(PruneError) {
      try features.append(row)
      try labels.append([label])
    } catch {
      var explained = error
      explained.message += ", at line \(line.number) of the table"
      throw explained
    }
    count += 1
  }

  /// float32 [count, columns - 1] and float64 [count].
  /// - Parameter places: what becomes of the numbers of texts.
  func finish(_ places: [Int: Double]) throws(PruneError) -> (features: Tensor, labels: Tensor) {
    var numbers = try labels.tensor(.float64, try Shape([count]))
    let values = try features.tensor(.float32, try Shape([count, columns - 1]))
    if isNamed {
      try numbers.withMutableSpan(of: Double.self) { span throws(PruneError) in
        for index in span.indices { span[index] = places[Int(span[index])] ?? 0 }
      }
    }
    return (values, numbers)
  }
}

extension Dataset {
  /// Rows of numbers, gzip'ed or not, with or without a header line. The label's column is found by name, by 0-based
  /// number, or is the last. Whole labels from 0 on are classes; text is, too, numbered in the order of its bytes;
  /// other numbers are values [N, 1]. Several columns, apart by commas, are values [N, targets]. x is float32, the columns that
  /// are left.
  package static func csv(_ path: String, label: String? = nil) throws(PruneError) -> Dataset {
    let bytes: Bytes
    do throws(PruneError) { bytes = try FileReader.bytes(of: path) } catch { throw error.located(at: path) }
    let several = try label.flatMap { label throws(PruneError) in try targetColumns(label, bytes, path) }
    if let several { return try targets(several, bytes, path) }
    let table = try CSVTable(bytes, path: path, label: label)
    if let labels = try table.classLabels() {
      let data = try classes(table.features, labels, lastComponent(path))
      return Dataset(
        columns: data.columns, y: data.y, classCount: data.classCount, name: data.name, classNames: table.names ?? [])
    }
    let values = try table.labels.cast(to: .float32).reshaped(try Shape([table.rowCount, 1]))
    return Dataset(x: table.features, y: values, classCount: nil, name: lastComponent(path))
  }

  /// The names of several targets; nil for one, also where a comma is part of its name.
  private static func targetColumns(_ label: String, _ bytes: Bytes, _ path: String) throws(PruneError) -> [String]? {
    let names = label.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard names.count > 1 else { return nil }
    return (try? CSVTable(bytes, path: path, label: label)) == nil ? names : nil
  }

  /// Rows of several targets, which are numbers.
  private static func targets(_ names: [String], _ bytes: Bytes, _ path: String) throws(PruneError) -> Dataset {
    let table = try CSVTable(bytes, path: path, label: names[0])
    guard table.names == nil else {
      throw PruneError(
        .badFormat, "column '\(names[0])' holds text, several targets are numbers", at: path,
        hint: "name one column of text alone: it is classes")
    }
    var places: [Int] = []
    for name in names {
      let place = try CSVTable.column(name, table.header, table.columnCount, path)
      guard !places.contains(place) else {
        throw PruneError(.invalidArgument, "column '\(name)' is listed twice", at: path)
      }
      places.append(place)
    }
    guard places.count < table.columnCount else {
      throw PruneError(
        .invalidArgument, "all \(table.columnCount) columns are targets, none is left to learn from", at: path)
    }
    let width = table.columnCount - 1, rest = (0..<table.columnCount).filter { !places.contains($0) }
    func feature(_ place: Int) -> Int { place < table.labelColumn ? place : place - 1 }
    var x = try Tensor(zeros: .float32, try Shape([table.rowCount, rest.count]))
    var y = try Tensor(zeros: .float32, try Shape([table.rowCount, places.count]))
    let first = try table.labels.cast(to: .float32).array(of: Float.self)
    try table.features.withSpan(of: Float.self) { from throws(PruneError) in
      try x.withMutableSpan(of: Float.self) { to throws(PruneError) in
        for row in 0..<table.rowCount {
          for (index, place) in rest.enumerated() { to[row * rest.count + index] = from[row * width + feature(place)] }
        }
      }
      try y.withMutableSpan(of: Float.self) { to throws(PruneError) in
        for row in 0..<table.rowCount {
          for (index, place) in places.enumerated() {
            to[row * places.count + index] = index == 0 ? first[row] : from[row * width + feature(place)]
          }
        }
      }
    }
    return Dataset(x: x, y: y, classCount: nil, name: lastComponent(path))
  }
}
