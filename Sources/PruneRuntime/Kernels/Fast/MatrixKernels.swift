import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Gemm and MatMul: our own product, or oneDNN's batched matmul, followed by one pass for bias, residual and limits.
enum MatrixKernels: KernelFamily {
  static let name = "product"
  static let kernels: [String: FastKernel] = ["Gemm": product, "MatMul": product]

  /// C[m,n] = alpha * op(A) * op(B), then the epilogue.
  struct Product {
    var transposesA = false
    var transposesB = false
    var m = 0
    var n = 0
    var k = 0
    var alpha: Float = 1
    /// The factor of the old content of C.
    var beta: Float = 0

    /// - Throws: why it is no product of two matrices.
    init(_ op: Dataflow.Op, _ emitter: any Emitter) throws(Refusal) {
      guard let a = op.input(0), let b = op.input(1), let y = op.output(0), emitter.isFloat(a), emitter.isFloat(b)
      else {
        throw Refusal("operands are not of float32")
      }
      let (aDims, bDims) = (emitter.dims(a), emitter.dims(b))
      if op.key == "Gemm" {
        guard aDims.count == 2, bDims.count == 2 else { throw Refusal("operands are no matrices") }
        transposesA = op.node.int("transA", default: 0) != 0
        transposesB = op.node.int("transB", default: 0) != 0
        (m, k) = transposesA ? (aDims[1], aDims[0]) : (aDims[0], aDims[1])
        n = bDims[transposesB ? 0 : 1]
        alpha = op.node.float("alpha", default: 1)
        guard bDims[transposesB ? 1 : 0] == k, emitter.dims(y) == [m, n] else { throw Refusal("extents differ") }
      } else {
        guard let last = aDims.last, (1...2).contains(bDims.count) else { throw Refusal("both operands have batches") }
        k = last
        n = bDims.count == 1 ? 1 : bDims[1]
        m = aDims.dropLast().reduce(1, *)
        guard bDims[0] == k, emitter.count(y) == m * n else { throw Refusal("extents differ") }
      }
      guard m > 0, n > 0, k > 0 else { throw Refusal("there is nothing to multiply") }
    }
  }

  private struct Call {
    var a, b: UnsafePointer<Float>
    var c: UnsafeMutablePointer<Float>
    var product: Product
    var epilogue: ps_epilogue_args
    var hasEpilogue: Bool
  }

  /// What to add to a product and where to cut it off.
  struct Tail {
    var bias: Int?
    var biasScale: Float = 1
    var residual: Int?
    var low = -Float.infinity
    var high = Float.infinity
    /// What the product is added to, repeated to its shape, and by how much it is multiplied.
    var start: (value: Int, scale: Float)?
    var isEmpty: Bool { bias == nil && residual == nil && low == -.infinity && high == .infinity }

    /// Nil when one pass cannot do it all.
    init?(_ op: Dataflow.Op, _ emitter: any Emitter, m: Int, n: Int) throws(PruneError) {
      if op.key == "Gemm", let c = op.input(2) {
        guard emitter.isFloat(c) else { return nil }
        let beta = op.node.float("beta", default: 1)
        let dims = emitter.dims(c)
        if dims == [n] || dims == [1, n] {
          (bias, biasScale) = (try emitter.plain(c), beta)
        } else if dims == [m, n], beta == 1 {
          residual = try emitter.plain(c)
        } else {
          start = (c, beta)
        }
      }
      for (index, item) in op.epilogue.enumerated() {
        switch item {
        case .activation(let activation):
          // Limits come last in the pass.
          guard index == op.epilogue.count - 1, let limits = activation.limits else { return nil }
          (low, high) = limits
        case .add(let other):
          if emitter.dims(other) == [n], bias == nil, m != 1 || n != 1 {
            bias = try emitter.plain(other)
          } else if emitter.count(other) == m * n, residual == nil {
            residual = try emitter.plain(other)
          } else {
            return nil
          }
        }
      }
    }
  }

  private static func product(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0) else { return false }
    if let product = try? Product(op, emitter) { return try emit(op, emitter, product, a, b, y) }
    guard op.key == "MatMul", emitter.isFloat(a), emitter.isFloat(b), emitter.dims(b).count > 2 else { return false }
    return try batched(op, emitter, a, b, y)
  }

  private static func emit(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ product: Product, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    guard let tail = try Tail(op, emitter, m: product.m, n: product.n) else { return false }
    let (left, right) = (try emitter.plain(a), try emitter.plain(b))
    let target = try emitter.define(y, layout: nil)
    var product = product
    if let (value, scale) = tail.start {
      product.beta = scale
      guard try MovementKernels.emitRepeated(op, emitter, value, to: emitter.dims(y), target) else { return false }
    }
    let final = product
    emitter.emit(
      op.node.label, reads: [left, right] + [tail.bias, tail.residual].compactMap { $0 }, writes: [target]
    ) { frame in
      let epilogue = arguments(tail, frame, target, rows: final.m, columns: final.n)
      let call = Call(
        a: frame.pointer(left), b: frame.pointer(right), c: frame.pointer(target), product: final, epilogue: epilogue,
        hasEpilogue: !tail.isEmpty)
      return frame.step(call) { context in
        guard let call = context?.assumingMemoryBound(to: Call.self) else { return -1 }
        let p = call.pointee.product
        let (m, n, k) = (Int64(p.m), Int64(p.n), Int64(p.k))
        let status = ps_product(
          p.transposesA ? CChar(UInt8(ascii: "T")) : CChar(UInt8(ascii: "N")),
          p.transposesB ? CChar(UInt8(ascii: "T")) : CChar(UInt8(ascii: "N")), m, n, k, p.alpha, call.pointee.a,
          p.transposesA ? m : k, call.pointee.b, p.transposesB ? k : n, p.beta, call.pointee.c, n)
        guard status == 0 else { return status }
        return call.pointee.hasEpilogue ? ps_epilogue(&call.pointee.epilogue) : 0
      }
    }
    return true
  }

  private static func arguments(_ tail: Tail, _ frame: Frame, _ target: Int, rows: Int, columns: Int)
    -> ps_epilogue_args
  {
    ps_epilogue_args(
      y: frame.pointer(target), bias: tail.bias.map { UnsafePointer(frame.pointer($0)) },
      residual: tail.residual.map { UnsafePointer(frame.pointer($0)) }, rows: Int64(rows), columns: Int64(columns),
      bias_scale: tail.biasScale, low: tail.low, high: tail.high)
  }

  /// Batches on both sides, repeated where one has an extent of 1.
  private static func batched(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    let (aDims, bDims, dims) = (emitter.dims(a), emitter.dims(b), emitter.dims(y))
    guard aDims.count >= 2, bDims.count >= 2, dims.count >= 3, !(aDims + bDims).contains(0) else { return false }
    func padded(_ list: [Int]) -> [Int] { [Int](repeating: 1, count: dims.count - list.count) + list }
    guard let al = Layout.plain(padded(aDims)), let bl = Layout.plain(padded(bDims)), let yl = Layout.plain(dims),
      let tail = try Tail(op, emitter, m: dims.dropLast().reduce(1, *), n: dims[dims.count - 1])
    else { return false }
    var descriptor = dnnl_matmul_desc_t()
    var (ar, br, yr) = (al.raw, bl.raw, yl.raw)
    guard dnnl_matmul_desc_init(&descriptor, &ar, &br, nil, &yr) == dnnl_success,
      let primitive = Primitive.make(descriptor)
    else { return false }
    let (left, right) = (try emitter.plain(a), try emitter.plain(b))
    let target = try emitter.define(y, layout: nil)
    emitter.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_SRC, left, al), .init(DNNL_ARG_WEIGHTS, right, bl),
        .init(DNNL_ARG_DST, target, yl, isWritten: true),
      ])
    guard !tail.isEmpty else { return true }
    let (rows, columns) = (dims.dropLast().reduce(1, *), dims[dims.count - 1])
    emitter.emit(
      op.node.label, reads: [tail.bias, tail.residual].compactMap { $0 }, writes: [target]
    ) { frame in frame.step(arguments(tail, frame, target, rows: rows, columns: columns), ps_epilogue) }
    return true
  }
}
