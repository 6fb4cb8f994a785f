import PruneEvaluation
import PruneTensor

/// What a prune is to save: the fraction that is kept of a cost.
package struct CostTarget: Sendable, Hashable {
  package enum Kind: String, Choice { case macs, params, bytes, latency }
  package var kind: Kind
  package var fraction: Double
  package init(_ kind: Kind, _ fraction: Double) {
    self.kind = kind
    self.fraction = fraction
  }

  /// How far from the target still hits it.
  static let tolerance = 0.02

  /// Refuses what cannot be met: it would take everything and still not save enough.
  /// - Parameters:
  ///   - floor: the fraction that is left when all goes that may go.
  ///   - why: what holds the rest back.
  /// - Throws: `.invalidArgument` when the floor is above the target.
  func check(floor: Double, _ why: String, hint: String) throws(PruneError) {
    guard floor > fraction + Self.tolerance else { return }
    func text(_ value: Double) -> String { formatted(value, digits: 4, style: "g") }
    throw PruneError(
      .invalidArgument,
      "target \(kind.rawValue) is \(text(fraction)), and \(text(floor)) is the least that can be left: \(why)",
      hint: hint)
  }
}
