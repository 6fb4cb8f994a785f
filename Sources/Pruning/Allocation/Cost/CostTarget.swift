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

  /// The fraction that is left after a part of the way, 0...1.
  func goal(_ progress: Double) -> Double { progress < 1 ? 1 - (1 - fraction) * progress : fraction }

  /// Whether a cost that was reached misses the target: one alone is to be hit, of several each is a bound.
  func isMissed(by reached: Double, isAlone: Bool) -> Bool {
    let distance = reached - fraction
    return (isAlone ? abs(distance) : distance) > Self.tolerance
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

/// Several targets: each is the most that may be left of its cost.
extension [CostTarget] {
  var text: String {
    map { "\($0.kind.rawValue) \(formatted($0.fraction, digits: 6, style: "g"))" }.joined(separator: ", ")
  }

  var isTimed: Bool { contains { $0.kind == .latency } }

  /// The row of each in reports.
  func rows(_ kept: (CostTarget) throws(PruneError) -> Double?) throws(PruneError) -> ReportValue {
    var rows: [ReportValue] = []
    for target in self {
      var row = Report(title: "")
      row["cost"] = .text(target.kind.rawValue)
      row["target"] = .number(target.fraction)
      row["kept"] = try kept(target).map { .number($0) } ?? .open
      rows.append(.report(row))
    }
    return .list(rows)
  }

  /// Which of several decides how much goes: the one of which least is to spare.
  func decision(_ kept: (CostTarget) throws(PruneError) -> Double?) throws(PruneError) -> String? {
    guard count > 1 else { return nil }
    var spare: [(spare: Double, kind: String)] = []
    for target in self {
      if let kept = try kept(target) { spare.append((target.fraction - kept, target.kind.rawValue)) }
    }
    guard let least = spare.min(by: { $0.spare < $1.spare }) else { return nil }
    return "of the targets that of \(least.kind) decides how much goes"
  }
}

/// For each group the larger of two numbers of units.
func larger(_ first: [Int], _ second: [Int]) -> [Int] {
  first.isEmpty ? second : zip(first, second).map { max($0, $1) }
}
