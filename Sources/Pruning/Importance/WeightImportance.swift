import PruneTensor

/// |w| or w²: what is small matters little. For single weights both rank alike and differ in what a threshold means.
struct MagnitudeImportance: Importance {
  let exponent: Int

  var name: String { exponent == 1 ? "magnitude" : "l2" }
  var needsData: Bool { false }
  /// One ranking of magnitudes empties layers whose weights are small.
  var impliedDivision: Allocation.Division? { .lamp }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores { .magnitude(exponent: exponent) }
}

/// Uniform random numbers: the control that every other criterion has to beat.
struct RandomImportance: Importance {
  var name: String { "random" }
  var needsData: Bool { false }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let source = RandomSource(seed: context.seed)
    var tensors: [Tensor] = []
    for (index, weight) in context.weights.weights.enumerated() {
      // A stream for each weight: what one of them draws does not depend on the others.
      var random = source.fork(UInt64(index) + 1)
      var scores = try Tensor(zeros: .float32, weight.tensor.shape)
      try scores.withMutableSpan(of: Float.self) { span throws(PruneError) in
        for place in span.indices { span[place] = Float(random.uniform()) }
      }
      tensors.append(scores)
    }
    return .tensors(tensors)
  }
}
