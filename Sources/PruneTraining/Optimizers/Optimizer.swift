import PruneGraph
import PruneTensor

/// How a gradient changes a weight: the node that does it and the state it keeps for each weight.
package struct Optimizer: Sendable {
  package enum Kind: String, CaseIterable, Sendable { case sgd, adam, adamw }

  package var kind: Kind
  package var momentum: Double
  package var isNesterov: Bool
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double
  package var weightDecay: Double

  /// The learning rate used when none is given.
  package static func defaultRate(_ kind: Kind) -> Double { kind == .sgd ? 0.01 : 0.001 }

  /// Names of the state tensors of one weight, each of the weight's shape and zero at the start.
  func stateNames(of weight: String) -> [String] {
    switch kind {
    case .sgd: momentum == 0 ? [] : [weight + ".momentum"]
    case .adam, .adamw: [weight + ".m", weight + ".v"]
    }
  }

  /// The update of one weight. Weights of one axis (biases, scales of normalizations) are not decayed.
  func node(
    weight: String, rank: Int, gradient: String, mask: String?, rate: String, step: String, output: String
  ) -> Node {
    let states = stateNames(of: weight)
    let decay = Attribute("weight_decay", .float(rank > 1 ? Float(weightDecay) : 0))
    switch kind {
    case .sgd:
      return Node(
        "SGDUpdate", domain: GradientRules.trainingDomain, name: "update/\(weight)",
        inputs: [weight, gradient, states.first ?? "", mask ?? "", rate], outputs: [output],
        attributes: [
          Attribute("momentum", .float(Float(momentum))), Attribute("nesterov", .int(isNesterov ? 1 : 0)), decay,
        ])
    case .adam, .adamw:
      return Node(
        "AdamUpdate", domain: GradientRules.trainingDomain, name: "update/\(weight)",
        inputs: [weight, gradient] + states + [mask ?? "", rate, step], outputs: [output],
        attributes: [
          Attribute("beta1", .float(Float(beta1))), Attribute("beta2", .float(Float(beta2))),
          Attribute("epsilon", .float(Float(epsilon))), decay, Attribute("decoupled", .int(kind == .adamw ? 1 : 0)),
        ])
    }
  }
}
