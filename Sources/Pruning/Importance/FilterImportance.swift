import PruneGraph
import PruneTensor

/// Criteria of whole filters: every weight of an output has its output's score.
struct FilterImportance: Importance {
  enum Kind: String, CaseIterable, Sendable {
    /// |γ| of the BatchNormalization behind the layer (network slimming, Liu et al., 2017). Layers without one come
    /// last.
    case scale = "bn_scale"
    /// The sum of distances to the layer's other filters: what is close to the geometric median can be expressed by the
    /// others (FPGM, He et al., 2019).
    case median = "fpgm"
    /// 1 - the largest |cosine| with a filter before it in the layer: a filter that repeats an earlier one scores 0.
    case cosine
  }

  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var name: String { kind.rawValue }
  var needsData: Bool { false }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let weights = context.weights.weights, uses = context.weights.uses()
    var rows: [[Float]?] = []
    for (weight, uses) in zip(weights, uses) {
      try context.cancel?.check()
      rows.append(
        kind == .scale
          ? try Self.scales(uses, context.weights.model.graph)
          : try uses.first.map { use throws(PruneError) in
            try Self.distances(use.matrix.gathered(weight.tensor), kind)
          })
    }
    return try Self.spread(rows, weights, uses, criterion: name)
  }

  /// Scores of all weights from those of their outputs; what has none ranks behind all that have.
  static func spread(
    _ rows: [[Float]?], _ weights: [PrunableWeight], _ uses: [[WeightUse]], criterion: String
  ) throws(PruneError) -> Scores {
    guard rows.contains(where: { $0 != nil }) else {
      throw PruneError(
        .unsupported, "criterion '\(criterion)' finds nothing to measure at any of the \(weights.count) weights",
        hint:
          "bn_scale wants BatchNormalization behind layers, apoz Relu, mutual at most 8,192 outputs; magnitude works everywhere"
      )
    }
    let last = max(rows.compactMap { $0?.max() }.max() ?? 0, 0) * 2 + 1
    var tensors: [Tensor] = []
    for (index, weight) in weights.enumerated() {
      if let scores = rows[index], let matrix = uses[index].first?.matrix, scores.count == matrix.rows {
        tensors.append(try matrix.spread(scores, shape: weight.tensor.shape))
      } else {
        tensors.append(try Tensor([Float](repeating: last, count: weight.tensor.count), weight.tensor.shape))
      }
    }
    return .tensors(tensors)
  }

  /// |γ| of the BatchNormalization that reads the layer's output, through the addition of a bias.
  private static func scales(_ uses: [WeightUse], _ graph: Graph) throws(PruneError) -> [Float]? {
    guard let use = uses.first else { return nil }
    let consumers = graph.consumers
    var value = use.output
    for _ in 0..<2 {
      let readers = consumers[value] ?? []
      if let norm = readers.map({ graph.nodes[$0] }).first(where: { $0.isStandard && $0.opType == "BatchNormalization" }
      ) {
        guard let scale = norm.input(1).flatMap({ graph.initializer($0) }), scale.dtype == .float32 else { return nil }
        return try scale.array(of: Float.self).map(abs)
      }
      guard let sum = readers.map({ graph.nodes[$0] }).first(where: { $0.isStandard && $0.opType == "Add" }),
        let output = sum.output(0), sum.inputs.contains(where: graph.hasInitializer)
      else { return nil }
      value = output
    }
    return nil
  }

  private static func distances(_ rows: Tensor, _ kind: Kind) throws(PruneError) -> [Float] {
    let count = rows.shape[0]
    let products = try SecondOrder.rowProducts(rows)
    return try products.withSpan(of: Float.self) { span throws(PruneError) in
      var result = [Float](repeating: kind == .cosine ? 1 : 0, count: count)
      for row in 0..<count {
        let rowSquare = span[row * count + row]
        for other in 0..<(kind == .cosine ? row : count) where other != row {
          let otherSquare = span[other * count + other], both = span[row * count + other]
          if kind == .median {
            result[row] += max(rowSquare + otherSquare - 2 * both, 0).squareRoot()
          } else if rowSquare > 0, otherSquare > 0 {
            result[row] = min(result[row], max(1 - abs(both) / (rowSquare * otherSquare).squareRoot(), 0))
          }
        }
      }
      return result
    }
  }
}
