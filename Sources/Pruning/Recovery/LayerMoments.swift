import PruneData
import PruneGraph
import PruneTensor

/// The second moments of what layers multiply their weights by, as the data make them: E[x xᵀ].
struct LayerMoments {
  let weights: PrunableWeights
  /// Of each weight; those without a use are left out.
  let uses: [[WeightUse]]
  let data: Dataset
  let batchSize: Int
  let cancel: CancelFlag?

  /// Second moments held at a time, unless a single layer has more.
  private static let byteLimit = 256 << 20
  /// Passes over the data; a network of more layers takes several at a time.
  private static let passes = 24

  /// Weights, in graph order, cut so that the moments of each part fit.
  func parts(of indices: [Int]) -> [[Int]] {
    let used = indices.filter { !uses[$0].isEmpty }
    let most = max((used.count + Self.passes - 1) / Self.passes, 1)
    var result: [[Int]] = []
    var bytes = 0
    for index in used {
      let matrix = uses[index][0].matrix
      let size = matrix.groups * matrix.columns * matrix.columns * 4
      if let last = result.last, last.count < most, bytes + size <= Self.byteLimit {
        result[result.count - 1].append(index)
        bytes += size
      } else {
        result.append([index])
        bytes = size
      }
    }
    return result
  }

  /// Mean second moments of the inputs of some layers, [groups, columns, columns] each.
  func means(of part: [Int], in model: Model) throws(PruneError) -> [Int: Tensor] {
    var probe = ActivationProbe(model)
    var values: [(weight: Int, value: String)] = []
    for index in part {
      for use in uses[index] where use.matrix == uses[index][0].matrix {
        let value = try LayerInputs(use: use, shape: weights.weights[index].tensor.shape).products(&probe)
        probe.observe(value)
        values.append((index, value))
      }
    }
    var sums: [Int: ScoreAccumulator] = [:]
    try probe.run(data, batchSize: min(batchSize, 32), cancel: cancel) { batch, _ throws(PruneError) in
      for (index, value) in values {
        guard let tensor = batch[value] else { continue }
        if sums[index] == nil { sums[index] = try ScoreAccumulator(.plain, weight: tensor) }
        try sums[index]?.add(tensor, share: 1 / Float(data.count))
      }
    }
    var result: [Int: Tensor] = [:]
    for (index, sum) in sums { result[index] = try sum.scores() }
    return result
  }
}
