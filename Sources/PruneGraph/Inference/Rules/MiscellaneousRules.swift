import PruneTensor

/// Losses and text features.
package enum MiscellaneousRules {
  static let table: [String: Rule] = [
    "NegativeLogLikelihoodLoss": Rule { (x) throws(PruneError) in [try loss(x)] },
    "SoftmaxCrossEntropyLoss": Rule { (x) throws(PruneError) in
      [try loss(x), TensorType(x.dtype(0), x.dims(0))]
    },
    "TfIdfVectorizer": Rule { (x) throws(PruneError) in
      let highest = x.node.ints("ngram_indexes")?.max() ?? -1
      guard highest >= 0, highest < 1 << 40 else {
        throw x.fail("ngram_indexes are missing or not possible")
      }
      guard let dims = x.dims(0) else { return [TensorType(.float32, nil)] }
      guard dims.count == 1 || dims.count == 2 else {
        throw x.fail("input is \(Dims.text(dims)), wanted 1 or 2 axes")
      }
      return [TensorType(.float32, dims.dropLast() + [.fixed(highest + 1)])]
    },
  ]

  private static func loss(_ x: Operands) throws(PruneError) -> TensorType {
    let reduction = x.node.string("reduction", default: "mean")
    guard ["none", "mean", "sum"].contains(reduction) else {
      throw x.fail("reduction is '\(reduction)', wanted none, mean or sum")
    }
    if let scores = try x.dims(0, atLeast: 2), let target = try x.dims(1, rank: scores.count - 1) {
      let expected = [scores[0]] + scores[2...]
      guard zip(target, expected).allSatisfy({ Dim.unified($0, $1) != nil }) else {
        throw x.fail("targets are \(Dims.text(target)), wanted \(Dims.text(expected))")
      }
      if let weight = try x.dims(2, rank: 1), Dim.unified(weight[0], scores[1]) == nil {
        throw x.fail("\(weight[0]) weights for \(scores[1]) classes")
      }
    }
    return TensorType(x.dtype(0), reduction == "none" ? x.dims(1) : [])
  }
}
