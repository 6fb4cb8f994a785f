import CPruneSupport

/// One ranking over the elements of several float32 tensors, and the cut that removes its lowest.
///
/// Without scores an element ranks by its absolute value, and nothing is stored besides the tensors; with
/// scores (any finite numbers, one an element) it ranks by its score, except that an element that is exactly zero
/// always ranks lowest. Equal elements rank by position. Selection is by histograms of the keys' bits: exact, three
/// linear passes, and independent of the number of threads.
package struct WeightRanking: Sendable {
  private let weights: [Tensor]
  private let scores: [Tensor]?
  /// Elements in all.
  package let count: Int

  /// Where a ranking is cut: keys below `key` go, and the first `ties` of those that equal it.
  package struct Cut: Sendable, Hashable {
    fileprivate let key: UInt32
    fileprivate let ties: Int
    fileprivate let isOfScores: Bool

    /// The rank (absolute value or score) at which the cut is: what lies below is gone. Infinite when all is.
    package var threshold: Float {
      guard key != .max else { return .infinity }
      guard isOfScores else { return Float(bitPattern: key) }
      // Below the key of the lowest number there is only that of zeros.
      guard key > 0x007F_FFFF else { return -.infinity }
      return key >> 31 == 0 ? Float(bitPattern: ~key) : Float(bitPattern: key & 0x7FFF_FFFF)
    }
  }

  /// What a cut left of one tensor.
  package struct Masked: Sendable {
    package let tensor: Tensor
    /// Elements that are exactly zero.
    package let zeros: Int
  }

  /// - Throws: `.mismatch` when a tensor is not float32 or its scores have another shape.
  package init(_ weights: [Tensor], scores: [Tensor]? = nil) throws(PruneError) {
    self.weights = try Self.readable(weights)
    self.scores = try scores.map { tensor throws(PruneError) in try Self.readable(tensor) }
    count = weights.reduce(0) { $0 + $1.count }
    guard let scores else { return }
    guard scores.count == weights.count, zip(weights, scores).allSatisfy({ $0.count == $1.count }) else {
      throw PruneError(.mismatch, "scores and weights have different shapes")
    }
  }

  /// The position of the first tensor that holds a NaN or an infinity, as a weight or as a score.
  package var firstNotFinite: (index: Int, inScores: Bool)? {
    for index in weights.indices {
      for (list, inScores) in [(weights, false), (scores ?? [], true)] where index < list.count {
        // Safe: `readable` checked dtype and alignment; the pointer covers count elements while the tensor lives.
        if withPointer(list[index], { ps_count_not_finite($0, Int64(list[index].count)) }) > 0 {
          return (index, inScores)
        }
      }
    }
    return nil
  }

  /// Elements that are exactly zero.
  package var zeroCount: Int { weights.indices.reduce(0) { $0 + countEqual($1, 0) } }

  /// The cut that leaves exactly `number` elements zero, or as many as are zero already where those are more.
  package func cut(removing number: Int) -> Cut {
    guard number > 0 else { return cut(0, ties: 0) }
    guard number < count else { return cut(.max, ties: 0) }
    let high = Self.find(number, in: histogram(high: nil))
    let low = Self.find(high.left, in: histogram(high: UInt32(high.bin)))
    let key = UInt32(high.bin) << 16 | UInt32(low.bin)
    // All of the equal ones go: a plain limit does it.
    return low.left == low.count ? cut(key &+ 1, ties: 0) : cut(key, ties: low.left)
  }

  /// The cut that removes what scores less than `threshold`.
  package func cut(below threshold: Float) -> Cut {
    cut(ps_select_key(threshold, scores == nil ? 0 : 1), ties: 0)
  }

  private func cut(_ key: UInt32, ties: Int) -> Cut { Cut(key: key, ties: ties, isOfScores: scores != nil) }

  /// The tensors with zeros where the cut removes.
  package func masked(_ cut: Cut) throws(PruneError) -> [Masked] {
    var ties = cut.ties
    var result: [Masked] = []
    for (index, weight) in weights.enumerated() {
      let score = scores?[index]
      let equal = ties > 0 ? countEqual(index, cut.key) : 0
      let removedTies = min(ties, equal)
      ties -= removedTies
      let whole = removedTies > 0 && removedTies == equal
      let output = try Tensor(unfilled: .float32, weight.shape)
      // Safe: the output has no other owner yet, and the three hold count elements each.
      let target = output.storage.base.assumingMemoryBound(to: Float.self)
      let zeros = withPointers(weight, score) {
        ps_select_mask(
          $0, $1, target, Int64(weight.count), whole ? cut.key &+ 1 : cut.key, whole ? 0 : Int64(removedTies))
      }
      result.append(Masked(tensor: output, zeros: Int(zeros)))
    }
    return result
  }

  // MARK: - Parts

  private func histogram(high: UInt32?) -> [Int64] {
    var counts = [Int64](repeating: 0, count: 1 << 16)
    // Safe: the table has 65,536 entries; the tensors hold as many elements as we say.
    counts.withUnsafeMutableBufferPointer { table in
      guard let base = table.baseAddress else { return }
      for (index, weight) in weights.enumerated() {
        withPointers(weight, scores?[index]) { values, scores in
          if let high {
            ps_select_histogram_low(values, scores, Int64(weight.count), high, base)
          } else {
            ps_select_histogram_high(values, scores, Int64(weight.count), base)
          }
        }
      }
    }
    return counts
  }

  /// The bin in which the `rank`-th element lies, how many of it are needed, and how many it holds.
  private static func find(_ rank: Int, in counts: [Int64]) -> (bin: Int, left: Int, count: Int) {
    var left = rank
    for (bin, count) in counts.enumerated() {
      if left <= Int(count) { return (bin, left, Int(count)) }
      left -= Int(count)
    }
    return (counts.count - 1, 0, 0)
  }

  private func countEqual(_ index: Int, _ key: UInt32) -> Int {
    withPointers(weights[index], scores?[index]) {
      Int(ps_select_count_equal($0, $1, Int64(weights[index].count), key))
    }
  }

  private static func readable(_ tensors: [Tensor]) throws(PruneError) -> [Tensor] {
    var result: [Tensor] = []
    for tensor in tensors {
      guard tensor.dtype == .float32 else {
        throw PruneError(.mismatch, "weights are ranked as float32, got \(tensor.dtype.name)")
      }
      result.append(try tensor.aligned(to: 4))
    }
    return result
  }

  private func withPointers<R>(
    _ weight: Tensor, _ score: Tensor?, _ body: (UnsafePointer<Float>, UnsafePointer<Float>?) -> R
  ) -> R {
    withPointer(weight) { values in
      guard let score else { return body(values, nil) }
      return withPointer(score) { body(values, $0) }
    }
  }

  private func withPointer<R>(_ tensor: Tensor, _ body: (UnsafePointer<Float>) -> R) -> R {
    // Safe: `readable` made sure of dtype and alignment; the tensor keeps its storage alive during the call.
    withExtendedLifetime(tensor) {
      body(UnsafePointer(tensor.storage.base.advanced(by: tensor.byteOffset).assumingMemoryBound(to: Float.self)))
    }
  }
}
