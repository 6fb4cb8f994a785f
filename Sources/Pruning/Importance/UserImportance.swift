import PruneTensor

/// Scores of the user's own: a function of each weight, or tensors made beforehand.
struct UserImportance: Importance {
  /// Given a weight's name and values, a score for each of them; what scores lowest goes first.
  typealias Function = (_ name: String, _ weight: Tensor) throws(PruneError) -> Tensor

  let function: Function

  var name: String { "user" }
  var needsData: Bool { false }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    var tensors: [Tensor] = []
    for weight in context.weights.weights {
      try context.cancel?.check()
      let scores = try function(weight.name, weight.tensor)
      guard scores.dtype == .float32, scores.shape == weight.tensor.shape else {
        throw PruneError(
          .mismatch,
          "scores of '\(weight.name)' are \(scores.dtype.name) \(scores.shape), wanted float32 \(weight.tensor.shape)",
          at: "\(weight.operation) '\(weight.layer)'", hint: "one score for each weight")
      }
      tensors.append(scores)
    }
    return .tensors(tensors)
  }
}

/// w² over the sum of the squares of its layer that are not smaller (LAMP, Lee et al., 2021): one global order of these
/// divides an amount over the layers so that none is emptied before the last weight.
struct LampImportance: Importance {
  var name: String { "lamp" }
  var needsData: Bool { false }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    .tensors(try context.weights.weights.map { weight throws(PruneError) in try Self.scores(weight.tensor, power: 2) })
  }

  /// - Parameter power: 2 for weights, 1 for scores that are costs already.
  static func scores(_ values: Tensor, power: Int) throws(PruneError) -> Tensor {
    var result = values
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      // Positive floats order as their bits; the position breaks ties.
      var order: [UInt64] = []
      order.reserveCapacity(span.count)
      for index in span.indices { order.append(UInt64(abs(span[index]).bitPattern) << 32 | UInt64(index)) }
      order.sort()
      var sum = 0.0
      for entry in order.reversed() {
        let index = Int(entry & 0xFFFF_FFFF)
        let value = Double(abs(span[index])), cost = power == 2 ? value * value : value
        sum += cost
        span[index] = sum > 0 ? Float(cost / sum) : 0
      }
    }
    return result
  }
}
