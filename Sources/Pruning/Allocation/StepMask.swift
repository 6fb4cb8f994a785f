import PruneTensor

/// The masking of one step: what an allocation removes at a granularity.
struct StepMask {
  let granularity: Granularity
  let allocation: Allocation

  /// What is left of each weight: of every one that was not zero already, one unit at least. Where a ranking would take
  /// the last one, the next lowest of other weights goes in its place.
  func results(_ weights: PrunableWeights, _ scores: Scores, _ ranking: WeightRanking) throws(PruneError) -> [Allocation
    .Result]
  {
    let tensors = weights.weights.map(\.tensor)
    let results = try unbounded(weights, tensors, scores, ranking)
    guard zip(results, tensors).contains(where: { $0.zeros == $1.count }) else { return results }
    let values = try scores.tensors(of: tensors)
    let floor = try LayerFloor(tensors, values, units: partitions(weights, tensors))
    let bounded = try floor.protecting(values)
    let again = try unbounded(weights, tensors, .tensors(bounded), WeightRanking(tensors, scores: bounded))
    return try floor.filling(again, from: tensors)
  }

  private func unbounded(
    _ weights: PrunableWeights, _ tensors: [Tensor], _ scores: Scores, _ ranking: WeightRanking
  ) throws(PruneError) -> [Allocation.Result] {
    switch granularity {
    case .weight:
      let layers = needsLayers ? self.layers(of: weights) : []
      return try allocation.masked(tensors, scores, ranking, layers: layers)
    case .neighbours(let keep, let of):
      let values = try scores.tensors(of: tensors)
      var results: [Allocation.Result] = []
      for (index, layer) in layers(of: weights).enumerated() {
        let matrix = try matrix(of: layer, weights.weights[index])
        let tensor = try NeighbourMask.masked(tensors[index], values[index], matrix, keep: keep, of: of)
        let zeros = try WeightRanking([tensor]).zeroCount
        results.append(Allocation.Result(tensor: tensor, zeros: zeros, threshold: .nan))
      }
      return results
    case .block, .subBlock, .kernel:
      return try units(weights, tensors, scores)
    case .channel, .head, .headDim, .layer:
      throw PruneError(.internal, "units of granularity '\(granularity.name)' span tensors")
    }
  }

  /// Units stand for their elements in the same rankings that single weights go through.
  private func units(
    _ weights: PrunableWeights, _ tensors: [Tensor], _ scores: Scores
  ) throws(PruneError) -> [Allocation.Result] {
    let values = try scores.tensors(of: tensors), layers = layers(of: weights)
    let partitions = try partitions(weights, tensors) ?? []
    var standIns: [Tensor] = [], means: [Tensor] = []
    for (index, partition) in partitions.enumerated() {
      standIns.append(try partition.standIns(tensors[index]))
      means.append(try partition.means(values[index]))
    }
    let ranking = try WeightRanking(standIns, scores: means)
    var results = try allocation.masked(standIns, .tensors(means), ranking, layers: layers)
    for (index, partition) in partitions.enumerated() where index < results.count {
      let tensor = try partition.masked(tensors[index], by: results[index].tensor)
      results[index].tensor = tensor
      results[index].zeros = try WeightRanking([tensor]).zeroCount
    }
    return results
  }

  /// How many units of each weight are zero, and how many it has.
  func goneUnits(_ weights: PrunableWeights) throws(PruneError) -> [(gone: Int, of: Int)] {
    let tensors = weights.weights.map(\.tensor), partitions = try partitions(weights, tensors)
    var result: [(Int, Int)] = []
    for (index, tensor) in tensors.enumerated() {
      let units = try partitions.map { list throws(PruneError) in try list[index].standIns(tensor) } ?? tensor
      result.append((try WeightRanking([units]).zeroCount, units.count))
    }
    return result
  }

  /// Nil where single weights are the units.
  private func partitions(_ weights: PrunableWeights, _ tensors: [Tensor]) throws(PruneError) -> [UnitPartition]? {
    switch granularity {
    case .block, .subBlock, .kernel: break
    default: return nil
    }
    var partitions: [UnitPartition] = []
    for (index, layer) in layers(of: weights).enumerated() where index < tensors.count {
      let weight = weights.weights[index]
      partitions.append(try UnitPartition(granularity, matrix(of: layer, weight), of: weight))
    }
    return partitions
  }

  private var needsLayers: Bool {
    if case .amount(_, let division) = allocation { return ![.global, .local, .lamp].contains(division) }
    return false
  }

  private func layers(of weights: PrunableWeights) -> [LayerKind] {
    zip(weights.weights, weights.matrices()).map { LayerKind($0, $1) }
  }

  private func matrix(of layer: LayerKind, _ weight: PrunableWeight) throws(PruneError) -> LayerMatrix {
    guard let matrix = layer.matrix else { throw LayerMatrix.missing(weight, criterion: granularity.name) }
    return matrix
  }
}
