import PruneData
import PruneEvaluation
import PruneGraph
import PruneTensor

/// The two layers that a convolution becomes; a matrix product has one way.
package enum FactorForm: String, Choice {
  /// One with the same kernel and as many channels as the rank, then one of 1 x 1 (Zhang et al., 2015).
  case channel
  /// One with a column of the kernel, then one with a row (Jaderberg et al., 2014).
  case spatial
}

/// How layers are replaced by two smaller ones each.
package struct FactorizeOptions {
  /// What layers read: ranks and factors then go by what layers compute on it, rather than by the weights alone.
  package var data: Dataset?
  /// A name of `FactorForm`.
  package var form = FactorForm.channel.rawValue
  /// The rank of every layer; 0 is not given.
  package var rank = 0
  /// The share of each layer's energy that its rank keeps.
  package var energy: Double?
  /// What is left of costs.
  package var targets: [CostTarget] = []
  /// Ranks are a multiple of this.
  package var roundTo = 8
  package var `guard`: GuardOptions?
  package var scope: [String] = []
  package var ignore: [String] = []
  package var validate: Dataset?
  package var batchSize = 64
  package var output: String?
  package var shapes = ShapeBinding()
  package var cancel: CancelFlag?

  package init() {}

  /// - Throws: `.invalidArgument` for choices that exclude each other, `.unsupported` for a target of latency.
  func check() throws(PruneError) {
    var choices: [String] = []
    if rank > 0 { choices.append("rank") }
    if energy != nil { choices.append("energy") }
    if !targets.isEmpty { choices.append("target") }
    guard choices.count < 2 else {
      throw PruneError(
        .invalidArgument, "\(choices.joined(separator: " and ")) are given: each alone settles the ranks",
        hint: "give one of them")
    }
    guard !targets.isTimed else {
      throw PruneError(
        .unsupported, "target latency is not one of factorize",
        hint: "give target = {macs = …}, {params = …} or {bytes = …}")
    }
    if let target = targets.first(where: { $0.fraction <= 0 }) {
      throw PruneError(.invalidArgument, "target \(target.kind.rawValue) is \(target.fraction), it must be more than 0")
    }
    if let energy, energy <= 0 {
      throw PruneError(.invalidArgument, "energy is \(energy), it must be more than 0 and at most 1")
    }
  }
}
