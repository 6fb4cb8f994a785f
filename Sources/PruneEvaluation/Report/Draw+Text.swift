import PruneTensor

/// Measuring and fitting text by the columns it takes on a terminal.
extension Draw {
  package enum Alignment: Sendable { case left, right }

  /// Columns that text takes: two for East Asian wide characters and emoji, none for escape sequences and control
  /// characters.
  package static func width(_ text: String) -> Int {
    var count = 0
    var isEscape = false
    for character in text {
      if character == "\u{1B}" { isEscape = true }
      if !isEscape { count += columns(character) }
      if isEscape, character.isLetter { isEscape = false }
    }
    return count
  }

  /// Text filled with spaces, or cut with an ellipsis, to exactly `columns`.
  package static func fitted(_ text: String, _ columns: Int, _ alignment: Alignment = .left) -> String {
    var text = text
    var length = width(text)
    if length > columns {
      text = columns <= 1 ? prefix(text, columns) : prefix(text, columns - 1) + "…"
      length = width(text)
    }
    let space = String(repeating: " ", count: max(columns - length, 0))
    return alignment == .left ? text + space : space + text
  }

  /// Text cut in its middle to at most `columns`: both ends of a long name tell more than its beginning.
  package static func shortened(_ text: String, _ columns: Int) -> String {
    guard width(text) > columns else { return text }
    guard columns > 2 else { return prefix(text, columns) }
    let head = (columns - 1) / 2
    let tail = prefix(String(text.reversed()), columns - 1 - head)
    return prefix(text, head) + "…" + String(tail.reversed())
  }

  /// Text cut at its left to at most `columns`: of a path, the end tells most.
  package static func ending(_ text: String, _ columns: Int) -> String {
    guard width(text) > columns else { return text }
    guard columns > 1 else { return prefix(text, columns) }
    return "…" + String(prefix(String(text.reversed()), columns - 1).reversed())
  }

  /// Text in lines of at most `columns`, broken between words; lines after the first begin with `indent`.
  package static func wrapped(_ text: String, _ columns: Int, indent: String = "") -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if width(line) + 1 + width(String(word)) <= columns {
        line += " " + word
      } else {
        lines.append(line)
        line = indent + word
      }
    }
    return lines + [line]
  }

  /// The longest beginning that takes at most `columns`. An escape sequence is not cut apart, and one that was begun is
  /// closed.
  private static func prefix(_ text: String, _ columns: Int) -> String {
    var result = ""
    var used = 0
    var isEscape = false
    for character in text {
      if character == "\u{1B}" { isEscape = true }
      if isEscape {
        result.append(character)
        if character.isLetter { isEscape = false }
        continue
      }
      used += self.columns(character)
      if used > columns { break }
      result.append(character)
    }
    return result.contains("\u{1B}") ? result + "\u{1B}[0m" : result
  }

  private static func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0: return 0
    case 0x20..<0x300: return 1
    // Joiners and marks that stand alone.
    case 0x300..<0x370, 0x200B...0x200F, 0xFE00...0xFE0F: return 0
    // Unicode's East Asian Width W and F, by their blocks.
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }

  // MARK: - Numbers

  /// 1234567 as 1,234,567.
  package static func grouped(_ value: Int) -> String {
    var result = ""
    let digits = String(value.magnitude)
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return value < 0 ? "-" + result : result
  }

  /// A number of bytes in the unit that suits it, by thousands.
  package static func bytes(_ count: Int) -> String {
    let value = Double(count)
    if count < 10_000 { return "\(grouped(count)) B" }
    if count < 10_000_000 { return formatted(value / 1e3, digits: 1) + " kB" }
    if count < 10_000_000_000 { return formatted(value / 1e6, digits: 1) + " MB" }
    return formatted(value / 1e9, digits: 1) + " GB"
  }
}
