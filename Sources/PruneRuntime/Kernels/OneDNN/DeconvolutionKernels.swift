import COneDNN
import PruneGraph
import PruneTensor

/// ConvTranspose with constant weights on oneDNN.
enum DeconvolutionKernels {
  static let table: [String: FastKernel] = ["ConvTranspose": forward]

  private static func forward(_ op: Dataflow.Op, _ lowering: Lowering) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), lowering.isFloat(x), lowering.isFloat(w),
      lowering.constant(w) != nil
    else { return false }
    let (xd, wd, yd) = (lowering.dims(x), lowering.dims(w), lowering.dims(y))
    let groups = op.node.int("group", default: 1)
    guard xd.count == wd.count, xd.count == yd.count, xd.count >= 3, !(xd + wd + yd).contains(0), groups > 0,
      xd[1] == wd[0], wd[0] % groups == 0, yd[1] == wd[1] * groups, xd[0] == yd[0],
      op.node.string("auto_pad", default: "NOTSET") == "NOTSET", op.node.ints("output_shape") == nil,
      let window = SlidingWindow(op.node, kernel: Array(wd[2...]), input: Array(yd[2...]), output: Array(xd[2...]))
    else { return false }
    // What the windows of the input cover is the output and its pads.
    let after = window.exactAfter(input: Array(yd[2...]), output: Array(xd[2...]))
    guard after.allSatisfy({ $0 >= 0 }) else { return false }
    let taps = wd[2...].reduce(1, *)
    let inner = Array(Layout.rowMajorStrides(wd)[2...])
    // ONNX has the input's channels first, oneDNN the output's.
    let (dims, strides): ([Int], [Int]) =
      groups == 1
      ? ([wd[1], wd[0]] + wd[2...], [taps, wd[1] * taps] + inner)
      : ([groups, wd[1], wd[0] / groups] + wd[2...], [wd[0] / groups * wd[1] * taps, taps, wd[1] * taps] + inner)
    guard let xl = Layout.any(xd), let yl = Layout.any(yd), let wl = Layout.any(dims),
      let from = Layout(dims, strides: strides),
      let bl = Layout.plain([yd[1]])
    else { return false }
    let bias = op.input(2)
    if let bias { guard lowering.isFloat(bias), lowering.count(bias) == yd[1] else { return false } }
    var post = PostOperations()
    for item in op.epilogue {
      guard case .activation(let activation) = item else { return false }
      post.items.append(activation.postOperation)
    }
    guard post.isUnambiguous else { return false }
    if groups == 1, taps > 1, window.strides == Array(wd[2...]),
      (window.before + after + window.gaps).allSatisfy({ $0 == 0 }),
      try sideBySide(op, lowering, weight: wd, bias: bias, post)
    {
      return true
    }
    var descriptor = dnnl_deconvolution_desc_t()
    var (xr, wr, yr, br) = (xl.raw, wl.raw, yl.raw, bl.raw)
    let status = withUnsafePointer(to: &br) {
      dnnl_dilated_deconvolution_forward_desc_init(
        &descriptor, dnnl_forward_inference, dnnl_deconvolution_direct, &xr, &wr, bias == nil ? nil : $0, &yr,
        dnnlDims(window.strides), dnnlDims(window.gaps), dnnlDims(window.before), dnnlDims(after))
    }
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: post),
      let source = primitive.layout(dnnl_query_src_md), let target = primitive.layout(dnnl_query_dst_md),
      let wanted = primitive.layout(dnnl_query_weights_md), let packed = try lowering.packed(w, from: from, in: wanted)
    else { return false }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try lowering.buffer(x, in: source), source), .init(DNNL_ARG_WEIGHTS, packed, wanted),
    ]
    if let bias { arguments.append(.init(DNNL_ARG_BIAS, try lowering.plain(bias), bl)) }
    arguments.append(.init(DNNL_ARG_DST, try lowering.define(y, layout: target), target, isWritten: true))
    lowering.emit(op.node.label, primitive, arguments)
    return true
  }
}
