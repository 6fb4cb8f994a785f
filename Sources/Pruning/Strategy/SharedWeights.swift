import PruneEvaluation
import PruneTensor

/// The relations between weights that are shared or repeat each other, and pruning that keeps them: weights that are
/// equal lose the same elements.
struct SharedWeights {
  private let weights: PrunableWeights
  /// Positions of weights that hold the same numbers.
  private let equal: [[Int]]

  /// Filters with a cosine beyond this are called parallel.
  private static let parallel: Float = 0.99
  /// Layers of more filters are not compared filter by filter.
  private static let mostFilters = 8192

  init(_ weights: PrunableWeights) throws(PruneError) {
    self.weights = weights
    var groups: [[Int]] = []
    for (index, weight) in weights.weights.enumerated() {
      let place = groups.firstIndex { group in
        let other = weights.weights[group[0]].tensor
        return other.shape == weight.tensor.shape && other.bytes.isEqual(to: weight.tensor.bytes)
      }
      if let place { groups[place].append(index) } else { groups.append([index]) }
    }
    equal = groups.filter { $0.count > 1 }
  }

  /// Weights that several layers use, or that equal another; empty when there is none.
  var names: [String] {
    let tied = weights.weights.filter { $0.layers.count > 1 }.map(\.name)
    let same = equal.joined().map { weights.weights[$0].name }
    return tied + same.filter { !tied.contains($0) }
  }

  /// Scores in which equal weights have the sum of their scores: what matters in one place matters in all.
  func joined(_ scores: Scores) throws(PruneError) -> Scores {
    guard !equal.isEmpty else { return scores }
    var tensors = try scores.tensors(of: weights.weights.map(\.tensor))
    for group in equal {
      var sum = tensors[group[0]]
      for index in group.dropFirst() { sum = try sum.zipped(with: tensors[index], +) }
      for index in group { tensors[index] = sum }
    }
    return .tensors(tensors)
  }

  /// Scores in which groups whose tensors are all equal have the sum of their scores.
  static func joined(_ scores: [[Double]], _ dependencies: Dependencies) -> [[Double]] {
    func isEqual(_ a: UnitGroup, _ b: UnitGroup) -> Bool {
      guard a.size == b.size, a.members.count == b.members.count else { return false }
      return zip(a.members, b.members).allSatisfy { one, other in
        guard one.axis == other.axis, let first = dependencies.stored[one.tensor],
          let second = dependencies.stored[other.tensor]
        else { return false }
        return first.shape == second.shape && first.dtype == second.dtype && first.bytes.isEqual(to: second.bytes)
      }
    }
    var result = scores
    var leaders: [(group: Int, members: [Int])] = []
    for (index, group) in dependencies.groups.enumerated() where !scores[index].isEmpty {
      if let place = leaders.firstIndex(where: { isEqual(dependencies.groups[$0.group], group) }) {
        leaders[place].members.append(index)
      } else {
        leaders.append((index, [index]))
      }
    }
    for (_, members) in leaders where members.count > 1 {
      let sum = scores[members[0]].indices.map { unit in members.reduce(0) { $0 + scores[$1][unit] } }
      for member in members { result[member] = sum }
    }
    return result
  }

  /// Results in which equal weights have lost the same elements: all that any of them lost.
  func together(_ results: [Allocation.Result]) throws(PruneError) -> [Allocation.Result] {
    var results = results
    for group in equal {
      var common = results[group[0]].tensor
      for index in group.dropFirst() { common = try common.zipped(with: results[index].tensor) { $1 == 0 ? 0 : $0 } }
      let zeros = try WeightRanking([common]).zeroCount
      for index in group {
        results[index].tensor = common
        results[index].zeros = zeros
      }
    }
    return results
  }

  /// What was found: weights that several layers use, weights that are equal, and layers with parallel filters.
  func rows() throws(PruneError) -> [ReportValue] {
    var rows: [ReportValue] = []
    func add(_ relation: String, _ names: [String], _ count: Int) {
      var row = Report(title: "")
      row["relation"] = .text(relation)
      row["of"] = .text(names.joined(separator: ", "))
      row["count"] = .integer(count)
      rows.append(.report(row))
    }
    for weight in weights.weights where weight.layers.count > 1 { add("tied", weight.layers, weight.layers.count) }
    for group in equal { add("equal", group.map { weights.weights[$0].name }, group.count) }
    for (weight, matrix) in zip(weights.weights, weights.matrices()) {
      guard let matrix, matrix.rows > 1, matrix.rows <= Self.mostFilters else { continue }
      let pairs = try Self.parallelFilters(matrix.gathered(weight.tensor))
      if pairs > 0 { add("parallel filters", [weight.layer], pairs) }
    }
    return rows
  }

  /// Filters that are nearly parallel to one before them.
  private static func parallelFilters(_ rows: Tensor) throws(PruneError) -> Int {
    let count = rows.shape[0]
    return try SecondOrder.rowProducts(rows).withSpan(of: Float.self) { span throws(PruneError) in
      var parallels = 0
      for row in 1..<count {
        let rowSquare = span[row * count + row]
        let isParallel = (0..<row).contains { other in
          let otherSquare = span[other * count + other], both = span[row * count + other]
          return rowSquare > 0 && otherSquare > 0 && both * both > parallel * parallel * rowSquare * otherSquare
        }
        if isParallel { parallels += 1 }
      }
      return parallels
    }
  }
}
