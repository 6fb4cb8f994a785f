import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Products with a constant matrix of few columns, as pruning leaves them: for such that fill no whole vectors oneDNN's
/// kernels without AVX-512 take up to twice the time of the next multiple.
enum NarrowProductKernels {
  /// Rows below which another kernel's is no worse.
  private static let leastRows = 8

  /// False where other kernels are better.
  static func emit(
    _ op: Dataflow.Op, _ lowering: Lowering, _ product: MatrixKernels.Product, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    let (m, n, k) = (product.m, product.n, product.k)
    guard OneDNN.block == 8, n <= Int(PS_NARROW_COLUMNS), n % OneDNN.block != 0, m >= leastRows, !product.transposesA,
      product.alpha == 1, let weight = lowering.constant(b), weight.count == k * n, k < 1 << 32, m < 1 << 40
    else { return false }
    guard let tail = try MatrixKernels.Tail(op, lowering, m: m, n: n), tail.start == nil else { return false }
    let (row, column) = product.transposesB ? (1, k) : (n, 1), columns = (n + 7) / 8 * 8
    guard let from = Layout([k, n], strides: [row, column]), let to = Layout.plain([k, columns]),
      let packed = try lowering.packed(
        b, key: (from, to), count: k * columns,
        fill: { address, result in
          ps_narrow_pack(address, Int64(k), Int64(n), Int64(row), Int64(column), result)
        })
    else { return false }
    let source = try lowering.plain(a), target = try lowering.define(y, layout: nil)
    lowering.emit(
      op.node.label, reads: [source, packed] + [tail.bias, tail.residual].compactMap { $0 }, writes: [target]
    ) { frame in
      let bound = ps_narrow_product_args(
        a: UnsafePointer(frame.pointer(source)), b: UnsafePointer(frame.pointer(packed)),
        bias: tail.bias.map { UnsafePointer(frame.pointer($0)) },
        residual: tail.residual.map { UnsafePointer(frame.pointer($0)) },
        c: frame.pointer(target), m: Int64(m), n: Int64(n), k: Int64(k), bias_scale: tail.biasScale, low: tail.low,
        high: tail.high)
      return frame.step(bound, ps_narrow_product)
    }
    return true
  }
}
