import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Softmax, LogSoftmax and Hardmax. Before opset 13 everything from `axis` on is one axis; from then on `axis` alone
/// is.
enum SoftmaxFamily {
  static let table: [String: Kernel] = [
    "Softmax": Kernel { (call) throws(PruneError) in
      [
        try normalized(call) { (lane, x) in
          let sum = exponentials(lane, &x)
          for index in lane { x[index] /= sum }
        }
      ]
    },
    "LogSoftmax": Kernel { (call) throws(PruneError) in
      [
        try normalized(call) { (lane, x) in
          var highest = -Double.infinity
          for index in lane { highest = max(highest, x[index]) }
          var sum = 0.0
          for index in lane { sum += exp(x[index] - highest) }
          let shift = highest + log(sum)
          for index in lane { x[index] -= shift }
        }
      ]
    },
    "Hardmax": Kernel { (call) throws(PruneError) in
      [
        try normalized(call) { (lane, x) in
          var best: Int?
          for index in lane where best.map({ x[index] > x[$0] }) ?? true { best = index }
          for index in lane { x[index] = index == best ? 1 : 0 }
        }
      ]
    },
  ]

  /// Replaces a line by exp(x - max) and returns the sum.
  private static func exponentials(_ lane: StrideTo<Int>, _ x: inout [Double]) -> Double {
    var highest = -Double.infinity
    for index in lane { highest = max(highest, x[index]) }
    var sum = 0.0
    for index in lane {
      x[index] = exp(x[index] - highest)
      sum += x[index]
    }
    return sum
  }

  private static func normalized(
    _ call: KernelCall, _ change: (StrideTo<Int>, inout [Double]) -> Void
  ) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    var x = try call.doubles(0)
    let axis = try NormalizationRules.softmaxAxis(
      call.node, rank: max(shape.rank, 1), opset: call.opset)
    var lanes = AxisLanes(
      shape.rank == 0 ? Shape(known: 1) : shape, min(axis, max(shape.rank - 1, 0)))
    if call.opset < 13 {
      let rows = shape.dims[..<min(axis, shape.rank)].reduce(1, *)
      lanes = AxisLanes(try Shape([rows, rows == 0 ? 0 : x.count / rows]), 1)
    }
    lanes.forEach { change($0, &x) }
    return try call.result(x)
  }
}
