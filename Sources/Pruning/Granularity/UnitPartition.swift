import PruneTensor

/// A weight's elements gathered into units that are removed as one. Units may overlap: an element goes with the first of
/// its units that goes.
struct UnitPartition {
  /// The elements of all units, in storage order, unit after unit.
  private let elements: [Int32]
  /// Where each unit begins, and the end of the last.
  private let starts: [Int]

  /// How many units there are.
  var count: Int { starts.count - 1 }

  /// Blocks and kernels of a weight; at the edges blocks may be smaller.
  /// - Throws: `.invalidArgument` for a kernel that is smaller than a sub-block.
  init(_ granularity: Granularity, _ matrix: LayerMatrix, of weight: PrunableWeight) throws(PruneError) {
    if case .subBlock(let block) = granularity {
      let units = try block.units(of: weight, matrix)
      elements = units.flatMap { $0 }
      starts = units.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
      return
    }
    let (units, count) = Self.units(granularity, matrix, weight.tensor.count)
    var ends = [Int](repeating: 0, count: count + 1)
    for unit in units { ends[Int(unit) + 1] += 1 }
    for unit in 0..<count { ends[unit + 1] += ends[unit] }
    var next = ends, elements = [Int32](repeating: 0, count: units.count)
    for (place, unit) in units.enumerated() {
      elements[next[Int(unit)]] = Int32(truncatingIfNeeded: place)
      next[Int(unit)] += 1
    }
    (self.elements, starts) = (elements, ends)
  }

  /// The unit of each element, where no two overlap, and how many there are.
  private static func units(_ granularity: Granularity, _ matrix: LayerMatrix, _ elements: Int) -> ([Int32], Int) {
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
    return (units, matrix.groups * down * taps * across)
  }

  /// Where a unit's elements are stored.
  func places(of unit: Int) -> [Int] { elements[starts[unit]..<starts[unit + 1]].map(Int.init) }

  /// One number a unit that stands for it as a weight: 0 where all of it is zero already.
  func standIns(_ weight: Tensor) throws(PruneError) -> Tensor {
    var result = [Float](repeating: 0, count: count)
    try weight.withSpan(of: Float.self) { span throws(PruneError) in
      for unit in result.indices {
        for place in starts[unit]..<starts[unit + 1] where span[Int(elements[place])] != 0 {
          result[unit] = 1
          break
        }
      }
    }
    return try Tensor(result)
  }

  /// The mean score of each unit's elements: units at an edge compare with whole ones.
  func means(_ scores: Tensor) throws(PruneError) -> Tensor {
    var result = [Float](repeating: 0, count: count)
    try scores.withSpan(of: Float.self) { span throws(PruneError) in
      for unit in result.indices {
        var sum = 0.0
        for place in starts[unit]..<starts[unit + 1] { sum += Double(span[Int(elements[place])]) }
        result[unit] = Float(sum / Double(max(starts[unit + 1] - starts[unit], 1)))
      }
    }
    return try Tensor(result)
  }

  /// The weight with zeros in the units whose stand-in is zero.
  func masked(_ weight: Tensor, by standIns: Tensor) throws(PruneError) -> Tensor {
    var result = weight
    try standIns.withSpan(of: Float.self) { kept throws(PruneError) in
      try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for unit in kept.indices where kept[unit] == 0 {
          for place in starts[unit]..<starts[unit + 1] { span[Int(elements[place])] = 0 }
        }
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
              let zeroCount = width * (of - keep) / of
              guard zeroCount > 0 else { continue }
              group.removeAll(keepingCapacity: true)
              for input in first..<first + width {
                let place = matrix.offset(row, tap * matrix.inputs + input)
                // What is gone already goes first.
                group.append((place, span[place] == 0 ? -.infinity : scores[place]))
              }
              group.sort { ($0.score, $0.place) < ($1.score, $1.place) }
              for index in 0..<zeroCount { span[group[index].place] = 0 }
            }
          }
        }
      }
    }
    return result
  }
}
