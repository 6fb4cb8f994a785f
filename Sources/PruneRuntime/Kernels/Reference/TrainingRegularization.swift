import PruneGraph
import PruneTensor

/// Dropout, gradients of penalties on weights, and projections of weights.
enum RegularizationKernels {
  /// Murmur3's finalizer.
  private static func mixed(_ value: UInt32) -> UInt32 {
    var x = value
    x ^= x >> 16
    x = x &* 0x85eb_ca6b
    x ^= x >> 13
    x = x &* 0xc2b2_ae35
    return x ^ (x >> 16)
  }

  /// The share of values to drop as a bound on random numbers, and what the others are multiplied by.
  static func limits(_ node: Node) -> (key: UInt32, limit: UInt32, scale: Float) {
    let ratio = Double(min(max(node.float("ratio", default: 0.5), 0), 0.999))
    return (
      UInt32(truncatingIfNeeded: node.int("key", default: 0)), UInt32(ratio * 4_294_967_296), Float(1 / (1 - ratio))
    )
  }

  /// DropoutTrain(X, step){ratio, key} -> Y: zeros, or X / (1 - ratio), chosen by element, key and step alone. Applied
  /// to the gradient of Y it gives that of X.
  static func dropout(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    var values = try call.floats(0)
    let (key, limit, scale) = limits(call.node)
    let step = try call.scalar(1)
    guard step >= 0, step < 1e9 else { throw call.error("the step is \(step)") }
    let start = mixed(key ^ mixed(UInt32(step)))
    for index in values.indices {
      values[index] = mixed(UInt32(truncatingIfNeeded: index) &+ start) >= limit ? values[index] * scale : 0
    }
    return [try Tensor(values, try call.tensor(0).shape)]
  }

  /// The norm of each channel along `axis`.
  private static func norms(_ w: [Float], _ parts: (outer: Int, extent: Int, inner: Int)) -> [Double] {
    var sums = [Double](repeating: 0, count: parts.extent)
    for index in w.indices { sums[index / parts.inner % parts.extent] += Double(w[index]) * Double(w[index]) }
    return sums.map { $0.squareRoot() }
  }

  /// PenaltyGrad(W, dW, strength, signs?){kind, axis} -> dW plus the gradient of a penalty on W: "l1" strength Σ|w|,
  /// "l2" strength/2 Σw², "groups" strength √size Σ‖w_c‖ over channels c of `axis`, "channels" Σ strength_c/2 ‖w_c‖²,
  /// "sign" strength Σ|w| where w has another sign than `signs` (int8, 0 for any).
  static func penalty(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    let (w, strength) = (try call.floats(0), try call.floats(2))
    var result = try call.floats(1, shaped: shape)
    let kind = call.node.string("kind", default: "l2")
    guard let first = strength.first else { throw call.error("the strength is empty") }
    switch kind {
    case "l1": for index in w.indices { result[index] += w[index] > 0 ? first : w[index] < 0 ? -first : 0 }
    case "l2": for index in w.indices { result[index] += first * w[index] }
    case "sign":
      let signs = try call.tensor(3).array(of: Int8.self)
      guard signs.count == w.count else { throw call.error("there are \(signs.count) signs for \(w.count) weights") }
      for index in w.indices where Float(signs[index]) * w[index] < 0 { result[index] -= first * Float(signs[index]) }
    case "groups", "channels":
      let parts = try call.split(shape, at: call.node.int("axis", default: 0))
      var factors = strength
      if kind == "groups" {
        let scale = Double(first) * Double(parts.outer * parts.inner).squareRoot()
        factors = norms(w, parts).map { $0 > 0 ? Float(scale / $0) : 0 }
      }
      guard factors.count == parts.extent else {
        throw call.error("there are \(factors.count) strengths for \(parts.extent) channels")
      }
      for index in w.indices { result[index] += factors[index / parts.inner % parts.extent] * w[index] }
    default: throw call.error("there is no penalty '\(kind)'")
    }
    return [try Tensor(result, shape)]
  }

  /// ProjectUpdate(W){bound, axis, norm} -> W with the norm of each channel of `axis` at most `bound`: of L2, or for
  /// norm 1 of L1, by the nearest weights (Duchi et al. 2008). With a second input, signs (int8,
  /// 0 for any): W with 0 where it has another sign.
  static func project(_ call: TrainingCall) throws(PruneError) -> [Tensor] {
    let shape = try call.tensor(0).shape
    var w = try call.floats(0)
    if call.node.inputs.count > 1 {
      let signs = try call.tensor(1).array(of: Int8.self)
      guard signs.count == w.count else { throw call.error("there are \(signs.count) signs for \(w.count) weights") }
      for index in w.indices where Float(signs[index]) * w[index] < 0 { w[index] = 0 }
      return [try Tensor(w, shape)]
    }
    let parts = try call.split(shape, at: call.node.int("axis", default: 0))
    let bound = Double(call.node.float("bound", default: 1))
    if call.node.int("norm", default: 2) == 1 {
      for channel in 0..<parts.extent {
        let places = w.indices.filter { $0 / parts.inner % parts.extent == channel }
        let threshold = threshold(places.map { Double(abs(w[$0])) }, bound)
        for index in places {
          let size = Float(max(Double(abs(w[index])) - threshold, 0))
          w[index] = w[index] < 0 ? -size : size
        }
      }
      return [try Tensor(w, shape)]
    }
    let norms = norms(w, parts)
    for index in w.indices {
      let norm = norms[index / parts.inner % parts.extent]
      if norm > bound { w[index] = Float(Double(w[index]) * bound / norm) }
    }
    return [try Tensor(w, shape)]
  }
  /// What all sizes become smaller by, where not 0, so that their sum is the bound.
  private static func threshold(_ sizes: [Double], _ bound: Double) -> Double {
    guard sizes.reduce(0, +) > bound else { return 0 }
    var sum = 0.0, threshold = 0.0
    for (place, size) in sizes.sorted(by: >).enumerated() {
      sum += size
      let next = (sum - bound) / Double(place + 1)
      guard size > next else { break }
      threshold = next
    }
    return threshold
  }
}
