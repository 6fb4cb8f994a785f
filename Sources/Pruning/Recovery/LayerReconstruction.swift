import PruneData
import PruneGraph
import PruneTensor

/// How the weights that stay make up for those that went, without training.
package enum Reconstruction: String, Choice {
  /// The mask is given; the rest is moved by Optimal Brain Surgeon's update, column by column.
  case compensate = "obs"
  /// The mask is chosen on the way, by w²/U² of the weights as they then are (SparseGPT, Frantar and Alistarh, 2023).
  /// Blocks and kernels keep their given mask.
  case sparseGPT = "sparsegpt"
  /// Layers that read what changed are fitted to what they gave before, after surgery.
  case leastSquares = "least_squares"
  /// They stay as they are.
  case nothing = "none"
}

/// Reconstruction layer by layer: each layer's inputs are those that the layers before it, pruned and reconstructed
/// already, give on the data.
struct LayerReconstruction {
  let method: Reconstruction
  let granularity: Granularity
  let data: Dataset
  let batchSize: Int
  let cancel: CancelFlag?

  /// Added to the diagonal, relative to its mean: what SparseGPT uses.
  private static let damping = 0.01

  /// The masked weights, reconstructed.
  /// - Parameters:
  ///   - weights: with their values before this step.
  ///   - masked: what the step's mask left of them; says how many go where.
  func results(_ weights: PrunableWeights, masked: [Allocation.Result]) throws(PruneError) -> [Allocation.Result] {
    var results = masked
    var current = weights.model
    for (weight, result) in zip(weights.weights, masked) { current.graph.setInitializer(weight.name, result.tensor) }
    // What cannot be observed keeps what the mask left of it.
    let unobserved = Set(weights.unobserved().map(\.weight.name))
    let uses = zip(weights.weights, weights.uses()).map { unobserved.contains($0.name) ? [] : $1 }
    let layerMoments = LayerMoments(weights: weights, uses: uses, data: data, batchSize: batchSize, cancel: cancel)
    for chunk in layerMoments.parts(of: weights.weights.indices.filter { masked[$0].zeros > 0 }) {
      let moments = try layerMoments.means(of: chunk, in: current)
      for index in chunk {
        try cancel?.check()
        guard let matrix = uses[index].first?.matrix, let moment = moments[index] else { continue }
        do throws(PruneError) {
          results[index].tensor = try reconstructed(
            weights.weights[index].tensor, masked[index], matrix, moment)
        } catch { throw error.located(at: uses[index].first?.node.label ?? weights.weights[index].layer) }
        results[index].zeros = try WeightRanking([results[index].tensor]).zeroCount
        current.graph.setInitializer(weights.weights[index].name, results[index].tensor)
      }
    }
    return results
  }

  private func reconstructed(
    _ weight: Tensor, _ masked: Allocation.Result, _ matrix: LayerMatrix, _ moments: Tensor
  ) throws(PruneError) -> Tensor {
    var result = weight
    let square = try Shape([matrix.columns, matrix.columns])
    let parts = try moments.reshaped(try Shape([matrix.groups, matrix.columns * matrix.columns]))
    let share = Double(masked.zeros) / Double(max(weight.count, 1))
    for group in 0..<matrix.groups {
      let factor = try SecondOrder.inverseFactor(
        parts.rows(group, group + 1).reshaped(square), damping: Self.damping)
      var rows = try matrix.gathered(weight, group: group)
      let kept = try matrix.gathered(choosesOnTheWay ? weight : masked.tensor, group: group)
      var removed = try kept.array(of: Float.self).map { $0 == 0 ? UInt8(1) : 0 }
      try SecondOrder.sweep(&rows, factor: factor, removed: &removed, choice(share, matrix))
      try matrix.scatter(rows, group: group, into: &result)
    }
    return result
  }

  private var choosesOnTheWay: Bool {
    switch granularity {
    case .weight, .neighbours: method == .sparseGPT
    case .block, .subBlock, .kernel, .channel, .head, .headDim, .layer: false
    }
  }

  private func choice(_ share: Double, _ matrix: LayerMatrix) -> SecondOrder.Choice {
    guard choosesOnTheWay else { return .nothing }
    if case .neighbours(let keep, let of) = granularity {
      return .groups(keep: keep, of: of, segment: matrix.inputs)
    }
    return .amount(share)
  }
}
