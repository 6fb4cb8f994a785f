import PruneData
import PruneEvaluation
import PruneTensor
import PruneTraining

/// Criteria that ask how the gradient itself changes: products of the loss's Hessian with a direction, taken as central
/// differences of the gradient over all data.
struct CurvatureImportance: Importance {
  enum Kind: String, CaseIterable, Sendable {
    /// ½ w² |h|: Optimal Brain Damage (LeCun et al., 1990), the diagonal h of the Hessian estimated by Hutchinson's
    /// method: the mean of z ⊙ Hz over random signs z.
    case hessian
    /// w · (Hg): what removing the weight takes from the norm of the gradient; the lowest go first (Wang et al., 2020).
    case grasp
  }

  /// Random directions; each costs two passes over the data.
  private static let probes = 4
  /// Length of a step, relative to the weights.
  private static let step = 0.01

  private let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  var name: String { kind.rawValue }
  var needsData: Bool { true }
  var needsTargets: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let pass = try GradientPass(criterion: name, context)
    switch kind {
    case .grasp:
      let gradients = try pass.accumulated(.plain)
      let product = try Self.product(pass, gradients)
      return .tensors(try pass.combined(product) { product, weight in product * weight })
    case .hessian:
      let source = RandomSource(seed: context.seed)
      var diagonal: [Tensor] = []
      for probe in 0..<Self.probes {
        var random = source.fork(UInt64(probe) + 1)
        var signs: [Tensor] = []
        for weight in pass.weights { signs.append(try Self.signs(weight.tensor, &random)) }
        let product = try Self.product(pass, signs)
        for (index, tensor) in product.enumerated() {
          let term = try tensor.zipped(with: signs[index]) { $0 * $1 / Float(Self.probes) }
          if index < diagonal.count {
            diagonal[index] = try diagonal[index].zipped(with: term, +)
          } else {
            diagonal.append(term)
          }
        }
      }
      return .tensors(try pass.combined(diagonal) { h, weight in 0.5 * weight * weight * abs(h) })
    }
  }

  /// The Hessian times a direction.
  private static func product(_ pass: GradientPass, _ direction: [Tensor]) throws(PruneError) -> [Tensor] {
    var length = 0.0, scale = 0.0
    for (tensor, weight) in zip(direction, pass.weights) {
      length += try tensor.zipped(with: tensor, *).total()
      scale += try weight.tensor.zipped(with: weight.tensor, *).total()
    }
    // A direction of zeros gives no information.
    guard length > 0, length.isFinite else { return direction }
    let step = Float(Self.step * (scale > 0 ? scale : 1).squareRoot() / length.squareRoot())
    func gradients(_ step: Float) throws(PruneError) -> [Tensor] {
      var moved: [Tensor] = []
      for (tensor, weight) in zip(direction, pass.weights) {
        moved.append(try tensor.zipped(with: weight.tensor) { $1 + step * $0 })
      }
      return try pass.accumulated(.plain, at: moved)
    }
    let ahead = try gradients(step), behind = try gradients(-step)
    var result: [Tensor] = []
    for (a, b) in zip(ahead, behind) { result.append(try a.zipped(with: b) { ($0 - $1) / (2 * step) }) }
    return result
  }

  /// 1 or -1 at random, and 0 for weights that are gone: they do not move.
  private static func signs(_ weight: Tensor, _ random: inout RandomSource) throws(PruneError) -> Tensor {
    var result = weight
    try result.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for index in span.indices {
        let sign: Float = random.next() >> 63 == 0 ? 1 : -1
        span[index] = span[index] == 0 ? 0 : sign
      }
    }
    return result
  }
}

/// What training does to a weight: half of how much its square grows over a fit of one epoch, which is the sum of
/// -lr·g·w over small steps of gradient descent (movement pruning, Sanh et al., 2020). Weights that training moves
/// towards zero go first.
struct MovementImportance: Importance {
  var name: String { "movement" }
  var needsData: Bool { true }
  var needsTargets: Bool { true }

  func scores(_ context: ScoringContext) throws(PruneError) -> Scores {
    let pass = try GradientPass(criterion: name, context)
    guard let data = context.data else { return .tensors([]) }
    var model = context.weights.model
    var options = FitOptions()
    (options.optimizer, options.lr) = ("sgd", Optimizer.defaultRate(.sgd))
    options.batchSize = try InputBinding(data, model).fixedBatch ?? min(context.batchSize, 32)
    (options.seed, options.output) = (context.seed, context.output)
    options.cancel = context.cancel
    options.communicator = context.communicator
    _ = try fit(&model, data, options)
    try context.cancel?.check()
    var moved: [Tensor] = []
    for weight in pass.weights { moved.append(model.graph.initializer(weight.name) ?? weight.tensor) }
    return .tensors(try pass.combined(moved) { after, before in 0.5 * (after * after - before * before) })
  }
}
