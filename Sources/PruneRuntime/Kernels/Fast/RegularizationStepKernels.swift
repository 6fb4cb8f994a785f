import CPruneSupport
import PruneGraph
import PruneTensor

/// Dropout in training, gradients of penalties, and projections, which write their variables in place.
enum RegularizationStepKernels: KernelFamily {
  static let name = "regularization"
  static let kernels: [String: FastKernel] = [
    "ai.libprune.DropoutTrain": dropout, "ai.libprune.PenaltyGrad": penalty, "ai.libprune.ProjectUpdate": project,
  ]

  private static func dropout(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let x = op.input(0), let step = op.input(1), let y = op.output(0), emitter.isFloat(x),
      emitter.isFloat(step),
      emitter.count(step) == 1
    else { return false }
    let (source, number) = (try emitter.plain(x), try emitter.plain(step))
    let target =
      emitter.canOverwrite(x, in: op)
      ? emitter.define(y, layout: nil, over: source) : try emitter.define(y, layout: nil)
    let (key, limit, scale) = RegularizationKernels.limits(op.node)
    let count = Int64(emitter.count(x))
    emitter.emit(op.node.label, reads: [source, number], writes: [target]) { frame in
      frame.step(
        ps_dropout_args(
          x: frame.pointer(source), y: frame.pointer(target), step: frame.pointer(number), count: count, key: key,
          limit: limit,
          scale: scale), ps_dropout)
    }
    return true
  }

  /// Extents around the channels' axis.
  private static func parts(
    _ op: Dataflow.Op, _ emitter: any Emitter, _ w: Int
  ) -> (outer: Int, channels: Int, inner: Int)? {
    let dims = emitter.dims(w)
    let axis = op.node.int("axis", default: 0)
    guard dims.indices.contains(axis) else { return nil }
    return (dims[..<axis].reduce(1, *), dims[axis], dims[(axis + 1)...].reduce(1, *))
  }

  private static let kinds: [String: ps_penalty_kind] = [
    "l1": PS_PENALTY_L1, "l2": PS_PENALTY_L2, "sign": PS_PENALTY_SIGN, "groups": PS_PENALTY_GROUPS,
    "channels": PS_PENALTY_CHANNELS,
  ]

  private static func penalty(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let w = op.input(0), let dw = op.input(1), let strength = op.input(2), let result = op.output(0),
      emitter.isFloat(w),
      emitter.isFloat(dw), emitter.isFloat(strength), emitter.dims(w) == emitter.dims(dw),
      let kind = kinds[op.node.string("kind", default: "l2")], let parts = parts(op, emitter, w),
      emitter.count(strength) == (kind == PS_PENALTY_CHANNELS ? parts.channels : 1)
    else { return false }
    var signs: Int?
    if kind == PS_PENALTY_SIGN {
      guard let id = op.input(3), emitter.value(id).dtype == .int8, emitter.count(id) == emitter.count(w) else {
        return false
      }
      signs = try emitter.plain(id)
    }
    let (weight, gradient, factor) = (try emitter.plain(w), try emitter.plain(dw), try emitter.plain(strength))
    let target =
      emitter.canOverwrite(dw, in: op)
      ? emitter.define(result, layout: nil, over: gradient) : try emitter.define(result, layout: nil)
    let norms = emitter.scratch(4 * max(parts.channels, 1))
    emitter.emit(
      op.node.label, reads: [weight, gradient, factor] + [signs].compactMap { $0 }, writes: [target, norms]
    ) { frame in
      frame.step(
        ps_penalty_args(
          w: frame.pointer(weight), gradient: frame.pointer(gradient), strength: frame.pointer(factor),
          signs: signs.map { UnsafePointer(frame.pointer($0, as: Int8.self)) }, out: frame.pointer(target),
          norms: frame.pointer(norms), outer: Int64(parts.outer), channels: Int64(parts.channels),
          inner: Int64(parts.inner),
          kind: Int32(kind.rawValue)), ps_penalty)
    }
    return true
  }

  private static func project(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let w = op.input(0), emitter.isFloat(w), emitter.value(w).isVariable, let parts = parts(op, emitter, w)
    else {
      return false
    }
    let weight = try emitter.updatedBuffer(w)
    if let id = op.input(1) {
      guard emitter.value(id).dtype == .int8, emitter.count(id) == emitter.count(w) else { return false }
      let signs = try emitter.plain(id), count = Int64(emitter.count(w))
      emitter.emit(op.node.label, reads: [signs], writes: [weight]) { frame in
        frame.step(
          ps_keep_signs_args(
            w: frame.pointer(weight), signs: UnsafePointer(frame.pointer(signs, as: Int8.self)), count: count),
          ps_keep_signs)
      }
      return true
    }
    let norms = emitter.scratch(4 * max(parts.channels, 1))
    let bound = op.node.float("bound", default: 1), isOfL1 = op.node.int("norm", default: 2) == 1
    emitter.emit(op.node.label, reads: [], writes: [weight, norms]) { frame in
      frame.step(
        ps_project_args(
          w: frame.pointer(weight), norms: frame.pointer(norms), outer: Int64(parts.outer),
          channels: Int64(parts.channels),
          inner: Int64(parts.inner), bound: bound), isOfL1 ? ps_project_l1 : ps_project)
    }
    return true
  }
}
