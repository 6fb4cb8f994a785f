import COneDNN
import CPruneSupport
import PruneTensor

/// A constant matrix without its zeros: values, the taps they belong to, where rows begin and which outputs they make.
struct SparseWeights {
  let buffer: Int
  let count: Int
  let rows: Int
  let groupRows: Int

  /// How many elements of a float32 constant are not zero, NaN and infinities among them.
  static func nonzeros(_ tensor: Tensor) -> Int {
    var count = 0
    // Safe: elements are read within the tensor's own bytes, at any address.
    let base = UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    for index in 0..<tensor.count where base.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) << 1 != 0 {
      count += 1
    }
    return count
  }

  /// The weights of a problem, packed once for all programs of the model.
  /// - Parameter isSorted: whether rows with as many values follow each other, which their loops are faster for.
  static func packed(_ problem: SparseProblem, isSorted: Bool, _ emitter: any Emitter) throws(PruneError)
    -> SparseWeights?
  {
    guard let tensor = emitter.constant(problem.weight), tensor.dtype == .float32,
      tensor.count == problem.rows * problem.taps,
      let plain = Layout.plain([problem.rows, problem.taps]),
      let kind = Layout.plain(
        [problem.rows, problem.taps, problem.groupRows, isSorted ? 2 : 1, problem.tapStride], type: dnnl_u8)
    else { return nil }
    let packed = try emitter.packed(problem.weight, key: (plain, kind)) { tensor throws(PruneError) in
      try pack(tensor, problem, isSorted: isSorted)
    }
    guard let packed else { return nil }
    let count = (packed.tensor.byteCount - 4 * (2 * problem.rows + 1)) / 6
    return SparseWeights(buffer: packed.buffer, count: count, rows: problem.rows, groupRows: problem.groupRows)
  }

  /// Values, where rows begin, outputs, and taps, which take two bytes each: so nothing is at an odd address.
  private static func pack(_ tensor: Tensor, _ problem: SparseProblem, isSorted: Bool) throws(PruneError) -> Tensor {
    let (rows, taps) = (problem.rows, problem.taps)
    // Safe: rows and taps stay within the tensor, which has rows x taps elements, at any address.
    let base = UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    func value(_ row: Int, _ tap: Int) -> Float {
      base.loadUnaligned(fromByteOffset: 4 * (row * problem.rowStride + tap * problem.tapStride), as: Float.self)
    }
    var counts = [Int](repeating: 0, count: rows)
    for row in 0..<rows { for tap in 0..<taps where value(row, tap) != 0 || value(row, tap).isNaN { counts[row] += 1 } }
    let total = counts.reduce(0, +)
    var order = Array(0..<rows)
    if isSorted {
      order.sort { a, b in (a / problem.groupRows, counts[a], a) < (b / problem.groupRows, counts[b], b) }
    }
    let storage = try Storage(byteCount: 6 * total + 4 * (2 * rows + 1), zeroed: false)
    // Safe: the storage has room for `total` values and taps, rows + 1 beginnings and as many outputs as rows.
    let values = storage.base.assumingMemoryBound(to: Float.self)
    let starts = storage.base.advanced(by: 4 * total).assumingMemoryBound(to: UInt32.self)
    let outputs = storage.base.advanced(by: 4 * (total + rows + 1)).assumingMemoryBound(to: UInt32.self)
    let places = storage.base.advanced(by: 4 * (total + 2 * rows + 1)).assumingMemoryBound(to: UInt16.self)
    var next = 0
    for (index, row) in order.enumerated() {
      starts[index] = UInt32(next)
      outputs[index] = UInt32(row)
      for tap in 0..<taps {
        let weight = value(row, tap)
        guard weight != 0 || weight.isNaN else { continue }
        values[next] = weight
        places[next] = UInt16(tap)
        next += 1
      }
    }
    starts[rows] = UInt32(next)
    tensor.forgetPages()
    return try Tensor(.uint8, try Shape([storage.byteCount]), over: Bytes(storage: storage))
  }

  func bound(_ frame: Frame) -> ps_sparse_weights {
    // Safe: as `pack` laid them out.
    let base = UnsafeMutableRawPointer(frame.pointer(buffer))
    return ps_sparse_weights(
      values: UnsafePointer(base.assumingMemoryBound(to: Float.self)),
      taps: UnsafePointer(base.advanced(by: 4 * (count + 2 * rows + 1)).assumingMemoryBound(to: UInt16.self)),
      starts: UnsafePointer(base.advanced(by: 4 * count).assumingMemoryBound(to: UInt32.self)),
      order: UnsafePointer(base.advanced(by: 4 * (count + rows + 1)).assumingMemoryBound(to: UInt32.self)),
      rows: Int64(rows),
      group_rows: Int64(groupRows))
  }
}
