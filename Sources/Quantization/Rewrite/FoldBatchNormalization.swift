import PruneGraph
import PruneTensor

/// Merges every BatchNormalization that follows a convolution into the convolution's weight and bias:
/// w' = w·γ/√(σ²+ε) and b' = (b-μ)·γ/√(σ²+ε) + β, channel by channel. Zeros stay zero.
package enum FoldBatchNormalization {
  package static func apply(_ model: Model) throws(PruneError) -> Model {
    var model = model
    var names: Set<String>?
    let index = GraphIndex(model.graph)
    var removed: Set<Int> = []
    var unused: Set<String> = []
    for (place, norm) in model.graph.nodes.enumerated() {
      guard norm.opType == "BatchNormalization", norm.isStandard, norm.int("training_mode", default: 0) == 0,
        let input = norm.input(0), let output = norm.output(0), norm.outputs.dropFirst().allSatisfy(\.isEmpty),
        let position = index.producers[input], index.onlyConsumer(of: input) != nil
      else { continue }
      let conv = model.graph.nodes[position]
      guard conv.opType == "Conv", conv.isStandard, let weightName = conv.input(1),
        let weight = index.constant(weightName), weight.dtype == .float32, weight.shape.rank > 2,
        let folded = try fold(weight, index.constant(conv.input(2)), hasBias: conv.input(2) != nil, norm, index)
      else { continue }
      var taken = names ?? model.graph.allNames
      // A weight that others read too stays as it is for them.
      let isShared = (index.consumers[weightName]?.count ?? 0) > 1 || !model.graph.hasInitializer(weightName)
      let newWeight = isShared ? Graph.uniqueName(weightName + "_folded", &taken) : weightName
      let newBias = Graph.uniqueName((norm.input(2) ?? output) + "_folded", &taken)
      names = taken
      model.graph.setInitializer(newWeight, folded.weight)
      model.graph.setInitializer(newBias, folded.bias)
      if newWeight != weightName, model.maskedParameters.contains(weightName) { model.maskedParameters.append(newWeight) }
      unused.formUnion(conv.inputs.dropFirst())
      unused.formUnion(norm.inputs.dropFirst())
      model.graph.nodes[position].inputs = [conv.inputs[0], newWeight, newBias]
      model.graph.nodes[position].outputs = [output]
      removed.insert(place)
    }
    guard !removed.isEmpty else { return model }
    model.graph.nodes = model.graph.nodes.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
    model.graph.removeUnused(unused)
    return model
  }

  /// The new weight and bias, or nil when a parameter is not constant or does not fit.
  private static func fold(
    _ weight: Tensor, _ bias: Tensor?, hasBias: Bool, _ norm: Node, _ index: GraphIndex
  ) throws(PruneError) -> (weight: Tensor, bias: Tensor)? {
    let channels = weight.shape[0]
    guard hasBias == (bias != nil) else { return nil }
    var parameters: [[Float]] = []
    for place in 1...4 {
      guard let tensor = index.constant(norm.input(place)), tensor.dtype == .float32, tensor.count == channels else {
        return nil
      }
      parameters.append(try tensor.array(of: Float.self))
    }
    if let bias, bias.dtype != .float32 || bias.count != channels { return nil }
    let old = try bias?.array(of: Float.self) ?? [Float](repeating: 0, count: channels)
    let epsilon = Double(norm.float("epsilon", default: 1e-5))
    var factors: [Float] = []
    var biases: [Float] = []
    for channel in 0..<channels {
      let deviation = (Double(parameters[3][channel]) + epsilon).squareRoot()
      let factor = Double(parameters[0][channel]) / deviation
      guard factor.isFinite else { return nil }
      factors.append(Float(factor))
      biases.append(Float((Double(old[channel]) - Double(parameters[2][channel])) * factor + Double(parameters[1][channel])))
    }
    var scaled = weight
    let inner = channels == 0 ? 0 : weight.count / channels
    try scaled.withMutableSpan(of: Float.self) { span throws(PruneError) in
      for channel in 0..<channels {
        let factor = factors[channel]
        for place in channel * inner..<(channel + 1) * inner { span[place] *= factor }
      }
    }
    weight.forgetPages()
    return (scaled, try Tensor(biases))
  }
}
