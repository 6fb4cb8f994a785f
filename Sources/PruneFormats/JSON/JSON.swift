import PruneTensor

/// A JSON text, with the order of its keys and the spelling of its numbers: what is read and written again says the
/// same.
package indirect enum JSON: Sendable {
  case null
  case bool(Bool)
  /// The number as written; also Python's NaN and Infinity.
  case number(String)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  package init(_ value: Int) { self = .number(String(value)) }
  package init(_ values: [Int]) { self = .array(values.map { JSON($0) }) }
  package init(_ value: Double) { self = .number("\(value)") }

  // MARK: - Looking

  package subscript(_ key: String) -> JSON? {
    get {
      if case .object(let fields) = self { return fields.first { $0.key == key }?.value }
      return nil
    }
    set {
      guard case .object(var fields) = self else { return }
      if let index = fields.firstIndex(where: { $0.key == key }) {
        if let newValue { fields[index].value = newValue } else { fields.remove(at: index) }
      } else if let newValue {
        fields.append((key, newValue))
      }
      self = .object(fields)
    }
  }

  package var isNull: Bool {
    if case .null = self { return true }
    return false
  }
  package var array: [JSON]? {
    if case .array(let values) = self { return values }
    return nil
  }
  package var fields: [(key: String, value: JSON)]? {
    if case .object(let fields) = self { return fields }
    return nil
  }
  package var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }
  package var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }
  package var double: Double? {
    guard case .number(let text) = self else { return nil }
    return switch text {
    case "NaN": .nan
    case "Infinity": .infinity
    case "-Infinity": -.infinity
    default: Double(text)
    }
  }
  /// A whole number, also one that is written with a decimal point.
  package var int: Int? {
    guard case .number(let text) = self else { return nil }
    return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
  }
  /// A list of whole numbers.
  package var ints: [Int]? {
    guard let values = array else { return nil }
    let integers = values.compactMap(\.int)
    return integers.count == values.count ? integers : nil
  }

  // MARK: - Writing

  /// The text, on one line, as Python's json.dumps spaces it.
  package var text: String {
    var result = ""
    write(to: &result)
    return result
  }

  private func write(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let number): text += number
    case .string(let string): text.append(asJSON: string)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += ", " }
        value.write(to: &text)
      }
      text += "]"
    case .object(let fields):
      text += "{"
      for (index, field) in fields.enumerated() {
        if index > 0 { text += ", " }
        text.append(asJSON: field.key)
        text += ": "
        field.value.write(to: &text)
      }
      text += "}"
    }
  }
}
