import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Scaled dot-product attention and rotary position embeddings, computed in Double.
enum DotProductAttention {
  static let table: [String: Kernel] = [
    "Attention": Kernel { (call) throws(PruneError) in try attention(call) },
    "RotaryEmbedding": Kernel { (call) throws(PruneError) in [try rotary(call)] },
  ]

  /// The extents of a call, and where the elements of a head lie.
  private struct Extents {
    let batch, heads, keyHeads, queries, keys, past, total, size, valueSize: Int
    let isFlat: Bool

    init(_ call: KernelCall) throws(PruneError) {
      guard let shape = try AttentionShape(call.operands) else { throw call.fail("the shapes are not known") }
      func value(_ dim: Dim) -> Int { dim.value ?? 0 }
      (batch, heads, keyHeads) = (value(shape.batch), value(shape.queryHeads), value(shape.keyHeads))
      (queries, keys, past, total) = (value(shape.queries), value(shape.keys), value(shape.past), value(shape.total))
      (size, valueSize, isFlat) = (value(shape.size), value(shape.valueSize), shape.isFlat)
    }

    /// The first element of a head's vector at a position.
    func offset(_ item: Int, _ head: Int, _ position: Int, heads: Int, positions: Int, size: Int) -> Int {
      isFlat
        ? ((item * positions + position) * heads + head) * size : ((item * heads + head) * positions + position) * size
    }

    /// [batch, heads, past + keys, size] of the past and the new keys.
    func joined(_ before: [Double]?, _ new: [Double], size: Int) -> [Double] {
      var result: [Double] = []
      result.reserveCapacity(batch * keyHeads * total * size)
      for item in 0..<batch {
        for head in 0..<keyHeads {
          if let before {
            let start = (item * keyHeads + head) * past * size
            result += before[start..<(start + past * size)]
          }
          for position in 0..<keys {
            let start = offset(item, head, position, heads: keyHeads, positions: keys, size: size)
            result += new[start..<(start + size)]
          }
        }
      }
      return result
    }
  }

  private static func attention(_ call: KernelCall) throws(PruneError) -> [Tensor] {
    let extents = try Extents(call)
    let (batch, heads, queries, total) = (extents.batch, extents.heads, extents.queries, extents.total)
    let rows = batch * heads * queries
    try call.check(try Shape([rows, max(total, extents.valueSize)]).count)
    let q = try call.doubles(0)
    let keys = extents.joined(try call.optional(4).doubles(call), try call.doubles(1), size: extents.size)
    let values = extents.joined(try call.optional(5).doubles(call), try call.doubles(2), size: extents.valueSize)
    let bias = try Bias(call, batch: batch, heads: heads, queries: queries, total: total, past: extents.past)
    let (size, group) = (extents.size, max(heads / max(extents.keyHeads, 1), 1))
    let scale = Double(call.node.float("scale", default: Float(1 / Double(max(size, 1)).squareRoot())))
    let cap = Double(call.node.float("softcap", default: 0))
    let mode = try call.operands.int("qk_matmul_output_mode", default: 0, in: 0...3)
    let scores = Parallel.rows(rows, width: total, cost: size * max(total, 1)) { row, scores in
      let (item, head, position) = (row / (heads * queries), row / queries % heads, row % queries)
      let start = extents.offset(item, head, position, heads: heads, positions: queries, size: size)
      for key in 0..<total {
        let other = ((item * extents.keyHeads + head / group) * total + key) * size
        var sum = 0.0
        for k in 0..<size { sum += q[start + k] * keys[other + k] }
        scores[key] = cap > 0 ? cap * tanh(sum * scale / cap) : sum * scale
      }
    }
    let biased = Parallel.rows(rows, width: total, cost: total) { row, values in
      for key in 0..<total { values[key] = scores[row * total + key] + bias.value(row, key) }
    }
    let weights = Parallel.rows(rows, width: total, cost: 8 * total) { row, weights in
      // A query that may see nothing gets nothing.
      guard (0..<total).contains(where: { bias.value(row, $0) != -.infinity }) else { return }
      var highest = -Double.infinity
      for key in 0..<total { highest = max(highest, biased[row * total + key]) }
      var sum = 0.0
      for key in 0..<total {
        weights[key] = exp(biased[row * total + key] - highest)
        sum += weights[key]
      }
      for key in 0..<total { weights[key] /= sum }
    }
    var result = [Double](repeating: 0, count: rows * extents.valueSize)
    for row in 0..<rows {
      let (item, head, position) = (row / (heads * queries), row / queries % heads, row % queries)
      let write = extents.offset(item, head, position, heads: heads, positions: queries, size: extents.valueSize)
      for key in 0..<total {
        let (weight, read) = (
          weights[row * total + key], ((item * extents.keyHeads + head / group) * total + key) * extents.valueSize
        )
        for k in 0..<extents.valueSize { result[write + k] += weight * values[read + k] }
      }
    }
    return [
      try call.result(result), try call.result(keys, 1), try call.result(values, 2),
      try call.result(mode < 2 ? scores : mode == 2 ? biased : weights, 3),
    ]
  }

  /// What is added to the scores: the mask, and -infinity where a query must not look.
  private struct Bias: Sendable {
    private let heads, queries, total: Int
    private let mask: [Double]
    /// Strides of the mask along batch, heads and queries; columns of it that there are.
    private let strides: [Int]
    private let columns: Int
    private let isCausal: Bool
    private let lengths: [Int]?
    private let past: Int
    /// How many keys before and after its own position a query sees; negative is all.
    private let window: (before: Int, after: Int)

    init(_ call: KernelCall, batch: Int, heads: Int, queries: Int, total: Int, past: Int) throws(PruneError) {
      (self.heads, self.queries, self.total, self.past) = (heads, queries, total, past)
      isCausal = call.node.int("is_causal", default: 0) != 0
      window = (call.node.int("left_window_size", default: -1), call.node.int("right_window_size", default: -1))
      lengths = call.optional(6) == nil ? nil : try call.integers(6)
      guard let tensor = call.optional(3), let last = tensor.shape.dims.last else {
        (mask, strides, columns) = ([], [0, 0, 0], -1)
        return
      }
      let values = try call.doubles(tensor)
      mask = tensor.dtype == .bool ? values.map { $0 != 0 ? 0 : -.infinity } : values
      columns = last
      let scores = try Shape([batch, heads, queries, last])
      strides = Array(StridedLoop.broadcastStrides(tensor.shape, to: scores).prefix(3))
    }

    func value(_ row: Int, _ key: Int) -> Double {
      let (item, head, position) = (row / (heads * queries), row / queries % heads, row % queries)
      if let lengths, key >= lengths[item] { return -.infinity }
      let queryPosition = position &+ (lengths.map { $0[item] &- queries } ?? past)
      if isCausal && key > queryPosition { return -.infinity }
      if window.before >= 0 && key < queryPosition &- window.before { return -.infinity }
      if window.after >= 0 && key &- queryPosition > window.after { return -.infinity }
      guard columns >= 0 else { return 0 }
      // A mask that ends early hides the rest.
      return key < columns ? mask[item * strides[0] + head * strides[1] + position * strides[2] + key] : -.infinity
    }
  }

  /// Turns pairs of elements by the angles of their position.
  private static func rotary(_ call: KernelCall) throws(PruneError) -> Tensor {
    let shape = try call.shape()
    var x = try call.doubles(0)
    let (cosines, sines) = (try call.doubles(1), try call.doubles(2))
    let isFlat = shape.rank == 3
    let heads = isFlat ? call.node.int("num_heads", default: 1) : shape[1]
    let steps = isFlat ? shape[1] : shape[2]
    let size = isFlat ? shape[2] / max(heads, 1) : shape[3]
    let whole = call.node.int("rotary_embedding_dim", default: 0)
    let half = (whole == 0 ? size : whole) / 2
    let isInterleaved = call.node.int("interleaved", default: 0) != 0
    let positions = call.optional(3) == nil ? nil : try call.integers(3)
    let rows = half == 0 ? 0 : cosines.count / half
    if let bad = positions?.first(where: { $0 < 0 || $0 >= rows }) {
      throw call.fail("position \(bad) is outside 0..<\(rows)")
    }
    for item in 0..<shape[0] {
      for step in 0..<steps {
        let angle = (positions?[item * steps + step] ?? (item * steps + step)) * half
        for head in 0..<heads {
          let start = (isFlat ? (item * steps + step) * heads + head : (item * heads + head) * steps + step) * size
          for pair in 0..<half {
            let a = start + (isInterleaved ? 2 * pair : pair)
            let b = isInterleaved ? a + 1 : a + half
            let (u, v) = (x[a], x[b])
            x[a] = cosines[angle + pair] * u - sines[angle + pair] * v
            x[b] = sines[angle + pair] * u + cosines[angle + pair] * v
          }
        }
      }
    }
    return try call.result(x)
  }
}
