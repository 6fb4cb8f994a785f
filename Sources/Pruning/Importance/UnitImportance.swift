import PruneGraph
import PruneTensor

/// How much each unit of each group matters: the scores of the weights it owns, over all tensors that the group spans.
struct UnitImportance {
  /// How the scores that several tensors give a unit become one.
  enum Reduction: String, Choice { case mean, sum, max }

  /// How groups are made comparable in one ranking.
  enum Normalization: String, Choice {
    /// Divided by the group's mean, or its largest; or each score by the sum of those not below it (LAMP).
    case mean, max, lamp
    case none
  }

  let importance: any Importance
  var reduction = Reduction.mean
  var normalization = Normalization.mean

  /// Raw scores by group; empty for groups that are not asked for.
  func scores(
    _ dependencies: Dependencies, _ selection: [Bool], _ context: ScoringContext
  ) throws(PruneError) -> [[Double]] {
    if importance.name == "bn_scale" { return try scales(dependencies, selection) }
    if let gate = importance as? GateImportance { return try gate.units(dependencies, selection, context) }
    var slices = try Slices(dependencies, importance, context)
    var result: [[Double]] = []
    for (index, group) in dependencies.groups.enumerated() {
      guard selection[index] else {
        result.append([])
        continue
      }
      if importance is RandomImportance {
        var random = RandomSource(seed: context.seed).fork(UInt64(index) + 1)
        result.append((0..<group.size).map { _ in random.uniform() })
        continue
      }
      var parts: [[Double]] = []
      for member in group.members {
        guard let sums = try slices.sums(member) else { continue }
        var part = [Double](repeating: 0, count: group.size)
        for (place, unit) in member.positions.enumerated() where unit >= 0 { part[unit] += sums[place] }
        parts.append(part)
      }
      let scores = reduced(parts, group.size)
      if let bad = scores.firstIndex(where: { !$0.isFinite }) {
        throw PruneError(
          .numeric, "criterion '\(importance.name)' gives unit \(bad) of '\(group.name)' a score that is not finite",
          at: group.name, hint: "look for NaN or infinity in its weights, or leave it out with ignore")
      }
      result.append(scores)
    }
    return result
  }

  /// Network slimming: |γ| of the batch normalizations that scale a unit. Groups without one come last.
  private func scales(_ dependencies: Dependencies, _ selection: [Bool]) throws(PruneError) -> [[Double]] {
    let names = Set(
      dependencies.model.graph.nodes.filter { $0.isStandard && $0.opType == "BatchNormalization" }.compactMap {
        $0.input(1)
      })
    var result: [[Double]?] = []
    for (index, group) in dependencies.groups.enumerated() {
      var parts: [[Double]] = []
      for member in group.members where selection[index] && names.contains(member.tensor) {
        guard let tensor = dependencies.stored[member.tensor] else { continue }
        let values = try tensor.cast(to: .float32).array(of: Float.self)
        var part = [Double](repeating: 0, count: group.size)
        for (place, unit) in member.positions.enumerated() where unit >= 0 && place < values.count {
          part[unit] += Double(abs(values[place]))
        }
        parts.append(part)
      }
      result.append(selection[index] ? parts.isEmpty ? nil : reduced(parts, group.size) : [])
    }
    guard zip(result, selection).contains(where: { $0.0 != nil && $0.1 }) else {
      throw PruneError(
        .unsupported, "criterion 'bn_scale' finds no BatchNormalization at any of the groups",
        hint: "use criterion = \"magnitude\"")
    }
    let last = (result.compactMap { $0?.max() }.max() ?? 0) * 2 + 1
    return zip(result, dependencies.groups).map { scores, group in
      scores ?? [Double](repeating: last, count: group.size)
    }
  }

  private func reduced(_ parts: [[Double]], _ count: Int) -> [Double] {
    (0..<count).map { unit in
      let values = parts.map { $0[unit] }
      switch reduction {
      case .sum: return values.reduce(0, +)
      case .mean: return values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
      case .max: return values.max() ?? 0
      }
    }
  }

  /// Scores that can be compared across groups.
  func normalized(_ scores: [Double]) -> [Double] {
    guard !scores.isEmpty else { return scores }
    switch normalization {
    case .none: return scores
    case .mean:
      let mean = scores.reduce(0, +) / Double(scores.count)
      return mean > 0 ? scores.map { $0 / mean } : scores
    case .max:
      let largest = scores.max() ?? 0
      return largest > 0 ? scores.map { $0 / largest } : scores
    case .lamp:
      var result = scores, rest = 0.0
      for unit in scores.indices.sorted(by: { (scores[$0], $0) > (scores[$1], $1) }) {
        rest += scores[unit]
        result[unit] = rest > 0 ? scores[unit] / rest : 0
      }
      return result
    }
  }
}

/// Sums of element scores over slices of stored weights, each computed once.
private struct Slices {
  private let dependencies: Dependencies
  private var elements: [String: Tensor] = [:]
  private var squares: Bool?
  private var cache: [String: [Double]] = [:]

  init(_ dependencies: Dependencies, _ importance: any Importance, _ context: ScoringContext) throws(PruneError) {
    self.dependencies = dependencies
    if let magnitude = importance as? MagnitudeImportance {
      squares = magnitude.exponent == 2
    } else if !(importance is RandomImportance) {
      let (scores, _) = try importance.ranking(context)
      let weights = context.weights.weights
      for (weight, tensor) in zip(weights, try scores.tensors(of: weights.map(\.tensor))) {
        elements[weight.name] = tensor
      }
    }
  }

  /// Nil for tensors that are no weights.
  mutating func sums(_ member: UnitGroup.Member) throws(PruneError) -> [Double]? {
    guard let tensor = dependencies.stored[member.tensor], tensor.shape.rank > 1, tensor.count > member.positions.count
    else { return nil }
    let key = "\(member.tensor)\n\(member.axis)"
    if let cached = cache[key] { return cached }
    let source: Tensor
    if squares == nil {
      guard let scores = elements[member.tensor] else { return nil }
      source = scores
    } else {
      guard tensor.dtype.isFloatingPoint || tensor.dtype.bitWidth == 8 else { return nil }
      source = try tensor.cast(to: .float32)
    }
    let sums = try source.sliceSums(axis: member.axis, squares: squares == true)
    cache[key] = sums
    return sums
  }
}
