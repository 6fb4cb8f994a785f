import PruneTensor

extension JSON {
  /// - Throws: `.badFormat` with the byte where the text stops to be JSON.
  package init(text bytes: [UInt8]) throws(PruneError) {
    var reader = JSONText(text: bytes)
    self = try reader.document()
  }
}

/// Reads JSON (RFC 8259), and Python's NaN and Infinity.
private struct JSONText {
  let text: [UInt8]
  private var position = 0
  private static let depthLimit = 200

  init(text: [UInt8]) { self.text = text }

  mutating func document() throws(PruneError) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard position == text.count else { throw failure("more follows") }
    return value
  }

  private func failure(_ what: String) -> PruneError {
    PruneError(.badFormat, "the JSON text is not readable at byte \(position) of \(text.count): \(what)")
  }

  private mutating func skipSpace() {
    while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) { position += 1 }
  }

  private var next: UInt8? { position < text.count ? text[position] : nil }

  private mutating func take(_ character: Character) -> Bool {
    guard let next, next == character.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(PruneError) -> JSON {
    guard depth < Self.depthLimit else { throw failure("it is nested more than \(Self.depthLimit) deep") }
    skipSpace()
    guard let next else { throw failure("it ends too early") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .string(try string())
    default: return try word()
    }
  }

  private mutating func object(_ depth: Int) throws(PruneError) -> JSON {
    position += 1
    var fields: [(key: String, value: JSON)] = []
    skipSpace()
    if take("}") { return .object(fields) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a key was wanted") }
      let key = try string()
      skipSpace()
      guard take(":") else { throw failure("':' was wanted") }
      fields.append((key, try value(depth: depth + 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw failure("'}' was wanted") }
    return .object(fields)
  }

  private mutating func array(_ depth: Int) throws(PruneError) -> JSON {
    position += 1
    var values: [JSON] = []
    skipSpace()
    if take("]") { return .array(values) }
    repeat {
      values.append(try value(depth: depth + 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw failure("']' was wanted") }
    return .array(values)
  }

  private mutating func word() throws(PruneError) -> JSON {
    let start = position
    while let next, ![0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D].contains(next), position - start < 64 { position += 1 }
    let word = String(decoding: text[start..<position], as: UTF8.self)
    switch word {
    case "null": return .null
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "NaN", "Infinity", "-Infinity": return .number(word)
    default:
      let isNumber = word.utf8.allSatisfy { (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }
      guard isNumber, Double(word) != nil else {
        position = start
        throw failure("a value was wanted")
      }
      return .number(word)
    }
  }

  private mutating func string() throws(PruneError) -> String {
    position += 1
    var bytes: [UInt8] = []
    while let next {
      position += 1
      switch next {
      case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
      case UInt8(ascii: "\\"): bytes += try escape()
      default: bytes.append(next)
      }
    }
    throw failure("a text does not end")
  }

  private mutating func escape() throws(PruneError) -> [UInt8] {
    guard let next else { throw failure("a text does not end") }
    position += 1
    switch next {
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
        let low = try hexadecimal()
        if (0xDC00..<0xE000).contains(low) { code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) }
      }
      return Array(String(Character(Unicode.Scalar(code) ?? "\u{FFFD}")).utf8)
    default: return [next]
    }
  }

  private mutating func hexadecimal() throws(PruneError) -> UInt32 {
    guard position + 4 <= text.count,
      let code = UInt32(String(decoding: text[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits were wanted") }
    position += 4
    return code
  }
}
