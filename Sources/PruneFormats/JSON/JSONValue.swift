import PruneTensor

/// A value of JSON (RFC 8259).
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  /// A number without fraction or exponent that fits.
  case integer(Int)
  case number(Double)
  case text(String)
  case array([JSONValue])
  /// In the order of the text; a key may come twice.
  case object([(key: String, value: JSONValue)])

  /// - Throws: `.badFormat` naming the byte where the text stops being JSON.
  package init(parsing bytes: Bytes) throws(PruneError) {
    var reader = JSONReader(bytes.array)
    self = try reader.document()
  }

  /// The value of a key of an object, the last where it comes twice; nil for other values.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let entries) = self else { return nil }
    return entries.last { $0.key == key }?.value
  }

  package var text: String? { if case .text(let text) = self { text } else { nil } }
  package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  package var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  package var object: [(key: String, value: JSONValue)]? { if case .object(let entries) = self { entries } else { nil } }

  /// Every element of an array of integers; nil for anything else.
  package var integers: [Int]? {
    guard let array else { return nil }
    let values = array.compactMap(\.integer)
    return values.count == array.count ? values : nil
  }

  /// A string as JSON writes it, in quotes.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
