import COneDNN
import PruneGraph
import PruneTensor

/// Products with a constant matrix in the layout oneDNN likes best; bias, activations and a residual run while the
/// result is still in registers.
enum PackedMatrixKernels {
  struct Extents {
    var m, n, k: Int
    var transposesA, transposesB: Bool
  }

  /// What follows the product.
  private struct Tail {
    var bias: Int?
    var residual: Int?
    var post = PostOperations()
  }

  /// Nil when it is more than the primitive takes.
  private static func tail(_ op: Dataflow.Op, _ lowering: Lowering, _ extents: Extents) -> Tail? {
    var tail = Tail()
    if op.key == "Gemm", let c = op.input(2) {
      let dims = lowering.dims(c)
      guard lowering.isFloat(c), op.node.float("beta", default: 1) == 1 else { return nil }
      if dims == [extents.n] || dims == [1, extents.n] {
        tail.bias = c
      } else if dims == [extents.m, extents.n] {
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
        if lowering.dims(other) == [extents.n], tail.bias == nil, tail.post.items.isEmpty {
          tail.bias = other
        } else if lowering.count(other) == extents.m * extents.n, tail.residual == nil {
          tail.residual = other
          tail.post.items.append(.sum)
        } else {
          return nil
        }
      }
    }
    return tail.post.isUnambiguous ? tail : nil
  }

  /// False when the matrix is no constant, or oneDNN has no primitive for it.
  static func emit(
    _ op: Dataflow.Op, _ lowering: Lowering, _ extents: Extents, _ a: Int, _ b: Int, _ y: Int
  ) throws(PruneError) -> Bool {
    let (m, n, k) = (extents.m, extents.n, extents.k)
    guard let weight = lowering.constant(b), weight.count == k * n, let tail = tail(op, lowering, extents),
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
      matrix = try lowering.plain(b)
    } else {
      guard let packed = try lowering.packed(b, from: plain, in: bl) else { return false }
      matrix = packed
    }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try lowering.plain(a), al), .init(DNNL_ARG_WEIGHTS, matrix, bl),
    ]
    if let bias = tail.bias { arguments.append(.init(DNNL_ARG_BIAS, try lowering.plain(bias), row)) }
    let target: Int
    if let residual = tail.residual {
      let source = try lowering.plain(residual)
      if lowering.canOverwrite(residual, in: op) {
        target = lowering.define(y, layout: nil, over: source)
      } else {
        target = try lowering.define(y, layout: nil)
        guard try MovementKernels.emitRepeated(op, lowering, residual, to: lowering.dims(residual), target) else {
          return false
        }
      }
    } else {
      target = try lowering.define(y, layout: nil)
    }
    arguments.append(.init(DNNL_ARG_DST, target, yl, isWritten: true))
    lowering.emit(op.node.label, primitive, arguments)
    return true
  }
}
