import PruneTensor

/// Attention and rotary position embeddings.
package enum AttentionRules {
  static let table: [String: Rule] = [
    "Attention": Rule { (x) throws(PruneError) in
      guard let shape = try AttentionShape(x) else {
        return [TensorType(x.dtype(0), nil)] + [1, 2, 0].map { TensorType(x.dtype($0), nil) }
      }
      let result: [Dim] =
        shape.isFlat
        ? [shape.batch, shape.queries, shape.queryHeads * shape.valueSize]
        : [shape.batch, shape.queryHeads, shape.queries, shape.valueSize]
      return [
        TensorType(x.dtype(0), result),
        TensorType(x.dtype(1), [shape.batch, shape.keyHeads, shape.total, shape.size]),
        TensorType(x.dtype(2), [shape.batch, shape.keyHeads, shape.total, shape.valueSize]),
        TensorType(x.dtype(0), [shape.batch, shape.queryHeads, shape.queries, shape.total]),
      ]
    },
    "RotaryEmbedding": Rule { (x) throws(PruneError) in
      try rotary(x)
      return try ElementwiseRules.same(x)
    },
  ]

  private static func rotary(_ x: Operands) throws(PruneError) {
    guard let input = x.dims(0) else { return }
    guard input.count == 3 || input.count == 4 else { throw x.fail("input is \(Dims.text(input)), wanted 3 or 4 axes") }
    var (steps, size) = (input[1], input[2])
    if input.count == 4 {
      (steps, size) = (input[2], input[3])
    } else {
      let heads = try x.int("num_heads", default: 0, in: 1...(1 << 20))
      if let width = size.value, width % heads != 0 {
        throw x.fail("\(width) elements do not divide into \(heads) heads")
      }
      size = size / .fixed(heads)
    }
    let limit = min(size.value ?? Operands.extentLimit, Operands.extentLimit)
    let rotated = try x.int("rotary_embedding_dim", default: 0, in: 0...limit)
    let half = (rotated == 0 ? size : .fixed(rotated)) / .fixed(2)
    if let whole = rotated == 0 ? size.value : rotated, whole % 2 != 0 {
      throw x.fail("\(whole) elements do not divide into pairs")
    }
    let hasPositions = x.has(3)
    for index in 1...2 {
      guard let cache = try x.dims(index, rank: hasPositions ? 2 : 3) else { continue }
      let fits =
        Dim.unified(cache[cache.count - 1], half) != nil
        && (hasPositions || (Dim.unified(cache[0], input[0]) != nil && Dim.unified(cache[1], steps) != nil))
      guard fits else {
        throw x.fail("input \(index) is \(Dims.text(cache)) for \(Dims.text(input)), of which pairs of \(half) turn")
      }
    }
    if let a = x.dims(1), let b = x.dims(2),
      a.count != b.count || zip(a, b).contains(where: { Dim.unified($0, $1) == nil })
    {
      throw x.fail("cosines are \(Dims.text(a)), sines \(Dims.text(b))")
    }
    if let positions = try x.dims(3, rank: 2) {
      guard Dim.unified(positions[0], input[0]) != nil, Dim.unified(positions[1], steps) != nil else {
        throw x.fail("positions are \(Dims.text(positions)), wanted [\(input[0]),\(steps)]")
      }
    }
  }
}

/// What the axes of an Attention node's inputs say.
package struct AttentionShape: Sendable {
  package let batch: Dim
  package let queryHeads: Dim
  package let keyHeads: Dim
  /// Positions of the queries, of the new keys, of the keys that came before, and of all keys.
  package let queries: Dim
  package let keys: Dim
  package let past: Dim
  package let total: Dim
  /// Elements of a query or key, and of a value.
  package let size: Dim
  package let valueSize: Dim
  /// Whether the heads are packed side by side in the last of three axes.
  package let isFlat: Bool

  /// Nil when not even the ranks are known.
  package init?(_ x: Operands) throws(PruneError) {
    guard let q = x.dims(0), let k = x.dims(1), let v = x.dims(2) else { return nil }
    guard q.count == 3 || q.count == 4, k.count == q.count, v.count == q.count else {
      throw x.fail("Q, K and V are \(Dims.text(q)), \(Dims.text(k)) and \(Dims.text(v)), wanted 3 or 4 axes each")
    }
    func same(_ a: Dim, _ b: Dim, _ what: String) throws(PruneError) -> Dim {
      guard let both = Dim.unified(a, b) else {
        throw x.fail("\(what): \(a) and \(b) in \(Dims.text(q)), \(Dims.text(k)) and \(Dims.text(v))")
      }
      return both
    }
    isFlat = q.count == 3
    batch = try same(same(q[0], k[0], "batches differ"), v[0], "batches differ")
    if isFlat {
      let (heads, others) = (
        try x.int("q_num_heads", default: 0, in: 1...(1 << 20)),
        try x.int("kv_num_heads", default: 0, in: 1...(1 << 20))
      )
      for (dim, count) in [(q[2], heads), (k[2], others), (v[2], others)] {
        if let width = dim.value, width % count != 0 {
          throw x.fail("\(width) elements do not divide into \(count) heads")
        }
      }
      (queryHeads, keyHeads) = (.fixed(heads), .fixed(others))
      (queries, keys) = (q[1], try same(k[1], v[1], "keys and values differ in number"))
      size = try same(q[2] / queryHeads, k[2] / keyHeads, "queries and keys differ in size")
      valueSize = v[2] / keyHeads
    } else {
      (queryHeads, keyHeads) = (q[1], try same(k[1], v[1], "keys and values differ in heads"))
      (queries, keys) = (q[2], try same(k[2], v[2], "keys and values differ in number"))
      size = try same(q[3], k[3], "queries and keys differ in size")
      valueSize = v[3]
    }
    if let heads = queryHeads.value, let others = keyHeads.value, others == 0 || heads % others != 0 {
      throw x.fail("\(heads) heads of queries do not divide into \(others) of keys")
    }
    guard x.has(4) == x.has(5) else { throw x.fail("past_key and past_value go together") }
    guard x.has(4) else {
      (past, total) = (.fixed(0), keys)
      try checkMask(x)
      return
    }
    let before = try x.dims(4, rank: 4) ?? [batch, keyHeads, .unknown, size]
    let values = try x.dims(5, rank: 4) ?? [batch, keyHeads, .unknown, valueSize]
    for (actual, expected) in [
      (before, [batch, keyHeads, values[2], size]), (values, [batch, keyHeads, before[2], valueSize]),
    ] {
      guard zip(actual, expected).allSatisfy({ Dim.unified($0, $1) != nil }) else {
        throw x.fail("a past is \(Dims.text(actual)), wanted \(Dims.text(expected))")
      }
    }
    past = Dim.unified(before[2], values[2]) ?? .unknown
    total = past + keys
    try checkMask(x)
  }

  /// The mask broadcasts to the scores; its last axis may end early.
  private func checkMask(_ x: Operands) throws(PruneError) {
    if let lengths = try x.dims(6, rank: 1), Dim.unified(lengths[0], batch) == nil {
      throw x.fail("\(lengths[0]) lengths for a batch of \(batch)")
    }
    guard let mask = x.dims(3), let last = mask.last else { return }
    let scores = [batch, queryHeads, queries]
    let others = mask.dropLast()
    guard others.count <= 3, last.value ?? 0 <= total.value ?? .max,
      zip(others.reversed(), scores.reversed()).allSatisfy({ $0 == .fixed(1) || Dim.unified($0, $1) != nil })
    else {
      throw x.fail("the mask is \(Dims.text(mask)), wanted one that broadcasts to \(Dims.text(scores + [total]))")
    }
  }
}
