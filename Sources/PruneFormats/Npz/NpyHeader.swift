import PruneTensor

/// The header of a NumPy array file: a Python dictionary with `descr`, `fortran_order` and `shape`.
struct NpyHeader {
  let dtype: DType
  let swapsBytes: Bool
  let isColumnMajor: Bool
  let shape: Shape

  /// The type code that NumPy has for a dtype, little-endian.
  static func code(of dtype: DType) -> String? {
    codes.first { $0.dtype == dtype }.map { ($0.width > 1 ? "<" : "|") + $0.code }
  }

  private static let codes: [(dtype: DType, code: String, width: Int)] = [
    (.float32, "f4", 4), (.float64, "f8", 8), (.float16, "f2", 2), (.int8, "i1", 1), (.int16, "i2", 2),
    (.int32, "i4", 4), (.int64, "i8", 8), (.uint8, "u1", 1), (.uint16, "u2", 2), (.uint32, "u4", 4),
    (.uint64, "u8", 8), (.bool, "b1", 1), (.complex64, "c8", 8), (.complex128, "c16", 16),
  ]

  init(_ text: [UInt8]) throws(PruneError) {
    var parser = Parser(text: text)
    let fields = try parser.dictionary()
    guard case .text(let code)? = fields["descr"] else {
      throw PruneError(.unsupported, "the array is of records, which are not tensors")
    }
    guard case .flag(let isColumnMajor)? = fields["fortran_order"], case .numbers(let dims)? = fields["shape"] else {
      throw PruneError(.badFormat, "the array's header has no fortran_order or shape")
    }
    let order = code.first ?? "?"
    guard let entry = Self.codes.first(where: { $0.code == code.dropFirst() }), "<>|=".contains(order) else {
      throw PruneError(
        .unsupported, "the array's elements are '\(code.prefix(40))', which is no tensor type",
        hint: "save it as float32 or an integer type: array.astype('float32')")
    }
    dtype = entry.dtype
    swapsBytes = order == ">" && entry.width > 1
    self.isColumnMajor = isColumnMajor
    guard dims.count <= 64 else { throw PruneError(.badFormat, "the array has \(dims.count) axes") }
    do throws(PruneError) { shape = try Shape(dims) } catch { throw PruneError(.badFormat, error.message) }
  }
}

/// The little of Python's literals that a header uses.
private struct Parser {
  enum Value {
    case text(String)
    case flag(Bool)
    case numbers([Int])
    /// Anything else, such as a list of record fields.
    case other
  }

  let text: [UInt8]
  private var position = 0

  init(text: [UInt8]) { self.text = text }

  private func failure() -> PruneError {
    PruneError(
      .badFormat,
      "the array's header is not readable at byte \(position): '\(String(decoding: text.prefix(80), as: UTF8.self))'")
  }

  private mutating func skipSpace() {
    while position < text.count, [9, 10, 13, 32].contains(text[position]) { position += 1 }
  }

  /// Whether the next character is this one, which is then taken.
  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == character.asciiValue else { return false }
    position += 1
    return true
  }

  mutating func dictionary() throws(PruneError) -> [String: Value] {
    guard take("{") else { throw failure() }
    var result: [String: Value] = [:]
    while !take("}") {
      guard let key = quoted(), take(":") else { throw failure() }
      result[key] = try value()
      if !take(",") {
        guard take("}") else { throw failure() }
        break
      }
    }
    return result
  }

  private mutating func quoted() -> String? {
    skipSpace()
    guard position < text.count, text[position] == UInt8(ascii: "'") || text[position] == UInt8(ascii: "\"") else {
      return nil
    }
    guard let end = text[(position + 1)...].firstIndex(of: text[position]) else { return nil }
    let string = String(decoding: text[(position + 1)..<end], as: UTF8.self)
    position = end + 1
    return string
  }

  private mutating func value() throws(PruneError) -> Value {
    if let string = quoted() { return .text(string) }
    if take("(") { return .numbers(try tuple()) }
    if take("[") { return try list() }
    let word = word()
    switch word {
    case "True": return .flag(true)
    case "False": return .flag(false)
    default: throw failure()
    }
  }

  private mutating func word() -> String {
    skipSpace()
    let start = position
    while position < text.count,
      ![UInt8(ascii: ","), UInt8(ascii: ")"), UInt8(ascii: "}"), 32, 10].contains(text[position])
    {
      position += 1
    }
    return String(decoding: text[start..<position], as: UTF8.self)
  }

  private mutating func tuple() throws(PruneError) -> [Int] {
    var numbers: [Int] = []
    while !take(")") {
      // Python 2 wrote long integers as 3L.
      let digits = word().split(separator: "L").first.map(String.init) ?? ""
      guard let number = Int(digits) else { throw failure() }
      numbers.append(number)
      if !take(",") {
        guard take(")") else { throw failure() }
        break
      }
    }
    return numbers
  }

  /// Skips a list, the `descr` of records.
  private mutating func list() throws(PruneError) -> Value {
    guard let end = text[position...].lastIndex(of: UInt8(ascii: "]")) else { throw failure() }
    position = end + 1
    return .other
  }
}
