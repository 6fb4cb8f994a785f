import PruneGraph
import PruneTensor

/// A penalty on weights, added to the loss, or a bound on them.
package struct Regularizer: Sendable {
  package enum Kind: String, Choice {
    /// strength Σ|w|.
    case l1
    /// strength/2 Σw².
    case l2
    /// strength √size Σ‖w_c‖ over output channels: whole channels go to zero (Yuan and Lin 2006).
    case groupLasso = "group_lasso"
    /// strength Σ|γ| over the scales of batch normalizations (Liu et al. 2017).
    case scales = "bn_l1"
    /// strength_c/2 ‖w_c‖² with a strength of each output channel that grows, faster where the channel is small (Wang
    /// et al. 2021, GReg).
    case growing
    /// strength Σ|w| over weights that have another sign than before the fit.
    case sign
    /// Weights never get another sign than before the fit: what would cross zero stays there.
    case signConstraint = "sign_constraint"
    /// strength(t)/2 Σw² over weights that were selected to go, the same for all and growing (Wang et al. 2021,
    /// GReg-1).
    case greg1
    /// strength(t)/2 Σw² over all weights, growing, which makes those that the loss needs stand out (GReg-2).
    case greg2
    /// The norm of each output channel stays at most `strength`.
    case maxNorm = "max_norm"
    /// The sum of the sizes of each output channel's weights stays at most `strength`, by the nearest weights that have
    /// it: the smallest become zero (Duchi et al. 2008).
    case maxNormL1 = "max_norm_l1"
  }

  package var kind: Kind
  package var strength: Double
  /// growing, greg1, greg2: what is added every `interval` steps to the strength (of the smallest channel), and the
  /// largest strength.
  package var growth: Double
  package var limit: Double
  package var interval: Int
  /// Name patterns of parameters; empty for all weights of two axes and more, for bn_l1 all scales.
  package var scope: [String]
  /// greg1: by parameter, 1 where a weight is selected and 0 elsewhere.
  package var selection: [String: Tensor] = [:]

  package init(
    _ kind: Kind, _ strength: Double, growth: Double = 1e-4, limit: Double = 1, interval: Int = 10, scope: [String] = []
  ) {
    self.kind = kind
    self.strength = strength
    self.growth = growth
    self.limit = limit
    self.interval = interval
    self.scope = scope
  }

  /// - Throws: `.invalidArgument` for a name that is none.
  package static func kind(_ name: String) throws(PruneError) -> Kind {
    try Kind("regularizer", named: name)
  }

  func check() throws(PruneError) {
    func require(_ name: String, _ value: Double, _ isValid: Bool, _ requirement: String) throws(PruneError) {
      guard isValid else {
        throw PruneError(
          .invalidArgument, "\(name) is \(value), wanted \(requirement)", at: "regularizer \(kind.rawValue)")
      }
    }
    // A growing one may start from nothing.
    let startsAtNothing = isGrowing || kind == .signConstraint
    let isValid = startsAtNothing ? strength >= 0 : strength > 0
    try require("strength", strength, isValid && strength.isFinite, "a number above 0")
    guard kind != .greg1 || !selection.isEmpty else {
      throw PruneError(
        .unsupported, "greg1 grows on the weights that a prune selected, and here nothing is selected",
        at: "regularizer greg1",
        hint: "use it in prune with strategy = \"regularized\", or greg2")
    }
    try require("growth", growth, growth > 0 && growth.isFinite, "a number above 0")
    try require("limit", limit, limit > 0 && limit.isFinite, "a number above 0")
    try require("interval", Double(interval), interval > 0 && interval < 1 << 31, "1 or more")
  }

  /// Whether it bounds weights behind each update, rather than pulling at them.
  var isProjection: Bool { [.maxNorm, .maxNormL1, .signConstraint].contains(kind) }

  /// Whether its strength rises during the fit.
  package var isGrowing: Bool { [.growing, .greg1, .greg2].contains(kind) }

  /// The trained parameters it applies to.
  /// - Throws: `.notFound` when there are none.
  func parameters(of model: Model, among trained: [String]) throws(PruneError) -> [String] {
    let scales = kind == .scales ? Self.scales(of: model) : []
    let names = trained.filter { name in
      if kind == .greg1, selection[name] == nil { return false }
      guard scope.isEmpty else { return scope.contains { NamePattern($0).matches(name) } }
      if kind == .scales { return scales.contains(name) }
      return (model.graph.initializer(name)?.shape.rank ?? 0) > 1
    }
    guard !names.isEmpty else {
      throw PruneError(
        .notFound, "no trained parameter is in its scope\(scope.isEmpty ? "" : " \(scope)")",
        at: "regularizer \(kind.rawValue)",
        hint: scope.first.map { Suggestion.hint(for: $0, among: trained) }
          ?? (kind == .scales
            ? "the model has no batch normalization"
            : model.hasOtherFloatWeights
              ? "its weights have another precision: quantize{scheme = \"float32\"} makes them float32" : ""))
    }
    return names
  }

  private static func scales(of model: Model) -> Set<String> {
    Set(
      model.graph.nodes.filter { $0.isStandard && $0.opType == "BatchNormalization" }.compactMap { $0.input(1) })
  }
}

/// Along which axis a weight's output channels lie.
enum OutputChannels {
  static func axis(of parameter: String, in model: Model) -> Int {
    for node in model.graph.nodes where node.isStandard {
      guard let position = node.inputs.firstIndex(of: parameter) else { continue }
      let rank = model.graph.initializer(parameter)?.shape.rank ?? 1
      switch node.opType {
      case "ConvTranspose": return min(1, rank - 1)
      case "Gemm" where position == 1: return node.int("transB", default: 0) != 0 ? 0 : min(1, rank - 1)
      case "MatMul" where position == 1: return max(rank - 1, 0)
      default: return 0
      }
    }
    return 0
  }
}
