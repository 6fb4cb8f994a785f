import COneDNN
import CPruneSupport
import PruneTensor

/// A constant matrix without its zeros: values, which of them there are, where rows begin and which outputs they make.
struct SparseWeights {
  /// How it is said which weights are stored.
  enum Form: Int {
    /// Rows of as many values follow each other among PS_SPARSE_CHUNK outputs; each value has the number of its tap.
    case sorted = 2
    /// Rows in the order of outputs, each value with the number of its tap.
    case listed = 1
    /// Rows in the order of outputs, with a bit for each weight.
    case bits = 3
    /// As sorted, but PS_SPARSE_TOGETHER rows at a time, which share their taps: as blocks leave them.
    case together = 4

    /// What few vectors are multiplied fastest with: bits take as long whatever their number, numbers of taps take time
    /// for each. The border is measured.
    static func few(_ nonzeros: Int, of count: Int, isFinite: Bool) -> Form {
      isFinite && Double(nonzeros) >= 0.22 * Double(count) ? .bits : .listed
    }
  }

  /// A matrix in memory: rows of taps, so far apart.
  struct Source {
    var rows: Int
    var taps: Int
    var groupRows: Int
    var rowStride: Int
    var tapStride: Int
  }

  let buffer: Int
  let tensor: Tensor
  let source: Source
  let form: Form
  let count: Int

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

  private static func isFinite(_ tensor: Tensor) -> Bool {
    // Safe: as above.
    let base = UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    return (0..<tensor.count).allSatisfy { base.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self).isFinite }
  }

  /// The weights of a problem, packed once for all programs of the model.
  /// - Parameter isFew: whether they multiply vectors one by one.
  static func packed(_ problem: SparseProblem, isFew: Bool, _ emitter: any Emitter) throws(PruneError) -> SparseWeights?
  {
    let source = Source(
      rows: problem.rows, taps: problem.taps, groupRows: problem.groupRows, rowStride: problem.rowStride,
      tapStride: problem.tapStride)
    guard let tensor = emitter.constant(problem.weight), tensor.dtype == .float32,
      tensor.count == problem.rows * problem.taps
    else { return nil }
    let (form, count) = form(tensor, source, isFew: isFew)
    guard let plain = Layout.plain([problem.rows, problem.taps]),
      let kind = Layout.plain(
        [problem.rows, problem.taps, problem.groupRows, form.rawValue, problem.tapStride], type: dnnl_u8)
    else { return nil }
    let packed = try emitter.packed(problem.weight, key: (plain, kind)) { tensor throws(PruneError) in
      defer { tensor.forgetPages() }
      return try pack(tensor, source, form)
    }
    guard let packed else { return nil }
    return SparseWeights(buffer: packed.buffer, tensor: packed.tensor, source: source, form: form, count: count)
  }

  /// A matrix of the program's own, [rows, columns].
  static func constant(
    _ tensor: Tensor, rows: Int, columns: Int, isFew: Bool, _ emitter: any Emitter
  ) throws(PruneError) -> SparseWeights {
    let source = Source(rows: rows, taps: columns, groupRows: rows, rowStride: columns, tapStride: 1)
    let (form, count) = form(tensor, source, isFew: isFew)
    let packed = try pack(tensor, source, form)
    return SparseWeights(
      buffer: try emitter.constantBuffer(packed), tensor: packed, source: source, form: form, count: count)
  }

  /// The form that is fastest, and how many taps are stored.
  private static func form(_ tensor: Tensor, _ source: Source, isFew: Bool) -> (Form, count: Int) {
    let count = nonzeros(tensor)
    if isFew { return (.few(count, of: tensor.count, isFinite: isFinite(tensor)), count) }
    let size = Int(PS_SPARSE_TOGETHER)
    guard count > 0, source.groupRows % size == 0, source.rows % size == 0, isFinite(tensor) else {
      return (.sorted, count)
    }
    let base = UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    var shared = 0
    for first in stride(from: 0, to: source.rows, by: size) {
      for tap in 0..<source.taps {
        // Safe: as in `pack`.
        let isStored = (first..<first + size).contains { row in
          let offset = 4 * (row * source.rowStride + tap * source.tapStride)
          return base.loadUnaligned(fromByteOffset: offset, as: UInt32.self) << 1 != 0
        }
        if isStored { shared += 1 }
      }
    }
    // Of what rows share, few are zeros.
    return Double(shared * size) <= 1.15 * Double(count) ? (.together, shared) : (.sorted, count)
  }

  /// Rows that share their taps.
  var together: Int { form == .together ? Int(PS_SPARSE_TOGETHER) : 1 }

  /// Bytes of a row of bits.
  private static func rowBytes(_ taps: Int) -> Int {
    let word = Int(PS_SPARSE_WORD)
    return (taps + word - 1) / word * (word / 8)
  }

  /// Values, where rows begin, then outputs and taps, or bits: so nothing is at an odd address.
  private static func pack(_ tensor: Tensor, _ source: Source, _ form: Form) throws(PruneError) -> Tensor {
    let size = form == .together ? Int(PS_SPARSE_TOGETHER) : 1
    let (rows, taps) = (source.rows / size, source.taps)
    // Safe: rows and taps stay within the tensor, which has rows x taps elements, at any address.
    let base = UnsafeRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    func value(_ row: Int, _ tap: Int) -> Float {
      base.loadUnaligned(fromByteOffset: 4 * (row * source.rowStride + tap * source.tapStride), as: Float.self)
    }
    /// Whether a tap of a row, or of rows that share theirs, is stored.
    func isStored(_ row: Int, _ tap: Int) -> Bool {
      for index in row * size..<row * size + size {
        let weight = value(index, tap)
        if weight != 0 || weight.isNaN { return true }
      }
      return false
    }
    var counts = [Int](repeating: 0, count: rows)
    for row in 0..<rows { for tap in 0..<taps where isStored(row, tap) { counts[row] += 1 } }
    let total = counts.reduce(0, +), behind = form == .bits ? Int(PS_SPARSE_BEHIND) : 0
    let bytes = form == .bits ? rows * rowBytes(taps) : 4 * rows + 2 * total
    var order = Array(0..<rows)
    if form == .sorted || form == .together {
      let chunk = Int(PS_SPARSE_CHUNK) / size, group = source.groupRows / size
      order.sort { a, b in (a / group, a / chunk, counts[a], a) < (b / group, b / chunk, counts[b], b) }
    }
    let numbers = total * size + behind
    let storage = try Storage(byteCount: 4 * (numbers + rows + 1) + bytes, zeroed: form == .bits)
    // Safe: the storage has room for `total` taps with a value for each of `size` rows, rows + 1 beginnings, and as many
    // outputs as rows or the bits of all rows.
    let values = storage.base.assumingMemoryBound(to: Float.self)
    let starts = storage.base.advanced(by: 4 * numbers).assumingMemoryBound(to: UInt32.self)
    let rest = storage.base.advanced(by: 4 * (numbers + rows + 1))
    let outputs = rest.assumingMemoryBound(to: UInt32.self), bits = rest.assumingMemoryBound(to: UInt8.self)
    let places = rest.advanced(by: form == .bits ? 0 : 4 * rows).assumingMemoryBound(to: UInt16.self)
    var next = 0
    for (index, row) in order.enumerated() {
      starts[index] = UInt32(next)
      if form != .bits { outputs[index] = UInt32(row) }
      for tap in 0..<taps {
        guard isStored(row, tap) else { continue }
        for index in 0..<size { values[next * size + index] = value(row * size + index, tap) }
        if form == .bits {
          bits[row * rowBytes(taps) + tap / 8] |= 1 << UInt8(tap % 8)
        } else {
          places[next] = UInt16(tap)
        }
        next += 1
      }
    }
    starts[rows] = UInt32(next)
    return try Tensor(.uint8, try Shape([storage.byteCount]), over: Bytes(storage: storage))
  }

  /// Where each block of `block` taps but the first begins in each row, as `ps_sparse_args` has it.
  func cuts(block: Int) throws(PruneError) -> Tensor {
    let (rows, blocks) = (source.rows / together, (source.taps + block - 1) / block)
    // Safe: as `pack` laid them out.
    let base = UnsafeMutableRawPointer(tensor.storage.base.advanced(by: tensor.byteOffset))
    let weights = bound(base)
    var cuts: [Int32] = []
    guard let starts = weights.starts, let taps = weights.taps else { return try Tensor(cuts) }
    cuts = [Int32](repeating: 0, count: max(blocks - 1, 0) * rows)
    for row in 0..<rows {
      var place = Int(starts[row])
      for number in 1..<max(blocks, 1) {
        while place < Int(starts[row + 1]), Int(taps[place]) < number * block { place += 1 }
        cuts[(number - 1) * rows + row] = Int32(truncatingIfNeeded: place)
      }
    }
    return try Tensor(cuts)
  }

  func bound(_ frame: Frame) -> ps_sparse_weights { bound(UnsafeMutableRawPointer(frame.pointer(buffer))) }

  /// - Parameter base: what `pack` laid out.
  private func bound(_ base: UnsafeMutableRawPointer) -> ps_sparse_weights {
    let behind = form == .bits ? Int(PS_SPARSE_BEHIND) : 0
    let rows = source.rows / together, numbers = count * together + behind
    let rest = base.advanced(by: 4 * (numbers + rows + 1))
    var weights = ps_sparse_weights()
    weights.values = UnsafePointer(base.assumingMemoryBound(to: Float.self))
    weights.starts = UnsafePointer(base.advanced(by: 4 * numbers).assumingMemoryBound(to: UInt32.self))
    if form == .bits {
      weights.bits = UnsafePointer(rest.assumingMemoryBound(to: UInt8.self))
    } else {
      weights.order = UnsafePointer(rest.assumingMemoryBound(to: UInt32.self))
      weights.taps = UnsafePointer(rest.advanced(by: 4 * rows).assumingMemoryBound(to: UInt16.self))
    }
    (weights.rows, weights.group_rows, weights.columns) = (
      Int64(source.rows), Int64(source.groupRows), Int64(source.taps)
    )
    weights.together = Int64(together)
    return weights
  }
}
