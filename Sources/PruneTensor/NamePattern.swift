/// A pattern over layer, weight and value names: `*` stands for any text, `?` for any one character, the rest for
/// itself.
package struct NamePattern: Sendable, CustomStringConvertible {
  private let pattern: [Character]

  package init(_ text: String) { pattern = Array(text) }

  package var description: String { String(pattern) }

  package func matches(_ name: String) -> Bool {
    let text = Array(name)
    var position = 0, place = 0
    // Where the last star was and what it covers, to come back to when the rest does not fit.
    var star: (place: Int, position: Int)?
    while position < text.count {
      if place < pattern.count, pattern[place] == "*" {
        star = (place, position)
        place += 1
      } else if place < pattern.count, pattern[place] == "?" || pattern[place] == text[position] {
        place += 1
        position += 1
      } else if let last = star {
        star = (last.place, last.position + 1)
        place = last.place + 1
        position = last.position + 1
      } else {
        return false
      }
    }
    return pattern[place...].allSatisfy { $0 == "*" }
  }
}

/// Suggestions for names that were not found.
package enum Suggestion {
  /// The candidates closest to `name` (by edit distance), best first; empty when nothing is similar.
  package static func closest(to name: String, among candidates: [String], limit: Int = 3) -> [String] {
    let target = Array(name.lowercased().prefix(64))
    let core = name.filter { $0 != "*" && $0 != "?" }.lowercased()
    let holdsCore = NamePattern("*\(core)*")
    var rated: [(distance: Int, position: Int)] = []
    for (position, candidate) in candidates.prefix(10_000).enumerated() {
      let lowered = candidate.lowercased()
      let contains = core.count > 1 && holdsCore.matches(lowered)
      let distance = contains ? 0 : Self.distance(target, Array(lowered.prefix(64)))
      if distance <= max(2, target.count / 3) { rated.append((distance, position)) }
    }
    return rated.sorted { ($0.distance, $0.position) < ($1.distance, $1.position) }.prefix(limit).map {
      candidates[$0.position]
    }
  }

  /// A hint such as `did you mean 'amount'?`, or the list of what there is, or "".
  package static func hint(for name: String, among candidates: [String]) -> String {
    let close = closest(to: name, among: candidates)
    if !close.isEmpty { return "did you mean \(close.map { "'\($0)'" }.joined(separator: " or "))?" }
    guard !candidates.isEmpty else { return "" }
    let rest = candidates.count > 12 ? ", … (\(candidates.count) in all)" : ""
    return "there are: " + candidates.prefix(12).joined(separator: ", ") + rest
  }

  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }
}
