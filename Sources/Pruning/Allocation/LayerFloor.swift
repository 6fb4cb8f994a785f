import PruneTensor

/// What no ranking takes: the best unit of each layer, without which everything behind the layer would see only biases.
struct LayerFloor {
  /// The elements of the best unit of each weight, in storage order; none for a weight that was all zero before.
  private let places: [[Int]]

  /// - Parameter units: of each weight; nil where every element is one.
  init(_ tensors: [Tensor], _ scores: [Tensor], units: [UnitPartition]?) throws(PruneError) {
    var places: [[Int]] = []
    for (index, tensor) in tensors.enumerated() where index < scores.count {
      guard let units, index < units.count else {
        places.append(try Self.best(tensor, scores[index]).map { [$0] } ?? [])
        continue
      }
      let partition = units[index]
      let best = try Self.best(partition.standIns(tensor), partition.means(scores[index]))
      places.append(best.map(partition.places) ?? [])
    }
    self.places = places
  }

  /// The first highest score among what is not zero.
  private static func best(_ tensor: Tensor, _ scores: Tensor) throws(PruneError) -> Int? {
    try tensor.withSpan(of: Float.self) { values throws(PruneError) in
      try scores.withSpan(of: Float.self) { scores throws(PruneError) in
        var best: Int?
        for index in values.indices where values[index] != 0 {
          if let current = best, scores[index] <= scores[current] { continue }
          best = index
        }
        return best
      }
    }
  }

  /// Scores in which the best units come after all others.
  func protecting(_ scores: [Tensor]) throws(PruneError) -> [Tensor] {
    var highest: Float = 0
    for tensor in scores { if let range = try tensor.finiteRange() { highest = max(highest, range.high) } }
    let above = min(highest * 2 + 1, .greatestFiniteMagnitude / 1024)
    var result = scores
    for (index, places) in places.enumerated() {
      try result[index].withMutableSpan(of: Float.self) { span throws(PruneError) in
        for place in places where place < span.count { span[place] = max(above, span[place]) }
      }
    }
    return result
  }

  /// Results in which weights that lost everything have their best unit back, and which those are.
  func filling(_ results: [Allocation.Result], from tensors: [Tensor]) throws(PruneError) -> [Allocation.Result] {
    var results = results
    for (index, places) in places.enumerated() where !places.isEmpty && results[index].zeros == tensors[index].count {
      let tensor = tensors[index]
      try tensor.withSpan(of: Float.self) { values throws(PruneError) in
        try results[index].tensor.withMutableSpan(of: Float.self) { span throws(PruneError) in
          for place in places where place < span.count { span[place] = values[place] }
        }
      }
      results[index].zeros = try WeightRanking([results[index].tensor]).zeroCount
    }
    return results
  }
}
