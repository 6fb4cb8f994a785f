import PruneTensor

/// Counts the zeros of trained weights that no mask keeps before a fit, to report afterwards which weights regrew.
struct ZeroCensus {
  private var counts: [(name: String, zeros: Int)] = []

  /// Fewer are chance.
  private static let fewest = 4
  /// Of a weight's elements.
  private static let share = 0.01
  /// Weights that a warning names.
  private static let named = 3

  /// Weights that are zero altogether are where a training begins, not what a pruning left.
  init(_ weights: [String: Tensor], _ parameters: [String], masked: Set<String>) {
    for name in parameters where !masked.contains(name) {
      guard let tensor = weights[name], tensor.shape.rank > 1 else { continue }
      let zeros = tensor.count - tensor.nonzeroCount
      if zeros >= Self.fewest, Double(zeros) >= Self.share * Double(tensor.count), zeros < tensor.count {
        counts.append((name, zeros))
      }
    }
  }

  /// Nil when none grew back.
  func warning(after weights: [String: Tensor]) -> String? {
    var before = 0, after = 0
    var names: [String] = []
    for entry in counts {
      guard let tensor = weights[entry.name] else { continue }
      let zeros = tensor.count - tensor.nonzeroCount
      guard zeros < entry.zeros else { continue }
      (before, after) = (before + entry.zeros, after + zeros)
      names.append("'\(entry.name)'")
    }
    guard !names.isEmpty else { return nil }
    let more = names.count > Self.named ? " and \(names.count - Self.named) more" : ""
    return
      "\(before - after) of \(before) zeros grew back, in \(names.prefix(Self.named).joined(separator: ", "))\(more): "
      + "keep_zeros = true holds what is zero, and prune lists what it leaves at zero"
  }
}
