import CPruneSupport
import PruneGraph
import PruneTensor

/// Gradients of activations, softmax, layer normalization, slices and gathers.
enum GradientStepKernels: KernelFamily {
  static let name = "gradient"
  static let kernels: [String: FastKernel] = {
    var table: [String: FastKernel] = [
      "ai.libprune.SoftmaxGrad": softmax, "ai.libprune.LogSoftmaxGrad": softmax, "ai.libprune.LayerNormGrad": layerNorm,
      "ai.libprune.SliceGrad": slice, "ai.libprune.GatherGrad": gather,
    ]
    let function: FastKernel = slope
    for name in [
      "ClipGrad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad", "HardSigmoidGrad", "HardSwishGrad", "ErfGrad",
      "GeluGrad", "MishGrad",
    ] { table["ai.libprune.\(name)"] = function }
    return table
  }()

  /// What `ps_slope` is told for a node.
  private static func settings(_ node: Node) -> (kind: ps_slope_kind, alpha: Float, beta: Float) {
    func float(_ name: String, _ value: Float) -> Float { node.float(name, default: value) }
    switch node.opType {
    case "ClipGrad": return (PS_SLOPE_CLIP, float("min", -.infinity), float("max", .infinity))
    case "LeakyReluGrad": return (PS_SLOPE_LEAKY_RELU, float("alpha", 0.01), 0)
    case "EluGrad": return (PS_SLOPE_ELU, float("alpha", 1), 1)
    case "SeluGrad": return (PS_SLOPE_ELU, float("alpha", 1.673_263_2), float("gamma", 1.050_701))
    case "SoftplusGrad": return (PS_SLOPE_SOFTPLUS, 0, 0)
    case "HardSigmoidGrad": return (PS_SLOPE_HARD_SIGMOID, float("alpha", 0.2), float("beta", 0.5))
    case "HardSwishGrad": return (PS_SLOPE_HARD_SWISH, 0, 0)
    case "ErfGrad": return (PS_SLOPE_ERF, 0, 0)
    case "MishGrad": return (PS_SLOPE_MISH, 0, 0)
    default: return (node.string("approximate", default: "none") == "tanh" ? PS_SLOPE_GELU_TANH : PS_SLOPE_GELU, 0, 0)
    }
  }

  /// Zeros stay zeros, so that a padded layout may be walked as it lies.
  private static func slope(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let pair = try GradientPair(op, emitter) else { return false }
    let (kind, alpha, beta) = settings(op.node)
    emitter.emit(op.node.label, reads: [pair.gradient, pair.value], writes: [pair.target]) { frame in
      frame.step(
        ps_slope_args(
          dy: frame.pointer(pair.gradient), x: frame.pointer(pair.value), dx: frame.pointer(pair.target),
          count: Int64(pair.count),
          kind: Int32(kind.rawValue), alpha: alpha, beta: beta), ps_slope)
    }
    return true
  }

  private static func softmax(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let y = op.input(1), let dx = op.output(0), emitter.isFloat(dy), emitter.isFloat(y),
      emitter.dims(dy) == emitter.dims(y), let shape = emitter.value(y).shape, shape.count > 0,
      shape.axis(op.node.int("axis", default: -1)) == shape.rank - 1
    else { return false }
    let (gradient, at) = (try emitter.plain(dy), try emitter.plain(y))
    let target =
      emitter.canOverwrite(dy, in: op)
      ? emitter.define(dx, layout: nil, over: gradient) : try emitter.define(dx, layout: nil)
    let extent = shape[shape.rank - 1]
    let isLog: Int32 = op.node.opType == "LogSoftmaxGrad" ? 1 : 0
    emitter.emit(op.node.label, reads: [gradient, at], writes: [target]) { frame in
      frame.step(
        ps_softmax_grad_args(
          dy: frame.pointer(gradient), y: frame.pointer(at), dx: frame.pointer(target),
          rows: Int64(shape.count / extent),
          extent: Int64(extent), is_log: isLog), ps_softmax_grad)
    }
    return true
  }

  private static func layerNorm(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let x = op.input(1), let scale = op.input(2), let dx = op.output(0),
      let dScale = op.output(1),
      let dBias = op.output(2), emitter.isFloat(dy), emitter.isFloat(x), emitter.isFloat(scale),
      emitter.dims(dy) == emitter.dims(x), let shape = emitter.value(x).shape, shape.count > 0,
      let axis = shape.axis(op.node.int("axis", default: -1))
    else { return false }
    let columns = shape.dims[axis...].reduce(1, *)
    guard emitter.count(scale) == columns else { return false }
    let rows = shape.count / columns
    let (gradient, source, factors) = (try emitter.plain(dy), try emitter.plain(x), try emitter.plain(scale))
    let target =
      emitter.canOverwrite(dy, in: op)
      ? emitter.define(dx, layout: nil, over: gradient) : try emitter.define(dx, layout: nil)
    let (first, second) = (try emitter.define(dScale, layout: nil), try emitter.define(dBias, layout: nil))
    let statistics = emitter.scratch(8 * rows)
    let epsilon = op.node.float("epsilon", default: 1e-5)
    emitter.emit(op.node.label, reads: [gradient, source, factors], writes: [target, first, second, statistics]) {
      frame in
      frame.step(
        ps_layer_norm_grad_args(
          dy: frame.pointer(gradient), x: frame.pointer(source), scale: frame.pointer(factors),
          dx: frame.pointer(target),
          dscale: frame.pointer(first), dbias: frame.pointer(second), statistics: frame.pointer(statistics),
          rows: Int64(rows),
          columns: Int64(columns), epsilon: epsilon), ps_layer_norm_grad)
    }
    return true
  }

  private static func zero(_ op: Dataflow.Op, _ emitter: any Emitter, _ target: Int, _ byteCount: Int) {
    emitter.emit(op.node.label, reads: [], writes: [target]) { frame in
      frame.step(ps_zero_args(y: frame.pointers[target], bytes: Int64(byteCount)), ps_zero)
    }
  }

  /// Zeros, then the gradient in its place; steps backwards are left to the reference.
  private static func slice(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let dx = op.output(0), emitter.isFloat(dy), let target = emitter.value(dx).shape,
      let from = emitter.value(dy).shape, from.rank == target.rank, from.count > 0, from.rank > 0
    else { return false }
    let starts = op.node.ints("starts") ?? []
    let axes = op.node.ints("axes") ?? Array(starts.indices)
    let steps = op.node.ints("steps") ?? [Int](repeating: 1, count: starts.count)
    guard axes.count == starts.count, steps.count == starts.count else { return false }
    let dense = Layout.rowMajorStrides(target.dims)
    var strides = dense
    var origin = 0
    for (index, entry) in axes.enumerated() {
      guard let axis = target.axis(entry), steps[index] > 0, steps[index] < 1 << 31, starts[index] >= 0,
        starts[index] < target[axis], (target[axis] - 1 - starts[index]) / steps[index] + 1 >= from[axis]
      else { return false }
      origin += starts[index] * dense[axis]
      strides[axis] = dense[axis] * steps[index]
    }
    guard let walk = StridedWalk(from.dims, [Layout.rowMajorStrides(from.dims), strides]) else { return false }
    let (source, result) = (try emitter.plain(dy), try emitter.define(dx, layout: nil))
    zero(op, emitter, result, 4 * target.count)
    emitter.emit(op.node.label, reads: [source], writes: [result]) { frame in
      var arguments = ps_copy_args()
      // Safe: starts and steps stay inside the target, as checked above.
      arguments.x = UnsafeRawPointer(frame.pointers[source])
      arguments.y = frame.pointers[result].advanced(by: 4 * origin)
      arguments.width = 4
      arguments.rank = Int32(walk.dims.count)
      StridedWalk.fill(&arguments.dims, walk.dims)
      StridedWalk.fill(&arguments.x_strides, walk.strides[0])
      StridedWalk.fill(&arguments.y_strides, walk.strides[1])
      return frame.step(arguments, ps_copy)
    }
    return true
  }

  private static func gather(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let dy = op.input(0), let indices = op.input(1), let dx = op.output(0), emitter.isFloat(dy),
      let target = emitter.value(dx).shape, let axis = target.axis(op.node.int("axis", default: 0)),
      let dtype = emitter.value(indices).dtype, dtype == .int64 || dtype == .int32
    else { return false }
    let (outer, inner) = (target.dims[..<axis].reduce(1, *), target.dims[(axis + 1)...].reduce(1, *))
    let count = emitter.count(indices)
    guard emitter.count(dy) == outer * count * inner else { return false }
    let (gradient, places, result) = (
      try emitter.plain(dy), try emitter.plain(indices), try emitter.define(dx, layout: nil)
    )
    emitter.emit(op.node.label, reads: [gradient, places], writes: [result]) { frame in
      frame.step(
        ps_gather_grad_args(
          dy: frame.pointer(gradient),
          wide: dtype == .int64 ? UnsafePointer(frame.pointer(places, as: Int64.self)) : nil,
          narrow: dtype == .int32 ? UnsafePointer(frame.pointer(places, as: Int32.self)) : nil,
          dx: frame.pointer(result),
          outer: Int64(outer), extent: Int64(target[axis]), inner: Int64(inner), indices: Int64(count)), ps_gather_grad)
    }
    return true
  }
}
