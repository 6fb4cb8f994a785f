import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Reductions over axes: floats in Double, integers modulo 2^64.
enum Reductions {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [:]
    for name in ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"] {
      table[name] = Kernel(.numbers, fold)
    }
    for (name, steps) in numeric {
      table[name] = Kernel(.numbers) { (call) throws(PruneError) in [try reduce(call, steps)] }
    }
    for name in ["ArgMax", "ArgMin"] { table[name] = Kernel(.numbers, argument) }
    table["CumSum"] = Kernel(.numbers, cumulative)
    table["CumProd"] = Kernel(.numbers, cumulative)
    return table
  }()

  /// Where every input element goes: offsets into the output, with 0 strides along the reduced axes.
  private static func loop(_ call: KernelCall) throws(PruneError) -> (
    StridedLoop, output: Shape, reduced: Int
  ) {
    let input = try call.tensor(0).shape
    guard let axes = try ReductionRules.axes(call.operands, rank: input.rank) else {
      throw call.fail("axes are missing")
    }
    var kept = input.dims
    for axis in axes { kept[axis] = 1 }
    let inner = try Shape(kept)
    let strides = (0..<input.rank).map { axes.contains($0) ? 0 : inner.strides[$0] }
    let reduced = axes.reduce(1) { $0 * input[$1] }
    return (StridedLoop(input.dims, [input.strides, strides]), try call.shape(), reduced)
  }

  // MARK: - Sum, product, maximum, minimum

  private static let fold: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    switch try call.tensor(0).dtype {
    case .float32, .float64: return [try call.result(try folded(call, call.doubles(0)))]
    case .uint64:
      return [try Tensor(folded(call, call.tensor(0).array(of: UInt64.self)), call.shape())]
    case .bool:
      // Truth values in 64 bits: nothing at all is 0 at most and 1 at least.
      let values = try call.tensor(0).cast(to: .int64).array(of: Int64.self)
      return [try Tensor(folded(call, values).map { $0 == .min ? 0 : $0 }, call.shape())]
    case .int64: return [try Tensor(folded(call, call.tensor(0).array(of: Int64.self)), call.shape())]
    default: throw call.unsupported("\(call.node.opType) of \(try call.tensor(0).dtype.name)")
    }
  }

  private static func folded<T: Number>(_ call: KernelCall, _ x: [T]) throws(PruneError) -> [T] {
    switch call.node.opType {
    case "ReduceSum": return try gathered(call, x, from: .zero) { T.sum($0, $1) }
    case "ReduceProd": return try gathered(call, x, from: T(approximating: 1)) { T.product($0, $1) }
    case "ReduceMax": return try gathered(call, x, from: T.lowest) { T.maximum($0, $1) }
    default: return try gathered(call, x, from: T.highest) { T.minimum($0, $1) }
    }
  }

  private static func gathered<T: Number>(
    _ call: KernelCall, _ x: [T], from start: T, _ combine: (T, T) -> T
  ) throws(PruneError) -> [T] {
    let (loop, output, _) = try loop(call)
    try call.check(output.count)
    var result = [T](repeating: start, count: output.count)
    let (step, slotStep) = (loop.rowStrides[0], loop.rowStrides[1])
    try loop.forEachRow(from: [0, 0]) { offsets in
      for index in 0..<loop.rowLength {
        let slot = offsets[1] + index * slotStep
        result[slot] = combine(result[slot], x[offsets[0] + index * step])
      }
    }
    return result
  }

  // MARK: - What needs a function before or after

  private struct Steps: Sendable {
    let before: @Sendable (Double) -> Double
    let after: @Sendable (_ sum: Double, _ count: Int) -> Double
  }

  private static let numeric: [String: Steps?] = [
    "ReduceL1": Steps(before: { abs($0) }, after: { sum, _ in sum }),
    "ReduceL2": Steps(before: { $0 * $0 }, after: { sum, _ in sum.squareRoot() }),
    "ReduceSumSquare": Steps(before: { $0 * $0 }, after: { sum, _ in sum }),
    "ReduceMean": Steps(before: { $0 }, after: { sum, count in sum / Double(count) }),
    "ReduceLogSum": Steps(before: { $0 }, after: { sum, _ in log(sum) }),
    "ReduceLogSumExp": nil,
  ]

  private static func reduce(_ call: KernelCall, _ steps: Steps?) throws(PruneError) -> Tensor {
    let x = try call.doubles(0)
    let (_, _, reduced) = try loop(call)
    if let steps {
      let sums = try gathered(call, x.map(steps.before), from: 0) { $0 + $1 }
      return try call.result(sums.map { steps.after($0, reduced) })
    }
    // log(sum(exp(x))) with the maximum taken out first.
    let highest = try gathered(call, x, from: -.infinity) { max($0, $1) }
    let (loop, output, _) = try loop(call)
    var sums = [Double](repeating: 0, count: output.count)
    try loop.forEachRow(from: [0, 0]) { offsets in
      for index in 0..<loop.rowLength {
        let slot = offsets[1] + index * loop.rowStrides[1]
        let shift = highest[slot].isFinite ? highest[slot] : 0
        sums[slot] += exp(x[offsets[0] + index * loop.rowStrides[0]] - shift)
      }
    }
    return try call.result(
      sums.indices.map { log(sums[$0]) + (highest[$0].isFinite ? highest[$0] : 0) })
  }

  // MARK: - Along one axis

  private static let argument: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    let input = try call.tensor(0).shape
    let lanes = AxisLanes(input, try call.axis(default: 0, rank: input.rank))
    let takesLast = call.node.int("select_last_index", default: 0) != 0
    let sign: Double = call.node.opType == "ArgMax" ? 1 : -1
    let x = try call.doubles(0)
    var result: [Int64] = []
    lanes.forEach { lane in
      var best = -1
      var value = 0.0
      for (position, index) in lane.enumerated() {
        let candidate = sign * x[index]
        if best < 0 || candidate > value || (takesLast && candidate == value) {
          (best, value) = (position, candidate)
        }
      }
      result.append(Int64(best))
    }
    return [try Tensor(result, try call.shape())]
  }

  private static let cumulative: @Sendable (KernelCall) throws(PruneError) -> [Tensor] = {
    (call) throws(PruneError) in
    if try call.tensor(0).dtype.isFloatingPoint {
      return [try call.result(try accumulated(call, call.doubles(0)))]
    }
    let values = try call.tensor(0).cast(to: .int64).array(of: Int64.self)
    return [try Tensor(accumulated(call, values), call.shape())]
  }

  private static func accumulated<T: Number>(_ call: KernelCall, _ x: [T]) throws(PruneError) -> [T] {
    let shape = try call.shape()
    let axes = try call.integers(1)
    guard axes.count == 1 else { throw call.fail("axis has \(axes.count) elements, wanted one") }
    let lanes = AxisLanes(shape, try call.operands.axis(axes[0], rank: shape.rank))
    let isExclusive = call.node.int("exclusive", default: 0) != 0
    let isReverse = call.node.int("reverse", default: 0) != 0
    let multiplies = call.node.opType == "CumProd"
    var result = x
    lanes.forEach { lane in
      var total = multiplies ? T(approximating: 1) : .zero
      let order = Array(lane)
      for index in isReverse ? order.reversed() : order {
        let next = multiplies ? T.product(total, x[index]) : T.sum(total, x[index])
        result[index] = isExclusive ? total : next
        total = next
      }
    }
    return result
  }
}
