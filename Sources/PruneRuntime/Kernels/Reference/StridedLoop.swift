import PruneTensor

/// A walk over positions in row-major order that keeps an offset into each of several strided operands.
///
/// Axes that all operands step through evenly are merged, so that rows are as long as can be.
struct StridedLoop {
  /// Extents of the merged axes but the last.
  private let outer: [Int]
  /// For every operand, its strides along `outer`.
  private let outerStrides: [[Int]]
  /// The extent of the last merged axis, and every operand's stride along it.
  let rowLength: Int
  let rowStrides: [Int]
  let rowCount: Int

  init(_ dims: [Int], _ strides: [[Int]]) {
    var extents: [Int] = []
    var merged = [[Int]](repeating: [], count: strides.count)
    for axis in dims.indices where dims[axis] != 1 {
      if let last = extents.last,
        strides.indices.allSatisfy({
          merged[$0][extents.count - 1] == strides[$0][axis] * dims[axis]
        })
      {
        extents[extents.count - 1] = last * dims[axis]
        for operand in strides.indices {
          merged[operand][extents.count - 1] = strides[operand][axis]
        }
      } else {
        extents.append(dims[axis])
        for operand in strides.indices { merged[operand].append(strides[operand][axis]) }
      }
    }
    rowLength = extents.last ?? 1
    rowStrides = merged.map { $0.last ?? 1 }
    outer = extents.dropLast()
    outerStrides = merged.map { Array($0.dropLast()) }
    rowCount = dims.contains(0) ? 0 : outer.reduce(1, *)
  }

  /// Calls `body` with every operand's offset at the start of every row.
  @inline(__always)
  func forEachRow(from bases: [Int], _ body: (_ offsets: [Int]) throws(PruneError) -> Void)
    throws(PruneError)
  {
    var offsets = bases
    var counter = [Int](repeating: 0, count: outer.count)
    for row in 0..<rowCount {
      if row > 0 {
        var axis = outer.count - 1
        while axis >= 0 {
          counter[axis] += 1
          if counter[axis] < outer[axis] {
            for operand in offsets.indices { offsets[operand] += outerStrides[operand][axis] }
            break
          }
          for operand in offsets.indices {
            offsets[operand] -= outerStrides[operand][axis] * (outer[axis] - 1)
          }
          counter[axis] = 0
          axis -= 1
        }
      }
      try body(offsets)
    }
  }

  /// The strides with which a tensor of `shape` is read along the axes of `target`, which it broadcasts to.
  static func broadcastStrides(_ shape: Shape, to target: Shape) -> [Int] {
    let missing = target.rank - shape.rank
    let strides = shape.strides
    return (0..<target.rank).map { axis in
      axis < missing || shape[axis - missing] == 1 ? 0 : strides[axis - missing]
    }
  }
}
