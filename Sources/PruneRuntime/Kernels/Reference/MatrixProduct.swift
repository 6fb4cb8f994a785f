import PruneGraph
import PruneTensor

/// Matrix products. Floats are summed in Double, integers modulo 2^64.
enum MatrixProduct {
  static let table: [String: Kernel] = [
    "MatMul": Kernel(.numbers) { (call) throws(PruneError) in
      let (a, b) = (try call.tensor(0), try call.tensor(1))
      guard a.dtype.isFloatingPoint else {
        let (x, y) = (try a.cast(to: .int64), try b.cast(to: .int64))
        let product = try wrappingProduct(
          call, x.array(of: Int64.self), a.shape, y.array(of: Int64.self), b.shape)
        return [try Tensor(product, try call.shape())]
      }
      return [
        try call.result(try product(call, call.doubles(0), a.shape, call.doubles(1), b.shape))
      ]
    },
    "Gemm": Kernel(.numbers) { (call) throws(PruneError) in [try gemm(call)] },
    "MatMulInteger": Kernel { (call) throws(PruneError) in
      let (a, b) = (try call.tensor(0), try call.tensor(1))
      let x = try Quantizing.centred(call, 0, zeroPoint: 2, axis: max(a.shape.rank - 2, 0))
      let y = try Quantizing.centred(call, 1, zeroPoint: 3, axis: max(b.shape.rank - 1, 0))
      return [try call.result(try product(call, x, a.shape, y, b.shape))]
    },
    "QLinearMatMul": Kernel { (call) throws(PruneError) in
      let (a, b) = (try call.tensor(0), try call.tensor(3))
      let x = try Quantizing.centred(call, 0, zeroPoint: 2, axis: max(a.shape.rank - 2, 0))
      let y = try Quantizing.centred(call, 3, zeroPoint: 5, axis: max(b.shape.rank - 1, 0))
      let sums = try product(call, x, a.shape, y, b.shape)
      let columns = b.shape.rank > 1 ? b.shape[b.shape.rank - 1] : 1
      return [
        try Quantizing.requantized(
          call, sums, scales: (1, 4, 6), zeroPoint: 7, channels: columns, inner: 1)
      ]
    },
    "Det": Kernel(.halves) { (call) throws(PruneError) in
      let order = try call.tensor(0).shape.dims.last ?? 0
      let x = try call.doubles(0)
      let count = try call.shape().count
      return [
        try call.result(
          (0..<count).map {
            determinant(Array(x[($0 * order * order)..<(($0 + 1) * order * order)]), order)
          })
      ]
    },
  ]

  /// Where the matrices of a batched product lie: rows x inner by inner x columns, `batches` of offsets into both.
  private struct Layout {
    let rows: Int
    let inner: Int
    let columns: Int
    let batches: [(a: Int, b: Int)]

    init(_ call: KernelCall, _ a: Shape, _ b: Shape) throws(PruneError) {
      guard a.rank > 0, b.rank > 0 else { throw call.fail("a matrix product of a scalar") }
      let left = a.rank == 1 ? [1] + a.dims : a.dims
      let right = b.rank == 1 ? b.dims + [1] : b.dims
      let (rows, inner, columns) = (
        left[left.count - 2], left[left.count - 1], right[right.count - 1]
      )
      self.rows = rows
      self.inner = inner
      self.columns = columns
      let batch = try Shape(
        Array(try call.shape().dims.dropLast((a.rank == 1 ? 0 : 1) + (b.rank == 1 ? 0 : 1))))
      let loop = StridedLoop(
        batch.dims,
        [
          StridedLoop.broadcastStrides(try Shape(Array(left.dropLast(2))), to: batch).map {
            $0 * rows * inner
          },
          StridedLoop.broadcastStrides(try Shape(Array(right.dropLast(2))), to: batch).map {
            $0 * inner * columns
          },
        ])
      var offsets: [(a: Int, b: Int)] = []
      try loop.forEachRow(from: [0, 0]) { start in
        for index in 0..<loop.rowLength {
          offsets.append(
            (start[0] + index * loop.rowStrides[0], start[1] + index * loop.rowStrides[1]))
        }
      }
      batches = offsets
    }
  }

  /// numpy.matmul on values.
  static func product(
    _ call: KernelCall, _ x: [Double], _ a: Shape, _ y: [Double], _ b: Shape
  ) throws(PruneError) -> [Double] {
    let layout = try Layout(call, a, b)
    try call.check(try call.shape().count)
    let (rows, inner, columns) = (layout.rows, layout.inner, layout.columns)
    let batches = layout.batches
    return Parallel.rows(batches.count * rows, width: columns, cost: inner * columns) {
      row, values in
      let batch = batches[row / rows]
      let start = batch.a + row % rows * inner
      for k in 0..<inner {
        let factor = x[start + k]
        let other = batch.b + k * columns
        for column in 0..<columns { values[column] += factor * y[other + column] }
      }
    }
  }

  private static func wrappingProduct(
    _ call: KernelCall, _ x: [Int64], _ a: Shape, _ y: [Int64], _ b: Shape
  ) throws(PruneError) -> [Int64] {
    let layout = try Layout(call, a, b)
    let count = try call.shape().count
    try call.check(count)
    var result = [Int64](repeating: 0, count: count)
    var write = 0
    for batch in layout.batches {
      for row in 0..<layout.rows {
        for k in 0..<layout.inner {
          let factor = x[batch.a + row * layout.inner + k]
          for column in 0..<layout.columns {
            result[write + column] &+= factor &* y[batch.b + k * layout.columns + column]
          }
        }
        write += layout.columns
      }
    }
    return result
  }

  /// alpha * op(A) * op(B) + beta * C.
  private static func gemm(_ call: KernelCall) throws(PruneError) -> Tensor {
    func matrix(_ index: Int, _ attribute: String) throws(PruneError) -> Tensor {
      let tensor = try call.tensor(index)
      guard call.node.int(attribute, default: 0) != 0 else { return tensor }
      return try Moves.read(
        tensor, Moves.Walk(base: 0, strides: tensor.shape.strides.reversed()),
        shape: Shape(tensor.shape.dims.reversed()))
    }
    let (a, b) = (try matrix(0, "transA"), try matrix(1, "transB"))
    let shape = try call.shape()
    var values = try product(call, call.doubles(a), a.shape, call.doubles(b), b.shape)
    let alpha = Double(call.node.float("alpha", default: 1))
    let beta = Double(call.node.float("beta", default: 1))
    let c = try call.optional(2).doubles(call)
    let strides =
      call.optional(2).map { StridedLoop.broadcastStrides($0.shape, to: shape) } ?? [0, 0]
    for row in 0..<shape[0] {
      for column in 0..<shape[1] {
        let addend = c.map { beta * $0[row * strides[0] + column * strides[1]] } ?? 0
        values[row * shape[1] + column] = alpha * values[row * shape[1] + column] + addend
      }
    }
    return try call.result(values)
  }

  /// The determinant, by elimination with row exchanges.
  private static func determinant(_ matrix: [Double], _ order: Int) -> Double {
    var m = matrix
    var result = 1.0
    for column in 0..<order {
      var pivot = column
      for row in column..<order where abs(m[row * order + column]) > abs(m[pivot * order + column]) { pivot = row }
      if m[pivot * order + column] == 0 { return 0 }
      if pivot != column {
        for k in 0..<order { m.swapAt(pivot * order + k, column * order + k) }
        result = -result
      }
      result *= m[column * order + column]
      for row in (column + 1)..<max(order, column + 1) {
        let factor = m[row * order + column] / m[column * order + column]
        for k in column..<order { m[row * order + k] -= factor * m[column * order + k] }
      }
    }
    return result
  }
}
