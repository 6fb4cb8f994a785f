import PruneTensor

/// Watches the values of one activation over the calibration data and says which range its codes should cover.
package protocol RangeObserver: Sendable {
  init()
  /// Takes in one batch; float32, finite.
  mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError)
  var range: (low: Float, high: Float) { get }
}

/// The least and the largest value that occurred.
package struct MinMaxObserver: RangeObserver {
  package private(set) var range: (low: Float, high: Float) = (0, 0)
  private var isEmpty = true

  package init() {}

  package mutating func observe(_ values: Tensor, low: Float, high: Float) throws(PruneError) {
    range = isEmpty ? (low, high) : (min(range.low, low), max(range.high, high))
    isEmpty = false
  }
}

/// The observers by name.
package enum Calibrator {
  package static let names = ["minmax"]

  /// - Throws: `.unsupported` with the names there are.
  package static func named(_ name: String) throws(PruneError) -> any RangeObserver.Type {
    switch name {
    case "minmax": return MinMaxObserver.self
    default:
      throw PruneError(
        .unsupported, "calibrator '\(name)' is not available", hint: "there are: \(names.joined(separator: ", "))")
    }
  }
}
