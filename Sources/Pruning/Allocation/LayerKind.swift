import PruneTensor

/// What a weight is to its layer, as far as dividing an amount over layers goes.
package struct LayerKind: Sendable {
  /// Layers of equal signature are ranked together by the isomorphic division.
  let signature: String
  /// Extents whose sum and product give the layer's share by the ERK division.
  let extents: [Int]
  let matrix: LayerMatrix?

  init(_ weight: PrunableWeight, _ matrix: LayerMatrix?) {
    self.matrix = matrix
    extents = weight.tensor.shape.dims
    let kernel = weight.operation.hasPrefix("Conv") ? weight.tensor.shape.dims.dropFirst(2).map(String.init) : []
    let isDepthwise = matrix.map { $0.groups > 1 && $0.inputs == 1 } ?? false
    signature = ([weight.operation] + kernel + (isDepthwise ? ["depthwise"] : [])).joined(separator: " ")
  }

  /// Weights to remove from each layer so that what stays is in proportion to the sum of its extents, no layer denser
  /// than it is, and the amount in all is exact.
  static func erkCounts(_ layers: [LayerKind], _ counts: [Int], _ amount: Double) -> [Int] {
    let total = counts.reduce(0, +)
    let removed = Allocation.units(amount, of: total)
    let raw = layers.map { Double($0.extents.reduce(0, +)) }
    var isDense = [Bool](repeating: false, count: counts.count)
    var kept = counts
    // Layers that would be denser than whole stay whole, and the others share what is left.
    for _ in 0...counts.count {
      let left = Double(total - removed) - Double(zip(counts, isDense).reduce(0) { $0 + ($1.1 ? $1.0 : 0) })
      let sum = zip(raw, isDense).reduce(0.0) { $0 + ($1.1 ? 0 : $1.0) }
      guard sum > 0 else { break }
      var grew = false
      for index in counts.indices where !isDense[index] {
        let share = max(left, 0) * raw[index] / sum
        if share >= Double(counts[index]) {
          isDense[index] = true
          grew = true
        }
        kept[index] = min(max(Int(share), 0), counts[index])
      }
      if !grew { break }
    }
    for index in counts.indices where isDense[index] { kept[index] = counts[index] }
    // Rounding down left some over: the largest layers take them.
    var missing = total - removed - kept.reduce(0, +)
    for index in counts.indices.sorted(by: { counts[$0] > counts[$1] }) {
      let change = missing > 0 ? min(missing, counts[index] - kept[index]) : max(missing, -kept[index])
      kept[index] += change
      missing -= change
    }
    return zip(counts, kept).map(-)
  }
}

/// The lowest of each output by itself.
enum RowCut {
  static func results(
    _ weights: [Tensor], _ scores: Scores, _ layers: [LayerKind], _ amount: Double
  ) throws(PruneError) -> [Allocation.Result] {
    let values = try scores.tensors(of: weights)
    var results: [Allocation.Result] = []
    for (index, weight) in weights.enumerated() {
      guard index < layers.count, let matrix = layers[index].matrix else {
        throw PruneError(
          .unsupported, "allocation 'row' wants weights with a row for each output",
          hint: "use allocation = \"local\", or leave the others out with ignore = …")
      }
      results.append(try cut(weight, values[index], matrix, Allocation.units(amount, of: matrix.columns)))
    }
    return results
  }

  private static func cut(
    _ weight: Tensor, _ scores: Tensor, _ matrix: LayerMatrix, _ count: Int
  ) throws(PruneError) -> Allocation.Result {
    var result = weight
    var zeros = 0
    var highest: Float = 0
    try scores.withSpan(of: Float.self) { scores throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        var row: [(score: Float, place: Int)] = []
        row.reserveCapacity(matrix.columns)
        for output in 0..<matrix.rows {
          row.removeAll(keepingCapacity: true)
          for column in 0..<matrix.columns {
            let place = matrix.offset(output, column)
            row.append((span[place] == 0 ? -.infinity : scores[place], place))
          }
          row.sort { ($0.score, $0.place) < ($1.score, $1.place) }
          for (score, place) in row.prefix(count) {
            span[place] = 0
            if score.isFinite { highest = max(highest, score) }
          }
        }
        for index in span.indices where span[index] == 0 { zeros += 1 }
      }
    }
    return Allocation.Result(tensor: result, zeros: zeros, threshold: Double(highest))
  }
}
