import PruneRuntime
import PruneTensor

/// Running means over an epoch.
struct Progress {
  private var sum = 0.0
  var correct = 0
  private(set) var samples = 0

  var loss: Double { sum / Double(max(samples, 1)) }
  var accuracy: Double { Double(correct) / Double(max(samples, 1)) }

  mutating func add(_ loss: Double, _ count: Int) {
    sum += loss * Double(count)
    samples += count
  }

  /// Makes it that of all ranks.
  /// - Returns: whether one of them was asked to stop.
  mutating func sum(over communicator: Communicator, isStopped: Bool) throws(PruneError) -> Bool {
    let sums = try communicator.sum([sum, Double(correct), Double(samples), isStopped ? 1 : 0])
    (sum, correct, samples) = (sums[0], Int(sums[1]), Int(sums[2]))
    return sums[3] > 0
  }
}

/// How many rows have their largest entry where the target has it.
enum Accuracy {
  static func correct(_ prediction: Tensor, _ targets: Tensor) throws(PruneError) -> Int {
    let classes = prediction.shape.dims.last ?? 0
    guard classes > 0 else { return 0 }
    let predicted = try largest(prediction, classes)
    let actual =
      targets.dtype == .int64 ? try targets.array(of: Int64.self).map { Int($0) } : try largest(targets, classes)
    return zip(predicted, actual).count { $0 == $1 }
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
