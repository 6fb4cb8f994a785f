import PruneTensor

/// A weight's elements gathered into units that are removed as one.
struct UnitPartition {
  /// The unit of each element, in storage order.
  let units: [Int32]
  /// How many there are.
  let count: Int

  /// Blocks and kernels of a weight; at the edges blocks may be smaller.
  init(_ granularity: Granularity, _ matrix: LayerMatrix, count elements: Int) {
    var units = [Int32](repeating: 0, count: elements)
    let (height, width) =
      switch granularity {
      case .block(let rows, let columns): (rows, columns)
      default: (1, 1)
      }
    let down = (matrix.outputs + height - 1) / height, across = (matrix.inputs + width - 1) / width
    let taps = granularity == .kernel ? 1 : matrix.taps
    for row in 0..<matrix.rows {
      let (group, output) = row.quotientAndRemainder(dividingBy: matrix.outputs)
      for column in 0..<matrix.columns {
        let (tap, input) = column.quotientAndRemainder(dividingBy: matrix.inputs)
        let place = (group * down + output / height) * taps + (taps == 1 ? 0 : tap)
        units[matrix.offset(row, column)] = Int32(truncatingIfNeeded: place * across + input / width)
      }
    }
    self.units = units
    count = matrix.groups * down * taps * across
  }

  /// One number a unit that stands for it as a weight: 0 where all of it is zero already.
  func standIns(_ weight: Tensor) throws(PruneError) -> Tensor {
    var result = [Float](repeating: 0, count: count)
    try weight.withSpan(of: Float.self) { span throws(PruneError) in
      for index in span.indices where span[index] != 0 { result[Int(units[index])] = 1 }
    }
    return try Tensor(result)
  }

  /// The mean score of each unit's elements: units at an edge compare with whole ones.
  func means(_ scores: Tensor) throws(PruneError) -> Tensor {
    var sums = [Double](repeating: 0, count: count), sizes = [Double](repeating: 0, count: count)
    try scores.withSpan(of: Float.self) { span throws(PruneError) in
      for index in span.indices {
        sums[Int(units[index])] += Double(span[index])
        sizes[Int(units[index])] += 1
      }
    }
    return try Tensor(zip(sums, sizes).map { Float($0 / max($1, 1)) })
  }

  /// The weight with zeros where its unit's stand-in is zero.
  func masked(_ weight: Tensor, by standIns: Tensor) throws(PruneError) -> Tensor {
    var result = weight
    try standIns.withSpan(of: Float.self) { kept throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for index in span.indices where kept[Int(units[index])] == 0 { span[index] = 0 }
      }
    }
    return result
  }
}

/// All but the best `keep` of every `of` neighbours in a row.
enum NeighbourMask {
  /// The weight with zeros in place of the lowest; a last group of fewer neighbours keeps the same share of them,
  /// rounded up.
  static func masked(
    _ weight: Tensor, _ scores: Tensor, _ matrix: LayerMatrix, keep: Int, of: Int
  ) throws(PruneError) -> Tensor {
    var result = weight
    try scores.withSpan(of: Float.self) { scores throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        var group: [(place: Int, score: Float)] = []
        for row in 0..<matrix.rows {
          for tap in 0..<matrix.taps {
            for first in stride(from: 0, to: matrix.inputs, by: of) {
              let width = min(of, matrix.inputs - first)
              let wanted = width * (of - keep) / of
              guard wanted > 0 else { continue }
              group.removeAll(keepingCapacity: true)
              for input in first..<first + width {
                let place = matrix.offset(row, tap * matrix.inputs + input)
                // What is gone already goes first.
                group.append((place, span[place] == 0 ? -.infinity : scores[place]))
              }
              group.sort { ($0.score, $0.place) < ($1.score, $1.place) }
              for index in 0..<wanted { span[group[index].place] = 0 }
            }
          }
        }
      }
    }
    return result
  }
}
