import PruneEvaluation
import PruneGraph
import PruneTensor

/// What each group would lose and save at several widths: the table that a budget is divided by.
struct WidthTable {
  /// One group: how many units go, what that loses of what must be kept, and what it saves of the cost.
  struct Line {
    /// Rising, from 0.
    var removed: [Int] = [0]
    var losses: [Double] = [0]
    var savings: [Double] = [0]
  }

  private(set) var lines: [Line] = []

  /// Widths of a group, of those whose loss and time are measured, and parts of a budget that the knapsack tells apart.
  private static let (widths, measured, bins) = (24, 8, 1024)

  /// - Parameters:
  ///   - loss: what goes with the lowest so many units of a group; measured at few widths when `isMeasured`, else
  ///     cheap.
  ///   - saving: the same of the cost; measured at few widths likewise.
  init(
    limits: [Int], rounded: (Int, Int) -> Int,
    loss: (value: (Int, Int) throws(PruneError) -> Double, isMeasured: Bool),
    saving: (value: (Int, Int) throws(PruneError) -> Double, isMeasured: Bool)
  ) throws(PruneError) {
    for (group, limit) in limits.enumerated() {
      var line = Line()
      let steps = min(limit, Self.widths)
      for step in 1..<max(steps + 1, 1) {
        let count = rounded(limit * step / steps, group)
        if count > line.removed.last ?? 0 { line.removed.append(count) }
      }
      line.losses = try Self.values(line.removed, group, loss.value, loss.isMeasured)
      line.savings = try Self.values(line.removed, group, saving.value, saving.isMeasured)
      lines.append(line)
    }
  }

  /// A function of the widths, straight between the ones where it is measured; it never falls.
  private static func values(
    _ removed: [Int], _ group: Int, _ function: (Int, Int) throws(PruneError) -> Double, _ isMeasured: Bool
  ) throws(PruneError) -> [Double] {
    let stride = isMeasured ? max((removed.count + measured - 1) / measured, 1) : 1
    var points: [(place: Int, value: Double)] = [(0, 0)]
    for place in removed.indices.dropFirst() where place % stride == 0 || place == removed.count - 1 {
      let value = try function(group, removed[place])
      points.append((place, max(value.isFinite ? value : 1e30, points.last?.value ?? 0)))
    }
    var result = [Double](repeating: 0, count: removed.count)
    for (from, to) in zip(points, points.dropFirst()) {
      for place in from.place...to.place {
        let part =
          Double(removed[place] - removed[from.place]) / Double(max(removed[to.place] - removed[from.place], 1))
        result[place] = from.value + (to.value - from.value) * part
      }
    }
    return result
  }

  /// What all groups save at their narrowest.
  var mostSaved: Double { lines.reduce(0) { $0 + ($1.savings.last ?? 0) } }

  /// The widths of least loss that save so much, by dynamic programming; the narrowest where nothing saves so much.
  func counts(saving target: Double) -> [Int] {
    guard target > 0 else { return lines.map { _ in 0 } }
    let unit = target / Double(Self.bins)
    // least[b]: the least loss of the groups so far that saves b parts or more.
    var least = [Double](repeating: .infinity, count: Self.bins + 1)
    least[0] = 0
    var choices: [[Int32]] = []
    for line in lines {
      var next = [Double](repeating: .infinity, count: Self.bins + 1)
      var choice = [Int32](repeating: 0, count: Self.bins + 1)
      for (place, loss) in line.losses.enumerated() {
        let parts = min(Int(min(line.savings[place] / unit, Double(Self.bins))), Self.bins)
        for bin in 0...Self.bins where least[bin] < .infinity {
          let reached = min(bin + parts, Self.bins)
          if least[bin] + loss < next[reached] {
            next[reached] = least[bin] + loss
            choice[reached] = Int32(place) << 16 | Int32(bin)
          }
        }
      }
      least = next
      choices.append(choice)
    }
    guard var bin = least.indices.last(where: { least[$0] < .infinity }) else { return lines.map { _ in 0 } }
    if bin < Self.bins { return lines.map { $0.removed.last ?? 0 } }
    var result = [Int](repeating: 0, count: lines.count)
    for (index, choice) in choices.enumerated().reversed() {
      result[index] = lines[index].removed[Int(choice[bin] >> 16)]
      bin = Int(choice[bin] & 0xFFFF)
    }
    return result
  }
}
