import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Gemm and MatMul: our own product, or oneDNN's batched matmul, followed by one pass for bias, residual and limits.
enum MatrixKernels {
  static let table: [String: FastKernel] = ["Gemm": gemm, "MatMul": matmul]

  /// C[m,n] = alpha * op(A) * op(B), then the epilogue.
  struct Product {
    var transposesA = false
    var transposesB = false
    var m = 0
    var n = 0
    var k = 0
    var alpha: Float = 1
    /// Of what lies in C before.
    var beta: Float = 0
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
    init?(_ op: Dataflow.Op, _ lowering: Lowering, m: Int, n: Int) throws(PruneError) {
      if op.key == "Gemm", let c = op.input(2) {
        guard lowering.isFloat(c) else { return nil }
        let beta = op.node.float("beta", default: 1)
        let dims = lowering.dims(c)
        if dims == [n] || dims == [1, n] {
          (bias, biasScale) = (try lowering.plain(c), beta)
        } else if dims == [m, n], beta == 1 {
          residual = try lowering.plain(c)
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
          if lowering.dims(other) == [n], bias == nil, m != 1 || n != 1 {
            bias = try lowering.plain(other)
          } else if lowering.count(other) == m * n, residual == nil {
            residual = try lowering.plain(other)
          } else {
            return nil
          }
        }
      }
    }
  }

  private static func gemm(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0), lowering.isFloat(a), lowering.isFloat(b)
    else { return false }
    let (aDims, bDims) = (lowering.dims(a), lowering.dims(b))
    guard aDims.count == 2, bDims.count == 2 else { return false }
    var product = Product()
    product.transposesA = op.node.int("transA", default: 0) != 0
    product.transposesB = op.node.int("transB", default: 0) != 0
    product.m = aDims[product.transposesA ? 1 : 0]
    product.k = aDims[product.transposesA ? 0 : 1]
    product.n = bDims[product.transposesB ? 0 : 1]
    product.alpha = op.node.float("alpha", default: 1)
    guard bDims[product.transposesB ? 1 : 0] == product.k, lowering.dims(y) == [product.m, product.n] else {
      return false
    }
    return try emit(op, lowering, product, a, b, y)
  }

  private static func matmul(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0), lowering.isFloat(a), lowering.isFloat(b)
    else { return false }
    let (aDims, bDims) = (lowering.dims(a), lowering.dims(b))
    guard let k = aDims.last, !bDims.isEmpty else { return false }
    if bDims.count <= 2 {
      var product = Product()
      product.k = k
      product.n = bDims.count == 1 ? 1 : bDims[1]
      product.m = aDims.dropLast().reduce(1, *)
      guard bDims[0] == k, lowering.count(y) == product.m * product.n else { return false }
      return try emit(op, lowering, product, a, b, y)
    }
    return try batched(op, lowering, a, b, y)
  }

  private static func emit(
    _ op: Dataflow.Op, _ lowering: Lowering, _ product: Product, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    guard product.m > 0, product.n > 0, product.k > 0 else { return false }
    let shape = PackedMatrixKernels.Extents(
      m: product.m, n: product.n, k: product.k, transposesA: product.transposesA, transposesB: product.transposesB)
    if try NarrowProductKernels.emit(op, lowering, product, a, b, y) { return true }
    if product.alpha == 1, try PackedMatrixKernels.emit(op, lowering, shape, a, b, y) { return true }
    guard let tail = try Tail(op, lowering, m: product.m, n: product.n) else { return false }
    let (left, right) = (try lowering.plain(a), try lowering.plain(b))
    let target = try lowering.define(y, layout: nil)
    var product = product
    if let (value, scale) = tail.start {
      product.beta = scale
      guard try MovementKernels.emitRepeated(op, lowering, value, to: lowering.dims(y), target) else { return false }
    }
    let final = product
    lowering.emit(
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
    _ op: Dataflow.Op, _ lowering: Lowering, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    let (aDims, bDims, dims) = (lowering.dims(a), lowering.dims(b), lowering.dims(y))
    guard aDims.count >= 2, bDims.count >= 2, dims.count >= 3, !(aDims + bDims).contains(0) else { return false }
    func padded(_ list: [Int]) -> [Int] { [Int](repeating: 1, count: dims.count - list.count) + list }
    guard let al = Layout.plain(padded(aDims)), let bl = Layout.plain(padded(bDims)), let yl = Layout.plain(dims),
      let tail = try Tail(op, lowering, m: dims.dropLast().reduce(1, *), n: dims[dims.count - 1])
    else { return false }
    var descriptor = dnnl_matmul_desc_t()
    var (ar, br, yr) = (al.raw, bl.raw, yl.raw)
    guard dnnl_matmul_desc_init(&descriptor, &ar, &br, nil, &yr) == dnnl_success,
      let primitive = Primitive.make(descriptor)
    else { return false }
    let (left, right) = (try lowering.plain(a), try lowering.plain(b))
    let target = try lowering.define(y, layout: nil)
    lowering.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_SRC, left, al), .init(DNNL_ARG_WEIGHTS, right, bl),
        .init(DNNL_ARG_DST, target, yl, isWritten: true),
      ])
    guard !tail.isEmpty else { return true }
    let (rows, columns) = (dims.dropLast().reduce(1, *), dims[dims.count - 1])
    lowering.emit(
      op.node.label, reads: [tail.bias, tail.residual].compactMap { $0 }, writes: [target]
    ) { frame in frame.step(arguments(tail, frame, target, rows: rows, columns: columns), ps_epilogue) }
    return true
  }
}
