import PruneTensor

/// Which units go, given how much they matter.
struct UnitAllocation {
  /// How much of what is to go.
  enum Target: Sendable {
    /// The share of units, over all groups or in each.
    case amount(Double, isLocal: Bool)
    /// A number of units for each group.
    case each([Int])
    /// What scores below, unnormalized.
    case threshold(Double)
  }

  struct Group: Sendable {
    let size: Int
    /// Raw scores; empty for a group that nothing is taken from.
    let scores: [Double]
    let normalized: [Double]
    /// Groups of one class are ranked together, apart from others.
    let classNumber: Int
  }

  let groups: [Group]
  /// The largest share of a group that may go; one unit always stays.
  var maxFraction = 1.0
  /// Units left of a group are a multiple of this, where it has as many.
  var roundTo = 1

  /// Units by rising normalized score, class by class; ties by position.
  private let order: [[(group: Int, unit: Int)]]
  /// Units of each group by rising score.
  private let orders: [[Int]]

  init(_ groups: [Group], maxFraction: Double, roundTo: Int) {
    self.groups = groups
    self.maxFraction = maxFraction
    self.roundTo = max(roundTo, 1)
    orders = groups.map { group in group.scores.indices.sorted { (group.scores[$0], $0) < (group.scores[$1], $1) } }
    var classes: [Int: [(score: Double, group: Int, unit: Int)]] = [:]
    for (index, group) in groups.enumerated() {
      for unit in group.scores.indices {
        classes[group.classNumber, default: []].append((group.normalized[unit], index, unit))
      }
    }
    order = classes.keys.sorted().map { number in
      (classes[number] ?? []).sorted { ($0.score, $0.group, $0.unit) < ($1.score, $1.group, $1.unit) }.map {
        ($0.group, $0.unit)
      }
    }
  }

  /// Units that may go at all.
  var count: Int { groups.reduce(0) { $0 + $1.scores.count } }

  /// The smallest raw score.
  var lowest: Double? { groups.compactMap { $0.scores.min() }.min() }

  /// How many units of each group go.
  func removedCounts(_ target: Target) -> [Int] {
    var removed = [Int](repeating: 0, count: groups.count)
    switch target {
    case .amount(let amount, isLocal: true):
      for (index, group) in groups.enumerated() {
        removed[index] = min(Allocation.units(amount, of: group.scores.count), limit(index, amount))
      }
    case .amount(let amount, isLocal: false):
      let limits = groups.indices.map { limit($0, amount) }
      for units in order {
        var left = Allocation.units(amount, of: units.count)
        for (group, _) in units where left > 0 && removed[group] < limits[group] {
          removed[group] += 1
          left -= 1
        }
      }
    case .each(let counts):
      for (index, group) in groups.enumerated() where index < counts.count {
        removed[index] = min(counts[index], group.scores.count, limit(index, 1))
      }
    case .threshold(let threshold):
      for (index, group) in groups.enumerated() {
        removed[index] = min(group.scores.count { $0 < threshold }, limit(index, 1))
      }
    }
    return removed.indices.map { rounded(removed[$0], $0) }
  }

  /// The units that go of each group: its lowest.
  func units(_ counts: [Int]) -> [[Int]] {
    zip(orders, counts).map { order, count in order.prefix(count).sorted() }
  }

  func limit(_ index: Int, _ amount: Double) -> Int {
    let size = groups[index].scores.count
    return max(min(size - 1, Int((max(maxFraction, 0) * Double(size)).rounded(.down))), 0)
  }

  /// What is left, to the nearest multiple.
  func rounded(_ removed: Int, _ index: Int) -> Int {
    let size = groups[index].size
    guard roundTo > 1, removed > 0 else { return removed }
    guard size > roundTo else { return 0 }
    let left = Double(size - removed) / Double(roundTo)
    let multiple = max(Int(left.rounded()), 1) * roundTo
    let result = max(size - multiple, 0)
    return result <= limit(index, 1) ? result : max(result - roundTo, 0)
  }
}
