import PruneTensor

/// Lines of delimited text, one at a time, and the cells in the current one.
struct LineReader {
  /// The current line without its line break.
  private(set) var line: [UInt8] = []
  /// Of the current line, counted from 1.
  private(set) var number = 0
  private let stream: ByteStream
  private var piece: Bytes?
  private var position = 0
  private var delimiter: UInt8?

  /// Longer lines are no tables.
  private static let longest = 1 << 28

  init(_ stream: ByteStream) { self.stream = stream }

  /// Goes on to the next line that is not empty; false at the end.
  /// - Throws: as `ByteStream.next`, `.badFormat` for a line of more than 256 MB.
  mutating func next() throws(PruneError) -> Bool {
    while true {
      line.removeAll(keepingCapacity: true)
      guard try fill() else { return false }
      if line.last == 0x0D { line.removeLast() }
      // A byte order mark.
      if number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
      if delimiter == nil { delimiter = Self.delimiter(of: line) }
      if !line.isEmpty { return true }
    }
  }

  /// Reads up to the next line break; false when nothing is left.
  private mutating func fill() throws(PruneError) -> Bool {
    var isBegun = false
    while true {
      if piece == nil || position >= piece?.count ?? 0 {
        (piece, position) = (try stream.next(), 0)
      }
      guard let current = piece else { return isBegun }
      if current.count == 0 { continue }
      if !isBegun {
        isBegun = true
        number += 1
      }
      let end = current.firstIndex(of: 0x0A, from: position) ?? current.count
      guard line.count + end - position <= Self.longest else {
        throw PruneError(.badFormat, "line \(number) has more than \(Self.longest) bytes", hint: "this is no table")
      }
      if line.count + end - position > 1 << 16 {
        try Storage.checkAvailable(byteCount: 2 * (line.count + end - position))
      }
      current.append(position, end, to: &line)
      position = end + 1
      if end < current.count { return true }
    }
  }

  /// The first comma, semicolon or tab, outside quotes and behind the blanks that the line may begin with.
  private static func delimiter(of bytes: [UInt8]) -> UInt8 {
    var isQuoted = false
    for byte in bytes.drop(while: { $0 == 0x20 || $0 == 0x09 }) {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if !isQuoted, byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == 0x09 { return byte }
    }
    return UInt8(ascii: ",")
  }

  /// The end of the cell that begins at `start`: the next delimiter outside quotes, or the line's end.
  func cellEnd(from start: Int) -> Int {
    var end = start
    var isQuoted = false
    while end < line.count, isQuoted || line[end] != delimiter {
      if line[end] == UInt8(ascii: "\"") { isQuoted.toggle() }
      end += 1
    }
    return end
  }

  /// All cells, as text.
  var texts: [String] {
    var result: [String] = []
    var start = 0
    while start <= line.count {
      let end = cellEnd(from: start)
      result.append(text(start, end))
      start = end + 1
    }
    return result
  }

  /// A cell without the blanks around it and its quotes.
  func text(_ start: Int, _ end: Int) -> String {
    let (start, end) = trimmed(start, end)
    return String(decoding: line[start..<end], as: UTF8.self)
  }

  private func trimmed(_ start: Int, _ end: Int) -> (Int, Int) {
    var (start, end) = (start, end)
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    while start < end, isBlank(line[start]) { start += 1 }
    while end > start, isBlank(line[end - 1]) { end -= 1 }
    if end - start > 1, line[start] == UInt8(ascii: "\""), line[end - 1] == UInt8(ascii: "\"") {
      start += 1
      end -= 1
    }
    return (start, end)
  }

  /// A cell as a number, correctly rounded; nil when it is none.
  func number(_ start: Int, _ end: Int) -> Double? {
    let (start, end) = trimmed(start, end)
    return plainNumber(start, end) ?? Double(String(decoding: line[start..<end], as: UTF8.self))
  }

  /// Digits with a sign and a point: exact when both parts fit in a double (Clinger's fast path), nil for anything
  /// else.
  private func plainNumber(_ start: Int, _ end: Int) -> Double? {
    var at = start
    var isNegative = false
    if at < end, line[at] == UInt8(ascii: "-") || line[at] == UInt8(ascii: "+") {
      isNegative = line[at] == UInt8(ascii: "-")
      at += 1
    }
    // 15 digits stay below 2^53, and 10^22 is a double.
    guard end > at, end - at <= 16 else { return nil }
    var digits = 0, value = 0.0, scale = 1.0
    var sawPoint = false
    while at < end {
      let byte = line[at]
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
