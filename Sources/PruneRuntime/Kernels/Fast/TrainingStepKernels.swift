import CPruneSupport
import PruneGraph
import PruneTensor

/// The loss with its gradient, and the optimizer steps, which write their variables in place.
enum TrainingStepKernels: KernelFamily {
  static let name = "training"
  static let kernels: [String: FastKernel] = [
    "ai.libprune.SoftmaxCrossEntropy": crossEntropy, "ai.libprune.MeanSquaredError": squaredError,
    "ai.libprune.SGDUpdate": sgd,
    "ai.libprune.AdamUpdate": adam, "ai.libprune.RMSpropUpdate": rmsprop, "ai.libprune.GradientGate": gate,
  ]

  private static func crossEntropy(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let logits = op.input(0), let target = op.input(1), let loss = op.output(0), emitter.isFloat(logits) else {
      return false
    }
    let dims = emitter.dims(logits)
    guard dims.count == 2, dims[0] > 0, dims[1] > 0 else { return false }
    let isLabels = emitter.value(target).dtype == .int64
    guard
      isLabels
        ? emitter.count(target) == dims[0] : emitter.isFloat(target) && emitter.count(target) == dims[0] * dims[1]
    else { return false }
    let (source, expected) = (try emitter.plain(logits), try emitter.plain(target))
    let mean = try emitter.define(loss, layout: nil)
    let gradient = try gradient(op, of: logits, at: source, emitter)
    let smoothing = op.node.float("label_smoothing", default: 0)
    let ignored = Int64(op.node.int("ignore_index", default: Int.min))
    emitter.emit(op.node.label, reads: [source, expected], writes: [mean, gradient]) { frame in
      frame.step(
        ps_cross_entropy_args(
          logits: frame.pointer(source), labels: isLabels ? frame.pointer(expected, as: Int64.self) : nil,
          targets: isLabels ? nil : frame.pointer(expected), loss: frame.pointer(mean),
          gradient: frame.pointer(gradient),
          rows: Int64(dims[0]), classes: Int64(dims[1]), smoothing: smoothing, ignored: ignored),
        ps_softmax_cross_entropy)
    }
    return true
  }

  /// Where a loss leaves its gradient: its second output, in the place of the prediction where nothing else reads that.
  private static func gradient(
    _ op: Dataflow.Op, of prediction: Int, at source: Int, _ emitter: any Emitter
  ) throws(PruneError) -> Int {
    guard let output = op.output(1) else { return emitter.scratch(4 * emitter.count(prediction)) }
    return emitter.canOverwrite(prediction, in: op)
      ? emitter.define(output, layout: nil, over: source) : try emitter.define(output, layout: nil)
  }

  private static func squaredError(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let prediction = op.input(0), let target = op.input(1), let loss = op.output(0), emitter.isFloat(prediction),
      emitter.isFloat(target), emitter.count(prediction) == emitter.count(target), emitter.count(target) > 0
    else { return false }
    let count = emitter.count(prediction)
    let (source, expected) = (try emitter.plain(prediction), try emitter.plain(target))
    let mean = try emitter.define(loss, layout: nil)
    let gradient = try gradient(op, of: prediction, at: source, emitter)
    let chunk = Int(PS_NORM_CHUNK)
    let sums = emitter.scratch(8 * ((count + chunk - 1) / chunk))
    emitter.emit(op.node.label, reads: [source, expected], writes: [mean, gradient, sums]) { frame in
      frame.step(
        ps_squared_error_args(
          prediction: frame.pointer(source), target: frame.pointer(expected), gradient: frame.pointer(gradient),
          loss: frame.pointer(mean), chunks: frame.pointer(sums, as: Double.self), count: Int64(count)),
        ps_squared_error)
    }
    return true
  }

  /// The buffers of a weight, its gradient and state, all of one shape, and of the mask and scalars.
  private struct Operands {
    let gradient: Int
    /// Weight, then state; nil where the state is absent.
    let updated: [Int?]
    let mask: Int?
    let scalars: [Int]
    let gate: Int?
    let count: Int

    init?(
      _ op: Dataflow.Op, _ emitter: any Emitter, state: [Int], mask: Int, scalars: [Int], gate position: Int
    ) throws(PruneError) {
      guard let w = op.input(0), let dw = op.input(1), emitter.isFloat(w), emitter.isFloat(dw),
        emitter.dims(w) == emitter.dims(dw), emitter.value(w).isVariable
      else { return nil }
      for position in state {
        guard let id = op.input(position) else { continue }
        guard emitter.isFloat(id), emitter.count(id) == emitter.count(w), emitter.value(id).isVariable else {
          return nil
        }
      }
      if let id = op.input(mask) {
        guard emitter.value(id).dtype?.bitWidth == 8, emitter.count(id) == emitter.count(w) else { return nil }
        self.mask = try emitter.plain(id)
      } else {
        self.mask = nil
      }
      var buffers: [Int] = []
      for position in scalars {
        guard let id = op.input(position), emitter.isFloat(id), emitter.count(id) == 1 else { return nil }
        buffers.append(try emitter.plain(id))
      }
      self.scalars = buffers
      if let id = op.input(position) {
        guard emitter.isFloat(id), emitter.count(id) == 1 else { return nil }
        gate = try emitter.plain(id)
      } else {
        gate = nil
      }
      gradient = try emitter.plain(dw)
      var updated: [Int?] = []
      for position in [0] + state {
        updated.append(try op.input(position).map { id throws(PruneError) in try emitter.updatedBuffer(id) })
      }
      self.updated = updated
      count = emitter.count(w)
    }

    var reads: [Int] { [gradient] + scalars + [mask, gate].compactMap { $0 } }
    var writes: [Int] { updated.compactMap { $0 } }
  }

  private static func sgd(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let operands = try Operands(op, emitter, state: [2], mask: 3, scalars: [4], gate: 5),
      let w = operands.updated[0]
    else { return false }
    let node = op.node
    emitter.emit(node.label, reads: operands.reads, writes: operands.writes) { frame in
      frame.step(
        ps_sgd_args(
          w: frame.pointer(w), gradient: frame.pointer(operands.gradient),
          momentum_buffer: operands.updated[1].map { frame.pointer($0) },
          mask: operands.mask.map { UnsafePointer(frame.pointer($0, as: UInt8.self)) },
          rate: frame.pointer(operands.scalars[0]), gate: operands.gate.map { UnsafePointer(frame.pointer($0)) },
          count: Int64(operands.count), momentum: node.float("momentum", default: 0),
          decay: node.float("weight_decay", default: 0), clip: node.float("clip_value", default: 0),
          nesterov: node.int("nesterov", default: 0) != 0 ? 1 : 0), ps_sgd_update)
    }
    return true
  }

  private static func adam(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let operands = try Operands(op, emitter, state: [2, 3], mask: 4, scalars: [5, 6], gate: 7),
      let w = operands.updated[0],
      let m = operands.updated[1], let v = operands.updated[2]
    else { return false }
    let node = op.node
    emitter.emit(node.label, reads: operands.reads, writes: operands.writes) { frame in
      frame.step(
        ps_adam_args(
          w: frame.pointer(w), gradient: frame.pointer(operands.gradient), m: frame.pointer(m), v: frame.pointer(v),
          mask: operands.mask.map { UnsafePointer(frame.pointer($0, as: UInt8.self)) },
          rate: frame.pointer(operands.scalars[0]), step: frame.pointer(operands.scalars[1]),
          gate: operands.gate.map { UnsafePointer(frame.pointer($0)) }, count: Int64(operands.count),
          beta1: node.float("beta1", default: 0.9),
          beta2: node.float("beta2", default: 0.999), epsilon: node.float("epsilon", default: 1e-8),
          decay: node.float("weight_decay", default: 0), clip: node.float("clip_value", default: 0),
          decoupled: node.int("decoupled", default: 0) != 0 ? 1 : 0),
        ps_adam_update)
    }
    return true
  }

  private static func rmsprop(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let operands = try Operands(op, emitter, state: [2, 3], mask: 4, scalars: [5], gate: 6),
      let w = operands.updated[0],
      let v = operands.updated[1]
    else { return false }
    let node = op.node
    emitter.emit(node.label, reads: operands.reads, writes: operands.writes) { frame in
      frame.step(
        ps_rmsprop_args(
          w: frame.pointer(w), gradient: frame.pointer(operands.gradient), v: frame.pointer(v),
          momentum_buffer: operands.updated[2].map { frame.pointer($0) },
          mask: operands.mask.map { UnsafePointer(frame.pointer($0, as: UInt8.self)) },
          rate: frame.pointer(operands.scalars[0]), gate: operands.gate.map { UnsafePointer(frame.pointer($0)) },
          count: Int64(operands.count), alpha: node.float("alpha", default: 0.99),
          epsilon: node.float("epsilon", default: 1e-8), momentum: node.float("momentum", default: 0),
          decay: node.float("weight_decay", default: 0), clip: node.float("clip_value", default: 0)), ps_rmsprop_update)
    }
    return true
  }

  /// A step for each norm, then one that looks at all of them.
  private static func gate(_ op: Dataflow.Op, _ emitter: any Emitter) throws(PruneError) -> Bool {
    guard let loss = op.input(0), let gate = op.output(0), let norms = op.output(1), emitter.isFloat(loss),
      emitter.count(loss) == 1, emitter.count(norms) == op.inputs.count - 1
    else { return false }
    var gradients: [(buffer: Int, count: Int)] = []
    for input in op.inputs.dropFirst() {
      guard let id = input, emitter.isFloat(id) else { return false }
      gradients.append((try emitter.plain(id), emitter.count(id)))
    }
    let (value, factor, all) = (
      try emitter.plain(loss), try emitter.define(gate, layout: nil), try emitter.define(norms, layout: nil)
    )
    for (index, gradient) in gradients.enumerated() {
      let chunk = Int(PS_NORM_CHUNK)
      let sums = emitter.scratch(8 * max((gradient.count + chunk - 1) / chunk, 1))
      emitter.emit(op.node.label, reads: [gradient.buffer], writes: [all, sums]) { frame in
        frame.step(
          ps_norm_args(
            x: frame.pointer(gradient.buffer), norm: frame.pointer(all).advanced(by: index),
            chunks: frame.pointer(sums, as: Double.self), count: Int64(gradient.count)), ps_norm)
      }
    }
    let most = op.node.float("max_norm", default: 0)
    emitter.emit(op.node.label, reads: [value, all], writes: [factor]) { frame in
      frame.step(
        ps_gate_args(
          loss: frame.pointer(value), norms: frame.pointer(all), gate: frame.pointer(factor),
          count: Int64(gradients.count), max_norm: most), ps_gate)
    }
    return true
  }
}
