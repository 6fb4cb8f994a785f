import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Products with a constant matrix of few columns, as pruning leaves them: for such that fill no whole vectors oneDNN's
/// kernels without AVX-512 take up to twice the time of the next multiple.
enum NarrowProductKernels: KernelFamily {
  static let name = "narrow"
  static let kernels: [String: FastKernel] = ["Gemm": product, "MatMul": product]

  /// Rows below which another kernel's is no worse.
  private static let leastRows = 8

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      let product = try MatrixKernels.Product(op, emitter)
      guard OneDNN.block == 8 else { throw Refusal("the processor has AVX-512, or no AVX2") }
      guard emitter.constant(op.input(1))?.count == product.k * product.n else {
        throw Refusal("the second matrix is no constant")
      }
      guard product.n <= Int(PS_NARROW_COLUMNS), product.n % OneDNN.block != 0 else {
        throw Refusal("columns are many, or fill whole vectors")
      }
      guard product.m >= leastRows else { throw Refusal("there are less than \(leastRows) rows") }
      guard !product.transposesA, product.alpha == 1, product.k < 1 << 32, product.m < 1 << 40 else {
        throw Refusal("the first matrix is transposed, or there is a factor")
      }
      return .takes
    } catch { return .refuses(error.reason) }
  }

  private static func product(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0),
      let product = try? MatrixKernels.Product(op, emitter)
    else { return false }
    let (m, n, k) = (product.m, product.n, product.k)
    guard let tail = try MatrixKernels.Tail(op, emitter, m: m, n: n), tail.start == nil else { return false }
    let (row, column) = product.transposesB ? (1, k) : (n, 1), columns = (n + 7) / 8 * 8
    guard let from = Layout([k, n], strides: [row, column]), let to = Layout.plain([k, columns]),
      let packed = try emitter.packed(
        b, key: (from, to), count: k * columns,
        fill: { address, result in
          ps_narrow_pack(address, Int64(k), Int64(n), Int64(row), Int64(column), result)
        })
    else { return false }
    let source = try emitter.plain(a), target = try emitter.define(y, layout: nil)
    emitter.emit(
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
