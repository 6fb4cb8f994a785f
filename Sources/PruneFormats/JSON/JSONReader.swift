import PruneTensor

/// Reads JSON text. Nesting is bounded, so that no file exhausts the stack.
struct JSONReader {
  private let text: [UInt8]
  private var position = 0
  private static let deepest = 200

  init(_ text: [UInt8]) { self.text = text }

  /// The whole text as one value.
  mutating func document() throws(PruneError) -> JSONValue {
    if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF { position = 3 }
    let result = try value(depth: 0)
    skipSpace()
    guard position == text.count else { throw failure("the end of the text") }
    return result
  }

  private func failure(_ expected: String) -> PruneError {
    PruneError(.badFormat, "this is not JSON: at byte \(position) it should have \(expected)")
  }

  private mutating func skipSpace() {
    while position < text.count, text[position] == 32 || (text[position] >= 9 && text[position] <= 13) { position += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(PruneError) -> JSONValue {
    guard depth < Self.deepest else { throw failure("at most \(Self.deepest) levels") }
    skipSpace()
    guard position < text.count else { throw failure("a value") }
    switch text[position] {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .text(try string())
    default: return try literal()
    }
  }

  private mutating func object(_ depth: Int) throws(PruneError) -> JSONValue {
    position += 1
    var entries: [(key: String, value: JSONValue)] = []
    if take(UInt8(ascii: "}")) { return .object(entries) }
    repeat {
      skipSpace()
      guard position < text.count, text[position] == UInt8(ascii: "\"") else { throw failure("a key in quotes") }
      let key = try string()
      guard take(UInt8(ascii: ":")) else { throw failure("a colon") }
      entries.append((key, try value(depth: depth + 1)))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw failure("a comma or the end of the object") }
    return .object(entries)
  }

  private mutating func array(_ depth: Int) throws(PruneError) -> JSONValue {
    position += 1
    var values: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(values) }
    repeat { values.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw failure("a comma or the end of the array") }
    return .array(values)
  }

  private mutating func string() throws(PruneError) -> String {
    position += 1
    var bytes: [UInt8] = []
    while position < text.count {
      let byte = text[position]
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
      if byte != UInt8(ascii: "\\") {
        bytes.append(byte)
        continue
      }
      guard position < text.count else { break }
      let escape = text[position]
      position += 1
      switch escape {
      case UInt8(ascii: "b"): bytes.append(8)
      case UInt8(ascii: "f"): bytes.append(12)
      case UInt8(ascii: "n"): bytes.append(10)
      case UInt8(ascii: "r"): bytes.append(13)
      case UInt8(ascii: "t"): bytes.append(9)
      case UInt8(ascii: "u"): bytes += Array(String(Character(try escapedScalar())).utf8)
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(escape)
      default: throw failure("an escape that JSON knows")
      }
    }
    throw failure("the end of a string")
  }

  /// The character of \uXXXX, or of a pair of them.
  private mutating func escapedScalar() throws(PruneError) -> Unicode.Scalar {
    let first = try fourDigits()
    guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
    guard position + 1 < text.count, text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u") else {
      return "\u{FFFD}"
    }
    position += 2
    let second = try fourDigits()
    guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
  }

  private mutating func fourDigits() throws(PruneError) -> UInt32 {
    guard position + 4 <= text.count else { throw failure("four hexadecimal digits") }
    var result: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(text[position])).hexDigitValue else {
        throw failure("four hexadecimal digits")
      }
      result = result << 4 | UInt32(digit)
      position += 1
    }
    return result
  }

  private mutating func literal() throws(PruneError) -> JSONValue {
    let start = position
    var bytes: [UInt8] = []
    while position < text.count, bytes.count < 64, Self.isLiteral(text[position]) {
      bytes.append(text[position])
      position += 1
    }
    let word = String(decoding: bytes, as: UTF8.self)
    switch word {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    // As Python writes them.
    case "NaN": return .number(.nan)
    case "Infinity": return .number(.infinity)
    case "-Infinity": return .number(-.infinity)
    default:
      if let first = bytes.first, first == UInt8(ascii: "-") || (first >= 0x30 && first <= 0x39) {
        if let integer = Int(word) { return .integer(integer) }
        if let number = Double(word) { return .number(number) }
      }
      position = start
      throw failure("a value")
    }
  }

  private static func isLiteral(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A) || byte == 0x2B
      || byte == 0x2D || byte == 0x2E
  }
}
