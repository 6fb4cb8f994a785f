import PruneTensor

/// Watches the values of one activation over the calibration data and says which range its codes should cover.
package protocol RangeObserver: Sendable {
  /// As `calibrator =` names it.
  static var name: String { get }
  init(_ settings: CalibratorSettings)
  /// Takes in one batch; float32, finite.
  mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError)
  var range: (low: Float, high: Float) { get }
  /// The ranges that it has to choose from, by the name of the calibrator that gives each.
  var candidates: [String: (low: Float, high: Float)] { get }
}

extension RangeObserver {
  package var candidates: [String: (low: Float, high: Float)] { [Self.name: range] }
}

/// What an observer needs to know beside the values.
package struct CalibratorSettings: Sendable {
  /// How much of the values "percentile" covers.
  package var percentile = 99.99
  /// How the range will be coded.
  package var codes: ActivationCodes

  package init(codes: ActivationCodes = .unsigned) { self.codes = codes }
}

/// The least and the largest value that occurred.
package struct MinMaxObserver: RangeObserver {
  package static let name = "minmax"
  package private(set) var range: (low: Float, high: Float) = (0, 0)
  private var isEmpty = true

  package init(_ settings: CalibratorSettings) {}

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    range = isEmpty ? (low, high) : (min(range.low, low), max(range.high, high))
    isEmpty = false
  }
}

/// The means over the batches of the least and of the largest value: one odd sample widens the range little.
package struct MovingAverageObserver: RangeObserver {
  package static let name = "moving_average"
  private var low = 0.0, high = 0.0, batches = 0.0

  package init(_ settings: CalibratorSettings) {}

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    batches += 1
    self.low += (Double(low) - self.low) / batches
    self.high += (Double(high) - self.high) / batches
  }

  package var range: (low: Float, high: Float) { (Float(low), Float(high)) }

  var isEmpty: Bool { batches == 0 }
}

/// The observers by name.
package enum Calibrator {
  package static let all: [any RangeObserver.Type] = [
    AutoObserver.self, MinMaxObserver.self, MovingAverageObserver.self, PercentileObserver.self, EntropyObserver.self,
    SquaredErrorObserver.self,
  ]

  package static var names: [String] { all.map { $0.name } }

  /// - Throws: `.invalidArgument` with the nearest name.
  package static func named(_ name: String) throws(PruneError) -> any RangeObserver.Type {
    guard let found = all.first(where: { $0.name == name }) else {
      throw PruneError(.invalidArgument, "calibrator is '\(name)'", hint: Suggestion.hint(for: name, among: names))
    }
    return found
  }
}
