import COneDNN
import CPruneSupport
import PruneGraph
import PruneTensor

/// Operations on 8-bit codes that multiply no matrices.
enum CodeKernels: KernelFamily {
  static let name = "codes"
  static let kernels: [String: FastKernel] = [
    "ai.libprune.QuantizedAdd": add, "ai.libprune.QuantizedConcat": concat,
    "ai.libprune.QuantizedBatchNormalization": normalize, "ai.libprune.QuantizedRescale": rescale,
    "ai.libprune.QuantizedAveragePool": average, "ai.libprune.QuantizedGlobalAveragePool": average,
    "ai.libprune.QuantizedRelu": function, "ai.libprune.QuantizedLeakyRelu": function,
    "ai.libprune.QuantizedClip": function, "ai.libprune.QuantizedSigmoid": function,
    "ai.libprune.QuantizedTanh": function, "ai.libprune.QuantizedElu": function,
    "ai.libprune.QuantizedHardSwish": function,
  ]

  /// The value with channels innermost; with two axes or fewer it lies so anyway.
  private static func channelsLast(_ id: Int, _ emitter: any Emitter) throws(PruneError) -> Material {
    guard let type = emitter.value(id).dtype?.dnnl, let layout = Layout.channelsLast(emitter.dims(id), type: type)
    else {
      return .init(layout: nil, buffer: try emitter.plain(id))
    }
    return .init(layout: layout, buffer: try emitter.buffer(id, in: layout))
  }

  private static func defineChannelsLast(_ id: Int, _ emitter: any Emitter) throws(PruneError) -> Int {
    let layout = emitter.value(id).dtype?.dnnl.flatMap { Layout.channelsLast(emitter.dims(id), type: $0) }
    return try emitter.define(id, layout: layout)
  }

  // MARK: - Sums

  private static func add(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let limits = quantized.limits, let result = quantized.result,
      quantized.operands.count == 2, let a = op.input(0), let b = op.input(1), let y = op.output(0),
      let at = emitter.value(a).dtype?.dnnl, let bt = emitter.value(b).dtype?.dnnl, let yt = result.dtype.dnnl
    else { return false }
    var layout = try emitter.home(a).layout
    if layout?.isRowMajor ?? true { layout = try emitter.home(b).layout }
    let from: (Int, Int)
    if let layout {
      from = (try emitter.buffer(a, in: layout.typed(at)), try emitter.buffer(b, in: layout.typed(bt)))
    } else {
      from = (try emitter.plain(a), try emitter.plain(b))
    }
    let target: Int
    if emitter.canOverwrite(a, in: op) {
      target = emitter.define(y, layout: layout?.typed(yt), over: from.0)
    } else {
      target = try emitter.define(y, layout: layout?.typed(yt))
    }
    let (left, right, count) = (quantized.operands[0], quantized.operands[1], emitter.count(y))
    emitter.emit(op.node.label, reads: [from.0, from.1], writes: [target]) { frame in
      var arguments = ps_codes_add_args()
      arguments.a = UnsafePointer(frame.pointer(from.0, as: UInt8.self))
      arguments.b = UnsafePointer(frame.pointer(from.1, as: UInt8.self))
      arguments.y = frame.pointer(target, as: UInt8.self)
      arguments.count = Int64(count)
      (arguments.a_scale, arguments.b_scale, arguments.factor) = (left.scale, right.scale, 1 / result.scale)
      (arguments.a_zero, arguments.b_zero, arguments.y_zero) = (
        left.unsignedZero, right.unsignedZero, result.unsignedZero
      )
      (arguments.a_flip, arguments.b_flip, arguments.y_flip) = (left.flip, right.flip, result.flip)
      (arguments.low, arguments.high) = limits
      return frame.step(arguments, ps_codes_add)
    }
    return true
  }

  // MARK: - Factors and offsets

  /// Rows of channels inside a wider array.
  private struct Rows {
    var count: Int
    var channels: Int
    var sourceStride: Int
    var targetStride: Int
    var targetOffset = 0
  }

  /// y = x * factors + offsets, channel by channel, in numbers, not codes.
  private static func emitAffine(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ rows: Rows, from source: Int, _ codes: Quantized.Codes, to target: Int,
    _ result: Quantized.Codes, _ limits: (low: Float, high: Float), factors: [Double], offsets: [Double]
  ) throws(PruneError) {
    let scales = factors.map { Float($0 * Double(codes.scale) / Double(result.scale)) }
    let shifts = factors.indices.map { index in
      Float((offsets[index] - factors[index] * Double(codes.scale) * Double(codes.unsignedZero)) / Double(result.scale))
    }
    let scaleBuffer = try emitter.constantBuffer(try Tensor(scales))
    let shiftBuffer = try emitter.constantBuffer(try Tensor(shifts))
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      var arguments = ps_codes_affine_args()
      arguments.x = UnsafePointer(frame.pointer(source, as: UInt8.self))
      // Safe: the offset is that of a part inside the row.
      arguments.y = frame.pointer(target, as: UInt8.self).advanced(by: rows.targetOffset)
      arguments.scales = UnsafePointer(frame.pointer(scaleBuffer))
      arguments.offsets = UnsafePointer(frame.pointer(shiftBuffer))
      (arguments.rows, arguments.channels) = (Int64(rows.count), Int64(rows.channels))
      (arguments.x_stride, arguments.y_stride) = (Int64(rows.sourceStride), Int64(rows.targetStride))
      (arguments.low, arguments.high) = (limits.low / result.scale, limits.high / result.scale)
      (arguments.y_zero, arguments.x_flip, arguments.y_flip) = (result.unsignedZero, codes.flip, result.flip)
      return frame.step(arguments, ps_codes_affine)
    }
  }

  private static func normalize(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let limits = quantized.limits, let result = quantized.result,
      let codes = quantized.operands.first, let x = op.input(0), let y = op.output(0), emitter.dims(x).count >= 2,
      emitter.count(x) > 0, op.node.int("training_mode", default: 0) == 0, op.node.int("spatial", default: 1) == 1
    else { return false }
    let channels = emitter.dims(x)[1]
    var parameters: [[Float]] = []
    for place in 1...4 {
      guard let tensor = emitter.constant(op.input(place)), tensor.dtype == .float32, tensor.count == channels else {
        return false
      }
      parameters.append(try tensor.array(of: Float.self))
    }
    let epsilon = Double(op.node.float("epsilon", default: 1e-5))
    let factors = (0..<channels).map { Double(parameters[0][$0]) / (Double(parameters[3][$0]) + epsilon).squareRoot() }
    let offsets = (0..<channels).map { Double(parameters[1][$0]) - Double(parameters[2][$0]) * factors[$0] }
    let source = try channelsLast(x, emitter).buffer
    let rows = Rows(
      count: emitter.count(x) / channels, channels: channels, sourceStride: channels, targetStride: channels)
    try emitAffine(
      op, emitter, rows, from: source, codes, to: try defineChannelsLast(y, emitter), result, limits,
      factors: factors,
      offsets: offsets)
    return true
  }

  private static func rescale(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let result = quantized.result, let codes = quantized.operands.first,
      let x = op.input(0),
      let y = op.output(0), let channels = emitter.dims(x).count >= 2 ? emitter.dims(x)[1] : emitter.dims(x).first,
      emitter.count(x) > 0
    else { return false }
    let source = try channelsLast(x, emitter).buffer
    let rows = Rows(
      count: emitter.count(x) / channels, channels: channels, sourceStride: channels, targetStride: channels)
    try emitAffine(
      op, emitter, rows, from: source, codes, to: try defineChannelsLast(y, emitter), result, (-.infinity, .infinity),
      factors: [Double](repeating: 1, count: channels), offsets: [Double](repeating: 0, count: channels))
    return true
  }

  /// Along channels.
  private static func concat(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let limits = quantized.limits, let result = quantized.result,
      let y = op.output(0),
      emitter.dims(y).count >= 2, emitter.count(y) > 0, op.inputs.count == quantized.operands.count,
      emitter.value(y).shape?.axis(op.node.int("axis", default: 1)) == 1
    else { return false }
    let total = emitter.dims(y)[1]
    let count = emitter.count(y) / total
    let target = try defineChannelsLast(y, emitter)
    var offset = 0
    for (index, input) in op.inputs.enumerated() {
      guard let input, emitter.dims(input).count == emitter.dims(y).count else { return false }
      let channels = emitter.dims(input)[1]
      guard channels > 0 else { continue }
      let source = try channelsLast(input, emitter).buffer
      let rows = Rows(
        count: count, channels: channels, sourceStride: channels, targetStride: total, targetOffset: offset)
      try emitAffine(
        op, emitter, rows, from: source, quantized.operands[index], to: target, result, limits,
        factors: [Double](repeating: 1, count: channels), offsets: [Double](repeating: 0, count: channels))
      offset += channels
    }
    return offset == total
  }

  // MARK: - Averages

  private static func average(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, quantized.stages.isEmpty, let result = quantized.result,
      let codes = quantized.operands.first, let x = op.input(0), let y = op.output(0), emitter.dims(x).count == 4
    else { return false }
    var node = op.node
    node.opType = String(node.opType.dropFirst("Quantized".count))
    guard let problem = PoolingKernels.Problem(node, x: emitter.dims(x), y: emitter.dims(y)),
      problem.window.dilations == [1, 1]
    else { return false }
    let (window, dims, extents) = (problem.window, emitter.dims(x), emitter.dims(y))
    let source = try channelsLast(x, emitter).buffer
    let target = try defineChannelsLast(y, emitter)
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      var arguments = ps_codes_average_args()
      arguments.x = UnsafePointer(frame.pointer(source, as: UInt8.self))
      arguments.y = frame.pointer(target, as: UInt8.self)
      (arguments.n, arguments.channels) = (Int64(dims[0]), Int64(dims[1]))
      (arguments.ih, arguments.iw, arguments.oh, arguments.ow) = (
        Int64(dims[2]), Int64(dims[3]), Int64(extents[2]), Int64(extents[3])
      )
      (arguments.kh, arguments.kw) = (Int64(window.kernel[0]), Int64(window.kernel[1]))
      (arguments.stride_h, arguments.stride_w) = (Int64(window.strides[0]), Int64(window.strides[1]))
      (arguments.pad_h, arguments.pad_w) = (Int64(window.before[0]), Int64(window.before[1]))
      arguments.counts_padding = problem.algorithm == dnnl_pooling_avg_include_padding ? 1 : 0
      (arguments.x_zero, arguments.y_zero, arguments.factor) = (
        codes.unsignedZero, result.unsignedZero, codes.scale / result.scale
      )
      (arguments.x_flip, arguments.y_flip) = (codes.flip, result.flip)
      return frame.step(arguments, ps_codes_average)
    }
    return true
  }

  // MARK: - Functions

  /// A function of one code, as its 256 results.
  private static func function(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let quantized = op.quantized, let result = quantized.result, let codes = quantized.operands.first,
      let x = op.input(0), let y = op.output(0), let yt = result.dtype.dnnl, quantized.parts.count == 3,
      let kernel = ReferenceKernels.kernel(for: quantized.parts[1].node, opset: quantized.parts[1].opset)
    else { return false }
    let numbers = (0..<256).map { (Float($0) - codes.unsignedZero) * codes.scale }
    var inputs: [Tensor?] = [try Tensor(numbers)]
    for input in quantized.parts[1].inputs.dropFirst() { inputs.append(emitter.constant(input)) }
    guard
      let images = try kernel(quantized.parts[1].node, inputs, quantized.parts[1].opset).first?.array(of: Float.self)
    else { return false }
    var table = ps_codes_table_args()
    withUnsafeMutableBytes(of: &table.table) { bytes in
      for place in 0..<256 {
        let steps = (images[place] / result.scale).rounded(.toNearestOrEven) + result.unsignedZero
        // The loop looks up bytes as they lie in memory.
        bytes[place ^ Int(codes.flip)] = UInt8(max(0, min(255, steps.isNaN ? 0 : steps))) ^ result.flip
      }
    }
    let home = try emitter.home(x)
    let entries = table
    let (source, count) = (home.buffer, emitter.count(x))
    let target = try emitter.define(y, layout: home.layout?.typed(yt))
    emitter.emit(op.node.label, reads: [source], writes: [target]) { frame in
      var arguments = entries
      arguments.x = UnsafePointer(frame.pointer(source, as: UInt8.self))
      arguments.y = frame.pointer(target, as: UInt8.self)
      arguments.count = Int64(count)
      return frame.step(arguments, ps_codes_table)
    }
    return true
  }
}
