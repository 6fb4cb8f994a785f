import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Normalizations, computed in Double.
enum Normalization {
  static let table: [String: Kernel] = [
    "BatchNormalization": Kernel { (call) throws(PruneError) in try batch(call) },
    "InstanceNormalization": Kernel { (call) throws(PruneError) in
      [try grouped(call, groups: nil, perGroup: false)]
    },
    "GroupNormalization": Kernel { (call) throws(PruneError) in
      [
        try grouped(
          call, groups: call.node.int("num_groups", default: 1), perGroup: call.opset < 21)
      ]
    },
    "LayerNormalization": Kernel { (call) throws(PruneError) in try layer(call) },
    "RMSNormalization": Kernel { (call) throws(PruneError) in [try rootMeanSquare(call)] },
    "LpNormalization": Kernel { (call) throws(PruneError) in [try lp(call)] },
    "LRN": Kernel { (call) throws(PruneError) in [try localResponse(call)] },
    "MeanVarianceNormalization": Kernel { (call) throws(PruneError) in [try meanVariance(call)] },
  ]

  /// Inference; in training mode (opset 14) the batch's own statistics, and the moved running ones.
  private static func batch(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let shape = try call.shape()
    var x = try call.doubles(0)
    let (scale, bias) = (try call.doubles(1), try call.doubles(2))
    var (mean, variance) = (try call.doubles(3), try call.doubles(4))
    let channels = shape.rank > 1 ? shape[1] : 1
    let inner = shape.dims.dropFirst(2).reduce(1, *)
    guard [scale, bias, mean, variance].allSatisfy({ $0.count == channels }) else {
      throw call.fail("scale, bias, mean and variance must have \(channels) entries each")
    }
    let epsilon = Double(call.node.float("epsilon", default: 1e-5))
    var running: [Tensor] = []
    let isTraining =
      call.opset >= 14
      ? call.node.int("training_mode", default: 0) != 0
      : call.opset < 7 && call.node.int("is_test", default: 0) == 0 && call.node.outputs.count > 1
    if isTraining {
      let momentum = Double(call.node.float("momentum", default: 0.9))
      let count = Double(max(x.count / max(channels, 1), 1))
      var (sums, squares) = (
        [Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels)
      )
      for index in x.indices { sums[index / inner % channels] += x[index] }
      let batchMean = sums.map { $0 / count }
      for index in x.indices {
        let difference = x[index] - batchMean[index / inner % channels]
        squares[index / inner % channels] += difference * difference
      }
      let spread = squares.map { $0 / count }
      running = [
        try call.result(zip(mean, batchMean).map { $0 * momentum + $1 * (1 - momentum) }, 1),
        try call.result(zip(variance, spread).map { $0 * momentum + $1 * (1 - momentum) }, 2),
      ]
      (mean, variance) = (batchMean, spread)
    }
    let factors = (0..<channels).map { scale[$0] / (variance[$0] + epsilon).squareRoot() }
    for index in x.indices {
      let channel = index / inner % channels
      x[index] = (x[index] - mean[channel]) * factors[channel] + bias[channel]
    }
    return [try call.result(x)] + running
  }

  /// Mean 0 and variance 1 over each group of channels (each channel when `groups` is nil), then scale and bias.
  private static func grouped(_ call: KernelCall, groups: Int?, perGroup: Bool) throws(PruneError)
    -> Tensor
  {
    let shape = try call.shape()
    guard shape.rank > 1 else { throw call.fail("input is \(shape), wanted a batch and channels") }
    var x = try call.doubles(0)
    let (scale, bias) = (try call.doubles(1), try call.doubles(2))
    let channels = shape[1]
    let count = groups ?? channels
    let inner = shape.dims.dropFirst(2).reduce(1, *)
    let parameterCount = perGroup ? count : channels
    guard scale.count == parameterCount, bias.count == parameterCount else {
      throw call.fail("scale and bias must have \(parameterCount) entries")
    }
    guard x.count > 0 else { return try call.result(x) }
    let size = channels / count * inner
    normalize(&x, run: size, epsilon: Double(call.node.float("epsilon", default: 1e-5)))
    for index in x.indices {
      let channel = index / inner % channels
      let slot = perGroup ? channel / (channels / count) : channel
      x[index] = x[index] * scale[slot] + bias[slot]
    }
    return try call.result(x)
  }

  /// Makes every run of `run` values of mean 0 and variance 1. Returns the means and inverse deviations.
  @discardableResult
  private static func normalize(_ x: inout [Double], run: Int, epsilon: Double) -> (
    means: [Double], inverses: [Double]
  ) {
    var (means, inverses) = ([Double](), [Double]())
    for first in stride(from: 0, to: x.count, by: max(run, 1)) {
      let range = first..<(first + run)
      var sum = 0.0
      for index in range { sum += x[index] }
      let mean = sum / Double(run)
      var squares = 0.0
      for index in range { squares += (x[index] - mean) * (x[index] - mean) }
      let inverse = 1 / (squares / Double(run) + epsilon).squareRoot()
      for index in range { x[index] = (x[index] - mean) * inverse }
      means.append(mean)
      inverses.append(inverse)
    }
    return (means, inverses)
  }

  private static func layer(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let shape = try call.shape()
    let axis = try call.axis(default: -1, rank: shape.rank)
    let run = shape.dims[axis...].reduce(1, *)
    var x = try call.doubles(0)
    let statistics = normalize(
      &x, run: run, epsilon: Double(call.node.float("epsilon", default: 1e-5)))
    try scale(&x, call, run: run)
    var results = [try call.result(x)]
    if call.wants(1) || call.wants(2), statistics.means.count == (try call.shape(1)).count {
      results += [try call.result(statistics.means, 1), try call.result(statistics.inverses, 2)]
    }
    return results
  }

  /// Multiplies by input 1 and adds input 2, where given, both broadcast to the data.
  private static func scale(_ x: inout [Double], _ call: KernelCall, run: Int) throws(PruneError) {
    let shape = try call.shape()
    for index in 1...2 {
      guard let tensor = call.optional(index) else { continue }
      let factors = try call.doubles(tensor)
      let loop = StridedLoop(
        shape.dims, [StridedLoop.broadcastStrides(tensor.shape, to: shape), shape.strides])
      try loop.forEachRow(from: [0, 0]) { offsets in
        for position in 0..<loop.rowLength {
          let factor = factors[offsets[0] + position * loop.rowStrides[0]]
          let at = offsets[1] + position
          x[at] = index == 1 ? x[at] * factor : x[at] + factor
        }
      }
    }
  }

  private static func rootMeanSquare(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    let axis = try call.axis(default: -1, rank: shape.rank)
    let run = max(shape.dims[axis...].reduce(1, *), 1)
    var x = try call.doubles(0)
    let epsilon = Double(call.node.float("epsilon", default: 1e-5))
    for first in stride(from: 0, to: x.count, by: run) {
      var squares = 0.0
      for index in first..<(first + run) { squares += x[index] * x[index] }
      let inverse = 1 / (squares / Double(run) + epsilon).squareRoot()
      for index in first..<(first + run) { x[index] *= inverse }
    }
    try scale(&x, call, run: run)
    return try call.result(x)
  }

  private static func lp(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    let axis = try call.axis(default: -1, rank: shape.rank)
    let p = call.node.int("p", default: 2)
    guard p == 1 || p == 2 else { throw call.fail("p is \(p), wanted 1 or 2") }
    var x = try call.doubles(0)
    let lanes = AxisLanes(shape, axis)
    lanes.forEach { lane in
      var norm = 0.0
      for index in lane { norm += p == 1 ? abs(x[index]) : x[index] * x[index] }
      if p == 2 { norm = norm.squareRoot() }
      for index in lane { x[index] = norm == 0 ? 0 : x[index] / norm }
    }
    return try call.result(x)
  }

  /// x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
  private static func localResponse(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    let x = try call.doubles(0)
    let size = call.node.int("size", default: 1)
    let alpha = Double(call.node.float("alpha", default: 1e-4))
    let beta = Double(call.node.float("beta", default: 0.75))
    let bias = Double(call.node.float("bias", default: 1))
    let lanes = AxisLanes(shape, 1)
    var result = x
    let (before, after) = ((size - 1) / 2, size / 2)
    lanes.forEach { lane in
      let positions = Array(lane)
      for (channel, index) in positions.enumerated() {
        var squares = 0.0
        for other in max(channel - before, 0)...min(channel + after, positions.count - 1) {
          squares += x[positions[other]] * x[positions[other]]
        }
        result[index] = x[index] / pow(bias + alpha / Double(size) * squares, beta)
      }
    }
    return try call.result(result)
  }

  private static func meanVariance(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    let axes = try call.operands.axes(call.node.ints("axes") ?? [0, 2, 3], rank: shape.rank)
    var x = try call.doubles(0)
    let strides = shape.strides
    let kept = (0..<shape.rank).filter { !axes.contains($0) }
    var slots = [Int](repeating: 0, count: x.count)
    for index in x.indices {
      slots[index] = kept.reduce(0) { $0 * shape[$1] + index / strides[$1] % shape[$1] }
    }
    let groups = kept.reduce(1) { $0 * shape[$1] }
    var sums = [Double](repeating: 0, count: groups)
    for index in x.indices { sums[slots[index]] += x[index] }
    let count = Double(max(x.count / max(groups, 1), 1))
    var squares = [Double](repeating: 0, count: groups)
    for index in x.indices {
      x[index] -= sums[slots[index]] / count
      squares[slots[index]] += x[index] * x[index]
    }
    for index in x.indices { x[index] /= (squares[slots[index]] / count).squareRoot() + 1e-9 }
    return try call.result(x)
  }
}

/// The lines of a tensor along one axis.
struct AxisLanes {
  let outer: Int
  let extent: Int
  let inner: Int

  init(_ shape: Shape, _ axis: Int) {
    outer = shape.dims[..<axis].reduce(1, *)
    extent = shape[axis]
    inner = shape.dims[(axis + 1)...].reduce(1, *)
  }

  /// Calls `body` with the offsets of every line, in row-major order of the other axes.
  @inline(__always)
  func forEach(_ body: (StrideTo<Int>) -> Void) {
    for row in 0..<outer {
      for column in 0..<inner {
        let start = row * extent * inner + column
        body(stride(from: start, to: start + extent * inner, by: inner))
      }
    }
  }
}
