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

  /// A table with aligned columns: numbers to the right, the rest to the left. The widest text columns give way when it
  /// does not fit.
  package static func table(header: [String], rows: [[String]], rightAligned: Set<Int>, width: Int) -> String {
    var columns = header.indices.map { column in
      max(self.width(header[column]), rows.map { column < $0.count ? self.width($0[column]) : 0 }.max() ?? 0)
    }
    var excess = columns.reduce(0, +) + 2 * max(columns.count - 1, 0) - width
    while excess > 0, let widest = columns.indices.filter({ !rightAligned.contains($0) && columns[$0] > 8 })
      .max(by: { columns[$0] < columns[$1] })
    {
      let cut = min(excess, columns[widest] - 8)
      columns[widest] -= cut
      excess -= cut
    }
    func line(_ cells: [String]) -> String {
      let parts = columns.indices.map { column in
        fitted(column < cells.count ? cells[column] : "", columns[column], rightAligned.contains(column) ? .right : .left)
      }
      var text = parts.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }
    let rule = columns.map { String(repeating: "─", count: $0) }.joined(separator: "──")
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }
}
