import PruneRuntime
import PruneTensor

/// A receiver operating characteristic of one class against the others.
struct Curve {
  var label: Int
  let area: Double
  let points: [CurvePoint]
}

/// The false and the true positive rate where samples of so high a score count as positive; without one none does.
struct CurvePoint {
  let falseRate: Double
  let trueRate: Double
  let score: Double?
}

/// The scores of all samples for each class, for the area under the receiver operating characteristic.
struct RankScores {
  private let kind: OutputKind
  /// The scores of each class, one number a sample; for two classes only the second class.
  private var scores: [[Float]] = []
  private var actual: [Int32] = []

  init(_ kind: OutputKind) { self.kind = kind }

  /// Adds a sample: `width` numbers from `start`; one alone is that of class 1 of two.
  mutating func add(_ outputs: Span<Float>, _ start: Int, _ width: Int, _ actual: Int) {
    self.actual.append(Int32(truncatingIfNeeded: actual))
    if scores.isEmpty { scores = [[Float]](repeating: [], count: width <= 2 ? 1 : width) }
    guard width > 2 else {
      // The order of the logits' difference is that of the probability, without its rounding at the ends.
      scores[0].append(width == 1 || kind != .logits ? outputs[start + width - 1] : outputs[start + 1] - outputs[start])
      return
    }
    guard kind == .logits else {
      for index in 0..<width { scores[index].append(outputs[start + index]) }
      return
    }
    var peak = -Double.infinity
    for index in 0..<width { peak = max(peak, Double(outputs[start + index])) }
    var sum = 0.0
    for index in 0..<width { sum += exponential(Double(outputs[start + index]) - peak) }
    for index in 0..<width {
      let score = Double(outputs[start + index])
      // log p - log(1 - p): comparable between samples, and never rounded to one.
      var rest = sum - exponential(score - peak)
      if score == peak {
        rest = 0
        for other in 0..<width where other != index { rest += exponential(Double(outputs[start + other]) - peak) }
      }
      scores[index].append(Float(score - peak - logarithm(max(rest, .leastNormalMagnitude))))
    }
  }

  /// Makes them those of all ranks, one behind the other.
  mutating func gather(over communicator: Communicator) throws(PruneError) {
    let width = try communicator.max([scores.count])[0]
    scores += [[Float]](repeating: [], count: width - scores.count)
    var counts = [Int](repeating: 0, count: communicator.size)
    counts[communicator.rank] = actual.count
    counts = try communicator.sum(counts)
    let first = counts.prefix(communicator.rank).reduce(0, +), all = counts.reduce(0, +)
    // Zeros everywhere else: a sum is each rank's own.
    for index in scores.indices {
      let column = [Float](repeating: 0, count: first) + scores[index]
      scores[index] = try communicator.sum(column + [Float](repeating: 0, count: all - column.count))
    }
    let labels = [Int](repeating: 0, count: first) + actual.map { Int($0) }
    actual = try communicator.sum(labels + [Int](repeating: 0, count: all - labels.count))
      .map { Int32(truncatingIfNeeded: $0) }
  }

  /// Nil when no class has both samples and others; NaN when a score is.
  var area: Double? {
    var areas: [Double] = []
    for (index, column) in scores.enumerated() {
      let label = Int32(truncatingIfNeeded: scores.count == 1 ? 1 : index)
      if let area = area(column, of: label) { areas.append(area) }
    }
    return areas.isEmpty ? nil : areas.reduce(0, +) / Double(areas.count)
  }

  /// By class, points of the curve from (0, 0) to (1, 1): the false positive rate, the true positive rate, and the score
  /// from which on a sample counts as positive. No more points than asked for; classes without a curve have none.
  func curves(points: Int) -> [Curve] {
    var result: [Curve] = []
    for (index, column) in scores.enumerated() {
      let label = scores.count == 1 ? 1 : index
      guard let area = area(column, of: Int32(truncatingIfNeeded: label)), !area.isNaN else { continue }
      let order = column.indices.sorted { column[$0] > column[$1] }
      let positives = actual.count { Int($0) == label }, negatives = column.count - positives
      var all = [CurvePoint(falseRate: 0, trueRate: 0, score: nil)]
      var hits = 0, first = 0
      while first < order.count {
        var last = first
        while last < order.count, column[order[last]] == column[order[first]] {
          if Int(actual[order[last]]) == label { hits += 1 }
          last += 1
        }
        all.append(
          CurvePoint(
            falseRate: Double(last - hits) / Double(negatives), trueRate: Double(hits) / Double(positives),
            score: Double(column[order[first]])))
        first = last
      }
      let step = max(Double(all.count - 1) / Double(max(points - 1, 1)), 1)
      var kept = stride(from: 0.0, to: Double(all.count - 1), by: step).map { all[Int($0)] }
      if let end = all.last { kept.append(end) }
      result.append(Curve(label: label, area: area, points: kept))
    }
    return result
  }

  private func area(_ column: [Float], of label: Int32) -> Double? {
    let positives = actual.count { $0 == label }
    guard positives > 0, positives < column.count, column.count == actual.count else { return nil }
    if column.contains(where: \.isNaN) { return .nan }
    let order = column.indices.sorted { column[$0] < column[$1] }
    var ranks = 0.0, first = 0
    while first < order.count {
      var last = first, hits = 0
      while last < order.count, column[order[last]] == column[order[first]] {
        if actual[order[last]] == label { hits += 1 }
        last += 1
      }
      // Equal scores share the mean of their ranks.
      ranks += Double(hits) * Double(first + 1 + last) / 2
      first = last
    }
    let count = Double(positives)
    return (ranks - count * (count + 1) / 2) / (count * Double(column.count - positives))
  }
}
