import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Batch normalization, running and training, and its gradient on oneDNN.
enum NormalizationKernels: KernelFamily {
  static let name = "onednn"
  static let kernels: [String: FastKernel] = [
    "BatchNormalization": inference, "ai.libprune.BatchNormTrain": training, "ai.libprune.BatchNormGrad": gradient,
  ]

  private static let scaleAndShift = dnnl_use_scale.rawValue | dnnl_use_shift.rawValue

  private static func forward(_ x: Layout, _ kind: dnnl_prop_kind_t, epsilon: Float, flags: UInt32) -> Primitive? {
    var descriptor = dnnl_batch_normalization_desc_t()
    var raw = x.raw
    guard dnnl_batch_normalization_forward_desc_init(&descriptor, kind, &raw, epsilon, flags) == dnnl_success else {
      return nil
    }
    return Primitive.make(descriptor)
  }

  /// The channels of [N, C, …] when every parameter has one element for each.
  private static func channels(_ x: Int, _ parameters: [Int], _ emitter: any Emitter) -> Int? {
    let dims = emitter.dims(x)
    guard dims.count >= 2, dims.count <= 5, !dims.contains(0), emitter.isFloat(x),
      parameters.allSatisfy({ emitter.isFloat($0) && emitter.dims($0) == [dims[1]] })
    else { return nil }
    return dims[1]
  }

  private static func inference(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let scale = op.input(1), let shift = op.input(2), let mean = op.input(3),
      let variance = op.input(4), let y = op.output(0), op.outputs.dropFirst().allSatisfy({ $0 == nil }),
      op.node.int("training_mode", default: 0) == 0, op.node.int("spatial", default: 1) == 1,
      let channels = channels(x, [scale, shift, mean, variance], emitter), let each = Layout.plain([channels])
    else { return false }
    var flags = scaleAndShift | dnnl_use_global_stats.rawValue
    if !op.epilogue.isEmpty {
      guard op.epilogue.count == 1, case .activation(.relu) = op.epilogue[0] else { return false }
      flags |= dnnl_fuse_norm_relu.rawValue
    }
    let home = try emitter.home(x)
    if try affine(op, emitter, home, x, y, [scale, shift, mean, variance]) { return true }
    guard let xl = layout(home, emitter.dims(x)),
      let primitive = forward(
        xl, dnnl_forward_inference, epsilon: op.node.float("epsilon", default: 1e-5), flags: flags)
    else { return false }
    var arguments: [PrimitiveArgument] = [.init(DNNL_ARG_SRC, home.buffer, xl)]
    for (index, value) in [
      (DNNL_ARG_SCALE, scale), (DNNL_ARG_SHIFT, shift), (DNNL_ARG_MEAN, mean), (DNNL_ARG_VARIANCE, variance),
    ] {
      arguments.append(.init(index, try emitter.plain(value), each))
    }
    let target = try emitter.define(y, layout: xl)
    arguments.append(.init(DNNL_ARG_DST, target, xl, isWritten: true))
    emitter.emit(op.node.label, primitive, arguments)
    clearTail(of: target, xl, op, emitter)
    return true
  }

  /// Where the values lie; nil for blocks that `clearTail` does not know.
  private static func layout(_ home: Material, _ dims: [Int]) -> Layout? {
    guard let layout = home.layout else { return Layout.plain(dims) }
    return layout.isPadded && layout.channelBlock == nil ? nil : layout
  }

  /// oneDNN's kernels look behind the last channel's parameters, and what they find there goes into the lanes that hold
  /// no channel. The layers behind count on zeros.
  private static func clearTail(of buffer: Int, _ layout: Layout, _ op: Dataflow.Op, _ emitter: any Emitter) {
    guard layout.isPadded, let block = layout.channelBlock else { return }
    let dims = layout.dims
    emitter.emit("\(op.node.label) rest of a block", reads: [buffer], writes: [buffer]) { frame in
      frame.step(
        ps_tail_args(
          x: frame.pointer(buffer), images: Int64(dims[0]), blocks: Int64(layout.paddedDims[1] / block),
          pixels: Int64(dims[2...].reduce(1, *)), block: Int64(block), used: Int64(dims[1] % block)), ps_clear_tail)
    }
  }

  /// With constant parameters the normalization is a factor and a term for each channel: for images that are not in
  /// blocked layouts, which the fast kernels of oneDNN need.
  private static func affine(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ home: Material, _ x: Int, _ y: Int, _ parameters: [Int]
  ) throws(PruneError) -> Bool {
    let dims = emitter.dims(x)
    let isInnermost = home.layout.map { !$0.isRowMajor && $0 == Layout.channelsLast(dims) } ?? false
    guard isInnermost || (home.layout?.isRowMajor ?? true) else { return false }
    var numbers: [[Float]] = []
    for parameter in parameters {
      guard let tensor = emitter.constant(parameter) else { return false }
      numbers.append(try tensor.array(of: Float.self))
    }
    let epsilon = Double(op.node.float("epsilon", default: 1e-5))
    let factors = zip(numbers[0], numbers[3]).map { Double($0) / (Double($1) + epsilon).squareRoot() }
    let terms = factors.indices.map { Double(numbers[1][$0]) - Double(numbers[2][$0]) * factors[$0] }
    let scales = try emitter.constantBuffer(try Tensor(factors.map { Float($0) }))
    let shifts = try emitter.constantBuffer(try Tensor(terms.map { Float($0) }))
    let target = try emitter.define(y, layout: home.layout)
    let (channels, pixels) = (Int64(dims[1]), Int64(dims[2...].reduce(1, *)))
    let isByPixel = isInnermost || pixels == 1
    let rows = Int64(dims[0]) * (isByPixel ? pixels : channels)
    let low: Float = op.epilogue.isEmpty ? -.infinity : 0
    emitter.emit(op.node.label, reads: [home.buffer, scales, shifts], writes: [target]) { frame in
      frame.step(
        ps_channels_args(
          x: frame.pointer(home.buffer), y: frame.pointer(target), scale: frame.pointer(scales),
          shift: frame.pointer(shifts),
          rows: rows, channels: channels, pixels: isByPixel ? 0 : pixels, low: low), ps_scale_channels)
    }
    return true
  }

  private static func training(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let scale = op.input(1), let shift = op.input(2), let oldMean = op.input(3),
      let oldVariance = op.input(4), let y = op.output(0),
      let channels = channels(x, [scale, shift, oldMean, oldVariance], emitter), let each = Layout.plain([channels])
    else { return false }
    let epsilon = op.node.float("epsilon", default: 1e-5)
    let home = try emitter.home(x)
    guard let xl = layout(home, emitter.dims(x)),
      let primitive = forward(xl, dnnl_forward_training, epsilon: epsilon, flags: scaleAndShift)
    else { return false }
    let mean =
      try op.output(1).map { id throws(PruneError) in try emitter.define(id, layout: nil) }
      ?? emitter.scratch(4 * channels)
    let variance = emitter.scratch(4 * channels)
    let scaleBuffer = try emitter.plain(scale)
    let shiftBuffer = try emitter.plain(shift)
    let target = try emitter.define(y, layout: xl)
    emitter.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_SRC, home.buffer, xl), .init(DNNL_ARG_SCALE, scaleBuffer, each),
        .init(DNNL_ARG_SHIFT, shiftBuffer, each), .init(DNNL_ARG_MEAN, mean, each, isWritten: true),
        .init(DNNL_ARG_VARIANCE, variance, each, isWritten: true), .init(DNNL_ARG_DST, target, xl, isWritten: true),
      ])
    clearTail(of: target, xl, op, emitter)
    var outputs: [Int?] = []
    for index in 2...4 {
      outputs.append(try op.output(index).map { id throws(PruneError) in try emitter.define(id, layout: nil) })
    }
    let (inverse, newMean, newVariance) = (outputs[0], outputs[1], outputs[2])
    let (before, beforeVariance) = (try emitter.plain(oldMean), try emitter.plain(oldVariance))
    let momentum = op.node.float("momentum", default: 0.9)
    emitter.emit(
      "\(op.node.label) statistics", reads: [mean, variance, before, beforeVariance], writes: outputs.compactMap { $0 }
    ) { frame in
      frame.step(
        ps_statistics_args(
          mean: frame.pointer(mean), variance: frame.pointer(variance), old_mean: frame.pointer(before),
          old_variance: frame.pointer(beforeVariance), inverse: inverse.map { frame.pointer($0) },
          new_mean: newMean.map { frame.pointer($0) }, new_variance: newVariance.map { frame.pointer($0) },
          count: Int64(channels), epsilon: epsilon, momentum: momentum), ps_batch_statistics)
    }
    return true
  }

  private static func gradient(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let scale = op.input(2), let mean = op.input(3),
      let inverse = op.input(4), let dx = op.output(0), emitter.isFloat(dy), emitter.dims(dy) == emitter.dims(x),
      let channels = channels(x, [scale, mean, inverse], emitter), let each = Layout.plain([channels])
    else { return false }
    let home = try emitter.home(x)
    guard let xl = layout(home, emitter.dims(x)),
      let hint = forward(xl, dnnl_forward_training, epsilon: 0, flags: scaleAndShift)
    else { return false }
    var descriptor = dnnl_batch_normalization_desc_t()
    var (data, difference) = (xl.raw, xl.raw)
    guard
      dnnl_batch_normalization_backward_desc_init(&descriptor, dnnl_backward, &difference, &data, 0, scaleAndShift)
        == dnnl_success, let primitive = Primitive.make(descriptor, hint: hint)
    else { return false }
    let gradient = try emitter.buffer(dy, in: xl)
    let variance = emitter.scratch(4 * channels)
    let inverseBuffer = try emitter.plain(inverse)
    emitter.emit("\(op.node.label) variance", reads: [inverseBuffer], writes: [variance]) { frame in
      frame.step(
        ps_variance_args(
          inverse: frame.pointer(inverseBuffer), variance: frame.pointer(variance), count: Int64(channels)),
        ps_variance)
    }
    func output(_ index: Int) throws(PruneError) -> Int {
      try op.output(index).map { id throws(PruneError) in try emitter.define(id, layout: nil) }
        ?? emitter.scratch(4 * channels)
    }
    let (meanBuffer, scaleBuffer) = (try emitter.plain(mean), try emitter.plain(scale))
    let (dScale, dShift) = (try output(1), try output(2))
    let target = try emitter.define(dx, layout: xl)
    // The shift is not read, but oneDNN wants to see one.
    emitter.emit(
      op.node.label, primitive,
      [
        .init(DNNL_ARG_SRC, home.buffer, xl), .init(DNNL_ARG_MEAN, meanBuffer, each),
        .init(DNNL_ARG_VARIANCE, variance, each), .init(DNNL_ARG_DIFF_DST, gradient, xl),
        .init(DNNL_ARG_SCALE, scaleBuffer, each), .init(DNNL_ARG_SHIFT, scaleBuffer, each),
        .init(DNNL_ARG_DIFF_SRC, target, xl, isWritten: true),
        .init(DNNL_ARG_DIFF_SCALE, dScale, each, isWritten: true),
        .init(DNNL_ARG_DIFF_SHIFT, dShift, each, isWritten: true),
      ])
    clearTail(of: target, xl, op, emitter)
    return true
  }
}
