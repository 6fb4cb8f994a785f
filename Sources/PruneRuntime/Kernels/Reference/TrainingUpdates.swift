import PruneGraph
import PruneTensor

#if canImport(Glibc)
  import Glibc
#endif

/// Optimizer steps. Each returns the new weight and the new state in the order of the inputs; the executor stores them
/// into the Variables of those names. Where a mask (uint8) is 0, the weight and its state come out exactly 0.
enum UpdateKernels {
  private static func mask(_ call: TrainingCall, _ index: Int, count: Int) throws(PruneError) -> [UInt8]? {
    guard let tensor = call.optional(index) else { return nil }
    guard UInt8.reads(tensor.dtype), tensor.count == count else {
      throw call.error("the mask is \(tensor.dtype.name) \(tensor.shape), wanted uint8 of \(count) elements")
    }
    return try tensor.array(of: UInt8.self)
  }

  /// SGDUpdate(W, dW, momentum_buffer?, mask?, lr){momentum, nesterov, weight_decay} -> W[, momentum_buffer].
  static func sgd(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    var w = try call.floats(0)
    let dw = try call.floats(1, shaped: shape)
    var buffer = try call.optional(2) == nil ? nil : call.floats(2, shaped: shape)
    let mask = try mask(call, 3, count: w.count)
    let rate = try call.scalar(4)
    let momentum = call.node.float("momentum", default: 0)
    let decay = call.node.float("weight_decay", default: 0)
    let isNesterov = call.node.int("nesterov", default: 0) != 0
    for index in w.indices {
      let kept = mask.map { $0[index] != 0 } ?? true
      var step = dw[index] + decay * w[index]
      if let old = buffer?[index] {
        let velocity = momentum * old + step
        buffer?[index] = kept ? velocity : 0
        step = isNesterov ? step + momentum * velocity : velocity
      }
      w[index] = kept ? w[index] - rate * step : 0
    }
    return try [Tensor(w, shape)] + (buffer.map { values throws(PruneError) in [try Tensor(values, shape)] } ?? [])
  }

  /// AdamUpdate(W, dW, m, v, mask?, lr, step){beta1, beta2, epsilon, weight_decay, decoupled} -> W, m, v. `step` counts
  /// from 1. Kingma and Ba 2015; with `decoupled`, weight decay as Loshchilov and Hutter 2019.
  static func adam(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    var w = try call.floats(0)
    let dw = try call.floats(1, shaped: shape)
    var m = try call.floats(2, shaped: shape)
    var v = try call.floats(3, shaped: shape)
    let mask = try mask(call, 4, count: w.count)
    let (rate, step) = (try call.scalar(5), try call.scalar(6))
    let (beta1, beta2) = (call.node.float("beta1", default: 0.9), call.node.float("beta2", default: 0.999))
    let epsilon = call.node.float("epsilon", default: 1e-8)
    let decay = call.node.float("weight_decay", default: 0)
    let isDecoupled = call.node.int("decoupled", default: 0) != 0
    let correction1 = Float(1 - pow(Double(beta1), Double(step)))
    let correction2 = Float(1 - pow(Double(beta2), Double(step)))
    for index in w.indices {
      guard mask.map({ $0[index] != 0 }) ?? true else {
        (w[index], m[index], v[index]) = (0, 0, 0)
        continue
      }
      let gradient = isDecoupled ? dw[index] : dw[index] + decay * w[index]
      m[index] = beta1 * m[index] + (1 - beta1) * gradient
      v[index] = beta2 * v[index] + (1 - beta2) * gradient * gradient
      let scaled = (m[index] / correction1) / ((v[index] / correction2).squareRoot() + epsilon)
      w[index] -= rate * (scaled + (isDecoupled ? decay * w[index] : 0))
    }
    return [try Tensor(w, shape), try Tensor(m, shape), try Tensor(v, shape)]
  }
}
