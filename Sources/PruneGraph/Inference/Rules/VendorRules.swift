import PruneTensor

/// Operators of ONNX Runtime's own domain that this library writes and runs.
package enum VendorRules {
  static let table: [String: Rule] = [
    // A [.., K] times a matrix of K x N stored in blocks of few bits.
    "com.microsoft.MatMulNBits": Rule { (x) throws(PruneError) in
      let (k, n) = (try x.int("K", default: 0, in: 1...(1 << 40)), try x.int("N", default: 0, in: 1...(1 << 40)))
      guard let dims = try x.dims(0, atLeast: 1) else { return [TensorType(x.dtype(0), nil)] }
      guard Dim.unified(dims[dims.count - 1], .fixed(k)) != nil else {
        throw x.fail("the data is \(Dims.text(dims)), the weight has \(k) rows")
      }
      return [TensorType(x.dtype(0), Array(dims.dropLast()) + [.fixed(n)])]
    },
    // A [.., K] times [K, N], both rounded to codes.
    "ai.libprune.DynamicProduct": Rule { (x) throws(PruneError) in
      guard let dims = x.dims(0), let weight = x.dims(1), weight.count == 2, !dims.isEmpty else {
        return [TensorType(.float32, nil)]
      }
      return [TensorType(.float32, Array(dims.dropLast()) + [weight[1]])]
    },
    // Forms of attention that standard operators do not say are not run, but what they give has a shape.
    "com.microsoft.MultiHeadAttention": Rule { (x) throws(PruneError) in
      guard let q = x.dims(0), let k = x.dims(1), let v = x.dims(2), q.count == 3, k.count == 3, v.count == 3 else {
        return [TensorType(x.dtype(0), nil)]
      }
      return attention(
        x, q, keys: k[2], values: v[2], heads: try x.int("num_heads", default: 0, in: 1...(1 << 20)), result: v[2])
    },
    "com.microsoft.GroupQueryAttention": Rule { (x) throws(PruneError) in
      let heads = try x.int("num_heads", default: 0, in: 1...(1 << 20)),
        keys = try x.int("kv_num_heads", default: 0, in: 1...(1 << 20))
      guard let q = x.dims(0), q.count == 3 else { return [TensorType(x.dtype(0), nil)] }
      // Without keys of their own all three lie in the first input.
      let width = x.has(1) ? q[2] : q[2] / .fixed(heads + 2 * keys) * .fixed(heads)
      let size = width / .fixed(heads) * .fixed(keys)
      return attention(x, q, keys: size, values: size, heads: keys, result: width)
    },
    "com.microsoft.Attention": Rule { (x) throws(PruneError) in
      guard let data = x.dims(0), let weights = x.dims(1), data.count == 3, weights.count == 2,
        let heads = x.node.int("num_heads"), heads > 0
      else { return [TensorType(x.dtype(0), nil)] }
      let sizes = x.node.ints("qkv_hidden_sizes") ?? []
      let width = sizes.count == 3 ? .fixed(sizes[2]) : weights[1] / .fixed(3)
      return [TensorType(x.dtype(0), [data[0], data[1], width])]
    },
  ]

  private static func attention(_ x: Operands, _ q: [Dim], keys: Dim, values: Dim, heads: Int, result: Dim)
    -> [TensorType]
  {
    let dtype = x.dtype(0)
    return [
      TensorType(dtype, [q[0], q[1], result]),
      TensorType(dtype, [q[0], .fixed(heads), .unknown, keys / .fixed(heads)]),
      TensorType(dtype, [q[0], .fixed(heads), .unknown, values / .fixed(heads)]),
    ]
  }
}
