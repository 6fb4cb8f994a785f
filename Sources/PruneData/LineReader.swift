import PruneTensor

/// Lines of delimited text and the cells in them, by position in the bytes.
struct LineReader {
  struct Line {
    /// Counted from 1.
    let number: Int
    let start: Int
    /// Behind the last byte; the line break is not part of it.
    let end: Int
  }

  private let bytes: [UInt8]
  private let delimiter: UInt8
  private var position = 0
  private var line = 0

  init(_ bytes: Bytes) {
    self.bytes = bytes.array
    delimiter = Self.delimiter(of: self.bytes)
    // A byte order mark.
    if self.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  /// The first comma, semicolon or tab of the first line, outside quotes and behind the blanks it may begin with.
  private static func delimiter(of bytes: [UInt8]) -> UInt8 {
    var isQuoted = false
    for byte in bytes.drop(while: { $0 == 0x20 || $0 == 0x09 }) {
      if byte == 0x0A { break }
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if !isQuoted, byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == 0x09 { return byte }
    }
    return UInt8(ascii: ",")
  }

  /// The next line that is not empty.
  mutating func next() -> Line? {
    while position < bytes.count {
      let start = position
      var end = start
      while end < bytes.count, bytes[end] != 0x0A { end += 1 }
      position = end + 1
      line += 1
      if end > start, bytes[end - 1] == 0x0D { end -= 1 }
      if end > start { return Line(number: line, start: start, end: end) }
    }
    return nil
  }

  /// The end of the cell that begins at `start`: the next delimiter outside quotes, or the line's end.
  func cellEnd(from start: Int, _ line: Line) -> Int {
    var end = start
    var isQuoted = false
    while end < line.end, isQuoted || bytes[end] != delimiter {
      if bytes[end] == UInt8(ascii: "\"") { isQuoted.toggle() }
      end += 1
    }
    return end
  }

  /// All cells of a line, as text.
  func texts(_ line: Line) -> [String] {
    var result: [String] = []
    var start = line.start
    while start <= line.end {
      let end = cellEnd(from: start, line)
      result.append(text(start, end))
      start = end + 1
    }
    return result
  }

  /// A cell without the blanks around it and its quotes.
  func text(_ start: Int, _ end: Int) -> String {
    let (start, end) = trimmed(start, end)
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  private func trimmed(_ start: Int, _ end: Int) -> (Int, Int) {
    var (start, end) = (start, end)
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    while start < end, isBlank(bytes[start]) { start += 1 }
    while end > start, isBlank(bytes[end - 1]) { end -= 1 }
    if end - start > 1, bytes[start] == UInt8(ascii: "\""), bytes[end - 1] == UInt8(ascii: "\"") {
      start += 1
      end -= 1
    }
    return (start, end)
  }

  /// A cell as a number, correctly rounded; nil when it is none.
  func number(_ start: Int, _ end: Int) -> Double? {
    let (start, end) = trimmed(start, end)
    return plainNumber(start, end) ?? Double(String(decoding: bytes[start..<end], as: UTF8.self))
  }

  /// Digits with a sign and a point: exact when both parts fit in a double (Clinger's fast path), nil for anything else.
  private func plainNumber(_ start: Int, _ end: Int) -> Double? {
    var at = start
    var isNegative = false
    if at < end, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") {
      isNegative = bytes[at] == UInt8(ascii: "-")
      at += 1
    }
    // 15 digits stay below 2^53, and 10^22 is a double.
    guard end > at, end - at <= 16 else { return nil }
    var digits = 0, value = 0.0, scale = 1.0
    var sawPoint = false
    while at < end {
      let byte = bytes[at]
      if byte >= 0x30, byte <= 0x39 {
        digits += 1
        value = value * 10 + Double(byte - 0x30)
        if sawPoint { scale *= 10 }
      } else if byte == UInt8(ascii: "."), !sawPoint {
        sawPoint = true
      } else {
        return nil
      }
      at += 1
    }
    guard digits > 0, digits <= 15 else { return nil }
    return (isNegative ? -value : value) / scale
  }
}
