/// An option's value out of a few, named by a string at the edge and a case everywhere else.
package protocol Choice: RawRepresentable, CaseIterable, Sendable where RawValue == String {}

extension Choice {
  package static var names: [String] { allCases.map(\.rawValue) }

  /// The case of a name.
  /// - Throws: `.invalidArgument` naming the option, with the nearest name.
  package init(_ option: String, named name: String) throws(PruneError) {
    guard let value = Self(rawValue: name) else {
      throw PruneError(.invalidArgument, "\(option) is '\(name)'", hint: Suggestion.hint(for: name, among: Self.names))
    }
    self = value
  }
}
