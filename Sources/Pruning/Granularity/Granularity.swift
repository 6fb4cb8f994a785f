import PruneTensor

/// What is kept or removed as one.
package enum Granularity: Sendable, Hashable {
  /// Single weights.
  case weight
  /// All but `keep` of every `of` neighbouring inputs of an output, at each tap of a kernel.
  case neighbours(keep: Int, of: Int)
  /// Blocks of `rows` outputs by `columns` inputs, at each tap of a kernel.
  case block(rows: Int, columns: Int)
  /// Blocks inside kernels, which may overlap.
  case subBlock(SubBlock)
  /// Whole kernels of convolutions: the taps between an output and an input. In matrices, single weights.
  case kernel
  /// Channels and hidden units, with all that is coupled to them; positions within attention heads among them.
  case channel
  /// Attention heads.
  case head
  /// Positions within attention heads.
  case headDim
  /// Branches that are added to what they are computed from.
  case layer

  /// The names that `init(name:)` knows.
  package static let names = [
    "weight", "2:4", "block:4x4", "block:1x1x4x4", "kernel", "channel", "head", "head_dim", "layer",
  ]

  /// - Throws: `.unsupported` with the names there are, `.invalidArgument` for numbers that make no sense.
  package init(name: String) throws(PruneError) {
    switch name {
    case "weight": self = .weight
    case "channel": self = .channel
    case "head": self = .head
    case "head_dim": self = .headDim
    case "layer": self = .layer
    case "kernel": self = .kernel
    case "block": self = .block(rows: 4, columns: 4)
    default:
      if name.hasPrefix("block:"), let block = try SubBlock(text: name.dropFirst(6)) {
        self = .subBlock(block)
        return
      }
      if name.hasPrefix("block:"), let (rows, columns) = Self.pair(name.dropFirst(6), "x") {
        guard (1...65_536).contains(rows), (1...65_536).contains(columns) else {
          throw PruneError(
            .invalidArgument, "granularity '\(name)' has blocks of \(rows) x \(columns)",
            hint: "rows and columns are 1 or more, as in \"block:4x4\"")
        }
        self = .block(rows: rows, columns: columns)
        return
      }
      if let (keep, of) = Self.pair(Substring(name), ":") {
        guard (2...1024).contains(of), (1..<of).contains(keep) else {
          throw PruneError(
            .invalidArgument, "granularity '\(name)' keeps \(keep) of every \(of) weights",
            hint: "write n:m with 0 < n < m, as in \"2:4\"")
        }
        self = .neighbours(keep: keep, of: of)
        return
      }
      throw PruneError(
        .unsupported, "granularity '\(name)' is not available",
        hint: Suggestion.hint(for: name, among: Self.names) + " (with any numbers in n:m and block)")
    }
  }

  private static func pair(_ text: Substring, _ separator: Character) -> (Int, Int)? {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Int(parts[0]), let second = Int(parts[1]) else { return nil }
    return (first, second)
  }

  package var name: String {
    switch self {
    case .weight: "weight"
    case .channel: "channel"
    case .head: "head"
    case .headDim: "head_dim"
    case .layer: "layer"
    case .neighbours(let keep, let of): "\(keep):\(of)"
    case .block(let rows, let columns): "block:\(rows)x\(columns)"
    case .subBlock(let block): "block:\(block.text)"
    case .kernel: "kernel"
    }
  }

  /// Whether units span tensors and are removed by surgery.
  package var isStructural: Bool {
    switch self {
    case .weight, .neighbours, .block, .subBlock, .kernel: false
    case .channel, .head, .headDim, .layer: true
    }
  }

  /// The ways to remove a unit, the default first.
  package var modes: [PruneMode] { self == .layer ? [.remove] : isStructural ? [.remove, .mask] : [.mask] }
}
