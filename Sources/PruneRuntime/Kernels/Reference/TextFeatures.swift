import PruneGraph
import PruneTensor

/// TfIdfVectorizer on integers: counts of the n-grams of a pool.
enum TextFeatures {
  static let table: [String: Kernel] = [
    "TfIdfVectorizer": Kernel { (call) throws(PruneError) in
      let x = try call.integers(0)
      let shape = try call.tensor(0).shape
      let pool = try NGramPool(call)
      let width = shape.rank == 2 ? shape[1] : x.count
      let columns = try call.shape().dims.last ?? 0
      try call.check(try call.shape().count)
      var values: [Double] = []
      for row in 0..<(shape.rank == 2 ? shape[0] : 1) {
        values += pool.features(Array(x[(row * width)..<((row + 1) * width)]), columns: columns)
      }
      return [try call.result(values)]
    }
  ]

  private struct NGramPool {
    private let lengths: ClosedRange<Int>
    private let skips: Int
    private let mode: String
    /// The output column of every n-gram, and its weight.
    private var entries: [[Int]: (column: Int, weight: Double)] = [:]

    init(_ call: KernelCall) throws(PruneError) {
      let node = call.node
      let minimum = try call.operands.int("min_gram_length", default: 1, in: 1...4096)
      let maximum = try call.operands.int("max_gram_length", default: minimum, in: minimum...4096)
      lengths = minimum...maximum
      skips = try call.operands.int("max_skip_count", default: 0, in: 0...4096)
      mode = node.string("mode", default: "TF")
      guard ["TF", "IDF", "TFIDF"].contains(mode) else {
        throw call.fail("mode is '\(mode)', wanted TF, IDF or TFIDF")
      }
      guard let items = node.ints("pool_int64s") else {
        throw call.unsupported("a pool of strings")
      }
      let starts = node.ints("ngram_counts") ?? []
      let columns = node.ints("ngram_indexes") ?? []
      let weights = node.floats("weights")
      var number = 0
      for (index, start) in starts.enumerated() {
        let end = index + 1 < starts.count ? starts[index + 1] : items.count
        guard start >= 0, start <= end, end <= items.count, (end - start) % (index + 1) == 0 else {
          throw call.fail("ngram_counts \(starts) do not fit a pool of \(items.count)")
        }
        for first in stride(from: start, to: end, by: index + 1) {
          guard number < columns.count, columns[number] >= 0,
            weights == nil || number < weights?.count ?? 0
          else {
            throw call.fail("ngram_indexes and weights do not fit the pool")
          }
          entries[Array(items[first..<(first + index + 1)])] = (
            columns[number], Double(weights?[number] ?? 1)
          )
          number += 1
        }
      }
    }

    func features(_ items: [Int], columns: Int) -> [Double] {
      var counts = [Double](repeating: 0, count: columns)
      var scales = [Double](repeating: 1, count: columns)
      for entry in entries.values { scales[entry.column] = entry.weight }
      for length in lengths {
        for skip in 1...(skips + 1) where length > 1 || skip == 1 {
          for start in items.indices where start + (length - 1) * skip < items.count {
            let gram = (0..<length).map { items[start + $0 * skip] }
            if let entry = entries[gram] { counts[entry.column] += 1 }
          }
        }
      }
      switch mode {
      case "IDF": return zip(counts, scales).map { $0 > 0 ? $1 : 0 }
      case "TFIDF": return zip(counts, scales).map { $0 * $1 }
      default: return counts
      }
    }
  }
}
