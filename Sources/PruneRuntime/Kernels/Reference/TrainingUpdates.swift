import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Optimizer steps. Each returns the new weight and the new state in the order of the inputs; the executor stores them
/// into the Variables of those names. Where a mask (uint8) is 0, the weight and its state come out exactly 0. The
/// gradient is multiplied by `gate` and then cut to -clip_value...clip_value; a gate of 0 leaves everything as it is.
enum UpdateKernels {
  /// What every step reads besides its state.
  private struct Step {
    let shape: Shape
    var w: [Float]
    let dw: [Float]
    let mask: [UInt8]?
    let rate: Float
    let isSkipped: Bool
    let decay: Float

    init(_ call: TrainingCall, mask position: Int, rate: Int, gate: Int) throws(PruneError) {
      shape = try call.tensor(0).shape
      w = try call.floats(0)
      let factor = try call.optional(gate) == nil ? 1 : call.scalar(gate)
      let clip = call.node.float("clip_value", default: 0)
      dw = try call.floats(1, shaped: shape).map {
        let scaled = $0 * factor
        return clip > 0 ? min(max(scaled, -clip), clip) : scaled
      }
      isSkipped = factor == 0
      self.rate = try call.scalar(rate)
      decay = call.node.float("weight_decay", default: 0)
      mask = try Self.mask(call, position, count: w.count)
    }

    private static func mask(_ call: TrainingCall, _ index: Int, count: Int) throws(PruneError) -> [UInt8]? {
      guard let tensor = call.optional(index) else { return nil }
      guard UInt8.reads(tensor.dtype), tensor.count == count else {
        throw call.error("the mask is \(tensor.dtype.name) \(tensor.shape), wanted uint8 of \(count) elements")
      }
      return try tensor.array(of: UInt8.self)
    }

    func keeps(_ index: Int) -> Bool { mask.map { $0[index] != 0 } ?? true }

    func results(_ states: [[Float]]) throws(PruneError) -> [Tensor] {
      var results = [try Tensor(w, shape)]
      for state in states { results.append(try Tensor(state, shape)) }
      return results
    }
  }

  /// SGDUpdate(W, dW, momentum_buffer?, mask?, lr, gate?){momentum, nesterov, weight_decay, clip_value}
  /// -> W[, momentum_buffer].
  static func sgd(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    var step = try Step(call, mask: 3, rate: 4, gate: 5)
    var buffer = try call.optional(2) == nil ? nil : call.floats(2, shaped: step.shape)
    let momentum = call.node.float("momentum", default: 0)
    let isNesterov = call.node.int("nesterov", default: 0) != 0
    for index in step.w.indices where !step.isSkipped {
      var change = step.dw[index] + step.decay * step.w[index]
      if let old = buffer?[index] {
        let velocity = momentum * old + change
        buffer?[index] = step.keeps(index) ? velocity : 0
        change = isNesterov ? change + momentum * velocity : velocity
      }
      step.w[index] = step.keeps(index) ? step.w[index] - step.rate * change : 0
    }
    return try step.results(buffer.map { [$0] } ?? [])
  }

  /// AdamUpdate(W, dW, m, v, mask?, lr, step, gate?){beta1, beta2, epsilon, weight_decay, decoupled, clip_value}
  /// -> W, m, v. `step` counts from 1. Kingma and Ba 2015; with `decoupled`, weight decay as Loshchilov and Hutter
  /// 2019.
  static func adam(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    var step = try Step(call, mask: 4, rate: 5, gate: 7)
    var m = try call.floats(2, shaped: step.shape)
    var v = try call.floats(3, shaped: step.shape)
    let number = Double(try call.scalar(6))
    let (beta1, beta2) = (call.node.float("beta1", default: 0.9), call.node.float("beta2", default: 0.999))
    let epsilon = call.node.float("epsilon", default: 1e-8)
    let isDecoupled = call.node.int("decoupled", default: 0) != 0
    let correction1 = Float(1 - pow(Double(beta1), number))
    let correction2 = Float(1 - pow(Double(beta2), number))
    for index in step.w.indices where !step.isSkipped {
      guard step.keeps(index) else {
        (step.w[index], m[index], v[index]) = (0, 0, 0)
        continue
      }
      let gradient = isDecoupled ? step.dw[index] : step.dw[index] + step.decay * step.w[index]
      m[index] = beta1 * m[index] + (1 - beta1) * gradient
      v[index] = beta2 * v[index] + (1 - beta2) * gradient * gradient
      let scaled = (m[index] / correction1) / ((v[index] / correction2).squareRoot() + epsilon)
      step.w[index] -= step.rate * (scaled + (isDecoupled ? step.decay * step.w[index] : 0))
    }
    return try step.results([m, v])
  }

  /// RMSpropUpdate(W, dW, v, momentum_buffer?, mask?, lr, gate?){alpha, epsilon, momentum, weight_decay, clip_value}
  /// -> W, v[, momentum_buffer]. Tieleman and Hinton 2012, not centred.
  static func rmsprop(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    var step = try Step(call, mask: 4, rate: 5, gate: 6)
    var v = try call.floats(2, shaped: step.shape)
    var buffer = try call.optional(3) == nil ? nil : call.floats(3, shaped: step.shape)
    let alpha = call.node.float("alpha", default: 0.99)
    let epsilon = call.node.float("epsilon", default: 1e-8)
    let momentum = call.node.float("momentum", default: 0)
    for index in step.w.indices where !step.isSkipped {
      guard step.keeps(index) else {
        (step.w[index], v[index]) = (0, 0)
        buffer?[index] = 0
        continue
      }
      let gradient = step.dw[index] + step.decay * step.w[index]
      v[index] = alpha * v[index] + (1 - alpha) * gradient * gradient
      var change = gradient / (v[index].squareRoot() + epsilon)
      if let old = buffer?[index] {
        change = momentum * old + change
        buffer?[index] = change
      }
      step.w[index] -= step.rate * change
    }
    return try step.results([v] + (buffer.map { [$0] } ?? []))
  }

  /// GradientGate(loss, dW...){max_norm} -> gate [], norms [n]: the L2 norm of each gradient, and the factor that makes
  /// all of them together at most max_norm long (0: no limit); 0 where the loss or a norm is not a finite number.
  static func gate(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let loss = try call.scalar(0)
    var norms: [Float] = []
    for index in 1..<max(call.inputs.count, 1) {
      norms.append(Float(try call.floats(index).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()))
    }
    let norm = norms.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let most = Double(call.node.float("max_norm", default: 0))
    var gate: Float = most > 0 && norm > most ? Float(most / norm) : 1
    if !loss.isFinite || !norm.isFinite { gate = 0 }
    return [try Tensor(scalar: gate), try Tensor(norms)]
  }
}
