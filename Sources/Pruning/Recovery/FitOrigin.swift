import PruneGraph

/// What layers are fitted to when a network shrinks step by step: the network that the steps began with, and which
/// positions of its values are left. Errors of one step are then taken back by the fits of the next.
struct FitOrigin: Sendable {
  let model: Model
  /// The positions that are left of each value, by axis; nil is all of them. Values of which nothing went are left
  /// out.
  private let left: [String: [[Int]?]]

  /// - Parameters:
  ///   - dependencies: of the network as it was before the cut.
  ///   - before: what the steps before it left.
  init(_ model: Model, _ dependencies: Dependencies, _ cut: Cut, after before: FitOrigin?) {
    self.model = model
    var left = before?.left ?? [:]
    for value in dependencies.axes.keys {
      let kept = Self.kept(value, dependencies, cut, of: before)
      if kept.contains(where: { $0 != nil }) { left[value] = kept }
    }
    self.left = left
  }

  /// The positions of a value, by axis, that a cut leaves: of the network that is cut, or of the one that the steps
  /// began with.
  static func kept(_ value: String, _ dependencies: Dependencies, _ cut: Cut, of origin: FitOrigin?) -> [[Int]?] {
    let before = origin?.left[value]
    return (dependencies.axes[value] ?? []).enumerated().map { axis, space in
      let old = before.flatMap { axis < $0.count ? $0[axis] : nil }
      guard let mask = dependencies.forest.mask(space, cut.kept) else { return old }
      let places = mask.indices.filter { mask[$0] }
      guard let old else { return places }
      return places.compactMap { $0 < old.count ? old[$0] : nil }
    }
  }
}
