import CPruneSupport
import PruneGraph
import PruneTensor

/// Products as `ProductRecognition` writes them. It refuses nothing: there is no other kernel.
enum ProductKernels: KernelFamily {
  static let name = "strided_product"
  static let kernels: [String: FastKernel] = [ProductRecognition.key: products]

  private static func products(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0), let sizes = op.node.ints("sizes"),
      sizes.count == 6,
      let transposes = op.node.ints("transposes"), transposes.count == 2, let offsets = op.node.ints("offsets"),
      offsets.count == 2
    else { return false }
    func list(_ name: String) -> [Int] { op.node.ints(name) ?? [] }
    let (dims, aStrides, bStrides, cStrides) = (list("dims"), list("a"), list("b"), list("c"))
    let (left, right) = (try emitter.plain(a), try emitter.plain(b))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(op.node.label, reads: [left, right], writes: [target]) { frame in
      var arguments = ps_products_args()
      // Safe: offsets and strides are those of views of the values, taken when their extents were known.
      arguments.a = UnsafePointer(frame.pointer(left) + offsets[0])
      arguments.b = UnsafePointer(frame.pointer(right) + offsets[1])
      arguments.c = frame.pointer(target)
      (arguments.m, arguments.n, arguments.k) = (Int64(sizes[0]), Int64(sizes[1]), Int64(sizes[2]))
      (arguments.lda, arguments.ldb, arguments.ldc) = (Int64(sizes[3]), Int64(sizes[4]), Int64(sizes[5]))
      arguments.alpha = 1
      (arguments.transposes_a, arguments.transposes_b) = (Int32(transposes[0]), Int32(transposes[1]))
      arguments.rank = Int32(dims.count)
      StridedWalk.fill(&arguments.dims, dims)
      StridedWalk.fill(&arguments.a_strides, aStrides)
      StridedWalk.fill(&arguments.b_strides, bStrides)
      StridedWalk.fill(&arguments.c_strides, cStrides)
      return frame.step(arguments, ps_products)
    }
    return true
  }
}
