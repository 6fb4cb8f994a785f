import PruneTensor

/// Pictures out of characters, for terminals and logs.
package enum Draw {
  /// A horizontal bar, full at fraction 1, in steps of an eighth of a column.
  package static func bar(fraction: Double, width: Int) -> String {
    let width = min(max(width, 0), 1 << 16)
    let eighths = Int((min(max(fraction.isNaN ? 0 : fraction, 0), 1) * Double(width * 8)).rounded())
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    return fitted(String(repeating: "█", count: eighths / 8) + parts[eighths % 8], width)
  }

  /// One labelled bar a line, scaled to the largest value.
  package static func barChart(_ bars: [(label: String, value: Double)], width: Int) -> String {
    let largest = bars.map(\.value).filter(\.isFinite).max() ?? 0
    let labels = min(bars.map { self.width($0.label) }.max() ?? 0, max(width / 3, 8))
    let room = max(width - labels - 13, 8)
    return bars.map { bar in
      fitted(bar.label, labels) + " " + self.bar(fraction: largest > 0 ? bar.value / largest : 0, width: room) + " "
        + formatted(bar.value, digits: 4, style: "g")
    }.joined(separator: "\n")
  }

  /// One character a value, lowest to highest.
  package static func sparkline(_ values: [Double]) -> String {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return String(repeating: " ", count: values.count) }
    let levels = Array("▁▂▃▄▅▆▇█")
    return String(
      values.map { value -> Character in
        guard value.isFinite else { return " " }
        guard high > low else { return levels[3] }
        // Halved, so that the widest range there is does not overflow.
        return levels[min(Int((value / 2 - low / 2) / (high / 2 - low / 2) * 8), 7)]
      })
  }

  /// A table with aligned columns: numbers to the right, the rest to the left.
  ///
  /// Where it does not fit, the widest text columns give way, down to 8 columns, those of `paths` from their left down
  /// to 16, those of `rigid` not at all; then columns are left out in the order of `dispensable`, and a line below says
  /// which.
  package static func table(
    header: [String], rows: [[String]], rightAligned: Set<Int>, width: Int, paths: Set<Int> = [], rigid: Set<Int> = [],
    dispensable: [Int] = []
  ) -> String {
    var columns = header.indices.map { column in
      max(self.width(header[column]), rows.map { column < $0.count ? self.width($0[column]) : 0 }.max() ?? 0)
    }
    var visible = Array(header.indices)
    var dropped: [Int] = []
    func least(_ column: Int) -> Int {
      rightAligned.contains(column) || rigid.contains(column)
        ? columns[column] : min(columns[column], paths.contains(column) ? 16 : 8)
    }
    func excess(_ widths: (Int) -> Int) -> Int {
      visible.reduce(0) { $0 + widths($1) } + 2 * max(visible.count - 1, 0) - width
    }
    for column in dispensable where excess(least) > 0 && visible.count > 1 {
      visible.removeAll { $0 == column }
      dropped.append(column)
    }
    var over = excess { columns[$0] }
    while over > 0,
      let widest = visible.filter({ columns[$0] > least($0) })
        .max(by: { columns[$0] < columns[$1] })
    {
      let cut = min(over, columns[widest] - least(widest))
      columns[widest] -= cut
      over -= cut
    }
    func line(_ cells: [String]) -> String {
      let parts = visible.map { column in
        let cell = column < cells.count ? cells[column] : ""
        return fitted(
          paths.contains(column) ? ending(cell, columns[column]) : cell, columns[column],
          rightAligned.contains(column) ? .right : .left)
      }
      var text = parts.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }
    let rule = visible.map { String(repeating: "─", count: columns[$0]) }.joined(separator: "──")
    var lines = [line(header), rule] + rows.map(line)
    if !dropped.isEmpty {
      let names = dropped.sorted().map { header[$0] }.joined(separator: ", ")
      lines += wrapped("(too narrow for: \(names))", max(width, 20), indent: " ")
    }
    return lines.joined(separator: "\n")
  }
}
