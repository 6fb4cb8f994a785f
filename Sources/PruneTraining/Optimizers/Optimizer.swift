import PruneGraph
import PruneTensor

/// How a gradient changes a weight: the node that does it and the state it keeps for each weight.
package struct Optimizer: Sendable {
  package enum Kind: String, Choice { case sgd, adam, adamw, rmsprop }

  package var kind: Kind
  /// sgd and rmsprop.
  package var momentum: Double
  package var isNesterov: Bool
  package var beta1: Double
  package var beta2: Double
  /// How much of the mean square stays, rmsprop.
  package var rho: Double
  package var epsilon: Double
  package var weightDecay: Double
  /// Gradients are cut to -clipValue...clipValue; 0: they are not.
  package var clipValue: Double

  /// The learning rate used when none is given.
  package static func defaultRate(_ kind: Kind) -> Double { kind == .sgd || kind == .rmsprop ? 0.01 : 0.001 }

  /// What the state tensors of a weight are called, each of the weight's shape and zero at the start.
  var states: [String] {
    switch kind {
    case .sgd: momentum == 0 ? [] : ["momentum"]
    case .adam, .adamw: ["m", "v"]
    case .rmsprop: momentum == 0 ? ["v"] : ["v", "momentum"]
    }
  }

  /// Names of the state tensors of one weight.
  func stateNames(of weight: String) -> [String] { states.map { "\(weight).\($0)" } }

  /// Values that every update reads.
  struct Inputs {
    var gradient: String
    var mask: String?
    var rate: String
    /// The number of the step, from 1.
    var step: String
    /// What gradients are multiplied by; 0 skips the step.
    var gate: String
  }

  /// The update of one weight. Weights of one axis (biases, scales of normalizations) are not decayed.
  func node(weight: String, rank: Int, decay: Double, _ inputs: Inputs, output: String) -> Node {
    let states = stateNames(of: weight)
    var attributes = [
      Attribute("weight_decay", .float(rank > 1 ? Float(decay) : 0)), Attribute("clip_value", .float(Float(clipValue))),
    ]
    let opType: String
    var reads = [weight, inputs.gradient]
    switch kind {
    case .sgd:
      opType = "SGDUpdate"
      reads += [states.first ?? "", inputs.mask ?? "", inputs.rate, inputs.gate]
      attributes += [Attribute("momentum", .float(Float(momentum))), Attribute("nesterov", .int(isNesterov ? 1 : 0))]
    case .adam, .adamw:
      opType = "AdamUpdate"
      reads += states + [inputs.mask ?? "", inputs.rate, inputs.step, inputs.gate]
      attributes += [
        Attribute("beta1", .float(Float(beta1))), Attribute("beta2", .float(Float(beta2))),
        Attribute("epsilon", .float(Float(epsilon))), Attribute("decoupled", .int(kind == .adamw ? 1 : 0)),
      ]
    case .rmsprop:
      opType = "RMSpropUpdate"
      reads += [states[0], states.count > 1 ? states[1] : "", inputs.mask ?? "", inputs.rate, inputs.gate]
      attributes += [
        Attribute("alpha", .float(Float(rho))), Attribute("epsilon", .float(Float(epsilon))),
        Attribute("momentum", .float(Float(momentum))),
      ]
    }
    return Node(
      opType, domain: GradientRules.trainingDomain, name: "update/\(weight)", inputs: reads, outputs: [output],
      attributes: attributes)
  }
}
