import PruneTensor

extension Report {
  /// The report as a JSON object (RFC 8259). NaN, infinities and open numbers are null; a tensor is its dtype and
  /// shape.
  package func json() -> String {
    var text = ""
    ReportValue.report(self).write(to: &text)
    return text
  }

  /// What changes when an entry is renamed or removed; not when one is added.
  package static let schemaVersion = 1

  /// The same as a file of its own, which begins with "schema" (the version of the format), "report" (the title) and
  /// "made_by".
  package func jsonFile(madeBy: String) -> String {
    let about: [(key: String, value: ReportValue)] = [
      ("schema", .integer(Self.schemaVersion)), ("report", .text(title)), ("made_by", .text(madeBy)),
    ]
    return Report(title: title, entries: about + entries).json() + "\n"
  }
}

extension ReportValue {
  /// Whether JSON has it.
  private var isData: Bool { if case .drawing = self { false } else { true } }

  fileprivate func write(to text: inout String) {
    switch self {
    case .number(let value): text += value.isFinite ? Self.shortest(value) : "null"
    case .integer(let value): text += String(value)
    case .text(let value): text.append(asJSON: value)
    case .flag(let value): text += value ? "true" : "false"
    case .report(let report):
      text += "{"
      for (index, entry) in report.entries.filter(\.value.isData).enumerated() {
        if index > 0 { text += "," }
        text.append(asJSON: entry.key)
        text += ":"
        entry.value.write(to: &text)
      }
      text += "}"
    case .list(let list):
      text += "["
      for (index, value) in list.enumerated() {
        if index > 0 { text += "," }
        value.write(to: &text)
      }
      text += "]"
    case .open, .drawing: text += "null"
    case .tensor(let tensor):
      text += "{\"dtype\":\"\(tensor.dtype.name)\",\"shape\":\(tensor.shape)}"
    }
  }

  /// The shortest digits that read back as the same number.
  static func shortest(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
