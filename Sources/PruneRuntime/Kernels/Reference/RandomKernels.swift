import PruneGraph
import PruneTensor

/// Random tensors. The same node gives the same numbers at every run: from its `seed`, or 0 without one.
enum RandomKernels {
  static let table: [String: Kernel] = {
    var table: [String: Kernel] = [:]
    for name in ["RandomNormal", "RandomNormalLike"] {
      table[name] = Kernel { (call) throws(PruneError) in
        let (mean, scale) = (
          Double(call.node.float("mean", default: 0)), Double(call.node.float("scale", default: 1))
        )
        return [try drawn(call) { mean + scale * $0.normal() }]
      }
    }
    for name in ["RandomUniform", "RandomUniformLike"] {
      table[name] = Kernel { (call) throws(PruneError) in
        let (low, high) = (
          Double(call.node.float("low", default: 0)), Double(call.node.float("high", default: 1))
        )
        return [try drawn(call) { low + (high - low) * $0.uniform() }]
      }
    }
    table["Bernoulli"] = Kernel { (call) throws(PruneError) in
      var random = source(call.node)
      return [try call.result(try call.doubles(0).map { random.uniform() < $0 ? 1 : 0 })]
    }
    table["Multinomial"] = Kernel { (call) throws(PruneError) in
      let shape = try call.tensor(0).shape
      let x = try call.doubles(0)
      let samples = try call.shape()[1]
      try call.check(try call.shape().count)
      guard shape[1] > 0 || samples == 0 else { throw call.fail("there is no class to draw") }
      var random = source(call.node)
      var values: [Double] = []
      for row in 0..<shape[0] {
        let odds = (0..<shape[1]).map { exponential(x[row * shape[1] + $0]) }
        let total = odds.reduce(0, +)
        for _ in 0..<samples {
          var rest = random.uniform() * total
          let chosen = odds.firstIndex { odd in
            rest -= odd
            return rest < 0
          }
          values.append(Double(chosen ?? shape[1] - 1))
        }
      }
      return [try call.result(values)]
    }
    return table
  }()

  private static func source(_ node: Node) -> RandomSource {
    RandomSource(seed: UInt64(node.float("seed", default: 0).bitPattern))
  }

  private static func drawn(_ call: KernelCall, _ draw: (inout RandomSource) -> Double)
    throws(PruneError) -> Tensor
  {
    let count = try call.shape().count
    try call.check(count)
    var random = source(call.node)
    return try call.result((0..<count).map { _ in draw(&random) })
  }
}
