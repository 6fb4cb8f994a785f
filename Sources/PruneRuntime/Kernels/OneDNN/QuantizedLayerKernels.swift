import COneDNN
import PruneGraph
import PruneTensor

/// Convolutions and matrix products of 8-bit codes on oneDNN.
///
/// Sums of products are exact. What follows them, `Quantized.attributes`, is in float32, so that a number within
/// rounding error of the middle between two codes may go to either.
enum QuantizedLayerKernels: KernelFamily {
  static let name = "onednn_int8"
  static let kernels: [String: FastKernel] = [
    "ai.libprune.QuantizedConv": convolution, "ai.libprune.QuantizedGemm": product,
    "ai.libprune.QuantizedMatMul": product,
  ]

  /// The bias in units of the sums, minus what the input's zero point adds to them where that is the same everywhere.
  private static func bias(
    _ op: Dataflow.Op, _ quantized: Quantized, _ emitter: any Emitter, channels: Int, zeroSums: [Int64]?
  ) throws(PruneError) -> Int? {
    guard op.input(2) != nil || zeroSums != nil else { return nil }
    let numbers = try emitter.constant(op.input(2)).map { tensor throws(PruneError) in try tensor.array(of: Float.self)
    }
    let (input, scales) = (quantized.operands[0], quantized.weightScales)
    return try emitter.constantBuffer(
      try Tensor(
        (0..<channels).map { channel -> Float in
          let step = Double(input.scale) * Double(scales[scales.count == 1 ? 0 : channel])
          return Float(Double(numbers?[channel] ?? 0) / step - Double(zeroSums?[channel] ?? 0) * Double(input.zero))
        }))
  }

  /// Whether oneDNN 2.6's kernels of bytes read a null pointer: found where the last block of 64 channels lacks one to
  /// three and the window spans 255 places or more. A margin is kept.
  private static func crashes(_ problem: ConvolutionKernels.Problem) -> Bool {
    let channels = problem.w.count > problem.x.count ? problem.w[2] : problem.w[1]
    let window = problem.window
    return channels >= 125 && channels % 64 >= 61
      && zip(window.kernel, window.dilations).contains { ($0 - 1) * $1 + 1 >= 250 }
  }

  private static func convolution(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let x = op.input(0), let w = op.input(1), let y = op.output(0),
      let weight = emitter.constant(w), let xt = quantized.operands.first?.dtype.dnnl,
      let yt = emitter.value(y).dtype?.dnnl, var post = quantized.attributes,
      let problem = ConvolutionKernels.Problem(
        op.node, x: emitter.dims(x), w: emitter.dims(w), y: emitter.dims(y), codes: (xt, yt))
    else { return false }
    guard !crashes(problem) else { return false }
    let channels = problem.y[1]
    let zero = quantized.operands[0].zero
    var zeroSums: [Int64]?
    if zero != 0 {
      if (problem.window.before + problem.window.after).allSatisfy({ $0 == 0 }) {
        zeroSums = try sums(weight, rows: channels)
      } else {
        post.sourceZero = zero
      }
    }
    let bias = try bias(op, quantized, emitter, channels: channels, zeroSums: zeroSums)
    guard let primitive = problem.forward(bias: bias != nil, post: post), let xl = primitive.layout(dnnl_query_src_md),
      let wl = primitive.layout(dnnl_query_weights_md), let yl = primitive.layout(dnnl_query_dst_md),
      let bl = Layout.plain([channels])
    else { return false }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try emitter.buffer(x, in: xl), xl),
      .init(DNNL_ARG_WEIGHTS, try emitter.buffer(w, in: wl), wl),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, bias, bl)) }
    let type = op.input(3).flatMap { emitter.value($0).dtype?.dnnl }
    let residual = type == nil ? nil : op.input(3)
    if let residual { guard emitter.dims(residual) == problem.y else { return false } }
    let target = try emitter.define(y, layout: yl, adding: residual, type: type, in: op)
    arguments.append(.init(DNNL_ARG_DST, target, yl, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }

  /// Gemm and MatMul with weights of two axes; the input may have any axes before its last.
  private static func product(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let x = op.input(0), let w = op.input(1), let y = op.output(0),
      let weight = emitter.constant(w), let xt = quantized.operands.first?.dtype.dnnl,
      let yt = emitter.value(y).dtype?.dnnl, var post = quantized.attributes, emitter.dims(w).count == 2,
      let k = emitter.dims(x).last, k > 0
    else { return false }
    let isRow = op.node.opType == "QuantizedGemm" && op.node.int("transB", default: 0) != 0
    let n = emitter.dims(w)[isRow ? 0 : 1]
    let m = emitter.count(x) / k
    guard emitter.dims(w)[isRow ? 1 : 0] == k, m > 0, emitter.count(y) == m * n,
      let xl = Layout.plain([m, k], type: xt), let yl = Layout.plain([m, n], type: yt),
      let any = Layout.any([n, k], type: dnnl_s8),
      let from = Layout([n, k], strides: isRow ? [k, 1] : [1, n], type: dnnl_s8), let bl = Layout.plain([n])
    else { return false }
    let zeroSums = quantized.operands[0].zero == 0 ? nil : try sums(weight, rows: n, isTransposed: !isRow)
    // Inner products have no zero point of the result; adding it before the rounding is the same but for ties.
    if post.resultZero != 0 {
      post.items.append(.eltwise(dnnl_eltwise_linear, alpha: 1, beta: Float(post.resultZero)))
      post.resultZero = 0
    }
    let bias = try bias(op, quantized, emitter, channels: n, zeroSums: zeroSums)
    var descriptor = dnnl_inner_product_desc_t()
    var (xr, wr, br, yr) = (xl.raw, any.raw, bl.raw, yl.raw)
    let status = withUnsafePointer(to: &br) {
      dnnl_inner_product_forward_desc_init(&descriptor, dnnl_forward_inference, &xr, &wr, bias == nil ? nil : $0, &yr)
    }
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: post),
      let wl = primitive.layout(dnnl_query_weights_md), let packed = try emitter.packed(w, from: from, in: wl)
    else { return false }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try emitter.plain(x), xl), .init(DNNL_ARG_WEIGHTS, packed, wl),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, bias, bl)) }
    arguments.append(.init(DNNL_ARG_DST, try emitter.define(y, layout: nil), yl, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }

  /// Sums of the weights that each output is made with.
  private static func sums(_ weight: Tensor, rows: Int, isTransposed: Bool = false) throws(PruneError) -> [Int64] {
    let codes = try weight.array(of: Int8.self)
    var sums = [Int64](repeating: 0, count: rows)
    let each = codes.count / max(rows, 1)
    for (index, code) in codes.enumerated() { sums[isTransposed ? index % rows : index / each] += Int64(code) }
    return sums
  }
}
