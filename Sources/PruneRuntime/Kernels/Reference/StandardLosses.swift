import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// The loss operators of the standard.
enum StandardLosses {
  static let table: [String: Kernel] = [
    "NegativeLogLikelihoodLoss": Kernel { (call) throws(PruneError) in
      [try likelihood(call, call.doubles(0))]
    },
    "SoftmaxCrossEntropyLoss": Kernel { (call) throws(PruneError) in
      var x = try call.doubles(0)
      AxisLanes(try call.tensor(0).shape, 1).forEach { lane in
        var highest = -Double.infinity
        for index in lane { highest = max(highest, x[index]) }
        var sum = 0.0
        for index in lane { sum += exp(x[index] - highest) }
        let shift = highest + log(sum)
        for index in lane { x[index] -= shift }
      }
      return [try likelihood(call, x), try call.result(x, 1)]
    },
  ]

  /// Minus the weighted log probability of every target, reduced as asked.
  private static func likelihood(_ call: KernelCall, _ x: [Double]) throws(PruneError) -> Tensor {
    let shape = try call.tensor(0).shape
    let targets = try call.integers(1)
    let weights = try call.optional(2).doubles(call)
    let ignored = call.node.int("ignore_index")
    let classes = shape[1]
    var losses = [Double](repeating: 0, count: targets.count)
    var total = 0.0
    var line = 0
    var wrong: Int?
    AxisLanes(shape, 1).forEach { lane in
      let target = targets[line]
      defer { line += 1 }
      if target == ignored { return }
      guard target >= 0, target < classes,
        let index = lane.dropFirst(target).first(where: { _ in true })
      else {
        wrong = target
        return
      }
      let weight = weights?[target] ?? 1
      losses[line] = -x[index] * weight
      total += weight
    }
    if let wrong { throw call.fail("target \(wrong) is outside 0..<\(classes)") }
    let sum = losses.reduce(0, +)
    switch call.node.string("reduction", default: "mean") {
    case "none": return try call.result(losses)
    case "sum": return try call.result([sum])
    default: return try call.result([sum / total])
    }
  }
}
