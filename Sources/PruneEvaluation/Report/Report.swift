import PruneTensor

/// What a call measured or did: keyed entries in order, for programs to look up and for people to read.
package struct Report: Sendable {
  package var title: String
  package var entries: [(key: String, value: ReportValue)]

  package init(title: String, entries: [(key: String, value: ReportValue)] = []) {
    self.title = title
    self.entries = entries
  }

  /// The value at a path: keys and 0-based list positions joined by dots. Keys may contain dots themselves. Setting
  /// takes a key of this report, replaces its value in place or appends it, and removes it with nil.
  package subscript(_ path: String) -> ReportValue? {
    get {
      for (key, value) in entries where path == key || path.hasPrefix(key + ".") {
        if path == key { return value }
        if let match = value.lookUp(path.dropFirst(key.count + 1)) { return match }
      }
      return nil
    }
    set {
      let index = entries.firstIndex { $0.key == path }
      switch (index, newValue) {
      case (let index?, let value?): entries[index].value = value
      case (let index?, nil): entries.remove(at: index)
      case (nil, let value?): entries.append((key: path, value: value))
      case (nil, nil): break
      }
    }
  }
}

extension Report {
  /// What a reader must know first: that less was done than was asked for, and how to get further. On the first line of
  /// the text.
  package var headline: String? {
    get { if case .text(let text)? = self["headline"] { text } else { nil } }
    set {
      guard let newValue else { return self["headline"] = nil }
      self["headline"] = nil
      entries.insert((key: "headline", value: .text(newValue)), at: 0)
    }
  }

  /// The number at a path, nil when there is none.
  package func number(_ path: String) -> Double? { self[path]?.number }
}

/// One value of a report.
package indirect enum ReportValue: Sendable {
  case number(Double)
  case integer(Int)
  case text(String)
  /// A picture out of characters, for people alone: no part of JSON, CSV and Markdown.
  case drawing(String)
  case flag(Bool)
  case report(Report)
  case list([ReportValue])
  case tensor(Tensor)
  /// A number that depends on an open extent: null in JSON, "open" in text, absent in the C API.
  case open

  /// A count, or `open`.
  package static func count(_ value: Int?) -> ReportValue { value.map { .integer($0) } ?? .open }

  /// The value as a number, for numbers, integers and flags.
  package var number: Double? {
    switch self {
    case .number(let value): value
    case .integer(let value): Double(value)
    case .flag(let value): value ? 1 : 0
    default: nil
    }
  }

  fileprivate func lookUp(_ path: Substring) -> ReportValue? {
    switch self {
    case .report(let report):
      return report[String(path)]
    case .list(let list):
      let head = path.prefix { $0 != "." }
      guard let index = Int(head), list.indices.contains(index) else { return nil }
      return head.count == path.count ? list[index] : list[index].lookUp(path.dropFirst(head.count + 1))
    default:
      return nil
    }
  }
}
