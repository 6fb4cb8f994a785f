import PruneGraph

/// Attention as one operator, and rotary embeddings. Heads of queries are heads of keys times the queries that share
/// one; positions within a head are summed over by the scores (queries and keys) or carried on (values).
enum AttentionAxes {
  static let rules: [String: AxisRule] = [
    "Attention": standard,
    "com.microsoft.MultiHeadAttention": multiHead,
    "com.microsoft.GroupQueryAttention": groupQuery,
    "com.microsoft.Attention": merged,
    "RotaryEmbedding": { (solver, node) in rotary(&solver, node, caches: [1, 2], positions: 3) },
    "com.microsoft.RotaryEmbedding": { (solver, node) in rotary(&solver, node, caches: [2, 3], positions: 1) },
  ]

  /// What the heads of one node are made of.
  private struct Heads {
    /// Heads of keys and values.
    let keys: SpaceForest.ID
    /// Queries that share one: nil when each has its own.
    let repeats: SpaceForest.ID?
    /// Elements of a query or key, and of a value.
    let size: SpaceForest.ID
    let valueSize: SpaceForest.ID

    var queries: [SpaceForest.ID] { [keys] + (repeats.map { [$0] } ?? []) }
  }

  private static let positions = "it compares positions with each other"

  // MARK: - The standard operator

  /// Q, K, V [batch, positions, heads x size] or [batch, heads, positions, size], mask, past key and value.
  private static let standard: AxisRule = { (solver, node) in
    guard let q = solver.input(node, 0), let k = solver.input(node, 1), let v = solver.input(node, 2),
      q.count == k.count,
      q.count == v.count, q.count == 3 || q.count == 4
    else { return "the shapes of its queries, keys and values are not known" }
    let isFlat = q.count == 3
    let counts =
      isFlat
      ? (node.int("q_num_heads", default: 0), node.int("kv_num_heads", default: 0))
      : (solver.forest.size(q[1]), solver.forest.size(k[1]))
    guard let heads = isFlat ? flat(&solver, node, q[2], k[2], v[2], counts) : apart(&solver, node, q, k, v, counts)
    else {
      return "its heads do not fit what it reads"
    }
    for space in isFlat ? [q[1], k[1], v[1]] : [q[2], k[2], v[2]] { solver.pin(space, node, positions) }
    mask(&solver, node, input: 3, heads)
    past(&solver, node, [4, 5], heads)
    if isFlat {
      solver.edit(.product("q_num_heads", heads.queries))
      solver.edit(.attribute("kv_num_heads", heads.keys))
    }
    finish(&solver, node, heads, query: 0, axis: isFlat ? 2 : 3)
    let rows =
      isFlat
      ? [q[0], q[1], solver.forest.product(heads.queries + [heads.valueSize])]
      : [q[0], q[1], q[2], heads.valueSize]
    solver.define(node, 0, rows)
    present(&solver, node, batch: q[0], heads)
    if node.output(3) != nil {
      let scores = [2, 3].map { solver.fresh(node, $0, output: 3, pin: positions) }
      solver.define(node, 3, [q[0], solver.forest.product(heads.queries)] + scores)
    }
    return nil
  }

  // MARK: - Contributed operators

  /// query, key, value [batch, positions, heads x size], bias of all three, padding mask, score bias, past key and
  /// value.
  private static let multiHead: AxisRule = { (solver, node) in
    let count = node.int("num_heads", default: 0)
    guard let q = solver.input(node, 0), let k = solver.input(node, 1), let v = solver.input(node, 2), q.count == 3,
      k.count == 3, v.count == 3, let heads = flat(&solver, node, q[2], k[2], v[2], (count, count))
    else { return "its queries, keys and values are not three tensors of heads side by side" }
    for space in [q[1], k[1], v[1]] { solver.pin(space, node, positions) }
    if let bias = solver.input(node, 3) {
      guard bias.count == 1 else { return "its bias is not a vector" }
      solver.unify(bias[0], solver.forest.sum([q[2], k[2], v[2]]), node)
    }
    for space in solver.input(node, 4) ?? [] { solver.pin(space, node, positions) }
    mask(&solver, node, input: 5, heads)
    past(&solver, node, [6, 7], heads)
    solver.edit(.attribute("num_heads", heads.keys))
    finish(&solver, node, heads, query: 0, axis: 2)
    // A bias comes on top of queries that count as zero: it is summed over as well.
    if node.input(3) != nil { solver.contract(3, axis: 0) }
    solver.define(node, 0, [q[0], q[1], solver.forest.product([heads.keys, heads.valueSize])])
    present(&solver, node, batch: q[0], heads)
    return nil
  }

  /// Grouped queries: fewer keys and values, separate or packed; past key and value, lengths, rotary tables.
  private static let groupQuery: AxisRule = { (solver, node) in
    let counts = (node.int("num_heads", default: 0), node.int("kv_num_heads", default: 0))
    guard let x = solver.input(node, 0), x.count == 3, counts.0 > 0, counts.1 > 0 else {
      return "the shapes of its queries, keys and values are not known"
    }
    var (q, k, v) = (x[2], x[2], x[2])
    if let keys = solver.input(node, 1), let values = solver.input(node, 2), keys.count == 3, values.count == 3 {
      (k, v) = (keys[2], values[2])
      for space in [keys[1], values[1]] { solver.pin(space, node, positions) }
    } else {
      let size = solver.forest.size(x[2]) / (counts.0 + 2 * counts.1)
      guard size > 0, let (queries, rest) = solver.forest.split(x[2], at: size * counts.0),
        let (keys, values) = solver.forest.split(rest, at: size * counts.1)
      else { return "its heads do not fit what it reads" }
      (q, k, v) = (queries, keys, values)
    }
    guard let heads = flat(&solver, node, q, k, v, counts) else { return "its heads do not fit what it reads" }
    solver.pin(x[1], node, positions)
    past(&solver, node, [3, 4], heads)
    for index in node.inputs.indices.dropFirst(5) {
      for space in solver.input(node, index) ?? [] where solver.forest.size(space) != 1 {
        solver.pin(space, node, "it takes these by position")
      }
    }
    // ONNX Runtime takes heads of 8, 16, ... elements only.
    solver.pin(heads.size, node, "its kernels want heads of certain sizes")
    solver.unify(heads.size, heads.valueSize, node)
    solver.edit(.product("num_heads", heads.queries))
    solver.edit(.attribute("kv_num_heads", heads.keys))
    finish(&solver, node, heads, query: 0, axis: 2)
    solver.define(node, 0, [x[0], x[1], solver.forest.product(heads.queries + [heads.size])])
    present(&solver, node, batch: x[0], heads)
    return nil
  }

  /// x [batch, positions, inputs], weights [inputs, 3 x heads x size], bias; it makes queries, keys and values itself.
  private static let merged: AxisRule = { (solver, node) in
    let count = node.int("num_heads", default: 0)
    guard let x = solver.input(node, 0), let w = solver.input(node, 1), x.count == 3, w.count == 2, count > 0 else {
      return "the shapes of its input and weights are not known"
    }
    guard node.input(4) == nil else { return "its past lies in one tensor with what comes new" }
    let width = solver.forest.size(w[1])
    guard node.ints("qkv_hidden_sizes") == nil, width % (3 * count) == 0,
      let parts = solver.forest.factor(w[1], into: [3, count, width / (3 * count)])
    else { return "its queries, keys and values are not of one size" }
    solver.unify(x[2], w[0], node)
    solver.contract(1, axis: 0)
    if let bias = solver.input(node, 2), bias.count == 1 { solver.unify(bias[0], w[1], node) }
    solver.pin(parts[0], node, "these are queries, keys and values")
    solver.pin(parts[2], node, "queries, keys and values are cut from one tensor")
    solver.pin(x[1], node, positions)
    for space in solver.input(node, 3) ?? [] { solver.pin(space, node, positions) }
    let heads = Heads(keys: parts[1], repeats: nil, size: parts[2], valueSize: parts[2])
    mask(&solver, node, input: 5, heads)
    solver.edit(.attribute("num_heads", heads.keys))
    solver.forest.mark(parts[1], .head)
    solver.forest.mark(parts[2], .headDim)
    solver.define(node, 0, [x[0], x[1], solver.forest.product([parts[1], parts[2]])])
    return nil
  }

  // MARK: - Rotary embeddings

  private static let rotates = "it turns pairs of these"

  private static func rotary(_ solver: inout AxisSolver, _ node: Node, caches: [Int], positions: Int) -> String? {
    guard let x = solver.input(node, 0), x.count == 3 || x.count == 4 else {
      return "the rank of its input is not known"
    }
    for index in caches + [positions] {
      for space in solver.input(node, index) ?? [] where solver.forest.size(space) != 1 {
        solver.pin(space, node, rotates)
      }
    }
    if x.count == 4 {
      solver.pin(x[3], node, rotates)
      solver.forest.mark(x[1], .head)
    } else {
      let width = solver.forest.size(x[2])
      var count = node.int("num_heads", default: 0)
      // The contributed operator tells heads from the size of its tables.
      let half = solver.input(node, caches[0])?.last.map { solver.forest.size($0) } ?? 0
      let isStated = count > 0
      if !isStated, half > 0, width > 0, width % (2 * half) == 0 { count = width / (2 * half) }
      guard count > 0, width > 0, width % count == 0,
        let parts = solver.forest.factor(x[2], into: [count, width / count])
      else {
        return "its heads do not fit what it reads"
      }
      if count > 1 { solver.forest.mark(parts[0], .head) }
      solver.pin(parts[1], node, rotates)
      if isStated { solver.edit(.attribute("num_heads", parts[0])) }
    }
    solver.define(node, 0, x)
    return nil
  }

  // MARK: - Parts

  /// Heads that lie side by side in the last axes.
  private static func flat(
    _ solver: inout AxisSolver, _ node: Node, _ q: SpaceForest.ID, _ k: SpaceForest.ID, _ v: SpaceForest.ID,
    _ counts: (Int, Int)
  ) -> Heads? {
    let (queries, keys) = counts
    guard queries > 0, keys > 0, queries % keys == 0 else { return nil }
    let widths = [q, k, v].map { solver.forest.size($0) }
    guard widths[0] > 0, widths[0] % queries == 0, widths[1] > 0, widths[1] % keys == 0, widths[2] > 0,
      widths[2] % keys == 0,
      let ofQ = solver.forest.factor(q, into: [keys, queries / keys, widths[0] / queries]),
      let ofK = solver.forest.factor(k, into: [keys, widths[1] / keys]),
      let ofV = solver.forest.factor(v, into: [keys, widths[2] / keys])
    else { return nil }
    solver.unify(ofQ[0], ofK[0], node)
    solver.unify(ofK[0], ofV[0], node)
    solver.unify(ofQ[2], ofK[1], node)
    return Heads(keys: ofK[0], repeats: queries > keys ? ofQ[1] : nil, size: ofK[1], valueSize: ofV[1])
  }

  /// Heads on an axis of their own.
  private static func apart(
    _ solver: inout AxisSolver, _ node: Node, _ q: [SpaceForest.ID], _ k: [SpaceForest.ID], _ v: [SpaceForest.ID],
    _ counts: (Int, Int)
  ) -> Heads? {
    let (queries, keys) = counts
    guard queries > 0, keys > 0, queries % keys == 0,
      let ofQ = solver.forest.factor(q[1], into: [keys, queries / keys])
    else {
      return nil
    }
    solver.unify(ofQ[0], k[1], node)
    solver.unify(k[1], v[1], node)
    solver.unify(q[3], k[3], node)
    return Heads(keys: k[1], repeats: queries > keys ? ofQ[1] : nil, size: k[3], valueSize: v[3])
  }

  /// A mask that broadcasts to [batch, heads, queries, keys].
  private static func mask(_ solver: inout AxisSolver, _ node: Node, input: Int, _ heads: Heads) {
    guard let mask = solver.input(node, input) else { return }
    for (index, space) in mask.reversed().enumerated() where solver.forest.size(space) != 1 {
      if index == 2 {
        solver.unify(space, solver.forest.product(heads.queries), node)
      } else {
        solver.pin(space, node, positions)
      }
    }
  }

  /// Keys and values that came before, [batch, heads, positions, size].
  private static func past(_ solver: inout AxisSolver, _ node: Node, _ inputs: [Int], _ heads: Heads) {
    for (index, size) in zip(inputs, [heads.size, heads.valueSize]) {
      guard let state = solver.input(node, index), state.count == 4 else { continue }
      solver.unify(state[1], heads.keys, node)
      solver.unify(state[3], size, node)
      solver.pin(state[2], node, positions)
    }
  }

  private static func present(_ solver: inout AxisSolver, _ node: Node, batch: SpaceForest.ID, _ heads: Heads) {
    for (index, size) in [(1, heads.size), (2, heads.valueSize)] where node.output(index) != nil {
      let steps = solver.fresh(node, 2, output: index, pin: positions)
      solver.define(node, index, [batch, heads.keys, steps, size])
    }
  }

  /// Roles, what the scores sum over, and the factor that follows the size of a head unless it is stated.
  private static func finish(_ solver: inout AxisSolver, _ node: Node, _ heads: Heads, query: Int, axis: Int) {
    solver.forest.mark(heads.keys, .head)
    if let repeats = heads.repeats { solver.forest.mark(repeats, .copies) }
    solver.forest.mark(heads.size, .headDim)
    solver.forest.mark(heads.valueSize, .headDim)
    solver.contract(query, axis: axis)
    let size = solver.forest.size(heads.size)
    if node.float("scale", default: 0) == 0, size > 0 {
      solver.edit(.constant("scale", 1 / Float(size).squareRoot(), heads.size))
    }
  }
}
