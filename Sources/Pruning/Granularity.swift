import PruneTensor

/// What is kept or removed as one.
package enum Granularity: Sendable, Hashable {
  /// Single weights.
  case weight
  /// Channels and hidden units, with all that is coupled to them; positions within attention heads among them.
  case channel
  /// Attention heads.
  case head
  /// Positions within attention heads.
  case headDim

  /// The names that `init(name:)` knows.
  package static let names = ["weight", "channel", "head", "head_dim"]

  /// - Throws: `.unsupported` with the names there are.
  package init(name: String) throws(PruneError) {
    switch name {
    case "weight": self = .weight
    case "channel": self = .channel
    case "head": self = .head
    case "head_dim": self = .headDim
    default:
      throw PruneError(
        .unsupported, "granularity '\(name)' is not available",
        hint: "there are: \(Self.names.joined(separator: ", "))")
    }
  }

  package var name: String {
    switch self {
    case .weight: "weight"
    case .channel: "channel"
    case .head: "head"
    case .headDim: "head_dim"
    }
  }

  /// Whether units span tensors and are removed by surgery.
  package var isStructural: Bool {
    switch self {
    case .weight: false
    case .channel, .head, .headDim: true
    }
  }

  /// The ways to remove a unit, the default first.
  package var modes: [String] { isStructural ? ["remove", "mask"] : ["mask"] }
}
