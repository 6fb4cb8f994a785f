import PruneTensor

extension Chart {
  /// One bar a row.
  struct Bar {
    let label: String
    let value: Double
    /// The value before, drawn behind the bar.
    var before: Double?
    /// At its end; the value itself if not given.
    var text: String?
  }

  private static let width = 480.0
  /// Columns of 12-pixel letters that a label takes at most.
  private static let labels = 22
  /// Rows of one chart; what is more is summed up in the note.
  private static let most = 60

  private static func label(_ text: String) -> String { Draw.ending(text, labels) }

  private static func labelRoom(_ texts: [String]) -> Double {
    Double(min(texts.map(Draw.width).max() ?? 0, labels)) * 7 + 8
  }

  /// Horizontal bars on one scale from 0.
  static func bars(_ title: String, _ all: [Bar], note: String = "") -> Chart? {
    let bars = all.filter { $0.value.isFinite && $0.value >= 0 }.prefix(most)
    guard !bars.isEmpty else { return nil }
    let largest = bars.map { max($0.value, $0.before ?? 0) }.max() ?? 0
    let left = labelRoom(bars.map(\.label)), row = 20.0, room = width - left - 76
    var body = ""
    for (index, bar) in bars.enumerated() {
      let y = Double(index) * row
      let length = { (value: Double) in largest > 0 ? value / largest * room : 0 }
      let text = bar.text ?? formatted(bar.value, digits: 4, style: "g")
      body += Markup.text(left - 6, y + 14, label(bar.label), anchor: "end")
      if let before = bar.before { body += Markup.rect(left, y + 3, length(before), row - 6, kind: "ghost") }
      body += Markup.rect(left, y + 3, max(length(bar.value), 1), row - 6, kind: "one", tip: "\(bar.label): \(text)")
      body += Markup.text(left + length(max(bar.value, bar.before ?? 0)) + 5, y + 14, text, kind: "soft")
    }
    let rest = all.count > bars.count ? " \(all.count - bars.count) more are in the table." : ""
    return Chart(title: title, note: note + rest, size: (width, Double(bars.count) * row + 4), body: body)
  }

  /// Rows by columns, darker where the share of 0...1 is larger.
  static func heat(
    _ title: String, rows: [String], columns: [String], shares: [[Double]], texts: [[String]], note: String
  ) -> Chart? {
    guard !rows.isEmpty, !columns.isEmpty else { return nil }
    let left = labelRoom(rows), row = 20.0
    let cell = min((width - left - 4) / Double(columns.count), 90)
    var body = ""
    for (index, name) in columns.enumerated() where columns.count <= 12 || index % (columns.count / 10 + 1) == 0 {
      body += Markup.text(left + (Double(index) + 0.5) * cell, 13, name, anchor: "middle", kind: "soft")
    }
    for (index, name) in rows.prefix(most).enumerated() {
      let y = row * Double(index + 1)
      body += Markup.text(left - 6, y + 14, label(name), anchor: "end")
      for column in columns.indices where index < shares.count && column < shares[index].count {
        let share = shares[index][column], text = texts[index][column], x = left + Double(column) * cell
        body += Markup.rect(x, y, cell - 1, row - 1, kind: "ghost", opacity: 0.35)
        if share.isFinite {
          body += Markup.rect(
            x, y, cell - 1, row - 1, kind: "two", opacity: min(max(share, 0), 1) * 0.8,
            tip: "\(name), \(columns[column]): \(text)")
        }
        if cell >= 44 { body += Markup.text(x + cell / 2, y + 14, text, anchor: "middle") }
      }
    }
    return Chart(title: title, note: note, size: (width, row * Double(min(rows.count, most) + 1) + 4), body: body)
  }

  /// A point of a plane.
  struct Point {
    let x: Double
    let y: Double
    let tip: String
    /// "one", "two", or "hollow" for a rejected point.
    var kind = "one"
    var isChosen = false
  }

  /// Points; a line connects them where `isConnected`.
  static func plane(_ title: String, x: String, y: String, _ all: [Point], isConnected: Bool = false, note: String = "")
    -> Chart?
  {
    let points = all.filter { $0.x.isFinite && $0.y.isFinite }
    guard points.count > 1 else { return nil }
    let frame = Frame(points.map(\.x), points.map(\.y))
    var body = frame.axes(x, y)
    if isConnected { body += Markup.path(points.map { (frame.x($0.x), frame.y($0.y)) }, kind: "l3") }
    for point in points {
      body += Markup.dot(frame.x(point.x), frame.y(point.y), 5, kind: point.kind, tip: point.tip)
      if point.isChosen { body += Markup.dot(frame.x(point.x), frame.y(point.y), 9, kind: "ring", tip: point.tip) }
    }
    return Chart(title: title, note: note, size: (width, Frame.height), body: body)
  }

  /// Curves over 1, 2, 3, ….
  static func lines(_ title: String, x: String, _ series: [(name: String, values: [Double])], note: String = "")
    -> Chart?
  {
    let curves = series.filter { $0.values.filter(\.isFinite).count > 1 }.prefix(4)
    guard !curves.isEmpty else { return nil }
    let frame = Frame(
      [1, Double(curves.map(\.values.count).max() ?? 1)], curves.flatMap { $0.values.filter(\.isFinite) })
    var body = frame.axes(x, "")
    for (index, one) in curves.enumerated() {
      let points = one.values.enumerated().filter { $1.isFinite }.map { (frame.x(Double($0 + 1)), frame.y($1)) }
      body += Markup.path(points, kind: "l\(index + 1)")
      let left = 60 + Double(index % 2) * 200, top = 10 + Double(index / 2) * 14
      body +=
        Markup.path([(left, top - 4), (left + 22, top - 4)], kind: "l\(index + 1)")
        + Markup.text(left + 28, top, one.name, kind: "soft")
    }
    return Chart(title: title, note: note, size: (width, Frame.height), body: body)
  }

  /// The scales of a plane.
  private struct Frame {
    static let height = 260.0
    private let lowX, highX, lowY, highY: Double

    init(_ x: [Double], _ y: [Double]) {
      (lowX, highX) = Self.padded(x)
      (lowY, highY) = Self.padded(y)
    }

    private static func padded(_ values: [Double]) -> (Double, Double) {
      let low = values.min() ?? 0, high = values.max() ?? 1
      let pad = high > low ? (high - low) * 0.06 : max(abs(low) * 0.1, 1e-9)
      return (low - pad, high + pad)
    }

    func x(_ value: Double) -> Double { 54 + (value - lowX) / (highX - lowX) * 416 }
    func y(_ value: Double) -> Double { 222 - (value - lowY) / (highY - lowY) * 190 }

    func axes(_ nameX: String, _ nameY: String) -> String {
      var body = Markup.line(54, 222, 470, 222) + Markup.line(54, 32, 54, 222)
      for step in 0...4 {
        let share = Double(step) / 4
        let valueX = lowX + (highX - lowX) * share, valueY = lowY + (highY - lowY) * share
        body += Markup.line(54, y(valueY), 470, y(valueY))
        body += Markup.text(49, y(valueY) + 4, Self.tick(valueY), anchor: "end", kind: "soft")
        body += Markup.text(x(valueX), 238, Self.tick(valueX), anchor: step == 4 ? "end" : "middle", kind: "soft")
      }
      return body + Markup.text(262, 255, nameX, anchor: "middle", kind: "soft")
        + Markup.text(6, 24, nameY, kind: "soft")
    }

    private static func tick(_ value: Double) -> String {
      if abs(value) >= 1e9 { return formatted(value / 1e9, digits: 3, style: "g") + "G" }
      if abs(value) >= 1e6 { return formatted(value / 1e6, digits: 3, style: "g") + "M" }
      if abs(value) >= 1e4 { return formatted(value / 1e3, digits: 3, style: "g") + "k" }
      return formatted(value, digits: 3, style: "g")
    }
  }
}
