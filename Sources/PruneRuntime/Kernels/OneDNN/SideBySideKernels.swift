import COneDNN
import PruneGraph
import PruneTensor

/// ConvTranspose over images whose windows lie side by side, as U-Nets double an image: a convolution that gives all
/// pixels of a window as channels, and a copy that lays them out. oneDNN's own kernels walk over zeros instead.
///
/// Channels lie in blocks where they fill them, else innermost: [N][channel blocks][height][width][block].
enum SideBySideKernels: KernelFamily {
  static let name = "side_by_side"
  static let kernels: [String: FastKernel] = ["ConvTranspose": forward]

  static func verdict(on op: Dataflow.Op, _ emitter: any Emitter) -> KernelVerdict {
    do throws(Refusal) {
      let problem = try DeconvolutionKernels.Problem(op, emitter), window = problem.window
      guard problem.groups == 1, problem.w.count == 4, problem.taps > 1 else {
        throw Refusal("windows are grouped, of one pixel or of other than two axes")
      }
      guard window.strides == Array(problem.w[2...]),
        (window.before + problem.after + window.gaps).allSatisfy({ $0 == 0 })
      else { throw Refusal("windows do not lie side by side") }
      guard problem.bias == nil || emitter.constant(problem.bias) != nil else {
        throw Refusal("the bias is no constant")
      }
      return .takes
    } catch { return .refuses(error.reason) }
  }

  private static func forward(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let y = op.output(0), let w = op.input(1),
      let problem = try? DeconvolutionKernels.Problem(op, emitter)
    else { return false }
    let (xd, yd, dims, bias) = (problem.x, problem.y, problem.w, problem.bias)
    let (inputs, outputs, rows, columns) = (dims[0], dims[1], dims[2], dims[3]), taps = rows * columns
    let block = outputs.isMultiple(of: OneDNN.block) ? OneDNN.block : outputs, blocks = outputs / block
    let widened = [xd[0], outputs * taps, xd[2], xd[3]], kernels = [outputs * taps, inputs, 1, 1]
    let isBlocked = blocks > 1 || block == OneDNN.block
    guard let source = isBlocked ? Layout.any(xd) : Layout.channelsLast(xd),
      let between = isBlocked ? Layout.blocked(widened) : Layout.channelsLast(widened),
      let target = isBlocked ? Layout.blocked(yd) : Layout.channelsLast(yd),
      let plain = Layout.plain(kernels), let any = Layout.any(kernels), let shifts = Layout.plain([outputs * taps])
    else { return false }
    var descriptor = dnnl_convolution_desc_t()
    var (xr, wr, tr, br) = (source.raw, any.raw, between.raw, shifts.raw)
    let (ones, zeros) = (dnnlDims([1, 1]), dnnlDims([0, 0]))
    let status = withUnsafePointer(to: &br) {
      dnnl_dilated_convolution_forward_desc_init(
        &descriptor, dnnl_forward_inference, dnnl_convolution_direct, &xr, &wr, bias == nil ? nil : $0, &tr, ones,
        zeros, zeros,
        zeros)
    }
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: problem.post), !primitive.isPlain,
      let xl = primitive.layout(dnnl_query_src_md), let wl = primitive.layout(dnnl_query_weights_md),
      primitive.layout(dnnl_query_dst_md) == between
    else { return false }
    // Channel (block, tap, place in the block) of the convolution's.
    func channel(_ output: Int, _ tap: Int) -> Int { (output / block * taps + tap) * block + output % block }
    // How the weights lie among others: by the block, which decides on their order.
    guard let form = Layout.plain(dims + [block]) else { return false }
    let packed = try emitter.packed(w, key: (form, wl)) { weight throws(PruneError) in
      var reordered = try Tensor(zeros: .float32, try Shape(kernels))
      try weight.withSpan(of: Float.self) { values throws(PruneError) in
        try reordered.withMutableSpan(of: Float.self) { result throws(PruneError) in
          for input in 0..<inputs {
            for output in 0..<outputs {
              for tap in 0..<taps {
                result[channel(output, tap) * inputs + input] = values[(input * outputs + output) * taps + tap]
              }
            }
          }
        }
      }
      return try Reorder.packed(reordered, wl, from: plain)
    }
    guard let packed else { return false }
    let (height, width) = (xd[2], xd[3]), channels = outputs * taps
    let line = width * columns * block, plane = height * rows * line
    let walked = [xd[0], blocks, height, rows, width, columns, block]
    let from =
      isBlocked
      ? [
        channels * height * width, taps * height * width * block, width * block, columns * height * width * block,
        block,
        height * width * block, 1,
      ] : [channels * height * width, 0, width * channels, columns * block, channels, block, 1]
    guard
      let walk = StridedWalk(walked, [from, [blocks * plane, plane, rows * line, line, columns * block, block, 1]])
    else { return false }
    let scratch = emitter.scratch(between.byteCount)
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try emitter.buffer(x, in: xl), xl),
      .init(DNNL_ARG_WEIGHTS, packed.buffer, wl),
    ]
    if let values = try emitter.constant(bias)?.array(of: Float.self) {
      var repeated = [Float](repeating: 0, count: channels)
      for output in 0..<outputs { for tap in 0..<taps { repeated[channel(output, tap)] = values[output] } }
      arguments.append(.init(DNNL_ARG_BIAS, try emitter.constantBuffer(try Tensor(repeated)), shifts))
    }
    arguments.append(.init(DNNL_ARG_DST, scratch, between, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    MovementKernels.emitMove(op, emitter, 4, walk, scratch, try emitter.define(y, layout: target))
    return true
  }
}
