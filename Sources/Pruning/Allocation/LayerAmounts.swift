import PruneTensor

/// A fraction of the units of each layer, by name patterns: `conv1` 0.1, `layer3.*` 0.6. Layers that none matches stay
/// whole.
package struct LayerAmounts: Sendable {
  package struct Entry: Sendable {
    package let pattern: String
    package let amount: Double

    package init(_ pattern: String, _ amount: Double) {
      self.pattern = pattern
      self.amount = amount
    }
  }

  /// Plain names first, then the longer patterns: the first that matches a layer decides.
  private let entries: [(pattern: String, matcher: NamePattern, amount: Double)]

  /// Nil for no entry at all.
  /// - Throws: `.invalidArgument` for what is no fraction.
  package init?(_ entries: [Entry]) throws(PruneError) {
    guard !entries.isEmpty else { return nil }
    for entry in entries where !(entry.amount >= 0 && entry.amount <= 1) {
      throw PruneError(
        .invalidArgument, "amount of '\(entry.pattern)' is \(entry.amount), it must be a fraction from 0 to 1")
    }
    func rank(_ entry: Entry) -> (Int, Int, String) {
      let isPattern = entry.pattern.contains { $0 == "*" || $0 == "?" }
      return (isPattern ? 1 : 0, -entry.pattern.count, entry.pattern)
    }
    self.entries = entries.sorted { rank($0) < rank($1) }.map { ($0.pattern, NamePattern($0.pattern), $0.amount) }
  }

  package var largest: Double { entries.map(\.amount).max() ?? 0 }

  /// The entries, in the order in which they are matched.
  package var text: String {
    entries.map { "\($0.pattern) \(formatted($0.amount, digits: 4, style: "g"))" }.joined(separator: ", ")
  }

  /// What goes of a layer that has these names; 0 where nothing is said of it.
  package func amount(of names: [String]) -> Double {
    entries.first { entry in names.contains(where: entry.matcher.matches) }?.amount ?? 0
  }

  /// - Throws: `.notFound` for a pattern that matches none of these names.
  package func check(_ names: [String]) throws(PruneError) {
    for entry in entries where !names.contains(where: entry.matcher.matches) {
      throw PruneError(
        .notFound, "amount pattern '\(entry.pattern)' matches no layer that is pruned",
        hint: Suggestion.hint(for: entry.pattern, among: names))
    }
  }
}

extension UnitGroup {
  /// The names by which a user may mean it: its own, and those of the layers and weights that make its units.
  var names: [String] { [name] + members.filter { !$0.isInput }.flatMap { [$0.layer, $0.tensor] } }
}
