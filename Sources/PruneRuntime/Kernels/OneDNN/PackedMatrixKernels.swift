import COneDNN
import PruneGraph
import PruneTensor

/// Products with a constant matrix in the layout oneDNN likes best; bias, activations and a residual run while the
/// result is still in registers.
enum PackedMatrixKernels: KernelFamily {
  static let name = "onednn_packed"
  static let kernels: [String: FastKernel] = ["Gemm": product, "MatMul": product]

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      let product = try MatrixKernels.Product(op, emitter)
      guard emitter.constant(op.input(1))?.count == product.k * product.n else {
        throw Refusal("the second matrix is no constant")
      }
      guard product.alpha == 1 else { throw Refusal("there is a factor") }
      guard tail(op, emitter, product) != nil else { throw Refusal("what follows is more than the primitive takes") }
      return .takes
    } catch { return .refuses(error.reason) }
  }

  /// What follows the product.
  private struct Tail {
    var bias: Int?
    var residual: Int?
    var post = PostOperations()
  }

  /// Nil when it is more than the primitive takes.
  private static func tail(_ op: Dataflow.Op, _ emitter: any Emitter, _ product: MatrixKernels.Product) -> Tail? {
    var tail = Tail()
    if op.key == "Gemm", let c = op.input(2) {
      let dims = emitter.dims(c)
      guard emitter.isFloat(c), op.node.float("beta", default: 1) == 1 else { return nil }
      if dims == [product.n] || dims == [1, product.n] {
        tail.bias = c
      } else if dims == [product.m, product.n] {
        tail.residual = c
        tail.post.items.append(.sum)
      } else {
        return nil
      }
    }
    for item in op.epilogue {
      switch item {
      case .activation(let activation): tail.post.items.append(activation.postOperation)
      case .add(let other):
        if emitter.dims(other) == [product.n], tail.bias == nil, tail.post.items.isEmpty {
          tail.bias = other
        } else if emitter.count(other) == product.m * product.n, tail.residual == nil {
          tail.residual = other
          tail.post.items.append(.sum)
        } else {
          return nil
        }
      }
    }
    return tail.post.isUnambiguous ? tail : nil
  }

  /// False when oneDNN has no primitive for it.
  private static func product(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let a = op.input(0), let b = op.input(1), let y = op.output(0),
      let extents = try? MatrixKernels.Product(op, emitter)
    else { return false }
    let (m, n, k) = (extents.m, extents.n, extents.k)
    guard let tail = tail(op, emitter, extents),
      let al = Layout([m, k], strides: extents.transposesA ? [1, m] : [k, 1]), let any = Layout.any([k, n]),
      let plain = Layout([k, n], strides: extents.transposesB ? [1, k] : [n, 1]), let yl = Layout.plain([m, n]),
      let row = Layout.plain([1, n])
    else { return false }
    var descriptor = dnnl_matmul_desc_t()
    var (ar, br, cr, yr) = (al.raw, any.raw, row.raw, yl.raw)
    let status =
      tail.bias == nil
      ? dnnl_matmul_desc_init(&descriptor, &ar, &br, nil, &yr) : dnnl_matmul_desc_init(&descriptor, &ar, &br, &cr, &yr)
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: tail.post),
      let bl = primitive.layout(dnnl_query_weights_md)
    else { return false }
    let matrix: Int
    if bl == plain, !extents.transposesB {
      matrix = try emitter.plain(b)
    } else {
      guard let packed = try emitter.packed(b, from: plain, in: bl) else { return false }
      matrix = packed
    }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try emitter.plain(a), al), .init(DNNL_ARG_WEIGHTS, matrix, bl),
    ]
    if let bias = tail.bias { arguments.append(.init(DNNL_ARG_BIAS, try emitter.plain(bias), row)) }
    let target: Int
    if let residual = tail.residual {
      let source = try emitter.plain(residual)
      if emitter.canOverwrite(residual, in: op) {
        target = emitter.define(y, layout: nil, over: source)
      } else {
        target = try emitter.define(y, layout: nil)
        guard try MovementKernels.emitRepeated(op, emitter, residual, to: emitter.dims(residual), target) else {
          return false
        }
      }
    } else {
      target = try emitter.define(y, layout: nil)
    }
    arguments.append(.init(DNNL_ARG_DST, target, yl, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }
}
