import COneDNN
import PruneGraph
import PruneTensor

/// ConvTranspose with constant weights on oneDNN.
enum DeconvolutionKernels: KernelFamily {
  static let name = "onednn"
  static let kernels: [String: FastKernel] = ["ConvTranspose": forward]

  /// A transposed convolution with constant weights.
  struct Problem {
    let x: [Int]
    let w: [Int]
    let y: [Int]
    let groups: Int
    let bias: Int?
    let window: SlidingWindow
    /// Pads behind: what the windows of the input cover is the output and its pads.
    let after: [Int]
    let post: PostOperations

    /// - Throws: why none of these kernels does it.
    init(_ op: Dataflow.Op, _ emitter: any Emitter) throws(Refusal) {
      guard let image = op.input(0), let weight = op.input(1), let result = op.output(0), emitter.isFloat(image),
        emitter.isFloat(weight), emitter.constant(weight) != nil
      else { throw Refusal("weights are no constant of float32") }
      (x, w, y) = (emitter.dims(image), emitter.dims(weight), emitter.dims(result))
      groups = op.node.int("group", default: 1)
      guard x.count == w.count, x.count == y.count, x.count >= 3, !(x + w + y).contains(0), groups > 0,
        x[1] == w[0], w[0] % groups == 0, y[1] == w[1] * groups, x[0] == y[0],
        op.node.string("auto_pad", default: "NOTSET") == "NOTSET", op.node.ints("output_shape") == nil,
        let window = SlidingWindow(op.node, kernel: Array(w[2...]), input: Array(y[2...]), output: Array(x[2...]))
      else { throw Refusal("extents and attributes do not fit, or pads follow from the output's extents") }
      self.window = window
      after = window.exactAfter(input: Array(y[2...]), output: Array(x[2...]))
      guard after.allSatisfy({ $0 >= 0 }) else { throw Refusal("windows do not reach the output's end") }
      bias = op.input(2)
      if let bias {
        guard emitter.isFloat(bias), emitter.count(bias) == y[1] else {
          throw Refusal("the bias is not a number a channel")
        }
      }
      var post = PostOperations()
      for item in op.epilogue {
        guard case .activation(let activation) = item else { throw Refusal("an image is added behind") }
        post.items.append(activation.postOperation)
      }
      guard post.isUnambiguous else { throw Refusal("what follows is more than the primitive takes") }
      self.post = post
    }

    var taps: Int { w[2...].reduce(1, *) }
  }

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      _ = try Problem(op, emitter)
      return .takes
    } catch { return .refuses(error.reason) }
  }

  private static func forward(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let w = op.input(1), let y = op.output(0), let problem = try? Problem(op, emitter)
    else { return false }
    let (xd, wd, yd, groups, window) = (problem.x, problem.w, problem.y, problem.groups, problem.window)
    let taps = problem.taps, inner = Array(Layout.rowMajorStrides(wd)[2...])
    // ONNX has the input's channels first, oneDNN the output's.
    let (dims, strides): ([Int], [Int]) =
      groups == 1
      ? ([wd[1], wd[0]] + wd[2...], [taps, wd[1] * taps] + inner)
      : ([groups, wd[1], wd[0] / groups] + wd[2...], [wd[0] / groups * wd[1] * taps, taps, wd[1] * taps] + inner)
    guard let xl = Layout.any(xd), let yl = Layout.any(yd), let wl = Layout.any(dims),
      let from = Layout(dims, strides: strides),
      let bl = Layout.plain([yd[1]])
    else { return false }
    var descriptor = dnnl_deconvolution_desc_t()
    var (xr, wr, yr, br) = (xl.raw, wl.raw, yl.raw, bl.raw)
    let status = withUnsafePointer(to: &br) {
      dnnl_dilated_deconvolution_forward_desc_init(
        &descriptor, dnnl_forward_inference, dnnl_deconvolution_direct, &xr, &wr, problem.bias == nil ? nil : $0, &yr,
        dnnlDims(window.strides), dnnlDims(window.gaps), dnnlDims(window.before), dnnlDims(problem.after))
    }
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: problem.post),
      let source = primitive.layout(dnnl_query_src_md), let target = primitive.layout(dnnl_query_dst_md),
      let weights = primitive.layout(dnnl_query_weights_md), let packed = try emitter.packed(w, from: from, in: weights)
    else { return false }
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try emitter.buffer(x, in: source), source), .init(DNNL_ARG_WEIGHTS, packed, weights),
    ]
    if let bias = problem.bias { arguments.append(.init(DNNL_ARG_BIAS, try emitter.plain(bias), bl)) }
    arguments.append(.init(DNNL_ARG_DST, try emitter.define(y, layout: target), target, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    return true
  }
}
