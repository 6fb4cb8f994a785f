import PruneData
import PruneEvaluation
import PruneGraph
import PruneRuntime
import PruneTensor

/// Weights rounded one input at a time, what each rounding changes in the layer's output being made up for by the
/// weights that are still to be rounded (Frantar et al., "GPTQ", 2023).
struct GPTQ {
  /// A rounded weight and the scales it was rounded with, one a channel or one for all.
  struct Rounded {
    let tensor: Tensor
    let scales: [Float]
  }

  /// A weight to be rounded.
  struct Target {
    let node: Int
    let input: String
    let weight: String
    /// Along which output channels lie.
    let axis: Int
    let grid: RoundingGrid
  }

  /// - Parameters:
  ///   - settles: whether AdaRound goes on from what GPTQ leaves.
  ///   - outcome: is told of each target, whether it was rounded.
  /// - Throws: `.numeric` for activations that are not finite, and what running the model throws.
  static func apply(
    _ model: Model, _ data: Dataset, _ targets: [Target], settles: Bool, _ outcome: inout OptionOutcome,
    cancel: CancelFlag?
  ) throws(PruneError) -> [String: Rounded] {
    let graph = model.graph
    var moments: [Int: InputMoments] = [:]
    for target in targets {
      guard let weight = graph.initializer(target.weight) else { continue }
      do throws(Reason) {
        moments[target.node] = try InputMoments(graph.nodes[target.node], weight.shape)
      } catch {
        outcome.leave(graph.nodes[target.node], error.text)
      }
    }
    let inputs = Set(targets.filter { moments[$0.node] != nil }.map(\.input))
    let fed = Set(graph.trueInputs.map(\.name))
    let session = Session(model, outputs: inputs.subtracting(fed).sorted())
    let inputBinding = try InputBinding(data, model)
    let samples = min(data.count, 128), batch = inputBinding.fixedBatch ?? 4
    for first in stride(from: 0, to: samples, by: batch) {
      try cancel?.check()
      let last = min(first + batch, samples)
      let feeds = try inputBinding.inputs(of: data.rows(first, last), filling: inputBinding.fixedBatch)
      let activations = try session.run(feeds, cancel: cancel).merging(feeds) { computed, _ in computed }
      for target in targets {
        guard var moment = moments[target.node], let values = activations[target.input], values.dtype == .float32,
          values.count > 0
        else { continue }
        guard try values.finiteRange() != nil else {
          throw PruneError(.numeric, "activation '\(target.input)' is NaN or infinite on the calibration data")
        }
        moments[target.node] = nil
        // Twice as many vectors as the matrix has rows make it well determined.
        let wanted = max(2 * moment.width, 1024) * (last - first) / samples + 1
        try moment.observe(values, wanted: wanted)
        moments[target.node] = moment
      }
    }
    var result: [String: Rounded] = [:]
    for target in targets {
      try cancel?.check()
      guard let moment = moments.removeValue(forKey: target.node), let weight = graph.initializer(target.weight) else {
        continue
      }
      let node = graph.nodes[target.node]
      if moment.count == 0 {
        outcome.leave(node, "the calibration data gave it no input of \(moment.width) float32 values")
      } else if let tensor = try round(weight, node, target, moment, settles) {
        result[target.weight] = Rounded(tensor: tensor, scales: target.grid.scales)
        outcome.serve()
      } else {
        outcome.leave(node, "the products of its inputs have no inverse")
      }
    }
    return result
  }

  private static func round(
    _ weight: Tensor, _ node: Node, _ target: Target, _ moment: InputMoments, _ settles: Bool
  ) throws(PruneError) -> Tensor? {
    // Output channels are rows here.
    let isTransposed = weight.shape.rank == 2 && target.axis == 1
    let old = try (isTransposed ? weight.transposed() : weight).array(of: Float.self)
    var values = old
    let width = moment.width, rows = values.count / width, perGroup = rows / moment.groups
    for group in 0..<moment.groups {
      guard let factor = inverseFactor(moment, group) else { return nil }
      for row in group * perGroup..<(group + 1) * perGroup {
        let start = row * width
        for column in 0..<width {
          let slot = target.grid.slot(row, column), scale = target.grid.scales[slot], zero = target.grid.zero(slot)
          // A pruned weight stays zero: its share is made up for by those after it.
          let value = values[start + column], isZero = old[start + column] == 0
          let code =
            isZero
            ? 0 : min(max((value / scale).rounded(.toNearestOrEven), target.grid.low - zero), target.grid.high - zero)
          // Numbers that ran away: rounding to the nearest is left for this weight.
          guard code.isFinite else { return nil }
          let error = (value - code * scale) / factor[column * width + column]
          values[start + column] = code * scale
          if error != 0 {
            for next in column + 1..<max(width, column + 1) {
              values[start + next] -= error * factor[column * width + next]
            }
          }
        }
      }
      guard settles else { continue }
      AdaRound.settle(
        &values, rows: group * perGroup..<(group + 1) * perGroup, width: width, wanted: old, target.grid,
        AdaRound.moments(moment, group))
    }
    let shape = isTransposed ? try Shape([rows, width]) : weight.shape
    let rounded = try Tensor(values, shape)
    return isTransposed ? try rounded.transposed() : rounded
  }

  /// U with H⁻¹ = UᵀU, U upper triangular: the inverse of V where H = VVᵀ with V upper triangular. H gets 1 % of its
  /// mean diagonal added; nil when it is not positive definite even so.
  private static func inverseFactor(_ moment: InputMoments, _ group: Int) -> [Float]? {
    let n = moment.width, base = group * n * n
    var h = [Double](repeating: 0, count: n * n)
    var trace = 0.0
    for row in 0..<n {
      for column in row..<n {
        h[row * n + column] = Double(moment.sums[base + row * n + column]) / Double(moment.count)
      }
      trace += h[row * n + row]
    }
    let damping = trace > 0 ? 0.01 * trace / Double(n) : 1
    for row in 0..<n { h[row * n + row] += damping }
    // V column by column from the last one; it overwrites the upper half of H.
    for column in stride(from: n - 1, through: 0, by: -1) {
      let pivot = h[column * n + column]
      guard pivot > 0 else { return nil }
      let root = pivot.squareRoot()
      h[column * n + column] = root
      for row in 0..<column { h[row * n + column] /= root }
      for row in 0..<column {
        let factor = h[row * n + column]
        if factor == 0 { continue }
        for inner in row..<column { h[row * n + inner] -= factor * h[inner * n + column] }
      }
    }
    // The inverse of an upper triangular matrix, row by row from the last one.
    var u = [Double](repeating: 0, count: n * n)
    for row in stride(from: n - 1, through: 0, by: -1) {
      let inverse = 1 / h[row * n + row]
      u[row * n + row] = inverse
      for inner in row + 1..<max(n, row + 1) {
        let factor = h[row * n + inner] * inverse
        if factor == 0 { continue }
        for column in inner..<n { u[row * n + column] -= factor * u[inner * n + column] }
      }
    }
    return u.map { Float($0) }
  }
}
