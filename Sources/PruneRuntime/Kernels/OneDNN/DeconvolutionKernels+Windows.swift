import COneDNN
import PruneGraph
import PruneTensor

extension DeconvolutionKernels {
  /// ConvTranspose over images whose windows lie side by side, as U-Nets double an image: a convolution that gives all
  /// pixels of a window as channels, and a copy that lays them out. oneDNN's own kernels walk over zeros instead.
  ///
  /// Channels lie in blocks where they fill them, else innermost: [N][channel blocks][height][width][block].
  static func sideBySide(
    _ op: Dataflow.Op, _ lowering: Lowering, weight dims: [Int], bias: Int?, _ post: PostOperations
  ) throws(PruneError) -> Bool {
    guard dims.count == 4, let x = op.input(0), let y = op.output(0), let w = op.input(1),
      let weight = lowering.constant(w),
      bias == nil || lowering.constant(bias) != nil
    else { return false }
    let (xd, yd) = (lowering.dims(x), lowering.dims(y))
    let (inputs, outputs, rows, columns) = (dims[0], dims[1], dims[2], dims[3]), taps = rows * columns
    let block = outputs.isMultiple(of: OneDNN.block) ? OneDNN.block : outputs, blocks = outputs / block
    let made = [xd[0], outputs * taps, xd[2], xd[3]], kernels = [outputs * taps, inputs, 1, 1]
    let isBlocked = blocks > 1 || block == OneDNN.block
    guard let source = isBlocked ? Layout.any(xd) : Layout.channelsLast(xd),
      let between = isBlocked ? Layout.blocked(made) : Layout.channelsLast(made),
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
    guard status == dnnl_success, let primitive = Primitive.make(descriptor, post: post), !primitive.isPlain,
      let xl = primitive.layout(dnnl_query_src_md), let wl = primitive.layout(dnnl_query_weights_md),
      primitive.layout(dnnl_query_dst_md) == between
    else { return false }
    // Channel (block, tap, place in the block) of the convolution's.
    func channel(_ output: Int, _ tap: Int) -> Int { (output / block * taps + tap) * block + output % block }
    let key = PackedWeights.Key(source: Derivation([weight], parameter: Float(block)), from: plain, to: wl)
    var packed = lowering.weights.find(key)
    if packed == nil {
      var turned = try Tensor(zeros: .float32, try Shape(kernels))
      try weight.withSpan(of: Float.self) { values throws(PruneError) in
        try turned.withMutableSpan(of: Float.self) { result throws(PruneError) in
          for input in 0..<inputs {
            for output in 0..<outputs {
              for tap in 0..<taps {
                result[channel(output, tap) * inputs + input] = values[(input * outputs + output) * taps + tap]
              }
            }
          }
        }
      }
      packed = try Reorder.packed(turned, wl, from: plain)
      if let packed { lowering.weights.add(packed, key) }
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
    let scratch = lowering.scratch(between.byteCount)
    var arguments: [PrimitiveArgument] = [
      .init(DNNL_ARG_SRC, try lowering.buffer(x, in: xl), xl),
      .init(DNNL_ARG_WEIGHTS, try lowering.constantBuffer(packed), wl),
    ]
    if let values = try lowering.constant(bias)?.array(of: Float.self) {
      var repeated = [Float](repeating: 0, count: channels)
      for output in 0..<outputs { for tap in 0..<taps { repeated[channel(output, tap)] = values[output] } }
      arguments.append(.init(DNNL_ARG_BIAS, try lowering.constantBuffer(try Tensor(repeated)), shifts))
    }
    arguments.append(.init(DNNL_ARG_DST, scratch, between, isWritten: true))
    lowering.emit(op.node.label, primitive, arguments)
    MovementKernels.emitMove(op, lowering, 4, walk, scratch, try lowering.define(y, layout: target))
    return true
  }
}
