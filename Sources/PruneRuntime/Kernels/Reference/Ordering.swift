import PruneGraph
import PruneTensor

/// Operators that sort, count or search.
enum Ordering {
  static let table: [String: Kernel] = [
    "TopK": Kernel(.numbers) { (call) throws(PruneError) in
      let x = try call.tensor(0)
      switch x.dtype {
      case .float32: return try largest(call, x.array(of: Float.self))
      case .float64: return try largest(call, x.array(of: Double.self))
      case .int64: return try largest(call, x.array(of: Int64.self))
      case .uint64: return try largest(call, x.array(of: UInt64.self))
      default: throw call.unsupported("TopK of \(x.dtype.name)")
      }
    },
    "NonZero": Kernel { (call) throws(PruneError) in
      let x = try call.tensor(0)
      try call.check(x.count)
      let flags = try x.cast(to: .bool).array(of: UInt8.self)
      let nonzero = flags.indices.filter { flags[$0] != 0 }
      let shape = x.shape.rank == 0 ? Shape(known: 1) : x.shape
      let strides = shape.strides
      var result: [Int64] = []
      for axis in 0..<shape.rank { result += nonzero.map { Int64($0 / strides[axis] % shape[axis]) } }
      return [try Tensor(result, Shape([shape.rank, nonzero.count]))]
    },
    "Unique": Kernel { (call) throws(PruneError) in try unique(call) },
  ]

  private static func largest<T: Number>(_ call: KernelCall, _ x: [T]) throws(PruneError)
    -> [Tensor]
  {
    let (input, output) = (try call.tensor(0).shape, try call.shape())
    let axis = try call.axis(default: -1, rank: input.rank)
    let count = output[axis]
    let takesLargest = call.node.int("largest", default: 1) != 0
    let from = AxisLanes(input, axis)
    var lines: [[Int]] = []
    from.forEach { lane in
      let offsets = Array(lane)
      // Equal values keep their order; NaN counts as the largest.
      let order = offsets.indices.sorted { a, b in
        let (p, q) = (x[offsets[a]], x[offsets[b]])
        if p.isNotANumber || q.isNotANumber {
          if p.isNotANumber && q.isNotANumber { return a < b }
          return p.isNotANumber == takesLargest
        }
        return p == q ? a < b : (takesLargest ? p > q : p < q)
      }
      lines.append(Array(order.prefix(count)))
    }
    var values = [T](repeating: .zero, count: output.count)
    var indices = [Int64](repeating: 0, count: output.count)
    var line = 0
    let stepsIn = from.inner
    AxisLanes(output, axis).forEach { lane in
      let start = line / from.inner * from.extent * from.inner + line % from.inner
      for (position, offset) in lane.enumerated() {
        values[offset] = x[start + lines[line][position] * stepsIn]
        indices[offset] = Int64(lines[line][position])
      }
      line += 1
    }
    return [try Tensor(values, output), try Tensor(indices, output)]
  }

  private static func unique(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let x = try call.tensor(0)
    let values = try call.doubles(0)
    let isSorted = call.node.int("sorted", default: 1) != 0
    // Slices along the axis, or single elements.
    var axis = 0
    var shape = try Shape([x.count])
    if let number = call.node.int("axis") {
      axis = try call.operands.axis(number, rank: x.shape.rank)
      shape = x.shape
    }
    let lanes = AxisLanes(shape, axis)
    let slices = (0..<lanes.extent).map { position -> [Double] in
      (0..<lanes.outer).flatMap { row -> [Double] in
        let start = (row * lanes.extent + position) * lanes.inner
        return Array(values[start..<(start + lanes.inner)])
      }
    }
    let order = slices.indices.sorted { a, b in
      for (p, q) in zip(slices[a], slices[b]) where p != q { return p < q }
      return a < b
    }
    // Groups of equal slices in sorted order, each by its first occurrence.
    var groups: [[Int]] = []
    for position in order {
      if let last = groups.last, slices[last[0]] == slices[position] {
        groups[groups.count - 1].append(position)
      } else {
        groups.append([position])
      }
    }
    if !isSorted { groups.sort { $0[0] < $1[0] } }
    var inverse = [Int64](repeating: 0, count: slices.count)
    for (number, group) in groups.enumerated() {
      for position in group { inverse[position] = Int64(number) }
    }
    let positions = shape.dims.enumerated().map {
      $0 == axis ? groups.map { $0[0] } : Array(0..<$1)
    }
    return [
      try Moves.pick(try x.reshaped(shape), positions: positions),
      try Tensor(groups.map { Int64($0[0]) }),
      try Tensor(inverse), try Tensor(groups.map { Int64($0.count) }),
    ]
  }
}
