import PruneTensor

/// An extent that an input leaves open: all axes of one name have the same, an axis without a name one of its own.
package enum OpenExtent: Hashable, Sendable, CustomStringConvertible {
  case named(String)
  /// `index` counts axes from 0.
  case axis(input: String, index: Int)

  package init?(_ dim: Dim, input: String, axis: Int) {
    switch dim {
    case .fixed: return nil
    case .named(let name): self = .named(name)
    case .unknown: self = .axis(input: input, index: axis)
    }
  }

  package var description: String {
    switch self {
    case .named(let name): name
    case .axis(let input, let index): "axis \(index) of '\(input)'"
    }
  }
}

/// What the inputs of a model leave open: the batch, which counts samples, and everything else.
///
/// `x [batch, 3, H, W]` has the batch "batch" and the others "H" and "W". An extent whose name is computed from others,
/// as in `mask [B, P + T]`, is neither.
package struct OpenExtents: Sendable {
  package private(set) var batch: Set<OpenExtent> = []
  /// In the order of the inputs.
  package private(set) var others: [OpenExtent] = []
  /// Extents whose names are computed from others.
  package private(set) var derived: [String: ExtentExpression] = [:]
  /// Inputs of which not even the rank is known.
  package private(set) var rankless: [String] = []
  /// The ranks of inputs that do not declare theirs, from what reads them or from samples.
  private var ranks: [String: Int] = [:]

  /// - Parameter samples: extents of a sample, without the batch, by input.
  package init(_ model: Model, samples: [String: [Int]] = [:]) {
    let inputs = model.graph.trueInputs
    if inputs.contains(where: { $0.type?.dims == nil }) {
      let implied = ImpliedInputs.of(model)
      for input in inputs where input.type?.dims == nil {
        ranks[input.name] = samples[input.name].map { $0.count + 1 } ?? implied[input.name]?.count
      }
    }
    var all: [OpenExtent] = [], behind: Set<OpenExtent> = []
    var names: Set<String> = []
    for input in inputs {
      guard let dims = dims(of: input) else {
        rankless.append(input.name)
        continue
      }
      for (axis, dim) in dims.enumerated() {
        guard let extent = OpenExtent(dim, input: input.name, axis: axis) else { continue }
        if !all.contains(extent) { all.append(extent) }
        if axis > 0 { behind.insert(extent) }
        if case .named(let name) = extent { names.insert(name) }
      }
    }
    for name in names {
      guard let expression = ExtentExpression(name), expression.names.isSubset(of: names.subtracting([name])) else {
        continue
      }
      derived[name] = expression
    }
    for extent in all where Self.isNamedBatch(extent) && !isDerived(extent) { batch.insert(extent) }
    for input in inputs {
      guard let dims = dims(of: input), let first = dims.first,
        !dims.enumerated().contains(where: { OpenExtent($1, input: input.name, axis: $0).map(batch.contains) ?? false }
        ),
        let extent = OpenExtent(first, input: input.name, axis: 0), !behind.contains(extent), !isDerived(extent)
      else { continue }
      batch.insert(extent)
    }
    others = all.filter { !batch.contains($0) && !isDerived($0) }
  }

  /// The declared extents of an input; unknown ones of an input of which only the rank is known, nil where not even
  /// that is.
  package func dims(of input: ValueInfo) -> [Dim]? {
    input.type?.dims ?? ranks[input.name].map { [Dim](repeating: .unknown, count: $0) }
  }

  private func isDerived(_ extent: OpenExtent) -> Bool {
    if case .named(let name) = extent { derived[name] != nil } else { false }
  }

  private static func isNamedBatch(_ extent: OpenExtent) -> Bool {
    if case .named(let name) = extent { NamePattern("*batch*").matches(name.lowercased()) } else { false }
  }

  /// What a caller has to say, as errors and reports call it.
  package var names: [String] { others.map(\.description) + rankless.map { "the shape of '\($0)'" } }
}
