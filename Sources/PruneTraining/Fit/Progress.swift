import PruneData
import PruneRuntime
import PruneTensor

/// Running means over an epoch.
struct Progress {
  private var sum = 0.0
  private(set) var correct = 0
  /// Classes that were told: one a sample, or one a position that counts.
  private(set) var decided = 0
  private(set) var samples = 0

  var loss: Double { sum / Double(max(samples, 1)) }
  var accuracy: Double { Double(correct) / Double(max(decided, 1)) }

  mutating func add(_ loss: Double, _ count: Int) {
    sum += loss * Double(count)
    samples += count
  }

  mutating func add(_ counts: (correct: Int, decided: Int)) {
    correct += counts.correct
    decided += counts.decided
  }

  /// Makes it that of all ranks.
  /// - Returns: whether one of them was asked to stop.
  mutating func sum(over communicator: Communicator, isStopped: Bool) throws(PruneError) -> Bool {
    let sums = try communicator.sum([sum, Double(correct), Double(decided), Double(samples), isStopped ? 1 : 0])
    (sum, correct, decided, samples) = (sums[0], Int(sums[1]), Int(sums[2]), Int(sums[3]))
    return sums[4] > 0
  }
}

/// How many rows have their largest entry where the target has it.
enum Accuracy {
  static func counts(_ prediction: Tensor, _ targets: Tensor) throws(PruneError) -> (correct: Int, decided: Int) {
    let classes = prediction.shape.dims.last ?? 0
    guard classes > 0 else { return (0, 0) }
    let predicted = try largest(prediction, classes)
    let actual =
      targets.dtype == .int64 ? try targets.array(of: Int64.self).map { Int($0) } : try largest(targets, classes)
    let ignored = Int(Dataset.ignoredClass)
    return (zip(predicted, actual).count { $0 == $1 }, actual.count { $0 != ignored })
  }

  private static func largest(_ tensor: Tensor, _ classes: Int) throws(PruneError) -> [Int] {
    try tensor.withSpan(of: Float.self) { values throws(PruneError) in
      var result = [Int](repeating: 0, count: values.count / classes)
      for row in result.indices {
        for index in 1..<max(classes, 1) where values[row * classes + index] > values[row * classes + result[row]] {
          result[row] = index
        }
      }
      return result
    }
  }
}
