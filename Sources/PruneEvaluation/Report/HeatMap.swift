import PruneTensor

/// A tensor as a picture: rows are the first axis, columns all others; each point the mean magnitude of the elements
/// that fall on it, so that what a mask took is dark. Also what a network attends to, scores, confusion.
package struct HeatMap {
  /// Values from 0 to 1, row by row; 1 is the largest magnitude.
  private let points: [[Double]]
  private let largest: Double
  private let zeros: Int
  private let tensor: Tensor

  /// - Throws: `.unsupported` for what holds no numbers, `.invalidArgument` for an empty tensor.
  package init(_ tensor: Tensor, columns: Int, rows: Int) throws(PruneError) {
    guard tensor.count > 0, tensor.dtype != .string else {
      throw PruneError(.invalidArgument, "a \(tensor.dtype.name) tensor \(tensor.shape) has nothing to draw")
    }
    self.tensor = tensor
    let height = tensor.shape.rank > 1 ? max(tensor.shape[0], 1) : 1, width = tensor.count / height
    let shownRows = min(rows, height), shownColumns = min(columns, width)
    var sums = [Double](repeating: 0, count: shownRows * shownColumns), counts = sums
    var zeros = 0
    try tensor.cast(to: .float32).withSpan(of: Float.self) { values throws(PruneError) in
      for index in 0..<min(values.count, height * width) {
        let value = Double(values[index].magnitude)
        if value == 0 { zeros += 1 }
        let place = index / width * shownRows / height * shownColumns + index % width * shownColumns / width
        if value.isFinite { sums[place] += value }
        counts[place] += 1
      }
    }
    let means = zip(sums, counts).map { $1 > 0 ? $0 / $1 : 0 }
    let largest = means.max() ?? 0
    self.zeros = zeros
    self.largest = largest
    points = (0..<shownRows).map { row in
      (0..<shownColumns).map { largest > 0 ? means[row * shownColumns + $0] / largest : 0 }
    }
  }

  /// What it shows, in a line.
  private var caption: String {
    "\(tensor.dtype.name) \(tensor.shape), \(formatted(Double(zeros) / Double(tensor.count) * 100, digits: 1)) % zero, "
      + "brightest \(formatted(largest, digits: 4, style: "g"))"
  }

  /// Half blocks in colour, two rows a line; else a shade a point.
  package func text(color: Bool) -> String {
    var lines = [caption]
    if color {
      for row in stride(from: 0, to: points.count, by: 2) {
        var line = ""
        for column in points[row].indices {
          let below = row + 1 < points.count ? points[row + 1][column] : 0
          line += "\u{1B}[38;5;\(Self.grey(points[row][column]));48;5;\(Self.grey(below))m▀"
        }
        lines.append(line + "\u{1B}[0m")
      }
    } else {
      let shades = Array(" ░▒▓█")
      for row in points { lines.append(String(row.map { shades[$0 <= 0 ? 0 : min(Int($0 * 4) + 1, 4)] })) }
    }
    return lines.joined(separator: "\n")
  }

  /// One of the 24 greys of a terminal of 256 colours; black for nothing at all.
  private static func grey(_ share: Double) -> Int { share <= 0 ? 16 : 233 + min(Int(share * 22), 22) }

  package var svg: String {
    let cell = max(min(640 / Double(max(points.first?.count ?? 1, 1)), 16), 1)
    let width = Double(points.first?.count ?? 0) * cell, height = Double(points.count) * cell
    var body = Markup.rect(0, 20, width, height, kind: "floor")
    for (row, values) in points.enumerated() {
      for (column, value) in values.enumerated() where value > 0 {
        body += Markup.rect(
          Double(column) * cell, 20 + Double(row) * cell, cell, cell, kind: "one", opacity: 0.15 + value * 0.85)
      }
    }
    return Chart(title: caption, size: (max(width, 200), height + 24), body: Markup.text(0, 13, caption) + body).file
  }

  /// Writes a drawing (.svg), atomically.
  /// - Throws: `.invalidArgument` for a name with another end, and as `AtomicFile`.
  package func save(_ path: String) throws(PruneError) {
    guard path.hasSuffix(".svg") else {
      throw PruneError(.invalidArgument, "'\(path)' does not say how to draw a tensor", hint: "end the name in .svg")
    }
    let file = try AtomicFile(path: path)
    try file.write(Array(svg.utf8))
    try file.commit()
  }
}
