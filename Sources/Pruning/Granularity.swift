import PruneTensor

/// What is kept or removed as one.
package enum Granularity: Sendable, Hashable {
  /// Single weights.
  case weight

  /// The names that `init(name:)` knows.
  package static let names = ["weight"]

  /// - Throws: `.unsupported` with the names there are.
  package init(name: String) throws(PruneError) {
    switch name {
    case "weight": self = .weight
    default:
      throw PruneError(
        .unsupported, "granularity '\(name)' is not available",
        hint: "there are: \(Self.names.joined(separator: ", "))")
    }
  }

  package var name: String {
    switch self {
    case .weight: "weight"
    }
  }
}
