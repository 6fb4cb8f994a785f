import CPruneSupport
import PruneGraph
import PruneTensor

/// Layer, RMS, instance and group normalization.
enum LayerNormKernels: KernelFamily {
  static let name = "layer_norm"
  static let kernels: [String: FastKernel] = [
    "LayerNormalization": layer, "RMSNormalization": layer, "InstanceNormalization": group, "GroupNormalization": group,
  ]

  private static func layer(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let scale = op.input(1), let y = op.output(0), emitter.isFloat(x),
      emitter.isFloat(scale),
      emitter.isFloat(op.input(2)), let shape = emitter.value(x).shape, shape.count > 0,
      let axis = shape.axis(op.node.int("axis", default: -1))
    else { return false }
    let columns = shape.dims[axis...].reduce(1, *)
    let rows = shape.count / columns
    let isCentred = op.key == "LayerNormalization"
    guard [scale, op.input(2)].allSatisfy({ $0.map { emitter.count($0) == columns } ?? true }),
      op.outputs.dropFirst().allSatisfy({ $0.map { emitter.isFloat($0) } ?? true })
    else { return false }
    let epsilon = op.node.float("epsilon", default: 1e-5)
    let source = try emitter.plain(x)
    let factors = try emitter.plain(scale)
    let bias = try op.input(2).map { id throws(PruneError) in try emitter.plain(id) }
    let target =
      emitter.canOverwrite(x, in: op)
      ? emitter.define(y, layout: nil, over: source) : try emitter.define(y, layout: nil)
    let mean = try op.output(1).map { id throws(PruneError) in try emitter.define(id, layout: nil) }
    let inverse = try op.output(2).map { id throws(PruneError) in try emitter.define(id, layout: nil) }
    emitter.emit(
      op.node.label, reads: [source, factors] + [bias].compactMap { $0 },
      writes: [target] + [mean, inverse].compactMap { $0 }
    ) { frame in
      frame.step(
        ps_layer_norm_args(
          x: frame.pointer(source), scale: frame.pointer(factors), bias: bias.map { UnsafePointer(frame.pointer($0)) },
          y: frame.pointer(target), mean: mean.map { frame.pointer($0) }, inverse: inverse.map { frame.pointer($0) },
          rows: Int64(rows), columns: Int64(columns), epsilon: epsilon, is_centred: isCentred ? 1 : 0), ps_layer_norm)
    }
    return true
  }

  private static func group(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let scale = op.input(1), let bias = op.input(2), let y = op.output(0),
      emitter.isFloat(x),
      emitter.isFloat(scale), emitter.isFloat(bias), emitter.dims(x).count >= 2, emitter.count(x) > 0,
      op.key == "InstanceNormalization" || op.opset >= 21
    else { return false }
    let dims = emitter.dims(x)
    let groups = op.key == "InstanceNormalization" ? dims[1] : op.node.int("num_groups", default: 0)
    guard groups > 0, dims[1] % groups == 0, emitter.dims(scale) == [dims[1]], emitter.dims(bias) == [dims[1]] else {
      return false
    }
    let inner = dims[2...].reduce(1, *)
    let epsilon = op.node.float("epsilon", default: 1e-5)
    let (source, factors, shift) = (try emitter.plain(x), try emitter.plain(scale), try emitter.plain(bias))
    let target =
      emitter.canOverwrite(x, in: op)
      ? emitter.define(y, layout: nil, over: source) : try emitter.define(y, layout: nil)
    emitter.emit(op.node.label, reads: [source, factors, shift], writes: [target]) { frame in
      frame.step(
        ps_group_norm_args(
          x: frame.pointer(source), scale: frame.pointer(factors), bias: frame.pointer(shift), y: frame.pointer(target),
          rows: Int64(dims[0] * groups), groups: Int64(groups), channels: Int64(dims[1] / groups), inner: Int64(inner),
          epsilon: epsilon), ps_group_norm)
    }
    return true
  }
}
