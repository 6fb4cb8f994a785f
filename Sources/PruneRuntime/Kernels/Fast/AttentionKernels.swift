import CPruneSupport
import PruneGraph
import PruneTensor

/// Attention as `AttentionRecognition` writes it. It refuses nothing: there is no other kernel.
enum AttentionKernels: KernelFamily {
  static let name = "attention"
  static let kernels: [String: FastKernel] = [AttentionRecognition.key: attention]

  /// Scores of one block, in floats, that stay in a core's cache.
  private static let blockLimit = 1 << 15

  private static func attention(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let q = op.input(0), let k = op.input(1), let v = op.input(2), let y = op.output(0),
      let sizes = op.node.ints("sizes"),
      sizes.count == 6, let qs = op.node.ints("q"), let ks = op.node.ints("k"), let vs = op.node.ints("v"),
      let ys = op.node.ints("y"), qs.count == 4, ks.count == 4, vs.count == 4, ys.count == 3
    else { return false }
    let (batch, heads, queries, keys) = (sizes[0], sizes[1], sizes[2], sizes[3])
    let block = max(1, min(queries, max(16, blockLimit / keys)))
    let items = batch * heads * ((queries + block - 1) / block)
    let shares = max(1, min(Int(Parallel.threads), items))
    let (left, right, values) = (try emitter.plain(q), try emitter.plain(k), try emitter.plain(v))
    let mask = try op.input(3).map { id throws(PruneError) in try emitter.plain(id) }
    let scratch = emitter.scratch(4 * shares * block * (keys + 1))
    let target = try emitter.define(y, layout: nil)
    let scale = op.node.float("scale", default: 1)
    let maskStrides = op.node.ints("mask")?.map(Int64.init) ?? [0, 0, 0, 0]
    emitter.emit(
      op.node.label, reads: [left, right, values] + [mask].compactMap { $0 }, writes: [target, scratch]
    ) { frame in
      func strides(_ list: ArraySlice<Int>) -> (Int64, Int64, Int64) {
        let first = list.startIndex
        return (Int64(list[first]), Int64(list[first + 1]), Int64(list[first + 2]))
      }
      var arguments = ps_attention_args()
      // Safe: offsets and strides are those of views of the values, taken when their extents were known.
      arguments.q = UnsafePointer(frame.pointer(left) + qs[0])
      arguments.k = UnsafePointer(frame.pointer(right) + ks[0])
      arguments.v = UnsafePointer(frame.pointer(values) + vs[0])
      arguments.mask = mask.map { UnsafePointer(frame.pointer($0)) }
      arguments.y = frame.pointer(target)
      arguments.scratch = frame.pointer(scratch)
      (arguments.batch, arguments.heads, arguments.queries) = (Int64(batch), Int64(heads), Int64(queries))
      (arguments.keys, arguments.depth, arguments.width) = (Int64(keys), Int64(sizes[4]), Int64(sizes[5]))
      (arguments.block, arguments.shares) = (Int64(block), Int64(shares))
      (arguments.q_strides, arguments.k_strides) = (strides(qs[1...]), strides(ks[1...]))
      (arguments.v_strides, arguments.y_strides) = (strides(vs[1...]), strides(ys[...]))
      arguments.mask_strides = (maskStrides[0], maskStrides[1], maskStrides[2], maskStrides[3])
      arguments.scale = scale
      return frame.step(arguments, ps_attention)
    }
    return true
  }
}
