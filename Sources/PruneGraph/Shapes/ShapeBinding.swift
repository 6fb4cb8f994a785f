import PruneTensor

/// Extents as a caller gives them: `{height = 640, W = 320, input = {1, 3, 640, 640}}`. A name is that of an extent, or
/// of an input, whose whole shape follows. Checked against a model when they are resolved.
package struct ShapeBinding: Hashable, Sendable {
  package struct Entry: Hashable, Sendable {
    package var name: String
    package var extents: [Int]
  }

  package var entries: [Entry] = []

  package init() {}
  package init(_ entries: [(name: String, extents: [Int])]) {
    self.entries = entries.map { Entry(name: $0.name, extents: $0.extents) }
  }

  package var isEmpty: Bool { entries.isEmpty }

  /// The extent of everything that the entries speak of.
  /// - Throws: `.notFound` for a name that is neither an extent nor an input; `.mismatch` where extents contradict each
  ///   other or the model; `.invalidArgument` for extents below 1.
  package func extents(of model: Model) throws(PruneError) -> [OpenExtent: Int] {
    var result: [OpenExtent: Int] = [:]
    func bind(_ extent: OpenExtent, _ value: Int) throws(PruneError) {
      if let previous = result[extent], previous != value {
        throw PruneError(
          .mismatch, "shapes: \(extent) is given as \(previous) and as \(value)",
          hint: "an extent of one name is the same everywhere")
      }
      result[extent] = value
    }
    let inputs = model.graph.trueInputs
    var names: [String] = []
    for input in inputs {
      for case .named(let name) in input.type?.dims ?? [] where !names.contains(name) { names.append(name) }
    }
    for entry in entries {
      if let bad = entry.extents.first(where: { $0 < 1 || $0 > 1 << 40 }) {
        throw PruneError(
          .invalidArgument,
          "shapes: '\(entry.name)' has the extent \(bad), it must be \(bad < 1 ? "1 or more" : "2^40 or less")")
      }
      if entry.extents.count == 1, names.contains(entry.name) {
        try bind(.named(entry.name), entry.extents[0])
        continue
      }
      guard let input = inputs.first(where: { $0.name == entry.name }) else {
        let candidates = names + inputs.map(\.name)
        throw PruneError(
          .notFound,
          names.contains(entry.name)
            ? "shapes: extent '\(entry.name)' is one number, got \(entry.extents)"
            : "shapes: the model has neither an open extent nor an input '\(entry.name)'",
          hint: names.contains(entry.name) ? "" : Suggestion.hint(for: entry.name, among: candidates))
      }
      let dims = input.type?.dims ?? entry.extents.map { _ in .unknown }
      func mismatch() -> PruneError {
        PruneError(
          .mismatch,
          "shapes: input '\(input.name)' is declared \(input.type?.description ?? "?"), got \(entry.extents)",
          hint: "only extents that the model leaves open can be chosen")
      }
      guard dims.count == entry.extents.count else { throw mismatch() }
      for (axis, (dim, value)) in zip(dims, entry.extents).enumerated() {
        if let fixed = dim.value, fixed != value { throw mismatch() }
        if let extent = OpenExtent(dim, input: input.name, axis: axis) { try bind(extent, value) }
      }
    }
    return result
  }
}
